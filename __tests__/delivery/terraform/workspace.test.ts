/**
 * The real terraform, with the one provider that it has built in, and its states in the emulator's S3. Without
 * terraform on the PATH there is nothing to test here, and Jest says that these tests were skipped.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { S3 } from "@aws-sdk/client-s3";
import { createStateBucket, parseLock, readLock, stateBucketExists } from "../../../delivery/state";
import { DeploymentError, findTerraform, ProtectedError, Workspace } from "../../../delivery/terraform";
import { type Environment, loadEnvironment } from "../../../environments";
import { stateBucketName } from "../../../stacks/platform";
import { Emulator } from "../../workflow/support/emulator";

jest.setTimeout(120_000);

const isThere = spawnSync("terraform", ["version"]).status === 0;
const environment: Environment = loadEnvironment("local");
const bucket = stateBucketName(environment.account, environment.region);
const lock = {
  ID: "9d1f7f6a-0b3e-4c7e-a1b2-2f6e1d3c4b5a",
  Operation: "OperationTypeApply",
  Info: "",
  Who: "maria@laptop",
  Version: "1.11.4",
  Created: "2026-03-01T18:10:00.123456Z",
  Path: `${bucket}/local/data.tfstate`,
};

(isThere ? describe : describe.skip)("terraform", () => {
  const root = mkdtempSync(join(tmpdir(), "workspace-"));
  let emulator: Emulator;
  let s3: S3;
  let terraform: string;
  let folders = 0;

  const variables = (): NodeJS.ProcessEnv => ({
    PATH: process.env.PATH,
    HOME: root,
    AWS_ENDPOINT_URL: emulator.endpoint,
    AWS_ACCESS_KEY_ID: environment.account,
    AWS_SECRET_ACCESS_KEY: "test",
    CDKTF_OUTDIR: root,
    TF_PLUGIN_CACHE_DIR: join(root, "providers"),
  });

  /** A stack whose resources terraform has built in. */
  function workspace(
    resource: Record<string, unknown>,
    { key = "data", lockSeconds = 0, more = {}, folder = join(root, String((folders += 1))) } = {},
  ): Workspace {
    mkdirSync(folder, { recursive: true });
    const backend = {
      bucket,
      key: `local/${key}.tfstate`,
      region: environment.region,
      use_lockfile: true,
      use_path_style: true,
      skip_credentials_validation: true,
    };
    writeFileSync(
      join(folder, "cdk.tf.json"),
      JSON.stringify({ terraform: { backend: { s3: backend } }, resource: { terraform_data: resource }, ...more }),
    );
    return new Workspace({ folder, stack: "data", environment, terraform, variables: variables(), lockSeconds });
  }

  /** What a promise is refused with. */
  const errorOf = async (work: Promise<unknown>): Promise<DeploymentError> => {
    const error: unknown = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof DeploymentError)) {
      throw new Error(`Expected a DeploymentError, got ${String(error)}`);
    }
    return error;
  };

  const apply = (folder: string): void => {
    const { status, stderr } = spawnSync(terraform, ["apply", "-auto-approve", "-no-color"], {
      cwd: folder,
      env: variables(),
    });
    if (status !== 0) {
      throw new Error(stderr.toString());
    }
  };

  const start = (folder: string): Promise<number | null> => {
    const child = spawn(terraform, ["apply", "-auto-approve"], { cwd: folder, env: variables(), stdio: "ignore" });
    return new Promise((settle) => child.once("close", settle));
  };

  beforeAll(async () => {
    emulator = await Emulator.start("http://127.0.0.1:9");
    terraform = await findTerraform();
    Object.assign(process.env, variables());
    mkdirSync(join(root, "providers"));
    s3 = new S3({ forcePathStyle: true, region: environment.region });
  });

  afterAll(async () => {
    s3.destroy();
    await emulator.stop();
    rmSync(root, { recursive: true, force: true });
  });

  // The first test: the others need the bucket.
  test("a missing state bucket is named, with the command that makes it", async () => {
    expect(await stateBucketExists(environment)).toBe(false);
    const error = await errorOf(workspace({ one: { input: "a" } }).init());
    expect(error.problem).toBe(`The state bucket ${bucket} of local does not exist.`);
    expect(error.next).toBe("make bootstrap ENVIRONMENT=local");
    // Made twice, and by two at once, it is one bucket.
    await Promise.all([createStateBucket(environment), createStateBucket(environment)]);
    await createStateBucket(environment);
    expect(await stateBucketExists(environment)).toBe(true);
  });

  test("plans, shows the plan, and reports a plan without changes", async () => {
    const folder = join(root, "plans");
    const one = workspace({ one: { input: "a" } }, { key: "plans", folder });
    await one.init();
    expect(await one.resources()).toEqual([]);
    expect(await one.plan({ file: "plan" })).toEqual({ changes: true });
    const { resource_changes: changes } = await one.show("plan");
    expect(changes?.map(({ address, change }) => [address, change.actions])).toEqual([
      ["terraform_data.one", ["create"]],
    ]);
    apply(folder);
    expect(await one.plan({ file: "plan" })).toEqual({ changes: false });
    expect((await one.resources()).map(({ address }) => address)).toEqual(["terraform_data.one"]);
  });

  test("a lock shows who holds it, since when, for what, and how to release it; then the state is free", async () => {
    await s3.putObject({ Bucket: bucket, Key: "local/data.tfstate.tflock", Body: JSON.stringify(lock) });
    const one = workspace({ one: { input: "a" } });
    await one.init();
    const error = await errorOf(one.plan({ file: "plan" }));
    expect(error.problem).toMatch(
      /^The state of data in local is locked by maria@laptop, for a deploy, since 2026-03-01 18:10:00 UTC \(\d+ days ago\)\.$/,
    );
    expect(error.next).toContain(`make unlock ENVIRONMENT=local STACK=data LOCK=${lock.ID}`);
    expect(await readLock(environment, "data")).toEqual(parseLock(JSON.stringify(lock)));
    await expect(one.forceUnlock("another-id")).rejects.toThrow(DeploymentError);
    expect(await readLock(environment, "data")).toBeDefined();
    await one.forceUnlock(lock.ID);
    expect(await readLock(environment, "data")).toBeUndefined();
    expect(await one.plan({ file: "plan" })).toEqual({ changes: true });
  });

  test("waits for a lock within the limit, and continues when it is released", async () => {
    await s3.putObject({ Bucket: bucket, Key: "local/waits.tfstate.tflock", Body: JSON.stringify(lock) });
    const one = workspace({ one: { input: "a" } }, { key: "waits", lockSeconds: 60 });
    await one.init();
    const planned = one.plan({ file: "plan" });
    const other = workspace({ one: { input: "a" } }, { key: "waits" });
    await other.init();
    await other.forceUnlock(lock.ID);
    expect(await planned).toEqual({ changes: true });
  });

  test("of two that apply at once one is refused, and the state is whole", async () => {
    const slow = { one: { input: "a", provisioner: [{ "local-exec": { command: "sleep 3" } }] } };
    const [first, second] = [join(root, "first"), join(root, "second")];
    for (const folder of [first, second]) {
      await workspace(slow, { key: "at-once", folder }).init();
    }
    expect((await Promise.all([start(first), start(second)])).sort()).toEqual([0, 1]);
    const { Body } = await s3.getObject({ Bucket: bucket, Key: "local/at-once.tfstate" });
    const state = JSON.parse((await Body?.transformToString()) ?? "");
    expect(state.resources).toHaveLength(1);
    const { Contents } = await s3.listObjectsV2({ Bucket: bucket, Prefix: "local/at-once" });
    expect(Contents?.map(({ Key }) => Key)).toEqual(["local/at-once.tfstate"]);
  });

  test("protected resources are not destroyed, and the error names them", async () => {
    const folder = join(root, "protected");
    const lifecycle = { prevent_destroy: true };
    const one = workspace({ one: { triggers_replace: "a", lifecycle } }, { key: "protected", folder });
    await one.init();
    apply(folder);
    const changed = workspace({ one: { triggers_replace: "b", lifecycle } }, { key: "protected", folder });
    const error = await errorOf(changed.plan({ file: "plan" }));
    expect(error).toBeInstanceOf(ProtectedError);
    expect(error.problem).toBe(
      "The change would destroy terraform_data.one of data, which holds data and is protected.",
    );
  });

  test("what was half made can be kept", async () => {
    const folder = join(root, "tainted");
    const broken = { one: { input: "a", provisioner: [{ "local-exec": { command: "false" } }] } };
    const one = workspace(broken, { key: "tainted", folder });
    await one.init();
    expect(() => {
      apply(folder);
    }).toThrow("local-exec provisioner error");
    expect((await one.resources()).map(({ tainted }) => tainted)).toEqual([true]);
    await one.plan({ file: "plan" });
    expect((await one.show("plan")).resource_changes?.[0]?.action_reason).toBe("replace_because_tainted");
    await one.untaint("terraform_data.one");
    expect(await one.plan({ file: "plan" })).toEqual({ changes: false });
  });

  test("a state at another place than the last time is neither forgotten nor moved silently", async () => {
    const folder = join(root, "moved");
    await workspace({ one: { input: "a" } }, { key: "moved", folder }).init();
    const error = await errorOf(workspace({ one: { input: "a" } }, { key: "moved-away", folder }).init());
    expect(error.problem).toBe("The backend of the state of data in local has changed since the last run.");
    expect(error.next).toContain("init -migrate-state");
  });

  test("an unavailable provider is reported as such", async () => {
    const configuration = join(root, "terraform.rc");
    mkdirSync(join(root, "empty-mirror"));
    writeFileSync(
      configuration,
      `provider_installation {\n  filesystem_mirror {\n    path = "${join(root, "empty-mirror")}"\n  }\n}\n`,
    );
    const folder = join(root, "provider");
    workspace({}, { folder, more: { resource: { aws_s3_bucket: { one: {} } } } });
    const one = new Workspace({
      folder,
      stack: "data",
      environment,
      terraform,
      variables: { ...variables(), TF_CLI_CONFIG_FILE: configuration },
    });
    const error = await errorOf(one.init());
    expect(error.problem).toBe("Terraform can't get a provider.");
    expect(error.details).toContain("hashicorp/aws");
  });

  test("terraform's validation errors are reported in its words", async () => {
    const one = workspace({ one: { imput: "a" } }, { key: "invalid" });
    await one.init();
    const error = await errorOf(one.plan({ file: "plan" }));
    expect(error.problem).toBe("The plan of data in local failed.");
    expect(error.details).toContain('"imput"');
  });

  test("the shell's own arguments for terraform change nothing", async () => {
    const folder = join(root, "arguments");
    workspace({ one: { input: "a" } }, { key: "arguments", folder });
    const odd = { TF_CLI_ARGS: "-bogus", TF_CLI_ARGS_plan: "-destroy", TF_WORKSPACE: "other", TF_DATA_DIR: "/nowhere" };
    const one = new Workspace({ folder, stack: "data", environment, terraform, variables: { ...variables(), ...odd } });
    await one.init();
    await one.plan({ file: "plan" });
    expect((await one.show("plan")).resource_changes?.map(({ change }) => change.actions)).toEqual([["create"]]);
  });

  test("a folder without a stack is reported", () => {
    expect(
      () => new Workspace({ folder: root, stack: "data", environment, terraform, variables: variables() }),
    ).toThrow(
      `${root} has no cdk.tf.json: the stack data has not been synthesized there.\n→ make synth ENVIRONMENT=local`,
    );
  });

  test("a damaged lock is reported, with the command that removes it", async () => {
    await s3.putObject({ Bucket: bucket, Key: "local/network.tfstate.tflock", Body: '{"ID": "9d1' });
    const error = await errorOf(readLock(environment, "network"));
    expect(error.problem).toMatch(/^The lock of network in local is damaged/);
    expect(error.next).toBe(`If nobody deploys it: aws s3 rm s3://${bucket}/local/network.tfstate.tflock`);
  });

  test("terraform's lock shows who uses a state", async () => {
    const folder = join(root, "locks");
    const slow = { one: { input: "a", provisioner: [{ "local-exec": { command: "sleep 5" } }] } };
    await workspace(slow, { key: "model-image", folder }).init();
    const ended = start(folder);
    let held = await readLock(environment, "model-image");
    for (const deadline = Date.now() + 30_000; !held && Date.now() < deadline;) {
      held = await readLock(environment, "model-image");
    }
    expect(held).toMatchObject({ operation: "OperationTypeApply", path: `${bucket}/local/model-image.tfstate` });
    expect(held?.who).toMatch(/^.+@.+$/);
    expect(Number.isNaN(Date.parse(held?.created ?? ""))).toBe(false);
    expect(await ended).toBe(0);
    expect(await readLock(environment, "model-image")).toBeUndefined();
  });
});
