/**
 * A website as a visitor meets it, on 127.0.0.1: the built pages with CloudFront's security headers, and the real API
 * handlers behind them. The two AWS services that the handlers call are played by a second server, which can be told to
 * fail.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import type { LambdaHandler } from "../../handlers/shared/observability";
import { cacheControlOf, contentTypeOf, securityHeaders } from "../../modules/site-delivery";
import { label } from "../../survey/feature-contract";
import { openApiFile, openApiJson } from "../../web/openapi";
import { websiteFiles } from "../../web/build";
import { modelData } from "./model-data";

/** A complete answer. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** A request that has arrived, with its body. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** Answers a request in place of the website, or leaves it to the website by giving undefined. */
export type Interception = (request: ReceivedRequest) => Reply | undefined | Promise<Reply | undefined>;

/** What stands before the path of a request that reaches the API without the website. */
const directly = "/directly";

/** The model that answers. */
const modelName = "acme-test-model";

type Item = Record<string, { readonly S?: string }>;

/** One write of a transaction of DynamoDB's. */
interface Transaction {
  readonly Put?: { readonly Item: Item };
}

const amazonJson = { "content-type": "application/x-amz-json-1.0" };

/** What DynamoDB answers when the first write of a transaction finds that its item is there already. */
const cancelled: Reply = {
  status: 400,
  headers: amazonJson,
  body: JSON.stringify({
    __type: "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    Message: "Transaction cancelled",
    CancellationReasons: [{ Code: "ConditionalCheckFailed" }, { Code: "None" }],
  }),
};

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function answerWith(response: ServerResponse, { status, headers = {}, body = "" }: Reply): void {
  response.writeHead(status, headers).end(body);
}

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<Server> {
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      answerWith(response, { status: 500, body: String(error) });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** Rings that an abalone can have, to which the model keeps too. */
const possible = (rings: number): number => Math.min(Math.max(rings, label.minimum), label.maximum);

/** Rings by length alone, from a growth curve: enough of a model to tell animals apart. */
function predict(body: string): string {
  const { instances } = JSON.parse(body) as { readonly instances: readonly { readonly length: number }[] };
  const predictions = instances.map(({ length }) => {
    const rings = -Math.log(1 - Math.min(length, 145) / 150) / 0.1;
    return { rings: possible(rings), low: possible(rings * 0.75), high: possible(rings * 1.4) };
  });
  return JSON.stringify({ predictions, confidence: 0.9, model: modelName });
}

type Route = LambdaHandler<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>;

async function loadHandlers(aws: string): Promise<Readonly<Record<"predict" | "contact", Route>>> {
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: aws,
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    POWERTOOLS_SERVICE_NAME: "website",
    POWERTOOLS_METRICS_NAMESPACE: "acme",
    POWERTOOLS_LOG_LEVEL: "SILENT",
    POWERTOOLS_METRICS_DISABLED: "true",
    ENDPOINT_NAME: "abalone",
    CONTACT_TABLE: "contact",
    CONTACT_RETENTION_DAYS: "30",
    CONTACT_VISITORS_TABLE: "visitors",
    CONTACT_MESSAGES_PER_HOUR: "1000",
  });
  const [predictModule, contactModule] = await Promise.all([
    import("../../handlers/predict"),
    import("../../handlers/contact"),
  ]);
  return { predict: predictModule.handler, contact: contactModule.handler };
}

/** As API Gateway hands a request to a function. */
function eventOf(request: IncomingMessage, path: string, body: string): APIGatewayProxyEventV2 {
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : value]),
  );
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: "",
    headers,
    requestContext: { stage: "$default", http: { method: request.method ?? "GET", path } },
    isBase64Encoded: false,
    ...(body !== "" && { body }),
  } as unknown as APIGatewayProxyEventV2;
}

/** A running website. */
export class WebsiteServer {
  /** Every request that has reached the website, in order. */
  readonly requests: ReceivedRequest[] = [];
  /** Contact messages that were stored, as DynamoDB items. */
  readonly messages: Item[] = [];
  /** Stands before the website when set. */
  intercept: Interception | undefined;
  /** When true, the model's endpoint fails. */
  modelFails = false;

