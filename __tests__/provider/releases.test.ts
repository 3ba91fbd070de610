/**
 * Releases by real Terraform and the real provider against the local SageMaker service: after a rollback SageMaker says
 * InService, and the provider takes that for a success. The deployment must fail all the same, and leave what serves
 * alone.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AwsProvider } from "@cdktf/provider-aws/lib/provider";
import { App, TerraformStack } from "cdktf";
import { EncryptionKey } from "../../modules/encryption-key";
import { ModelEndpoint } from "../../modules/model-endpoint";
import { Place, setPlace } from "../../modules/place";
import { account, image, Platform, region } from "sagemaker-local/testing";
import { Emulator } from "../workflow/support/emulator";
import { Terraform } from "./support/terraform";

const name = "acme-local-release";
let platform: Platform;
let terraform: Terraform;

beforeAll(async () => {
  platform = await Platform.start({}, (url) => Emulator.start(url));
  await platform.sagemaker.createModelPackageGroup({ ModelPackageGroupName: "factors" });
  const configuration = process.env.TF_CLI_CONFIG_FILE;
  terraform = new Terraform(join(platform.folder, "stack", "stacks", "release"), {
    PATH: process.env.PATH ?? "",
    HOME: platform.folder,
    AWS_ENDPOINT_URL: platform.emulator.endpoint,
    AWS_ACCESS_KEY_ID: account,
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_REGION: region,
    AWS_EC2_METADATA_DISABLED: "true",
    CHECKPOINT_DISABLE: "1",
    TF_IN_AUTOMATION: "1",
    ...(configuration === undefined ? {} : { TF_CLI_CONFIG_FILE: configuration }),
  });
}, 180_000);
afterAll(() => platform.stop(), 60_000);

/** A model package that multiplies by a factor. */
async function register(factor: number, poison?: string): Promise<string> {
  const folder = mkdtempSync(join(platform.folder, "model-"));
  writeFileSync(join(folder, "model.json"), JSON.stringify({ factor, poison }));
  execFileSync("tar", ["-czf", `${folder}.tar.gz`, "-C", folder, "."]);
  const ModelDataUrl = await platform.put(`models/${factor}/model.tar.gz`, readFileSync(`${folder}.tar.gz`));
  const { ModelPackageArn = "" } = await platform.sagemaker.createModelPackage({
    ModelPackageGroupName: "factors",
    ModelApprovalStatus: "Approved",
    InferenceSpecification: {
      Containers: [{ Image: image, ModelDataUrl }],
      SupportedContentTypes: ["text/csv"],
      SupportedResponseMIMETypes: ["text/csv"],
    },
  });
  return ModelPackageArn;
}

/** Writes the stack with an endpoint that serves the package; its state stays in the folder. */
function write(modelPackageArn: string): void {
  const app = new App({ outdir: join(platform.folder, "stack"), stackTraces: false });
  const stack = new TerraformStack(app, "release");
  new AwsProvider(stack, "aws", {
    region,
    skipCredentialsValidation: true,
    skipMetadataApiCheck: "true",
    skipRegionValidation: true,
    s3UsePathStyle: true,
    maxRetries: 2,
  });
  setPlace(stack, new Place({ account, region }));
  const encryptionKey = new EncryptionKey(stack, "encryption", {
    name,
    description: "Encrypts",
    logGroupsNamed: name,
    protect: false,
  });
  new ModelEndpoint(stack, "model", {
    name,
    modelPackageArn,
    repositoryArn: `arn:aws:ecr:${region}:${account}:repository/acme-test-image`,
    modelStatements: [],
    instanceType: "ml.t2.medium",
    instanceCount: 2,
    logRetentionDays: 1,
    encryptionKey,
    latencyAlarmMilliseconds: 1_000,
    alarmTopicArn: `arn:aws:sns:${region}:${account}:alarms`,
    bakeSeconds: 3,
    afterRollback: "Next step: put the earlier package back.",
  });
  app.synth();
}

