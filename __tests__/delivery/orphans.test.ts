import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  aliasesOfKeys,
  candidates,
  findOrphans,
  forgetOrphans,
  type Import,
  missingIn,
  type Search,
} from "../../delivery/orphans";
import {
  DeploymentError,
  type ResourceChange,
  type SynthesizedStack,
  type TerraformPlan,
} from "../../delivery/terraform";
import { loadEnvironment } from "../../environments";

const { account, region } = loadEnvironment("development");
const place = { partition: "aws", account, region };
const folder = mkdtempSync(join(tmpdir(), "orphans-"));
const stack: SynthesizedStack = { id: "ml-workflow", folder, dependencies: [] };
const file = join(folder, "orphans.tf.json");
const tags = { Project: "acme", Environment: "development", Stack: "ml-workflow" };

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function creation(address: string, after: object): ResourceChange {
  const [type = ""] = address.split(".");
  return {
    ...{ address, type, mode: "managed" },
    change: { actions: ["create"], before: null, after: { ...after, tags_all: tags }, after_unknown: {} } as never,
  };
}

const planOf = (...changes: ResourceChange[]): TerraformPlan => ({ resource_changes: changes });

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

test("resources in another region are looked for there, all others in the environment's region", () => {
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
      if (missing.length === 0) {
        return Promise.resolve({ changes: true });
      }
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
        if (!found) {
          return each;
        }
        const change = { ...each.change, actions, importing: found, before: { tags_all: there[found.id] } };
        return { ...each, change } as never;
      });
      return Promise.resolve(planOf(...changes));
    },
  };
  const search: Search = { workspace: workspace as never, stack, place, plan: first, file: "orphans.plan" };
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

test("existing resources are adopted, missing ones are created", async () => {
  const { search, plans } = terraform({ "acme-development-judge": tags });
  await expect(findOrphans(search)).resolves.toEqual(["aws_iam_role.judge"]);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
    import: [{ to: "aws_iam_role.judge", id: "acme-development-judge" }],
  });
  expect(plans.map((imports) => imports.length)).toEqual([3, 1]);
  forgetOrphans(stack);
  expect(existsSync(file)).toBe(false);
});

test("if nothing exists, no import block remains", async () => {
  const { search } = terraform({});
  await expect(findOrphans(search)).resolves.toEqual([]);
  expect(existsSync(file)).toBe(false);
});

test.each([
  ["of another stack", { ...tags, Stack: "website-test" }, ["update"], /has other tags than the stack/],
  ["that nobody has tagged", {}, ["update"], /has other tags/],
  ["that would have to be replaced", tags, ["delete", "create"], /without replacing it/],
])("something %s is left alone, and reported", async (_, found, actions, problem) => {
  const { search } = terraform({ "acme-development-judge": found }, actions);
  await expect(findOrphans(search)).rejects.toMatchObject({
    problem: expect.stringMatching(problem) as string,
  });
  expect(existsSync(file)).toBe(false);
});

test("a bucket that was killed before it got its tags is the stack's own", async () => {
  const { search } = terraform({ "acme-development-data": {} });
  await expect(findOrphans(search)).resolves.toEqual(["aws_s3_bucket.data"]);
  forgetOrphans(stack);
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
    await expect(findOrphans({ ...search, keysBehind })).resolves.toEqual(["aws_kms_key.data", "aws_kms_alias.data"]);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      import: [
        { to: "aws_kms_alias.data", id: alias },
        { to: "aws_kms_key.data", id: "1234-abcd" },
      ],
    });
    forgetOrphans(stack);
  });

  test("is made where there is no such alias", async () => {
    const { search } = terraform({}, ["update"], plan);
    await expect(findOrphans({ ...search, keysBehind: () => Promise.resolve(new Map()) })).resolves.toEqual([]);
  });

  test("is not looked for when it is there, or when its alias is", () => {
    const kept = { ...key, change: { ...key.change, actions: ["no-op"] as const } };
    expect(aliasesOfKeys({ ...planOf(kept), configuration }, place)).toEqual([]);
    expect(aliasesOfKeys({ ...planOf(key), configuration }, place)).toEqual([]);
  });

  test("is looked for in its own region, although another region also has its alias", async () => {
    const both = planOf(
      key,
      creation("aws_kms_alias.data", { name: alias, region }),
      creation("aws_kms_key.firewall", { region: "us-east-1" }),
      creation("aws_kms_alias.firewall", { name: alias, region: "us-east-1" }),
    );
    const { resources } = configuration.root_module;
    const references = ["aws_kms_key.firewall.key_id", "aws_kms_key.firewall"];
    const firewall = { address: "aws_kms_alias.firewall", expressions: { target_key_id: { references } } };
    const there = { "1234-home": tags, "1234-abroad@us-east-1": tags };
    const { search } = terraform(there, ["update"], {
      ...both,
      configuration: { root_module: { resources: [...resources, firewall] } },
    });
    const keys = new Map([
      [region, "1234-home"],
      ["us-east-1", "1234-abroad"],
    ]);
    const keysBehind = (where: string) => Promise.resolve(new Map([[alias, keys.get(where) ?? "nowhere"]]));
    await expect(findOrphans({ ...search, keysBehind })).resolves.toEqual(["aws_kms_key.data", "aws_kms_key.firewall"]);
    forgetOrphans(stack);
  });
});

