import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { candidates, findStrays, forgetStrays, missingIn } from "../../deployment/strays";
import type { Import } from "../../deployment/takeover";
import {
  DeploymentError,
  type ResourceChange,
  type SynthesizedStack,
  type TerraformPlan,
} from "../../deployment/terraform";
import { loadEnvironment } from "../../environments";

const environment = loadEnvironment("development");
const folder = mkdtempSync(join(tmpdir(), "strays-"));
const stack: SynthesizedStack = { id: "ml-workflow", folder, dependencies: [] };
const file = join(folder, "strays.tf.json");
const tags = { Project: "acme", Environment: "development", Stack: "ml-workflow" };

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function creation(address: string, after: object): ResourceChange {
  const [type = "", name = ""] = address.split(".");
  return {
    ...{ address, type, name, mode: "managed", provider_name: "aws" },
    change: { actions: ["create"], before: null, after: { ...after, tags_all: tags }, after_unknown: {} } as never,
  };
}

const planOf = (...changes: ResourceChange[]): TerraformPlan => ({
  format_version: "1.2",
  terraform_version: "1.11.4",
  resource_changes: changes,
});

const creations = [
  creation("aws_iam_role.judge", { name: "acme-development-judge" }),
  creation("aws_s3_bucket.data", { bucket: "acme-development-data" }),
  creation("aws_sfn_state_machine.training", { name: "acme-development-training" }),
];

/** Terraform, as far as it is asked: where what is there has these ids. */
function terraform(there: Readonly<Record<string, object | null>>, actions: readonly string[] = ["update"]) {
  const plans: (readonly Import[])[] = [];
  const workspace = {
    plan: () => {
      const imports = existsSync(file)
        ? (JSON.parse(readFileSync(file, "utf8")) as { readonly import: readonly Import[] }).import
        : [];
      plans.push(imports);
      const missing = imports.filter(({ id }) => !(id in there));
      if (missing.length === 0) return Promise.resolve({ changes: true });
      const said = missing.map(
        ({ to }) =>
          "Error: Cannot import non-existent remote object\n\nWhile attempting to import an existing object to\n" +
          `"${to}", the provider detected that no object exists with the given id.`,
      );
      return Promise.reject(new DeploymentError("The plan failed.", "Correct it.", said.join("\n\n")));
    },
    show: () => {
      const imports = plans.at(-1) ?? [];
      const changes = creations.map((each) => {
        const found = imports.find(({ to }) => to === each.address);
        if (!found) return each;
        const change = { ...each.change, actions, importing: found, before: { tags_all: there[found.id] } };
        return { ...each, change } as never;
      });
      return Promise.resolve(planOf(...changes));
    },
  };
  return { workspace: workspace as never, plans };
}

test("what is created under a name of its own could be there already; what has none, or isn't created, could not", () => {
  const kept = creation("aws_iam_role.kept", { name: "acme-development-kept" });
  const plan = planOf(
    ...creations,
    creation("aws_kms_key.data", { description: "encrypts" }),
    creation("aws_lambda_permission.api", { function_name: "acme-development-predict", statement_id: "api" }),
    creation("aws_lambda_permission.later", { statement_id: "api" }),
    creation("aws_ssm_parameter.later", {}),
    { ...kept, change: { ...kept.change, actions: ["update"] } },
  );
  expect(candidates(plan, environment)).toEqual([
    { to: "aws_iam_role.judge", id: "acme-development-judge" },
    { to: "aws_s3_bucket.data", id: "acme-development-data" },
    {
      to: "aws_sfn_state_machine.training",
      id: "arn:aws:states:eu-west-1:111122223333:stateMachine:acme-development-training",
    },
    { to: "aws_lambda_permission.api", id: "acme-development-predict/api" },
  ]);
});

test("what a plan says of other faults leaves all import blocks in their places", () => {
  const imports = candidates(planOf(...creations), environment);
  expect(missingIn("Error: no credentials for acme-development-judge", imports)).toEqual([]);
});

test("what is there is taken over, what isn't is created", async () => {
  const { workspace, plans } = terraform({ "acme-development-judge": tags });
  await expect(findStrays(workspace, stack, environment)).resolves.toEqual(["aws_iam_role.judge"]);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
    import: [{ to: "aws_iam_role.judge", id: "acme-development-judge" }],
  });
  expect(plans.map((imports) => imports.length)).toEqual([0, 3, 1]);
  forgetStrays(stack);
  expect(existsSync(file)).toBe(false);
});

test("where nothing is there, no import block stays behind", async () => {
  const { workspace } = terraform({});
  await expect(findStrays(workspace, stack, environment)).resolves.toEqual([]);
  expect(existsSync(file)).toBe(false);
});

test.each([
  ["of another stack", { ...tags, Stack: "website-test" }, ["update"], /bears other tags than those of the stack/],
  ["that nobody has tagged", {}, ["update"], /bears other tags/],
  ["that would have to be replaced", tags, ["delete", "create"], /without replacing it/],
])("something %s is left alone, and said", async (_, found, actions, problem) => {
  const { workspace } = terraform({ "acme-development-judge": found }, actions);
  await expect(findStrays(workspace, stack, environment)).rejects.toMatchObject({
    problem: expect.stringMatching(problem) as string,
  });
  expect(existsSync(file)).toBe(false);
});

test("a bucket that was killed before it got its tags is the stack's own", async () => {
  const { workspace } = terraform({ "acme-development-data": {} });
  await expect(findStrays(workspace, stack, environment)).resolves.toEqual(["aws_s3_bucket.data"]);
  forgetStrays(stack);
});

test("a plan that fails for another reason fails, and leaves no import block behind", async () => {
  const { workspace } = terraform({});
  const refuse = {
    ...(workspace as object),
    plan: () => (existsSync(file) ? Promise.reject(new Error("no way")) : {}),
  };
  await expect(findStrays(refuse as never, stack, environment)).rejects.toThrow("no way");
  expect(existsSync(file)).toBe(false);
});
