import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Aspects, TerraformResource, TerraformStack } from "cdktf";
import type { IConstruct } from "constructs";
import { loadEnvironment } from "../../environments";
import { definePlatform } from "../../main";
import type { Platform } from "../../stacks/platform";

const outdir = mkdtempSync(join(tmpdir(), "policies-"));
afterAll(() => {
  rmSync(outdir, { recursive: true });
});

/** Production, with arguments set as an escape hatch would: by the resource's path, `data/logs/bucket`. */
function synthWith(overrides: Readonly<Record<string, readonly [argument: string, value: unknown]>>): void {
  const app = new App({ outdir, stackTraces: false });
  const platform = definePlatform(app, loadEnvironment("production"));
  for (const [path, [argument, value]] of Object.entries(overrides)) {
    const resource = path.split("/").reduce<IConstruct>((scope, id) => scope.node.findChild(id), app);
    if (!TerraformResource.isTerraformResource(resource)) {
      throw new Error(`${path} is not a resource.`);
    }
    resource.addOverride(argument, value);
  }
  platform.synth();
}

test("all breaches of all stacks are reported at once, and nothing is written", () => {
  let message = "";
  try {
    synthWith({
      "data/data/bucket": ["lifecycle.prevent_destroy", false],
      "data/data/public-access": ["block_public_acls", false],
      "website-test/predict/role/policy": [
        "policy",
        '{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}',
      ],
      "model-image/ModelImageUri": ["insecure_value", "registry/abalone:latest"],
    });
  } catch (error) {
    message = (error as Error).message;
  }
  expect(message).toMatch(/^\d+ breaches of the rules in policies\/; nothing was written\.\n/);
  for (const line of [
    "data/aws_s3_bucket.data_bucket has no prevent_destroy",
    "data/aws_s3_bucket.data_bucket has no block_public_acls",
    "website-test/aws_iam_role_policy.predict_role_policy allows s3:* (statement 1)",
    "website-test/aws_iam_role_policy.predict_role_policy allows s3:* on * (statement 1)",
    // The parameter is published by one stack, and what runs it stands in another.
    "ml-workflow/aws_sfn_state_machine.training_machine runs registry/abalone:latest",
    "ml-workflow/aws_lambda_function.register-model_function runs registry/abalone:latest",
    "→ Take the image from ContainerImage.uri",
  ]) {
    expect(message).toContain(line);
  }
  expect(readdirSync(outdir, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"))).toEqual(
    [],
  );
});

test("a single breach is reported in the singular", () => {
  expect(() => {
    synthWith({ "website-production/alarms/topic": ["kms_master_key_id", ""] });
  }).toThrow("One breach of a rule in policies/; nothing was written.");
});

test("stacks that keep the rules are written", () => {
  synthWith({});
  expect(existsSync(join(outdir, "stacks/website-production/cdk.tf.json"))).toBe(true);
});

test("nothing bypasses the rules: no Aspect that changes a stack later, no stack of another kind", () => {
  const platform = (): Platform => definePlatform(new App({ outdir, stackTraces: false }), loadEnvironment("local"));
  const changed = platform();
  Aspects.of(changed.app.node.findChild("data")).add({ visit: () => undefined });
  expect(() => {
    changed.synth();
  }).toThrow("data has an Aspect");
  const other = platform();
  new TerraformStack(other.app, "other");
  expect(() => {
    other.synth();
  }).toThrow("The stack other is not a PlatformStack");
});
