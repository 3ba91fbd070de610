import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  aliasesOfKeys,
  candidates,
  findStrays,
  forgetStrays,
  type Import,
  missingIn,
  type Search,
} from "../../deployment/strays";
import {
  DeploymentError,
  type ResourceChange,
  type SynthesizedStack,
  type TerraformPlan,
} from "../../deployment/terraform";
import { loadEnvironment } from "../../environments";

const { account, region } = loadEnvironment("development");
const place = { partition: "aws", account, region };
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

test("a boundary that a killed deploy has made is looked for by its ARN, in its partition", () => {
  const made = planOf(creation("aws_iam_policy.boundary_policy", { name: "acme-development-boundary" }));
  expect(candidates(made, { ...place, partition: "aws-cn" })).toEqual([
    { to: "aws_iam_policy.boundary_policy", id: `arn:aws-cn:iam::${account}:policy/acme-development-boundary` },
  ]);
});

test("what stands in another region is looked for there, and all else where the environment stands", () => {
  const made = planOf(
    creation("aws_cloudwatch_log_group.firewall", { name: "aws-waf-logs-acme", region: "us-east-1" }),
    creation("aws_cloudwatch_log_group.predict", { name: "/aws/lambda/acme", region }),
  );
  expect(candidates(made, place).map(({ id }) => id)).toEqual(["aws-waf-logs-acme@us-east-1", "/aws/lambda/acme"]);
});

test("what a killed deploy has made for mails is looked for by its name", () => {
  const made = planOf(
    creation("aws_sesv2_configuration_set.settings", { configuration_set_name: "acme-contact" }),
    creation("aws_sesv2_configuration_set_event_destination.counts", {
      configuration_set_name: "acme-contact",
      event_destination_name: "counts",
    }),
    creation("aws_sesv2_email_identity.identity", { email_identity: "acme.example" }),
  );
  expect(candidates(made, place).map(({ id }) => id)).toEqual(["acme-contact", "acme-contact|counts", "acme.example"]);
});

/** Terraform, as far as it is asked: where what is there has these ids. */
function terraform(
  there: Readonly<Record<string, object | null>>,
  actions: readonly string[] = ["update"],
  first: TerraformPlan = planOf(...creations),
) {
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
      const changes = (first.resource_changes ?? []).map((each) => {
        const found = imports.find(({ to }) => to === each.address);
        if (!found) return each;
        const change = { ...each.change, actions, importing: found, before: { tags_all: there[found.id] } };
        return { ...each, change } as never;
      });
      return Promise.resolve(planOf(...changes));
    },
  };
  const search: Search = { workspace: workspace as never, stack, place, plan: first, file: "strays.plan" };
  return { search, plans };
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
  expect(candidates(plan, place)).toEqual([
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
  const imports = candidates(planOf(...creations), place);
  expect(missingIn("Error: no credentials for acme-development-judge", imports)).toEqual([]);
});

test("what is there is taken over, what isn't is created", async () => {
  const { search, plans } = terraform({ "acme-development-judge": tags });
  await expect(findStrays(search)).resolves.toEqual(["aws_iam_role.judge"]);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
    import: [{ to: "aws_iam_role.judge", id: "acme-development-judge" }],
  });
  expect(plans.map((imports) => imports.length)).toEqual([3, 1]);
  forgetStrays(stack);
  expect(existsSync(file)).toBe(false);
});

test("where nothing is there, no import block stays behind", async () => {
  const { search } = terraform({});
  await expect(findStrays(search)).resolves.toEqual([]);
  expect(existsSync(file)).toBe(false);
});

test.each([
  ["of another stack", { ...tags, Stack: "website-test" }, ["update"], /bears other tags than those of the stack/],
  ["that nobody has tagged", {}, ["update"], /bears other tags/],
  ["that would have to be replaced", tags, ["delete", "create"], /without replacing it/],
])("something %s is left alone, and said", async (_, found, actions, problem) => {
  const { search } = terraform({ "acme-development-judge": found }, actions);
  await expect(findStrays(search)).rejects.toMatchObject({
    problem: expect.stringMatching(problem) as string,
  });
  expect(existsSync(file)).toBe(false);
});

test("a bucket that was killed before it got its tags is the stack's own", async () => {
  const { search } = terraform({ "acme-development-data": {} });
  await expect(findStrays(search)).resolves.toEqual(["aws_s3_bucket.data"]);
  forgetStrays(stack);
});

test("an id is of the partition in which the account is", () => {
  const [, , machine] = candidates(planOf(...creations), { ...place, partition: "aws-cn" });
  expect(machine?.id).toMatch(/^arn:aws-cn:states:/);
});

describe("a key, which has no name of its own,", () => {
  const alias = "alias/acme-development-state";
  const configuration = {
    root_module: {
      resources: [
        { address: "aws_kms_key.data", expressions: { description: {} } },
        {
          address: "aws_kms_alias.data",
          expressions: { target_key_id: { references: ["aws_kms_key.data.key_id", "aws_kms_key.data"] } },
        },
      ],
    },
  };
  const key = creation("aws_kms_key.data", { description: "encrypts" });
  const plan = { ...planOf(key, creation("aws_kms_alias.data", { name: alias })), configuration };

  test("is found by its alias, which is taken over with it", async () => {
    const { search } = terraform({ [alias]: tags, "1234-abcd": tags }, ["update"], plan);
    const keysBehind = () => Promise.resolve(new Map([[alias, "1234-abcd"]]));
    await expect(findStrays({ ...search, keysBehind })).resolves.toEqual(["aws_kms_key.data", "aws_kms_alias.data"]);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      import: [
        { to: "aws_kms_alias.data", id: alias },
        { to: "aws_kms_key.data", id: "1234-abcd" },
      ],
    });
    forgetStrays(stack);
  });

  test("is made where there is no such alias", async () => {
    const { search } = terraform({}, ["update"], plan);
    await expect(findStrays({ ...search, keysBehind: () => Promise.resolve(new Map()) })).resolves.toEqual([]);
  });

  test("is not looked for when it is there, or when its alias is", () => {
    const kept = { ...key, change: { ...key.change, actions: ["no-op"] as const } };
    expect(aliasesOfKeys({ ...planOf(kept), configuration })).toEqual([]);
    expect(aliasesOfKeys({ ...planOf(key), configuration })).toEqual([]);
  });
});

test("a plan that fails for another reason fails, and leaves no import block behind", async () => {
  const { search } = terraform({});
  const workspace = { plan: () => Promise.reject(new Error("no way")) };
  await expect(findStrays({ ...search, workspace: workspace as never })).rejects.toThrow("no way");
  expect(existsSync(file)).toBe(false);
});