describe("a web ACL, whose id is a number,", () => {
  const acl = creation("aws_wafv2_web_acl.acl", { name: "acme-web", scope: "CLOUDFRONT", region: "us-east-1" });
  const role = creation("aws_iam_role.judge", { name: "acme-development-judge" });
  const id = "${data.aws_wafv2_web_acl.acl.id}/acme-web/CLOUDFRONT@us-east-1";
  const lookup = { region: "us-east-1", name: "acme-web", scope: "CLOUDFRONT" };

  test("is looked up by its name, by Terraform, where it stands", async () => {
    const { search } = terraform({ [id]: tags }, ["update"], planOf(acl));
    await expect(findOrphans(search)).resolves.toEqual(["aws_wafv2_web_acl.acl"]);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      data: { aws_wafv2_web_acl: { acl: lookup } },
      import: [{ to: "aws_wafv2_web_acl.acl", id }],
    });
    forgetOrphans(stack);
  });

  const read = "with data.aws_wafv2_web_acl.acl,\n  on orphans.tf.json line 5";
  const refused = "operation error WAFV2: ListWebACLs, api error AccessDeniedException: not authorized";
  test.each([
    ["is not there", `Error: WAFv2 WebACL not found for name: acme-web\n\n  ${read}`, [acl.address]],
    ["may not be looked up", `Error: list WAFv2 WebACLs: ${refused}\n\n  ${read}`, [acl.address]],
    ["could not be looked up", `Error: list WAFv2 WebACLs: no such host\n\n  ${read}`, []],
    [
      "is not what was refused",
      `Error: reading x: AccessDenied\n\n  with aws_iam_role.judge,\n\nError: y\n\n  ${read}`,
      [],
    ],
  ])("that %s is distinguished from existing ones", (_, said, missing) => {
    expect(missingIn(said, candidates(planOf(acl, role), place)).map(({ to }) => to)).toEqual(missing);
  });
});

describe("a function's event source, whose id is a number,", () => {
  const source = "arn:aws:dynamodb:eu-west-1:111122223333:table/messages/stream/1";
  const mapping = (more: object = {}) =>
    creation("aws_lambda_event_source_mapping.stream", { function_name: "acme-mail", region, ...more });
  const ours = { id: "uuid-ours", source };
  const other = { id: "uuid-other", source: `${source}2` };

  test.each([
    ["the only one, where the stream's ARN isn't known yet", mapping(), [ours], ["uuid-ours"]],
    ["the one of its stream", mapping({ event_source_arn: source }), [other, ours], ["uuid-ours"]],
    ["none that another stream feeds", mapping({ event_source_arn: source }), [other], []],
    ["none of two that can't be told apart", mapping(), [ours, other], []],
    ["it where it stands", mapping({ region: "us-east-1" }), [ours], ["uuid-ours@us-east-1"]],
  ])("is found by its function: %s", async (_, change, there, ids) => {
    const { search, plans } = terraform({ "uuid-ours": tags, "uuid-ours@us-east-1": tags }, ["update"], planOf(change));
    const asked: string[][] = [];
    const eventSourcesOf = (...question: string[]) => {
      asked.push(question);
      return Promise.resolve(there);
    };
    await expect(findOrphans({ ...search, eventSourcesOf })).resolves.toHaveLength(ids.length);
    expect(plans.flat().map(({ id }) => id)).toEqual(ids);
    expect(asked).toEqual([["acme-mail", (change.change.after as { readonly region: string }).region]]);
    forgetOrphans(stack);
  });
});

test("a plan that fails for another reason fails, and leaves no import block behind", async () => {
  const { search } = terraform({});
  const workspace = { plan: () => Promise.reject(new Error("no way")) };
  await expect(findOrphans({ ...search, workspace: workspace as never })).rejects.toThrow("no way");
  expect(existsSync(file)).toBe(false);
});
