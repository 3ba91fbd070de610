/** What a yes holds for, when a deploy meets what is there already and what somebody else does meanwhile. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cdktfDeploy } from "../../delivery/cdktf";
import { deployStack } from "../../delivery/deploy";
import { confirm } from "../../delivery/request";
import { findOrphans } from "../../delivery/orphans";
import { ExistsError, StaleError } from "../../delivery/terraform";
import { loadEnvironment } from "../../environments";
import { Shell } from "./command";

jest.mock("../../delivery/cdktf");
jest.mock("../../delivery/request");
jest.mock("../../delivery/orphans");

const shell = new Shell();
const folder = mkdtempSync(join(tmpdir(), "takeover-"));
writeFileSync(join(folder, "cdk.tf.json"), "{}");

afterAll(() => {
  shell.remove();
  rmSync(folder, { recursive: true });
});

const environment = loadEnvironment("local");
const exists = new ExistsError("It is there already.", "Look at it.");
const stale = new StaleError("Somebody else has changed it.", "Run it again.");
const change = { actions: ["create"], before: null, after: {}, after_unknown: {} };
const created = { address: "aws_s3_bucket.data", type: "aws_s3_bucket", name: "data", mode: "managed" };
const plan = { format_version: "1.2", resource_changes: [{ ...created, provider_name: "aws", change }] };

/**
 * Deploys; each apply but the last ends so. @returns for each plan that was shown, whether it went without a question
 */
async function deploy(...ends: readonly Error[]): Promise<readonly boolean[]> {
  jest.mocked(findOrphans).mockResolvedValue(["aws_s3_bucket.data"]);
  const apply = jest.mocked(cdktfDeploy).mockReset();
  for (const end of ends) {
    apply.mockRejectedValueOnce(end);
  }
  const asked = jest.mocked(confirm).mockReset();
  await deployStack({
    request: { environment, stack: "data", lock: undefined, saidYes: false, approved: false, lockSeconds: 0 },
    identity: { account: environment.account, arn: "arn", partition: "aws" },
    manifest: { outdir: folder, stacks: [] },
    stack: { id: "data", folder, dependencies: [] },
    terraform: shell.terraformThatPlans(plan),
    say: () => undefined,
  });
  return asked.mock.calls.map(([{ approved }]) => approved);
}

test("the yes to a plan holds for taking over what its apply met, and for what is left of it", async () => {
  await expect(deploy(exists)).resolves.toEqual([false, true]);
});

test("it does not hold for what is planned after somebody else has changed the stack", async () => {
  await expect(deploy(exists, stale)).resolves.toEqual([false, true, false]);
  await expect(deploy(stale)).resolves.toEqual([false, false]);
});
