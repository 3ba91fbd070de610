import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { unzipSync } from "fflate";
import { bundle } from "../../modules/bundle";
import { animal } from "../system/deployment";
import { awsError, type AwsServer, type Json, startAws } from "./support/aws-server";
import { bundleLimit } from "./support/bundle-limits";
import { functionEnvironment, httpEvent } from "./support/lambda";

const root = join(__dirname, "../..");
const handlers = readdirSync(join(root, "handlers")).filter((folder) => folder !== "shared");
const environments: Record<string, Record<string, string>> = {
  "prepare-run": {
    DATA_BUCKET: "b",
    EXPERIMENT_NAME: "e",
    MODEL_PACKAGE_PARAMETER: "/p",
    RESOURCE_PREFIX: "acme-test",
  },
  "evaluate-results": {
    QUALITY_THRESHOLD: "2.3",
    GATE_METRIC: "rmse",
    GATE_CONFIDENCE: "0.95",
    GATE_MARGIN: "0",
    GATE_NEWER_TOLERANCE: "none",
  },
  "register-model": {
    MODEL_PACKAGE_GROUP: "g",
    MODEL_IMAGE_URI: "i",
    MODEL_PACKAGE_PARAMETER: "/p",
    BASELINE_DATA_PARAMETER: "/b",
    MONITORING_BASELINE_PARAMETER: "/m",
    FIGURES_PARAMETER: "/f",
    FIGURES_PREFIX: "figures/",
    INFERENCE_INSTANCE_TYPES: "ml.t2.medium",
  },
  "ingest-survey": { DATA_BUCKET: "b", FEATURE_GROUP: "g" },
  "release-change": { PIPELINE: "p" },
  "start-data-workflow": { STAGE: "production", STATE_MACHINE: "arn:aws:states:eu-west-1:123456789012:stateMachine:m" },
  predict: { ENDPOINT_NAME: "e" },
  contact: {
    CONTACT_TABLE: "t",
    CONTACT_RETENTION_DAYS: "30",
    CONTACT_VISITORS_TABLE: "v",
    CONTACT_MESSAGES_PER_HOUR: "10",
  },
  "mail-contact": {
    CONTACT_TABLE: "t",
    MAIL_TO: "a@example.com",
    MAIL_FROM: "b@example.com",
    MAIL_CONFIGURATION_SET: "c",
    MAIL_WEBSITE: "w",
  },
};
let folder: string;
let aws: AwsServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bundles-"));
  aws = await startAws();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await aws.close();
});

/** Calls a bundle as Lambda does: in a bare Node, which has no packages beside it. */
function callBundle(file: string, name: string, event: unknown): { result?: Json; error?: string } {
  const script = join(folder, `${name}.call.js`);
  writeFileSync(
    script,
    `const { handler } = require(${JSON.stringify(file)});
     const context = { functionName: "f", awsRequestId: "r", getRemainingTimeInMillis: () => 60000 };
     handler(${JSON.stringify(event)}, context).then((result) => ({ result }), (error) => ({ error: error.name }))
       .then((outcome) => require("node:fs").writeFileSync(process.argv[2], JSON.stringify(outcome)));`,
  );
  const outcome = join(folder, `${name}.json`);
  execFileSync(process.execPath, [script, outcome], {
    cwd: folder,
    env: functionEnvironment(name, environments[name] ?? {}, aws),
    stdio: "pipe",
  });
  return JSON.parse(readFileSync(outcome, "utf8"));
}

test("the test knows every handler", () => {
  expect(Object.keys(environments).sort()).toEqual(handlers.sort());
});

test.each(handlers)("%s is one file that needs nothing beside it, starts and answers", (name) => {
  const zip = bundle(`handlers/${name}/index.ts`);
  expect(zip.length).toBeLessThan(bundleLimit(name));
  const file = join(folder, `${name}.js`);
  writeFileSync(file, unzipSync(zip)["index.js"]!);
  if (name === "predict" || name === "contact") {
    expect(callBundle(file, name, httpEvent("POST", `/api/${name}`, {})).result.statusCode).toBe(400);
    expect(callBundle(file, name, httpEvent("GET", "/", undefined, {})).result.statusCode).toBe(404);
  } else {
    expect(callBundle(file, name, {})).toEqual({ error: "InvalidEvent" });
  }
});

test("a bundle signs what it asks of AWS with the credentials that Lambda put into the environment", async () => {
  const file = join(folder, "signed.js");
  writeFileSync(file, unzipSync(bundle("handlers/predict/index.ts"))["index.js"]!);
  aws.respond = () => awsError(400, "ValidationError");
  const script = join(folder, "signed.call.js");
  const event = httpEvent("POST", "/api/predict", animal("M"));
  const context = { functionName: "f", awsRequestId: "r" };
  writeFileSync(
    script,
    `require(${JSON.stringify(file)}).handler(${JSON.stringify(event)}, ${JSON.stringify(context)});`,
  );
  const env = functionEnvironment("predict", { ENDPOINT_NAME: "e", AWS_SESSION_TOKEN: "of-the-role" }, aws);
  // Not the blocking way: this process plays AWS meanwhile.
  await promisify(execFile)(process.execPath, [script], { cwd: folder, env });
  expect(aws.requests).toMatchObject([
    {
      path: "/endpoints/e/invocations",
      headers: {
        authorization: expect.stringContaining(`Credential=${env.AWS_ACCESS_KEY_ID}/`),
        "x-amz-security-token": "of-the-role",
      },
    },
  ]);
});
