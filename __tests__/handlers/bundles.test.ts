import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { unzipSync } from "fflate";
import { handlerDeclarations } from "../../docs/handlers";
import { bundle } from "../../modules/bundle";
import { functionsOf } from "../support/handlers";
import { synthesizePlatform } from "../support/synthesize";
import { animal } from "../system/deployment";
import { awsError, type AwsServer, type Json, startAws } from "./support/aws-server";
import { functionEnvironment, httpEvent } from "./support/lambda";

/** What the stacks of the local environment set for each function. */
const templates = Object.values(synthesizePlatform("local"));

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
    env: functionEnvironment(name, functionsOf(name, templates)[0]!.variables, aws),
    stdio: "pipe",
  });
  return JSON.parse(readFileSync(outcome, "utf8"));
}

test.each(handlerDeclarations())("$name is one file that needs no other, starts and answers", (declaration) => {
  const { name, route } = declaration;
  const file = join(folder, `${name}.js`);
  writeFileSync(file, unzipSync(bundle(`handlers/${name}/index.ts`))["index.js"]!);
  if (route === undefined) {
    expect(callBundle(file, name, {})).toEqual({ error: "InvalidEvent" });
  } else {
    expect(callBundle(file, name, httpEvent("POST", route, {})).result.statusCode).toBe(400);
    expect(callBundle(file, name, httpEvent("GET", "/", undefined, {})).result.statusCode).toBe(404);
  }
});

test("a bundle signs requests to AWS with Lambda's credentials from the environment", async () => {
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
