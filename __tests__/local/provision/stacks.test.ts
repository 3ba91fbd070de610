import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Inventory, provision } from "../../../local/provision";
import { dataSourceKinds, leftOutKinds, resourceKinds } from "../../../local/provision/resource-types";
import { image, Platform } from "sagemaker-local/testing";
import { Emulator } from "../../workflow/support/emulator";
import { failure, madeIn, Workspace } from "./support/workspace";

jest.setTimeout(300_000);

const stacks = ["data", "model-image", "ml-workflow", "website-test", "website-production"];
const root = resolve(__dirname, "../../..");

let platform: Platform;
let workspace: Workspace;

beforeAll(async () => {
  platform = await Platform.start({}, (url) => Emulator.start(url));
  workspace = new Workspace(platform.emulator.endpoint);
  execFileSync(process.execPath, [join(root, "node_modules/tsx/dist/cli.mjs"), "main.ts"], {
    cwd: root,
    env: {
      PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
      HOME: workspace.folder,
      ENVIRONMENT: "local",
      CDKTF_OUTDIR: workspace.folder,
    },
  });
});
afterAll(async () => {
  workspace.close();
  await platform.stop();
});

async function deploy(stack: string): Promise<{ readonly inventory: Inventory }> {
  return await provision(workspace.options(stack));
}

async function parameter(name: string): Promise<string> {
  const { Parameter } = await workspace.clients.ssm.getParameter({ Name: `/acme/local/${name}` });
  return Parameter?.Value ?? "";
}

test("the provisioning knows every type that the stacks use, and no other", () => {
  const used = { resource: new Set<string>(), data: new Set<string>() };
  for (const stack of readdirSync(join(workspace.folder, "stacks"))) {
    const document = JSON.parse(readFileSync(join(workspace.folder, "stacks", stack, "cdk.tf.json"), "utf8")) as {
      readonly resource: object;
      readonly data?: object;
    };
    Object.keys(document.resource).forEach((type) => used.resource.add(type));
    Object.keys(document.data ?? {}).forEach((type) => used.data.add(type));
  }
  expect([...resourceKinds.keys(), ...leftOutKinds.keys()].sort()).toEqual([...used.resource].sort());
  expect([...dataSourceKinds.keys()].sort()).toEqual([...used.data].sort());
});

test("data, image and workflow are made, and only what is for AWS is left out", async () => {
  for (const stack of ["data", "model-image", "ml-workflow"]) {
    const { inventory: done } = await deploy(stack);
    expect(done.created.length).toBeGreaterThan(0);
    for (const { type } of done.leftOut) {
      expect(type).toMatch(/^aws_(iam|ecr)_/);
    }
  }
  const machine = await workspace.clients.stepFunctions.describeStateMachine({
    stateMachineArn: await parameter("StateMachine"),
  });
  expect(machine.definition).toContain("createTrainingJob.sync");
});

test("while no model is registered, the website says what is missing, and makes no endpoint", async () => {
  const message = await failure(deploy("website-test"));
  expect(message).toContain("Stack website-test, aws_sagemaker_model.");
  expect(message).toContain("No model has been registered yet");
});

test("with a registered model both websites answer, page and API, each at its own address", async () => {
  const folder = join(workspace.folder, "model");
  workspace.file("../model", "model.json", JSON.stringify({ factor: 2 }));
  execFileSync("tar", ["-czf", `${folder}.tar.gz`, "-C", folder, "model.json"]);
  const { ModelPackageArn } = await platform.sagemaker.createModelPackage({
    ModelPackageGroupName: await parameter("ModelPackageGroup"),
    ModelApprovalStatus: "Approved",
    InferenceSpecification: {
      Containers: [
        { Image: image, ModelDataUrl: await platform.put("model.tar.gz", readFileSync(`${folder}.tar.gz`)) },
      ],
      SupportedContentTypes: ["text/csv"],
      SupportedResponseMIMETypes: ["text/csv"],
    },
  });
  await workspace.clients.ssm.putParameter({
    Name: "/acme/local/MonitoringBaselineUri",
    Value: `s3://${await parameter("DataBucket")}/runs/one/baseline`,
    Overwrite: true,
  });
  await workspace.clients.ssm.putParameter({
    Name: "/acme/local/ModelPackageName",
    Value: ModelPackageArn,
    Overwrite: true,
  });
  const hosts: string[] = [];
  for (const [stack, prefix] of [
    ["website-test", "Test"],
    ["website-production", "Production"],
  ] as const) {
    await deploy(stack);
    const { host } = new URL(await parameter(`${prefix}Website`));
    hosts.push(host);
    const viewer = { host, "x-forwarded-proto": "https" };
    const page = await workspace.ask("/", viewer);
    expect(page).toMatchObject({ status: 200, headers: { "x-frame-options": "DENY" } });
    expect(page.text).toContain("<form");
    // This model was registered by hand: it has no public figures, which keeps no website from being deployed.
    expect(await workspace.ask("/model.json", viewer)).toMatchObject({
      status: 200,
      headers: {
        "content-type": "application/json",
        "cache-control": "public, max-age=0, s-maxage=60, must-revalidate",
      },
      text: "{}",
    });
    const api = await workspace.ask("/api/predict", viewer);
    expect(api).toMatchObject({ status: 405, headers: { "content-type": expect.stringContaining("problem+json") } });
  }
  expect(new Set(hosts).size).toBe(2);
});

test("a second run of everything changes nothing, and keeps what the workflow has put into its parameters", async () => {
  const champion = await parameter("ModelPackageName");
  const states = stacks.map((stack) => workspace.state(stack));
  for (const stack of stacks) {
    const { inventory: done } = await deploy(stack);
    expect(done).toMatchObject({ created: [], updated: [], deleted: [] });
  }
  expect(stacks.map((stack) => workspace.state(stack))).toEqual(states);
  expect(await parameter("ModelPackageName")).toBe(champion);
});

test("a lost state adopts everything that has a name, and changes nothing of what runs", async () => {
  const champion = await parameter("ModelPackageName");
  const { stateFile, ...options } = workspace.options("ml-workflow");
  const { inventory: done } = await provision({ ...options, stateFile: `${stateFile}.other` });
  expect(done.created).toEqual(
    Object.keys((JSON.parse(workspace.state("ml-workflow")) as { resources: object }).resources).sort(),
  );
  expect(await parameter("ModelPackageName")).toBe(champion);
});

test("everything is deleted again, the last stack first", async () => {
  const folder = join(workspace.folder, "state");
  expect(madeIn(folder).length).toBeGreaterThan(100);
  // SageMaker, and so Terraform, deletes a group of packages only when it is empty.
  const champion = await parameter("ModelPackageName");
  const refusal = await failure(workspace.destroy("ml-workflow"));
  expect(refusal).toContain("aws_sagemaker_model_package_group.packages can't be deleted: ConflictException");
  await platform.sagemaker.deleteModelPackage({ ModelPackageName: champion });
  for (const stack of [...stacks].reverse()) {
    await workspace.destroy(stack);
  }
  expect(madeIn(folder)).toEqual([]);
});
