/**
 * A server on 127.0.0.1 that plays AWS: it speaks the services' wire protocols, so the handlers' real clients are
 * tested with them.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What came over the wire: the expectations of a test are its type. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- unknown would need a cast for each look at it
export type Json = any;

/** A request as a service gets it. */
export interface AwsRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The operation of JSON protocols, for example `CreateExperiment`; empty for others. */
  readonly operation: string;
  readonly body: string;
  /** The body of JSON protocols. */
  readonly json: Json;
}

/** What a service answers; `hang` never answers, `break` closes the connection. */
export type AwsAnswer =
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Buffer | object;
      /** Closes the connection after the body, however long it was announced to be. */
      readonly breakAfterBody?: boolean;
    }
  | "hang"
  | "break";

/** The server; a test sets `respond` and looks at `requests`. */
export interface AwsServer {
  readonly url: string;
  readonly requests: AwsRequest[];
  respond: (request: AwsRequest) => AwsAnswer | Promise<AwsAnswer>;
  close(): Promise<void>;
}

/** An error of the JSON protocols. */
export function awsError(status: number, type: string, message = "as the test wants it"): AwsAnswer {
  return { status, headers: { "x-amzn-errortype": type }, body: { __type: type, message, Message: message } };
}

/** An error of S3. */
export function s3Error(status: number, code: string): AwsAnswer {
  return {
    status,
    headers: { "content-type": "application/xml" },
    body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>as the test wants it</Message></Error>`,
  };
}

async function read(message: IncomingMessage): Promise<AwsRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) {
    chunks.push(chunk as Buffer);
  }
  const body = Buffer.concat(chunks).toString("utf8");
  const isJson = (message.headers["content-type"] ?? "").includes("json");
  return {
    method: message.method ?? "",
    path: decodeURIComponent((message.url ?? "").split("?")[0] ?? ""),
    headers: message.headers,
    operation:
      String(message.headers["x-amz-target"] ?? "")
        .split(".")
        .at(-1) ?? "",
    body,
    json: isJson && body !== "" ? JSON.parse(body) : undefined,
  };
}

function write(response: ServerResponse, answer: AwsAnswer): void {
  if (answer === "hang") {
    return;
  }
  if (answer === "break") {
    response.destroy();
    return;
  }
  const { status = 200, headers = {}, body = "" } = answer;
  const isContent = typeof body === "string" || Buffer.isBuffer(body);
  response.writeHead(status, { ...(!isContent && { "content-type": "application/x-amz-json-1.1" }), ...headers });
  const content = isContent ? body : JSON.stringify(body);
  if (answer.breakAfterBody === true) {
    response.write(content, () => setTimeout(() => response.destroy(), 20));
  } else {
    response.end(content);
  }
}

/** Starts a server that refuses everything until a test says otherwise. */
export async function startAws(): Promise<AwsServer> {
  const refuse = ({ method, path, operation }: AwsRequest): AwsAnswer =>
    awsError(400, "UnexpectedRequest", `no answer for ${method} ${path} ${operation}`);
  const requests: AwsRequest[] = [];
  const server = createServer((message, response) => {
    void read(message)
      .then(async (request) => {
        requests.push(request);
        write(response, await aws.respond(request));
      })
      .catch((error: unknown) => {
        write(response, awsError(400, "TestFailed", String(error)));
      });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const aws: AwsServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    respond: refuse,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return aws;
}
