/**
 * `make deploy` with Terraform Cloud, which plans and applies on its own machines: with the real terraform, the real
 * cdktf, and what stands in Terraform Cloud's place. Without terraform on the PATH there is nothing to test here, and
 * Jest says that these tests were skipped.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deployStack } from "../../delivery/deploy";
import { RefusedError } from "../../delivery/diff";
import { findTerraform, readManifest } from "../../delivery/terraform";
import { loadEnvironment } from "../../environments";
import { FakeTerraformCloud } from "./fake-terraform-cloud";
import { writeStack } from "./written-stack";

// Time for a machine that does thirty other things.
jest.setTimeout(600_000);

const isThere = spawnSync("terraform", ["version"]).status === 0;
const backend = { type: "cloud", organization: "acme", hostname: FakeTerraformCloud.hostname } as const;
const environment = { ...loadEnvironment("development"), backend };
const { hostname, organization } = backend;

(isThere ? describe : describe.skip)("a plan that Terraform Cloud keeps", () => {
  const root = mkdtempSync(join(tmpdir(), "terraform-cloud-"));
  let cloud: FakeTerraformCloud;

  beforeEach(async () => {
    cloud = await FakeTerraformCloud.start();
    const configuration = join(root, "terraform.rc");
    writeFileSync(configuration, cloud.configuration);
    const home = join(root, "home");
    mkdirSync(home, { recursive: true });
    Object.assign(process.env, { HOME: home, CDKTF_OUTDIR: root, TF_CLI_CONFIG_FILE: configuration });
    // What terraform prints is of interest to people alone.
    jest.spyOn(process.stdout, "write").mockReturnValue(true);
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await cloud.stop();
  });

  afterAll(() => {
    rmSync(root, { recursive: true, force: true });
  });

  const change = (actions: readonly string[], type = "terraform_data") => ({
    ...{
      address: `${type}.ours`,
      mode: "managed",
      type,
      name: "ours",
      provider_name: "terraform.io/builtin/terraform",
    },
    change: { actions, before: actions.includes("delete") ? {} : null, after: {}, after_unknown: {} },
  });

  /** Deploys the stack, and has something happen whenever a plan is shown. @returns what was shown and said */
  async function deploy(meanwhile: (plans: number) => void = () => undefined): Promise<string> {
    const outdir = mkdtempSync(join(root, "checkout-"));
    const workspaces = { name: "acme-development-data" };
    const block = { cloud: { hostname, organization, workspaces } };
    writeStack({ outdir, key: "data", resources: { ours: {} }, terraform: block });
    const manifest = readManifest(outdir);
    const said: string[] = [];
    let plans = 0;
    await deployStack({
      request: { environment, stack: "data", lock: undefined, saidYes: true, approved: true, lockSeconds: 0 },
      identity: { account: environment.account, arn: "arn", partition: "aws" },
      manifest,
      stack: manifest.stacks[0]!,
      terraform: await findTerraform(),
      say: (text) => {
        said.push(text);
        if (text.startsWith("development: ")) {
          meanwhile((plans += 1));
        }
      },
    });
    return said.join("\n");
  }

  test("is shown, and that very plan is applied: nobody plans once more", async () => {
    cloud.changes = [change(["create"])];
    const said = await deploy(() => {
      expect(cloud.runs).toEqual([{ id: "1", savesPlan: true, status: "planned_and_saved" }]);
    });
    expect(said).toContain("development: 1 to create");
    expect(said).toContain("✔ data: deployed.");
    expect(cloud.runs).toEqual([{ id: "1", savesPlan: true, status: "applied" }]);
  });

  test("is not applied where data would be lost", async () => {
    cloud.changes = [change(["delete"], "aws_dynamodb_table")];
    await expect(deploy()).rejects.toBeInstanceOf(RefusedError);
    expect(cloud.runs.map(({ status }) => status)).toEqual(["planned_and_saved"]);
  });

  test("that another run has overtaken is replaced by a new one, which is shown", async () => {
    cloud.changes = [change(["create"])];
    const said = await deploy((plans) => {
      if (plans === 1) {
        cloud.discardSavedPlans();
      }
    });
    expect(said).toContain("Somebody else has changed data in development since this plan was made");
    expect(said.match(/^development: 1 to create/gm)).toHaveLength(2);
    expect(cloud.runs.map(({ status }) => status)).toEqual(["discarded", "applied"]);
  });
});