async function release(modelPackageArn: string): Promise<void> {
  write(modelPackageArn);
  await terraform.init();
  await terraform.succeed("apply", "-auto-approve", "-input=false", "-no-color");
}

async function ask(): Promise<number> {
  const { Body } = await platform.runtime.invokeEndpoint({
    EndpointName: name,
    ContentType: "text/csv",
    Body: Buffer.from("1"),
  });
  return Number.parseFloat(Buffer.from(Body).toString());
}

/** Two clients that ask while something is done; the failures that they have seen. */
async function underLoad(work: Promise<void>): Promise<{ failures: readonly string[]; error: Error | undefined }> {
  const failures: string[] = [];
  let going = true;
  const client = async (): Promise<void> => {
    while (going) {
      await ask().catch((error: unknown) => failures.push((error as Error).message));
      await sleep(20);
    }
  };
  const clients = [client(), client()];
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown as Error,
  );
  going = false;
  await Promise.all(clients);
  return { failures, error };
}

const serving = async (): Promise<string | undefined> =>
  (await platform.sagemaker.describeEndpoint({ EndpointName: name })).EndpointConfigName;
const configs = async (): Promise<(string | undefined)[]> => {
  const { EndpointConfigs = [] } = await platform.sagemaker.listEndpointConfigs({});
  return EndpointConfigs.map(({ EndpointConfigName }) => EndpointConfigName);
};

// Each goes on where the one before it ended.
describe("the real provider", () => {
  const packages: Record<string, string> = {};

  test("makes an endpoint whose next plan is empty", async () => {
    packages.first = await register(2);
    await release(packages.first);
    expect(await ask()).toBe(2);
    expect((await terraform.plan()).actions).toEqual({});
  });

  test("releases a model under load without a request lost, and leaves nothing of the old one", async () => {
    packages.second = await register(3);
    const { failures, error } = await underLoad(release(packages.second));
    expect(error).toBeUndefined();
    expect(failures).toEqual([]);
    expect(await ask()).toBe(3);
    expect(await configs()).toHaveLength(1);
    expect((await platform.sagemaker.listModels({})).Models).toHaveLength(1);
    expect((await terraform.plan()).actions).toEqual({});
  });

  test("fails when the model was rolled back, says what to do, and keeps the model and configuration that serve", async () => {
    const before = await serving();
    packages.poisoned = await register(666, "fails");
    const { failures, error } = await underLoad(release(packages.poisoned));
    expect(error?.message).toContain("Resource postcondition failed");
    const said = error?.message.replace(/\n│? */g, " ");
    expect(said).toContain(`The release to the endpoint ${name} was rolled back: the previous model still answers.`);
    expect(said).toContain("Next step: put the earlier package back.");
    for (const failure of failures) {
      expect(failure).toContain("the poisoned model failed");
    }
    expect(await ask()).toBe(3);
    expect(await serving()).toBe(before);
    expect(await configs()).toContain(before);
  });

  test("continues when the earlier package is put back: nothing of the poisoned one is left", async () => {
    const { failures, error } = await underLoad(release(packages.second ?? ""));
    expect(error).toBeUndefined();
    expect(failures).toEqual([]);
    expect(await ask()).toBe(3);
    expect(await configs()).toEqual([await serving()]);
    expect((await platform.sagemaker.listModels({})).Models).toHaveLength(1);
    expect((await terraform.plan()).actions).toEqual({});
  });

  test("that tries a rolled-back package again has the same result, and the old model continues to answer", async () => {
    const before = await serving();
    await underLoad(release(packages.poisoned ?? ""));
    const { error } = await underLoad(release(packages.poisoned ?? ""));
    expect(error?.message).toContain("Resource postcondition failed");
    expect(await ask()).toBe(3);
    expect(await configs()).toContain(before);
    await release(packages.first ?? "");
    expect(await ask()).toBe(2);
    expect(await configs()).toEqual([await serving()]);
  });
});
