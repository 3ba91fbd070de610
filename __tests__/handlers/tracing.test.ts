import { execFile } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildSync } from "esbuild";
import { type AwsServer, type Json, startAws } from "./support/aws-server";
import { functionEnvironment, httpEvent } from "./support/lambda";
import { animal as exampleAnimal } from "../system/deployment";

const root = join(__dirname, "../..");
const traceId = "1-5759e988-bd862e3fe1be46a994272793";
let folder: string;
let aws: AwsServer;
/** Stands in for X-Ray's daemon, which listens beside every function. */
let daemon: Socket;
let segments: Json[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tracing-"));
  aws = await startAws();
  daemon = createSocket("udp4", (message) => segments.push(JSON.parse(message.toString().split("\n")[1] ?? "{}")));
  await new Promise<void>((resolve) => daemon.bind(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  daemon.close();
  rmSync(folder, { recursive: true });
  await aws.close();
});
beforeEach(() => {
  segments = [];
});

/** Calls the bundled predict handler in a process of its own. */
async function predict(environment: Readonly<Record<string, string>>): Promise<void> {
  const bundle = join(folder, "predict.js");
  buildSync({
    entryPoints: [join(root, "handlers/predict/index.ts")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    target: "node22",
    format: "cjs",
  });
  const animal = exampleAnimal("M");
  const call = `require(${JSON.stringify(bundle)}).handler(${JSON.stringify(httpEvent("POST", "/api/predict", animal))}, { functionName: "f" })
    .then(({ statusCode }) => { if (statusCode !== 200) throw new Error(String(statusCode)); });`;
  const variables = {
    ENDPOINT_NAME: "e",
    LAMBDA_TASK_ROOT: folder,
    AWS_EXECUTION_ENV: "AWS_Lambda_nodejs22.x",
    ...environment,
  };
  await promisify(execFile)(process.execPath, ["-e", call], { env: functionEnvironment("predict", variables, aws) });
}

test("a trace shows the handler, the service and the call of the model, and nothing of the request", async () => {
  aws.respond = () => ({
    body: { predictions: [{ rings: 9, low: 7, high: 12 }], confidence: 0.9, model: "m" },
  });
  await predict({
    AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${daemon.address().port}`,
    _X_AMZN_TRACE_ID: `Root=${traceId};Parent=53995c3f42cd8ad8;Sampled=1`,
  });
  // Datagrams arrive when they arrive.
  while (!segments.some(({ name }) => name === "## handler")) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(segments).toContainEqual(
    expect.objectContaining({
      name: "## handler",
      trace_id: traceId,
      annotations: expect.objectContaining({ Service: "predict" }),
    }),
  );
  const text = JSON.stringify(segments);
  expect(text).toContain("InvokeEndpoint");
  expect(text).not.toContain("102.8");
});

test("without X-Ray's daemon nothing is sent, and nothing fails", async () => {
  await predict({});
  expect(segments).toEqual([]);
});
