import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { IAM } from "@aws-sdk/client-iam";
import { airflowRole, runDag } from "../../../local/data-workflow/run";
import { harmlessCredentials, openInstance, region, writeJson } from "../../../local/platform/instance";
import { Emulator, trusting } from "../../workflow/support/emulator";

const folder = mkdtempSync(join(tmpdir(), "data-workflow-role-"));
const instance = openInstance(join(folder, "platform"));
let emulator: Emulator;

beforeAll(async () => {
  emulator = await Emulator.start("http://127.0.0.1:9");
  writeJson(instance.path("ports.json"), { emulator: Number(new URL(emulator.endpoint).port) });
}, 180_000);
afterAll(async () => {
  await emulator.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("Airflow does not start without its role, or with one that does not trust MWAA", async () => {
  const run = (): Promise<unknown> => runDag(instance, () => undefined);
  const refusal =
    /^Airflow can't assume its role acme-local-airflow \(.+\)\. The stack data-workflow makes it: type make up\.$/;
  await expect(run()).rejects.toThrow(refusal);
  await new IAM({ endpoint: emulator.endpoint, region, credentials: harmlessCredentials }).createRole({
    RoleName: airflowRole,
    AssumeRolePolicyDocument: trusting({ Service: "lambda.amazonaws.com" }),
  });
  await expect(run()).rejects.toThrow(refusal);
});
