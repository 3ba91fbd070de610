/**
 * `make deploy` with the real terraform and the real cdktf: what was looked at is what is applied, whatever somebody
 * else does meanwhile. Without terraform on the PATH there is nothing to test here, and Jest says that these tests were
 * skipped.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { S3 } from "@aws-sdk/client-s3";
import { awsServices } from "../../aws-services";
import { deployStack } from "../../delivery/deploy";
import { RefusedError } from "../../delivery/diff";
import { createStateBucket } from "../../delivery/state";
import { findTerraform, readManifest, StaleError } from "../../delivery/terraform";
import { loadEnvironment } from "../../environments";
import { stateBucketName } from "../../stacks/platform";
import { Emulator } from "../workflow/support/emulator";
import { writeStack } from "./written-stack";

// Time for a machine that does thirty other things.
jest.setTimeout(600_000);

const isThere = spawnSync("terraform", ["version"]).status === 0;
const environment = loadEnvironment("local");
const { account, region } = environment;

(isThere ? describe : describe.skip)("a plan that was approved", () => {
  const root = mkdtempSync(join(tmpdir(), "approved-"));
  const temporary = mkdtempSync(join(root, "temporary-"));
  let emulator: Emulator;

  beforeAll(async () => {
    emulator = await Emulator.start("http://127.0.0.1:9");
    Object.assign(process.env, {
      HOME: root,
      TMPDIR: temporary,
      AWS_ENDPOINT_URL: emulator.endpoint,
      AWS_ACCESS_KEY_ID: account,
      AWS_SECRET_ACCESS_KEY: "test",
      CDKTF_OUTDIR: root,
    });
    // The resources that terraform has built in hold nothing: here they stand for those that do.
    jest.spyOn(awsServices, "find").mockReturnValue({
      permissions: [],
      price: { free: "built in" },
      holds: { what: "what a test has put there", lostBy: [] },
    });
    // What terraform prints is of interest to people alone.
    jest.spyOn(process.stdout, "write").mockReturnValue(true);
    await createStateBucket(environment);
  });

  afterAll(async () => {
    jest.restoreAllMocks();
    await emulator.stop();
    rmSync(root, { recursive: true, force: true });
  });

  /** Deploys from another checkout, beginning to end. */
  function elsewhere(key: string, resources: Readonly<Record<string, object>>): void {
    const folder = writeStack({ outdir: mkdtempSync(join(root, "elsewhere-")), key, resources });
    for (const parameters of [["init"], ["apply", "-auto-approve"]]) {
      const { status, stderr } = spawnSync("terraform", parameters, { cwd: folder, env: { ...process.env } });
      if (status !== 0) {
        throw new Error(stderr.toString());
      }
    }
  }

  /** Deploys the stack, and has something happen whenever a plan is shown. */
  async function deploy(
    key: string,
    resources: Readonly<Record<string, object>>,
    meanwhile: (plans: number) => void,
  ): Promise<{ readonly error: unknown; readonly said: string }> {
    const outdir = mkdtempSync(join(root, "checkout-"));
    writeStack({ outdir, key, resources });
    const manifest = readManifest(outdir);
    const said: string[] = [];
    let plans = 0;
    let error: unknown;
    try {
      await deployStack({
        request: { environment, stack: "data", lock: undefined, saidYes: true, approved: true, lockSeconds: 0 },
        identity: { account, arn: `arn:aws:iam::${account}:root`, partition: "aws" },
        manifest,
        stack: manifest.stacks[0]!,
        terraform: await findTerraform(),
        say: (text) => {
          said.push(text);
          if (text.startsWith("local: ")) {
            meanwhile((plans += 1));
          }
        },
      });
    } catch (refusal) {
      error = refusal;
    }
    return { error, said: said.join("\n") };
  }

  /** The names of the resources in the state. */
  async function state(key: string): Promise<string[]> {
    const s3 = new S3({ forcePathStyle: true, region });
    const { Body } = await s3.getObject({ Bucket: stateBucketName(account, region), Key: `local/${key}.tfstate` });
    const { resources } = JSON.parse((await Body?.transformToString()) ?? "") as {
      readonly resources: readonly { readonly name: string }[];
    };
    s3.destroy();
    return resources.map(({ name }) => name).sort();
  }

  test("is not applied if somebody else has deployed in the meantime, so nothing is deleted unseen", async () => {
    const { error, said } = await deploy("data", { ours: {} }, (plans) => {
      if (plans === 1) {
        elsewhere("data", { theirs: {} });
      }
    });
    expect(said).toContain("Somebody else has changed data in local since this plan was made, so it was not applied.");
    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({ problem: expect.stringContaining("data/terraform_data.theirs") as string });
    expect(await state("data")).toEqual(["theirs"]);
  });

  test("gives way to a new one, which is shown and applied when nothing would be lost", async () => {
    elsewhere("network", { both: {} });
    const { error, said } = await deploy("network", { both: {}, theirs: {}, ours: {} }, (plans) => {
      if (plans === 1) {
        elsewhere("network", { both: {}, theirs: {} });
      }
    });
    expect(error).toBeUndefined();
    expect(said.match(/^local: \d to create/gm)).toEqual(["local: 2 to create", "local: 1 to create"]);
    expect(said).toContain("✔ data: deployed.");
    expect(await state("network")).toEqual(["both", "ours", "theirs"]);
  });

  test("that others overtake repeatedly is given up, with the next step", async () => {
    const parts = ["a", "b", "c", "d", "e", "f"];
    const first = (count: number): Record<string, object> =>
      Object.fromEntries(parts.slice(0, count).map((name) => [name, {}]));
    const { error } = await deploy("pipeline", first(6), (plans) => {
      elsewhere("pipeline", first(plans));
    });
    expect(error).toBeInstanceOf(StaleError);
    expect(error).toMatchObject({ next: "make deploy ENVIRONMENT=local STACK=data" });
  });

  test("leaves no file with its values", () => {
    expect(readdirSync(temporary)).not.toContainEqual(expect.stringContaining("plan"));
  });
});