  readonly #files = new Map([
    ...websiteFiles(),
    ["model.json", modelData(modelName)] as const,
    [openApiFile, openApiJson()] as const,
  ]);
  readonly #servers: Server[] = [];
  #handlers: Readonly<Record<"predict" | "contact", Route>> | undefined;

  /** Builds the website and opens it on a free port. */
  static async start(): Promise<WebsiteServer> {
    const website = new WebsiteServer();
    const aws = await listen((request, response) => website.#aws(request, response));
    website.#servers.push(aws, await listen((request, response) => website.#website(request, response)));
    website.#handlers = await loadHandlers(addressOf(aws));
    return website;
  }

  /** The website's address, without a slash at its end. */
  get address(): string {
    const [, server] = this.#servers;
    if (!server) {
      throw new Error("The website is closed");
    }
    return addressOf(server);
  }

  /** The API's own address beside the website, as API Gateway has one: ends in /api. */
  get api(): string {
    return `${this.address}${directly}/api`;
  }

  /** Requests to the API, in order. */
  get calls(): readonly ReceivedRequest[] {
    return this.requests.filter(({ path }) => path.startsWith("/api/"));
  }

  /** Forgets what happened and stops failing. */
  reset(): void {
    this.requests.length = 0;
    this.messages.length = 0;
    this.intercept = undefined;
    this.modelFails = false;
  }

  /** Stops both servers. */
  async stop(): Promise<void> {
    await Promise.all(this.#servers.splice(0).map(close));
  }

  async #aws(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const target = request.headers["x-amz-target"];
    if (request.url === "/endpoints/abalone/invocations" && !this.modelFails) {
      answerWith(response, { status: 200, headers: { "content-type": "application/json" }, body: predict(body) });
    } else if (target === "DynamoDB_20120810.TransactWriteItems") {
      const [stored] = (JSON.parse(body) as { readonly TransactItems: readonly Transaction[] }).TransactItems;
      const item = stored?.Put?.Item ?? {};
      const isKnown = this.messages.some(({ id }) => id?.S === item.id?.S);
      if (!isKnown) {
        this.messages.push(item);
      }
      answerWith(response, isKnown ? cancelled : { status: 200, headers: amazonJson, body: "{}" });
    } else if (target === "DynamoDB_20120810.UpdateItem") {
      answerWith(response, { status: 200, headers: amazonJson, body: "{}" });
    } else {
      const type = { "content-type": "application/json", "x-amzn-errortype": "ModelError" };
      answerWith(response, { status: 424, headers: type, body: '{"Message":"The model is gone"}' });
    }
  }

  async #website(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? "/", "http://website").pathname;
    const received = { method: request.method ?? "GET", path, body: await bodyOf(request) };
    this.requests.push(received);
    const intercepted = await this.intercept?.(received);
    if (intercepted) {
      answerWith(response, intercepted);
    } else if (path.startsWith(`${directly}/api/`)) {
      answerWith(response, await this.#api(request, received));
    } else if (path.startsWith("/api/")) {
      answerWith(response, this.#shown(await this.#api(request, received)));
    } else if (["GET", "HEAD"].includes(received.method)) {
      answerWith(response, this.#page(path));
    } else {
      answerWith(response, { ...this.#page("/403.html"), status: 403 });
    }
  }

  async #api(request: IncomingMessage, received: ReceivedRequest): Promise<Reply> {
    const { body } = received;
    const path = received.path.replace(directly, "");
    const handler = path === "/api/contact" ? this.#handlers?.contact : this.#handlers?.predict;
    if (!handler) {
      throw new Error("The website is closed");
    }
    const result = await handler(eventOf(request, path, body), { functionName: path, awsRequestId: "1" } as Context);
    return {
      status: result.statusCode ?? 200,
      headers: result.headers as Record<string, string>,
      body: result.body ?? "",
    };
  }

  /** What CloudFront makes of an answer of the API: it adds the headers, and shows its page in the place of a 404. */
  #shown(answer: Reply): Reply {
    if (answer.status === 404) {
      return this.#page("/nothing");
    }
    return { ...answer, headers: { ...securityHeaders, ...answer.headers } };
  }

  #page(path: string): Reply {
    const found = path === "/" ? "index.html" : path.slice(1);
    const status = this.#files.has(found) ? 200 : 404;
    const name = status === 200 ? found : "404.html";
    return {
      status,
      headers: { ...securityHeaders, "content-type": contentTypeOf(name), "cache-control": cacheControlOf(name) },
      body: this.#files.get(name) ?? "",
    };
  }
}
