/** What the HTTP handlers share: JSON in, JSON out, and errors as `application/problem+json` (RFC 9457). */
import { isUtf8 } from "node:buffer";
import { STATUS_CODES } from "node:http";
import { MetricUnit } from "@aws-lambda-powertools/metrics";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { errorMessage, errorName } from "./clients";
import { type LambdaHandler, logger, metrics, observed } from "./observability";
import { traced } from "./tracing";

/** Default limit of a body in bytes: ours have some hundred. */
const usualBodyBytes = 16 * 1024;

/** An error in one field of the request. */
export interface FieldError {
  /** The field's name as the API spells it; empty for the body as a whole. */
  readonly field: string;
  /** The value, shortened. Left out if it may be personal. */
  readonly value?: string | number | boolean | null;
  /** What the field accepts. */
  readonly expected: string;
}

/** Headers, names in lower case. */
type Headers = Readonly<Record<string, string>>;

/** An error that becomes a problem answer. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";

  constructor(
    readonly status: number,
    readonly detail: string,
    readonly extra: { readonly headers?: Headers; readonly errors?: readonly FieldError[] } = {},
  ) {
    super(detail);
  }
}

const always: Headers = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** JSON without characters that start a tag or an entity, so no browser reads it as HTML. */
function toJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function answer(
  status: number,
  contentType: string,
  body: unknown,
  headers: Headers = {},
): APIGatewayProxyStructuredResultV2 {
  return { statusCode: status, headers: { ...always, "content-type": contentType, ...headers }, body: toJson(body) };
}

function problemAnswer({ status, detail, extra: { headers, errors } }: HttpProblem): APIGatewayProxyStructuredResultV2 {
  const body = {
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Error",
    status,
    detail,
    errors,
  };
  return answer(status, "application/problem+json", body, headers);
}

/** A value of the request for an error answer: short texts only, no structures. */
export function shorten(value: unknown): FieldError["value"] {
  if (typeof value === "string") {
    return value.length > 40 ? `${value.slice(0, 39)}…` : value;
  }
  if (typeof value === "number") {
    return Number.isFinite(value) ? value : String(value);
  }
  if (typeof value === "boolean" || value === null) {
    return value;
  }
  return Array.isArray(value) ? "a list" : "an object";
}

/** Maximum errors in one answer. */
const maximumErrors = 20;

/** The answer to a body with wrong fields. */
export function fieldProblem(errors: readonly FieldError[]): HttpProblem {
  const named = [...new Set(errors.map(({ field }) => shorten(field)))].filter(Boolean).slice(0, maximumErrors);
  const detail =
    named.length === 0
      ? `Send ${errors.map(({ expected }) => expected).join(", ")}`
      : `Correct ${named.length === 1 ? "this field" : "these fields"}: ${named.join(", ")}`;
  return new HttpProblem(400, detail, { errors: errors.slice(0, maximumErrors) });
}

function pathOf(event: APIGatewayProxyEventV2): string {
  const { stage } = event.requestContext;
  const prefix = `/${stage}/`;
  const path =
    stage !== "$default" && event.rawPath.startsWith(prefix) ? event.rawPath.slice(prefix.length - 1) : event.rawPath;
  return path.length > 1 ? path.replace(/\/$/, "") : path;
}

/** A header of the request, trimmed; empty if missing. */
export function header(event: APIGatewayProxyEventV2, name: string): string {
  const entry = Object.entries(event.headers).find(([key]) => key.toLowerCase() === name);
  return entry?.[1]?.trim() ?? "";
}

/**
 * Reads the body as JSON.
 * @throws HttpProblem with the reason
 */
function readJson(event: APIGatewayProxyEventV2, maximumBodyBytes: number): unknown {
  const text = event.body ?? "";
  // Base64 writes three bytes as four characters, so a body that is much too long is refused without decoding.
  const leastBytes = event.isBase64Encoded ? Math.floor((text.length * 3) / 4) - 2 : text.length;
  const body = leastBytes > maximumBodyBytes ? undefined : Buffer.from(text, event.isBase64Encoded ? "base64" : "utf8");
  if (!body || body.length > maximumBodyBytes) {
    throw new HttpProblem(413, `The body is larger than ${maximumBodyBytes} bytes`);
  }
  if (body.length === 0) {
    throw new HttpProblem(400, "The body is empty, expected a JSON object");
  }
  const [type = "", ...parameters] = header(event, "content-type").toLowerCase().split(";");
  if (type.trim() !== "application/json") {
    throw new HttpProblem(415, "The content type has to be application/json", {
      headers: { "accept-post": "application/json" },
    });
  }
  const charset = parameters
    .map((parameter) => /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/.exec(parameter)?.[1])
    .find((found) => found !== undefined);
  if (charset !== undefined && charset !== "utf-8" && charset !== "utf8") {
    throw new HttpProblem(415, "The character set has to be UTF-8");
  }
  const encoding = header(event, "content-encoding").toLowerCase();
  if (encoding !== "" && encoding !== "identity") {
    throw new HttpProblem(415, "The body must not be compressed", { headers: { "accept-encoding": "identity" } });
  }
  if (!isUtf8(body)) {
    throw new HttpProblem(400, "The body is not UTF-8 text");
  }
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new HttpProblem(400, "The body is not valid JSON");
  }
}

/** Options of a route. */
export interface RouteOptions {
  /** Maximum bytes of a body. @default 16 KiB */
  readonly maximumBodyBytes?: number;
}

/** The result of a successful request. */
export interface HttpResult {
  readonly status: number;
  readonly body: unknown;
}

const allow = "POST, OPTIONS";

/**
 * A handler for one POST route of an HTTP API (payload format 2.0). It checks path, method, size, content type and
 * JSON, and turns errors into problem answers. Unexpected errors are answered with 500 and logged without any request
 * data.
 */
export function postJson(
  path: string,
  handle: (body: unknown, event: APIGatewayProxyEventV2) => Promise<HttpResult>,
  { maximumBodyBytes = usualBodyBytes }: RouteOptions = {},
): LambdaHandler<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2> {
  const route = async (event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> => {
    if (pathOf(event) !== path) {
      throw new HttpProblem(404, "There is nothing at this address");
    }
    const { method } = event.requestContext.http;
    if (method === "OPTIONS") {
      return { statusCode: 204, headers: { ...always, allow } };
    }
    if (method !== "POST") {
      throw new HttpProblem(405, `This address takes POST, not ${method.slice(0, 10)}`, { headers: { allow } });
    }
    const { status, body } = await handle(readJson(event, maximumBodyBytes), event);
    return answer(status, "application/json", body);
  };

  const answerAll = async (event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> => {
    try {
      return await route(event);
    } catch (error) {
      if (!(error instanceof HttpProblem)) {
        logger.error("The request failed", { errorName: errorName(error), reason: errorMessage(error) });
        metrics.addMetric("RequestFailed", MetricUnit.Count, 1);
        return problemAnswer(new HttpProblem(500, "The request could not be handled. Please try again later"));
      }
      logger.info("The request was refused", {
        status: error.status,
        detail: error.status === 400 ? undefined : error.detail,
      });
      metrics.addMetric(error.status < 500 ? "RequestRefused" : "RequestFailed", MetricUnit.Count, 1);
      return problemAnswer(error);
    }
  };
  return observed(traced(answerAll));
}
