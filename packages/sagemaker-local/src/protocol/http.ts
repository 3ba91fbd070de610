import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { ServiceError } from "./errors";
import type { AnyOperation } from "./operations";
import type { OperationModel, ServiceModel, Shape } from "./service-model";
import { Validator } from "./validation";

/** An answer ready to be written to the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

/** JSON as AWS writes it: dates in seconds since 1970, nothing for what is undefined. */
export function toWire(value: unknown): string {
  return JSON.stringify(value, function (this: Readonly<Record<string, unknown>>, key, item: unknown) {
    const original = this[key];
    return original instanceof Date ? original.getTime() / 1000 : item;
  });
}

/** The wire form of an error, with the header and the member by which clients identify it. */
export function errorAnswer(error: ServiceError, contentType: string): WireAnswer {
  const message = error.message.length > 2048 ? `${error.message.slice(0, 2047)}…` : error.message;
  return {
    status: error.status,
    headers: { "Content-Type": contentType, "x-amzn-ErrorType": error.code },
    // Older clients read `message`, newer error shapes have `Message`, and AWS answers one or the other.
    body: JSON.stringify({ __type: error.code, message, Message: message, ...error.members }),
  };
}

/**
 * Reads a request's body.
 * @throws ServiceError once the body is longer than `limit` bytes
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    // The rest is read and dropped, because a client that is still sending would not see an answer.
    if (size <= limit) {
      chunks.push(chunk);
    }
  }
  if (size > limit) {
    throw new ServiceError(
      "ValidationError",
      `1 validation error detected: Value at 'body' failed to satisfy constraint: ` +
        `Member must have length less than or equal to ${limit}; it has ${size} bytes.`,
    );
  }
  return Buffer.concat(chunks);
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) {
    return {};
  }
  try {
    return JSON.parse(body.toString("utf8")) as unknown;
  } catch (error) {
    throw new ServiceError("SerializationException", `The body is not JSON: ${String(error)}`);
  }
}

/** SageMaker's control plane: AWS JSON 1.1, the operation named by the header X-Amz-Target. */
export class JsonProtocol {
  readonly contentType = "application/x-amz-json-1.1";
  private readonly validator: Validator;

  constructor(
    private readonly model: ServiceModel,
    private readonly operations: Readonly<Record<string, AnyOperation | undefined>>,
  ) {
    this.validator = new Validator(model, "ValidationException");
  }

  /**
   * Runs the operation that `target` (`SageMaker.CreateModel`) names.
   * @throws ServiceError as SageMaker would answer it
   */
  async call(target: string, body: Buffer): Promise<WireAnswer> {
    const name = target.slice(target.indexOf(".") + 1);
    const description = this.model.operations.get(name);
    if (description === undefined) {
      throw new ServiceError("UnknownOperationException", `SageMaker has no operation '${name}'.`);
    }
    const operation = Object.hasOwn(this.operations, name) ? this.operations[name] : undefined;
    if (operation === undefined) {
      throw notHere(name, this.operations);
    }
    const request = this.validator.validate(description.input?.shape ?? "", parseJson(body));
    const answer = known(this.model, description.output?.shape, await operation(request));
    return { status: 200, headers: { "Content-Type": this.contentType }, body: toWire(answer) };
  }
}

/** The members of an answer that its shape has. */
function known(model: ServiceModel, shapeName: string | undefined, value: unknown): unknown {
  const shape: Shape = shapeName === undefined ? { type: "structure" } : model.shape(shapeName);
  if (value === null || typeof value !== "object") {
    return value;
  }
  if (shape.type === "list") {
    return (value as readonly unknown[]).map((item) => known(model, shape.member?.shape, item));
  }
  const entries = Object.entries(value);
  if (shape.type === "map") {
    return Object.fromEntries(entries.map(([key, item]) => [key, known(model, shape.value?.shape, item)]));
  }
  if (shape.type !== "structure") {
    return value;
  }
  return Object.fromEntries(
    entries.flatMap(([key, item]) => {
      const member = shape.members?.[key];
      return member === undefined ? [] : [[key, known(model, member.shape, item)]];
    }),
  );
}

