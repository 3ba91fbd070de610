/** Loads and calls handlers as AWS Lambda does, and collects what they write. */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import type { AwsServer, Json } from "./aws-server";

/** Calls a handler with an event. */
export type Call = (event: unknown, context?: Partial<Context>) => Promise<Json>;

/** What every function gets from its stack. */
const common = {
  AWS_REGION: "eu-west-1",
  AWS_ACCESS_KEY_ID: "123456789012",
  AWS_SECRET_ACCESS_KEY: "test",
  POWERTOOLS_METRICS_NAMESPACE: "acme",
  LOG_LEVEL: "INFO",
};

/** The environment of a function, and nothing of the machine that could lead elsewhere. */
export function functionEnvironment(
  name: string,
  variables: Readonly<Record<string, string>>,
  aws: AwsServer,
): Record<string, string> {
  return { ...common, POWERTOOLS_SERVICE_NAME: name, AWS_ENDPOINT_URL: aws.url, ...variables };
}

/** What the last function was started with. */
let given: readonly string[] = [];

/** Starts `handlers/<name>` afresh, as a cold start does. */
export function loadHandler(name: string, variables: Readonly<Record<string, string>>, aws: AwsServer): Call {
  const ambient = Object.keys(process.env).filter((variable) => /^(AWS_|POWERTOOLS_|_X_AMZN)/.test(variable));
  for (const variable of [...ambient, ...given]) {
    Reflect.deleteProperty(process.env, variable);
  }
  const environment = functionEnvironment(name, variables, aws);
  given = Object.keys(environment);
  Object.assign(process.env, environment);
  let call: Call | undefined;
  jest.isolateModules(() => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- a cold start reads the environment while it loads
    call = require(`../../../handlers/${name}`).handler;
  });
  return (event, context = {}) =>
    call!(event, {
      functionName: `acme-test-${name}`,
      awsRequestId: "00000000-0000-4000-8000-000000000000",
      getRemainingTimeInMillis: () => 900_000,
      ...context,
    });
}

/** An HTTP API's event, payload format 2.0. */
export function httpEvent(
  method: string,
  path: string,
  body?: string | object,
  headers: Readonly<Record<string, string>> = { "content-type": "application/json" },
): APIGatewayProxyEventV2 {
  return {
    version: "2.0",
    routeKey: `ANY ${path}`,
    rawPath: path,
    rawQueryString: "",
    headers,
    requestContext: { stage: "$default", http: { method, path } },
    isBase64Encoded: false,
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  } as APIGatewayProxyEventV2;
}

/** The body of an answer. */
export function bodyOf(answer: APIGatewayProxyStructuredResultV2): Json {
  return JSON.parse(answer.body ?? "null");
}

/** Keeps logs and metrics off the terminal, and gives them to the test. */
export function collectOutput(): { text(): string; lines(): Json[]; clear(): void } {
  let written: string[] = [];
  const collect = (chunk: unknown): boolean => {
    written.push(String(chunk));
    return true;
  };
  beforeAll(() => {
    jest.spyOn(process.stdout, "write").mockImplementation(collect);
    jest.spyOn(process.stderr, "write").mockImplementation(collect);
    for (const method of ["log", "info", "warn", "error", "debug"] as const) {
      jest.spyOn(console, method).mockImplementation((...values) => void collect(`${values.join(" ")}\n`));
    }
  });
  afterAll(() => {
    jest.restoreAllMocks();
  });
  return {
    text: () => written.join(""),
    lines: () =>
      written
        .join("")
        .split("\n")
        .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : [])),
    clear: () => {
      written = [];
    },
  };
}
