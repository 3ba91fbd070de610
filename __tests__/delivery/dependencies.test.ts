import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SSM } from "@aws-sdk/client-ssm";
import { App } from "cdktf";
import { parametersReadBy, requireDependencies } from "../../delivery/dependencies";
import { type Manifest, readManifest, type SynthesizedStack } from "../../delivery/terraform";
import { loadEnvironment } from "../../environments";
import { definePlatform } from "../../main";
import type { StackId } from "../../stacks/contract";
import { Emulator } from "../workflow/support/emulator";

jest.setTimeout(120_000);

const environment = loadEnvironment("local");
const outdir = mkdtempSync(join(tmpdir(), "dependencies-"));
let emulator: Emulator;
let manifest: Manifest;

const stack = (id: StackId): SynthesizedStack => manifest.stacks.find((one) => one.id === id)!;
const check = (id: StackId): Promise<void> => requireDependencies(environment, manifest, stack(id));

async function publish(values: Readonly<Record<string, string>>): Promise<void> {
  const ssm = new SSM({ region: environment.region });
  for (const [name, Value] of Object.entries(values)) {
    await ssm.putParameter({ Name: `/acme/local/${name}`, Value, Type: "String", Overwrite: true });
  }
  ssm.destroy();
}

beforeAll(async () => {
  definePlatform(new App({ outdir, stackTraces: false }), environment).synth();
  manifest = readManifest(outdir);
  emulator = await Emulator.start("http://127.0.0.1:9");
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: emulator.endpoint,
    AWS_ACCESS_KEY_ID: environment.account,
    AWS_SECRET_ACCESS_KEY: "test",
  });
});

afterAll(async () => {
  await emulator.stop();
  rmSync(outdir, { recursive: true, force: true });
});

test("a stack that reads nothing waits for no other", async () => {
  expect(parametersReadBy(stack("model-image"))).toEqual([]);
  await expect(check("model-image")).resolves.toBeUndefined();
});

test("the stacks to deploy first are named in their order, each with its command", async () => {
  const { dependencies } = stack("website-test");
  const first = manifest.stacks.map(({ id }) => id).filter((id) => dependencies.includes(id));
  expect(first.length).toBeGreaterThan(1);
  await expect(check("website-test")).rejects.toMatchObject({
    problem: expect.stringMatching(
      new RegExp(
        `^website-test reads .*DataBucket.*ModelPackageName.*, which ${first.slice(0, -1).join(", ")} and ${first.at(-1) ?? ""} publish: not deployed in local yet\\.$`,
      ),
    ),
    next: `Deploy first: ${first.map((id) => `make deploy ENVIRONMENT=local STACK=${id}`).join("; ")}`,
  });
});

test("a parameter that one of them publishes is not requested again", async () => {
  await publish(
    Object.fromEntries(
      parametersReadBy(stack("website-test"))
        .map((name) => name.split("/").pop() ?? "")
        .filter((name) => name !== "ModelPackageName")
        .map((name) => [name, "there"]),
    ),
  );
  await expect(check("website-test")).rejects.toMatchObject({
    problem: "website-test reads ModelPackageName, which ml-workflow publishes: not deployed in local yet.",
    next: "Deploy first: make deploy ENVIRONMENT=local STACK=ml-workflow",
  });
});

test("a website without a model needs a run of the workflow, not a deploy", async () => {
  await publish({ ModelPackageName: "PLACEHOLDER" });
  await expect(check("website-test")).rejects.toMatchObject({
    problem:
      "website-test reads ModelPackageName of ml-workflow, which is PLACEHOLDER: the ML workflow has not registered a model in local yet.",
    next: 'Ingest a survey and run the workflow, as "Run it" in docs/workflow.md shows; then run this again.',
  });
  await publish({
    ModelPackageName: "arn:aws:sagemaker:eu-west-1:123456789012:model-package/acme-local-ml-workflow-abalone/1",
  });
  await expect(check("website-test")).resolves.toBeUndefined();
});

test("an SSM that doesn't answer is reported, with the needed permission", async () => {
  Object.assign(process.env, { AWS_ENDPOINT_URL: "http://127.0.0.1:9", AWS_MAX_ATTEMPTS: "1" });
  await expect(check("website-test")).rejects.toMatchObject({
    problem: expect.stringContaining("SSM did not return what website-test reads from the stacks before it ("),
    next: expect.stringContaining("ssm:GetParameters"),
  });
});