function notHere(name: string, operations: Readonly<Record<string, unknown>>): ServiceError {
  return new ServiceError(
    "UnsupportedOperationException",
    `SageMaker's operation ${name} is not part of sagemaker-local. It has: ${Object.keys(operations).sort().join(", ")}.`,
  );
}

interface Route {
  readonly operation: OperationModel;
  readonly path: RegExp;
  readonly labels: readonly string[];
}

/** SageMaker's runtimes: REST with JSON, where path, query, headers and body carry a request's members. */
export class RestProtocol {
  readonly contentType = "application/json";
  private readonly validator: Validator;
  private readonly routes: readonly Route[];

  constructor(
    private readonly model: ServiceModel,
    private readonly operations: Readonly<Record<string, AnyOperation | undefined>>,
  ) {
    this.validator = new Validator(model, "ValidationError");
    this.routes = [...model.operations.values()].map((operation) => {
      const labels: string[] = [];
      const path = operation.http.requestUri.replaceAll(/\{(\w+)\+?\}/g, (_, label: string) => {
        labels.push(label);
        // The feature group may be an ARN, whose slash some clients don't escape.
        return "(arn:[^/]+/[^/]+|[^/]+)";
      });
      return { operation, labels, path: new RegExp(`^${path}$`) };
    });
  }

  /** The operation that a method and path belong to, if it is one of this service's. */
  route(method: string, path: string): Route | undefined {
    return this.routes.find((route) => route.operation.http.method === method && route.path.test(path));
  }

  /**
   * Runs the operation of `route`.
   * @throws ServiceError as SageMaker would answer it
   */
  async call(route: Route, url: URL, headers: IncomingHttpHeaders, body: Buffer): Promise<WireAnswer> {
    const { operation } = route;
    const implementation = this.operations[operation.name];
    if (implementation === undefined) {
      throw notHere(operation.name, this.operations);
    }
    const request = this.validator.validate(operation.input?.shape ?? "", this.bindRequest(route, url, headers, body));
    return this.bindAnswer(operation, await implementation(request));
  }

  private bindRequest(route: Route, url: URL, headers: IncomingHttpHeaders, body: Buffer): object {
    const shape = this.model.shape(route.operation.input?.shape ?? "");
    const values = route.path.exec(url.pathname)?.slice(1) ?? [];
    const labels = new Map(route.labels.map((label, index) => [label, decode(values[index] ?? "")]));
    const bound: Record<string, unknown> = {};
    let bodyMembers = false;
    for (const [name, member] of Object.entries(shape.members ?? {})) {
      const locationName = member.locationName ?? name;
      const isList = this.model.shape(member.shape).type === "list";
      if (member.location === "uri") {
        bound[name] = labels.get(locationName);
      } else if (member.location === "header") {
        bound[name] = headers[locationName.toLowerCase()];
      } else if (member.location === "querystring") {
        const all = url.searchParams.getAll(locationName);
        if (all.length > 0) {
          bound[name] = isList ? all : all[0];
        }
      } else if (name === shape.payload) {
        bound[name] = body;
      } else {
        bodyMembers = true;
      }
    }
    if (bodyMembers) {
      const content = parseJson(body);
      if (typeof content !== "object" || content === null || Array.isArray(content)) {
        throw new ServiceError(
          "SerializationException",
          "The body is JSON, but not an object with the request's members.",
        );
      }
      return { ...content, ...bound };
    }
    return bound;
  }

  private bindAnswer(operation: OperationModel, answer: object): WireAnswer {
    const status = operation.http.responseCode ?? 200;
    const shape = operation.output === undefined ? undefined : this.model.shape(operation.output.shape);
    const headers: Record<string, string> = {};
    const content: Record<string, unknown> = {};
    let body: Uint8Array | undefined;
    for (const [name, value] of Object.entries(answer)) {
      const member = shape?.members?.[name];
      if (member === undefined || value === undefined) {
        continue;
      }
      if (member.location === "header") {
        headers[member.locationName ?? name] = String(value);
      } else if (name === shape?.payload) {
        body = value as Uint8Array;
      } else {
        content[name] = value;
      }
    }
    if (body !== undefined) {
      return { status, headers, body };
    }
    headers["Content-Type"] = this.contentType;
    return { status, headers, body: shape === undefined ? "" : toWire(content) };
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ServiceError("ValidationError", `The path has a broken escape sequence: '${text}'.`);
  }
}
