import { DescribeLogGroupsCommand, ListTagsForResourceCommand } from "@aws-sdk/client-cloudwatch-logs";
import { ListKeysCommand, ListResourceTagsCommand } from "@aws-sdk/client-kms";
import {
  DeleteBucketCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { DeleteParameterCommand, GetParameterCommand, PutParameterCommand } from "@aws-sdk/client-ssm";
import { rmSync, writeFileSync } from "node:fs";
import { inventory, provision, type Step } from "../../../local/provision";
import { makeClients, closeClients } from "../../../local/provision/clients";
import { Emulator } from "../../workflow/support/emulator";
import { account, failure, region, type Stack, Workspace } from "./support/workspace";

jest.setTimeout(120_000);

let emulator: Emulator;
let workspace: Workspace;

beforeAll(async () => {
  // Nobody asks for SageMaker here: port 9 discards.
  emulator = await Emulator.start("http://127.0.0.1:9");
});
afterAll(() => emulator.stop());
beforeEach(() => {
  workspace = new Workspace(emulator.endpoint);
});
afterEach(() => {
  workspace.close();
});

async function logGroups(prefix: string): Promise<Record<string, number | undefined>> {
  const { logGroups: groups = [] } = await workspace.clients.logs.send(
    new DescribeLogGroupsCommand({ logGroupNamePrefix: prefix }),
  );
  return Object.fromEntries(groups.map(({ logGroupName, retentionInDays }) => [logGroupName ?? "", retentionInDays]));
}

async function parameter(Name: string): Promise<string | undefined> {
  const { Parameter } = await workspace.clients.ssm.send(new GetParameterCommand({ Name }));
  return Parameter?.Value;
}

function bucketStack(bucket: string): Stack {
  return {
    provider: { aws: [{ region, default_tags: [{ tags: { Project: "acme" } }] }] },
    resource: {
      // Written before the bucket, made after it.
      aws_ssm_parameter: {
        published: {
          name: `/${bucket}/name`,
          type: "String",
          insecure_value: "${aws_s3_bucket.data.bucket} in ${data.aws_region.here.region}",
          depends_on: ["aws_s3_bucket_versioning.data"],
        },
      },
      aws_s3_bucket: { data: { bucket } },
      aws_s3_bucket_versioning: {
        data: { bucket: "${aws_s3_bucket.data.id}", versioning_configuration: { status: "Enabled" } },
      },
    },
    data: { aws_region: { here: {} } },
    output: {
      arn: { value: "${aws_s3_bucket.data.arn}" },
      domain: { value: "${aws_s3_bucket.data.bucket_regional_domain_name}" },
    },
  };
}

test("a stack is made in the order of its references, and gives its outputs", async () => {
  const steps: Step[] = [];
  const { outputs, inventory: done } = await workspace.provision("first", bucketStack("first-data"), {
    onProgress: (message, step) => {
      expect(message).toContain(step.address);
      steps.push(step);
    },
  });
  expect(outputs).toEqual({ arn: "arn:aws:s3:::first-data", domain: `first-data.s3.${region}.amazonaws.com` });
  expect(done).toEqual({
    created: ["aws_s3_bucket.data", "aws_s3_bucket_versioning.data", "aws_ssm_parameter.published"],
    ...{ updated: [], replaced: [], unchanged: [], deleted: [], leftOut: [], ignored: [] },
  });
  expect(steps.map(({ address, action, done: count, total }) => `${address} ${action} ${count}/${total}`)).toEqual([
    "aws_s3_bucket.data creating 0/3",
    "aws_s3_bucket.data created 1/3",
    "aws_s3_bucket_versioning.data creating 1/3",
    "aws_s3_bucket_versioning.data created 2/3",
    "aws_ssm_parameter.published creating 2/3",
    "aws_ssm_parameter.published created 3/3",
  ]);
  expect(await parameter("/first-data/name")).toBe(`first-data in ${region}`);
  const { Status } = await workspace.clients.s3.send(new GetBucketVersioningCommand({ Bucket: "first-data" }));
  expect(Status).toBe("Enabled");
});

test("the same stack again changes nothing, not even a byte of the state", async () => {
  const { outputs } = await workspace.provision("again", bucketStack("again-data"));
  const before = workspace.state("again");
  const second = await workspace.provision("again", bucketStack("again-data"));
  expect(second.inventory).toMatchObject({ created: [], updated: [], deleted: [], unchanged: { length: 3 } });
  expect(second.outputs).toEqual(outputs);
  expect(workspace.state("again")).toBe(before);
});

test("credentials, profiles and endpoints of the shell are not used", async () => {
  const before = { ...process.env };
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: "http://127.0.0.1:1",
    AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1",
    AWS_ACCESS_KEY_ID: "AKIAREAL",
    AWS_SECRET_ACCESS_KEY: "real",
    AWS_PROFILE: "real",
    AWS_REGION: "us-west-2",
    AWS_USE_FIPS_ENDPOINT: "true",
    AWS_USE_DUALSTACK_ENDPOINT: "true",
  });
  try {
    const { inventory: done } = await workspace.provision("shell", bucketStack("shell-data"));
    expect(done.created).toHaveLength(3);
    await workspace.clients.s3.send(new HeadBucketCommand({ Bucket: "shell-data" }));
  } finally {
    process.env = before;
  }
});

function groups(changes: Record<string, Record<string, unknown> | undefined> = {}): Stack {
  const all: Record<string, Record<string, unknown> | undefined> = {
    a: { name: "/groups/a", retention_in_days: 1 },
    b: { name: "/groups/b" },
    ...changes,
  };
  return {
    resource: { aws_cloudwatch_log_group: Object.fromEntries(Object.entries(all).filter(([, group]) => group)) },
  };
}

test("a changed argument is changed in place, the rest is left alone", async () => {
  await workspace.provision("groups", groups());
  const { inventory: done } = await workspace.provision(
    "groups",
    groups({ a: { name: "/groups/a", retention_in_days: 7 } }),
  );
  expect(done).toMatchObject({
    created: [],
    updated: ["aws_cloudwatch_log_group.a"],
    replaced: [],
    unchanged: ["aws_cloudwatch_log_group.b"],
    deleted: [],
  });
  expect(await logGroups("/groups/")).toEqual({ "/groups/a": 7, "/groups/b": undefined });
  await workspace.destroy("groups");
});

test("an argument that is taken away goes back to its default", async () => {
  await workspace.provision("groups", groups());
  await workspace.provision("groups", groups({ a: { name: "/groups/a" } }));
  expect(await logGroups("/groups/a")).toEqual({ "/groups/a": undefined });
  await workspace.destroy("groups");
});

test("an argument that can't be changed replaces the resource, and what refers to it follows", async () => {
  const stack = (name: string): Stack => ({
    resource: {
      aws_cloudwatch_log_group: { a: { name } },
      aws_ssm_parameter: {
        name: { name: "/replaced/name", type: "String", insecure_value: "${aws_cloudwatch_log_group.a.name}" },
      },
    },
  });
  await workspace.provision("replaced", stack("/replaced/old"));
  const { inventory: done } = await workspace.provision("replaced", stack("/replaced/new"));
  expect(done.replaced).toEqual(["aws_cloudwatch_log_group.a"]);
  expect(done.updated).toEqual(["aws_cloudwatch_log_group.a", "aws_ssm_parameter.name"]);
  expect(await logGroups("/replaced/")).toEqual({ "/replaced/new": undefined });
  expect(await parameter("/replaced/name")).toBe("/replaced/new");
});

test("with create_before_destroy the old one stays until others use the new one; a generated name stays the same", async () => {
  const stack = (kind: string): Stack => ({
    resource: {
      aws_cloudwatch_log_group: {
        a: { name_prefix: "/before/", log_group_class: kind, lifecycle: { create_before_destroy: true } },
      },
      aws_ssm_parameter: {
        name: { name: "/before/name", type: "String", insecure_value: "${aws_cloudwatch_log_group.a.name}" },
      },
    },
  });
  await workspace.provision("before", stack("STANDARD"));
  const [first] = Object.keys(await logGroups("/before/"));
  expect(first).toMatch(/^\/before\/[0-9a-f]{8}$/);
  const again = await workspace.provision("before", stack("STANDARD"));
  expect(again.inventory.unchanged).toHaveLength(2);
  expect(Object.keys(await logGroups("/before/"))).toEqual([first]);

  const during: string[][] = [];
  await workspace.provision("before", stack("INFREQUENT_ACCESS"), {
    onProgress: (_, { address, action }) => {
      if (address === "aws_ssm_parameter.name" && action === "updating") {
        // Both are known while the parameter moves from one to the other.
        during.push([...(workspace.state("before").match(/"id": "\/before\/[0-9a-f]{8}"/g) ?? [])]);
      }
    },
  });
  expect(during).toHaveLength(1);
  expect(new Set(during[0]).size).toBe(2);
  const left = Object.keys(await logGroups("/before/"));
  expect(left).toHaveLength(1);
  expect(left).not.toContain(first);
  expect(await parameter("/before/name")).toBe(left[0]);
  expect(workspace.state("before")).not.toContain("deposed");
});

test("what the stack has no more is deleted", async () => {
  await workspace.provision("gone", groups());
  const { inventory: done } = await workspace.provision("gone", groups({ b: undefined }));
  expect(done.deleted).toEqual(["aws_cloudwatch_log_group.b"]);
  expect(await logGroups("/groups/")).toEqual({ "/groups/a": 1 });
  expect(workspace.state("gone")).not.toContain("/groups/b");
  await workspace.destroy("gone");
});

test("what only got another address in the stack is not deleted", async () => {
  await workspace.provision("renamed", groups());
  const { inventory: done } = await workspace.provision(
    "renamed",
    groups({ a: undefined, c: { name: "/groups/a", retention_in_days: 1 } }),
  );
  expect(done).toMatchObject({ created: ["aws_cloudwatch_log_group.c"], deleted: ["aws_cloudwatch_log_group.a"] });
  expect(await logGroups("/groups/")).toEqual({ "/groups/a": 1, "/groups/b": undefined });
  await workspace.destroy("renamed");
});

test("prevent_destroy refuses deletion, replacement and destroy, and says what to do", async () => {
  const guarded = (name: string, prevent: boolean): Record<string, Record<string, unknown>> => ({
    a: { name, lifecycle: { prevent_destroy: prevent } },
  });
  await workspace.provision("guarded", groups(guarded("/guarded/a", true)));
  const before = workspace.state("guarded");

  const gone = await failure(workspace.provision("guarded", groups({ a: undefined, c: { name: "/groups/c" } })));
  expect(gone).toMatch(/^Stack guarded: .* prevent_destroy protects aws_cloudwatch_log_group\.a\. Nothing was changed/);
  expect(gone).toContain("Set prevent_destroy to false");
  const replaced = await failure(workspace.provision("guarded", groups(guarded("/guarded/other", true))));
  expect(replaced).toContain("aws_cloudwatch_log_group.a: a change of name replaces it");
  expect(await failure(workspace.destroy("guarded"))).toContain("aws_cloudwatch_log_group.a");
  expect(workspace.state("guarded")).toBe(before);
  expect(await logGroups("/guarded/")).toEqual({ "/guarded/a": undefined });
  expect(await logGroups("/groups/c")).toEqual({});

  await workspace.provision("guarded", groups(guarded("/guarded/a", false)));
  expect(await workspace.destroy("guarded")).toHaveLength(2);
  expect(await logGroups("/guarded/")).toEqual({});
});

test("what was lost behind our back is made again, what stands on it too", async () => {
  await workspace.provision("lost", bucketStack("lost-data"));
  await workspace.clients.s3.send(new DeleteBucketCommand({ Bucket: "lost-data" }));
  await workspace.clients.ssm.send(new DeleteParameterCommand({ Name: "/lost-data/name" }));
  const { inventory: done } = await workspace.provision("lost", bucketStack("lost-data"));
  expect([...done.created, ...done.updated].sort()).toEqual([
    "aws_s3_bucket.data",
    "aws_s3_bucket_versioning.data",
    "aws_ssm_parameter.published",
  ]);
  const { Status } = await workspace.clients.s3.send(new GetBucketVersioningCommand({ Bucket: "lost-data" }));
  expect(Status).toBe("Enabled");
});

test("a lost state adopts what exists, content included", async () => {
  await workspace.provision("adopted", bucketStack("adopted-data"));
  await workspace.clients.s3.send(new PutObjectCommand({ Bucket: "adopted-data", Key: "kept", Body: "kept" }));
  rmSync(workspace.stateFile("adopted"));
  const { inventory: done } = await workspace.provision("adopted", bucketStack("adopted-data"));
  expect(done.created).toHaveLength(3);
  const message = await failure(workspace.clients.s3.send(new DeleteBucketCommand({ Bucket: "adopted-data" })));
  expect(message).toMatch(/not empty/i);
});

test("a parameter whose value changes at run time keeps it, whatever else changes", async () => {
  const stack = (description: string, extra: Record<string, unknown> = {}): Stack => ({
    resource: {
      aws_ssm_parameter: {
        champion: {
          name: "/runtime/champion",
          type: "String",
          insecure_value: "PLACEHOLDER",
          description,
          lifecycle: { ignore_changes: ["insecure_value"] },
          ...extra,
        },
      },
    },
  });
  await workspace.provision("runtime", stack("one"));
  expect(await parameter("/runtime/champion")).toBe("PLACEHOLDER");
  await workspace.clients.ssm.send(
    new PutParameterCommand({ Name: "/runtime/champion", Value: "arn:v1", Overwrite: true }),
  );

  expect((await workspace.provision("runtime", stack("one"))).inventory.unchanged).toHaveLength(1);
  expect((await workspace.provision("runtime", stack("two"))).inventory.updated).toHaveLength(1);
  expect(await parameter("/runtime/champion")).toBe("arn:v1");
  expect(
    (await workspace.provision("runtime", stack("two", { insecure_value: "OTHER" }))).inventory.unchanged,
  ).toHaveLength(1);
  rmSync(workspace.stateFile("runtime"));
  await workspace.provision("runtime", stack("two"));
  expect(await parameter("/runtime/champion")).toBe("arn:v1");
});

test("default tags reach every resource, its own tags win, and a change of them is an update", async () => {
  const stack = (project: string): Stack => ({
    provider: { aws: [{ region, default_tags: [{ tags: { Project: project, Stack: "tags" } }] }] },
    resource: { aws_cloudwatch_log_group: { a: { name: "/tags/a", tags: { Stack: "own" } } } },
  });
  const tags = async (): Promise<unknown> => {
    const arn = `arn:aws:logs:${region}:${account}:log-group:/tags/a`;
    return (await workspace.clients.logs.send(new ListTagsForResourceCommand({ resourceArn: arn }))).tags;
  };
  await workspace.provision("tags", stack("acme"));
  expect(await tags()).toEqual({ Project: "acme", Stack: "own" });
  expect((await workspace.provision("tags", stack("other"))).inventory.updated).toHaveLength(1);
  expect(await tags()).toEqual({ Project: "other", Stack: "own" });
});

test("a provider's alias puts a resource into its own region", async () => {
  await workspace.provision("alias", {
    provider: { aws: [{ region }, { alias: "virginia", region: "us-east-1" }] },
    resource: { aws_cloudwatch_log_group: { a: { name: "/alias/a", provider: "aws.virginia" } } },
  });
  const there = makeClients(emulator.endpoint, "us-east-1", account);
  const { logGroups: found = [] } = await there.logs.send(
    new DescribeLogGroupsCommand({ logGroupNamePrefix: "/alias/" }),
  );
  closeClients(there);
  expect(found.map(({ arn }) => arn)).toEqual([expect.stringContaining(":us-east-1:")]);
  expect(await logGroups("/alias/")).toEqual({});
});

test("what is left out is listed with its reason, and others can refer to it", async () => {
  const { outputs, inventory: done } = await workspace.provision("left-out", {
    resource: {
      aws_iam_role: {
        named: { name: "acme-role", assume_role_policy: "{}" },
        prefixed: { name_prefix: "acme-", assume_role_policy: "{}" },
      },
      aws_vpc: { main: { cidr_block: "10.0.0.0/16" } },
      aws_subnet: { a: { vpc_id: "${aws_vpc.main.id}", cidr_block: "10.0.1.0/24" } },
      aws_ecr_repository: { image: { name: "acme-image" } },
    },
    output: {
      role: { value: "${aws_iam_role.named.arn}" },
      prefixed: { value: "${aws_iam_role.prefixed.name}" },
      subnet: { value: "${aws_subnet.a.id}" },
      repository: { value: "${aws_ecr_repository.image.repository_url}" },
    },
  });
  expect(done.leftOut).toEqual([
    { type: "aws_ecr_repository", name: "image", reason: expect.stringContaining("image") },
    { type: "aws_iam_role", name: "named", reason: "the emulator checks no permissions" },
    { type: "aws_iam_role", name: "prefixed", reason: "the emulator checks no permissions" },
    { type: "aws_subnet", name: "a", reason: expect.stringContaining("VPC") },
    { type: "aws_vpc", name: "main", reason: expect.stringContaining("VPC") },
  ]);
  expect(outputs).toEqual({
    role: `arn:aws:iam::${account}:role/acme-role`,
    prefixed: expect.stringMatching(/^acme-[0-9a-f]{8}$/),
    subnet: expect.stringMatching(/^subnet-[0-9a-f]{17}$/),
    repository: `${account}.dkr.ecr.${region}.amazonaws.com/acme-image`,
  });
});

test("arguments that are not passed on are told", async () => {
  const { inventory: done } = await workspace.provision("ignored", {
    resource: { aws_cloudwatch_log_group: { a: { name: "/ignored/a", deletion_protection_enabled: true } } },
  });
  expect(done.ignored).toEqual([{ address: "aws_cloudwatch_log_group.a", arguments: ["deletion_protection_enabled"] }]);
});

test("unknown types are all named before anything is made, with the file to add them to", async () => {
  const message = await failure(
    workspace.provision("unknown", {
      resource: {
        aws_cloudwatch_log_group: { a: { name: "/unknown/a" } },
        aws_quantum_computer: { q: {} },
        aws_abacus: { b: {} },
      },
      data: { aws_oracle: { o: {} } },
    }),
  );
  expect(message).toContain("Stack unknown");
  expect(message).toContain("aws_abacus, aws_quantum_computer, data.aws_oracle");
  expect(message).toContain("local/provision/resource-types.ts");
  expect(await logGroups("/unknown/")).toEqual({});
});

test.each<[string, Stack, string[]]>([
  [
    "a reference to nothing",
    { resource: { aws_cloudwatch_log_group: { a: { name: "${aws_s3_bucket.missing.id}" } } } },
    [
      "aws_cloudwatch_log_group.a.name",
      "${aws_s3_bucket.missing.id}",
      "aws_s3_bucket.missing, which the stack doesn't have",
    ],
  ],
  [
    "an expression that is not well-formed",
    { resource: { aws_cloudwatch_log_group: { a: { name: "${join(" } } } },
    ["aws_cloudwatch_log_group.a.name", "${join(", "not closed"],
  ],
  [
    "depends_on of nothing",
    { resource: { aws_cloudwatch_log_group: { a: { name: "a", depends_on: ["aws_s3_bucket.missing"] } } } },
    ["aws_cloudwatch_log_group.a", 'depends on "aws_s3_bucket.missing"'],
  ],
  [
    "a circle",
    {
      resource: {
        aws_cloudwatch_log_group: {
          a: { name: "${aws_cloudwatch_log_group.b.arn}" },
          b: { name: "${local.through}" },
        },
      },
      locals: { through: "${aws_cloudwatch_log_group.a.arn}" },
    },
    ["aws_cloudwatch_log_group.a → aws_cloudwatch_log_group.b → aws_cloudwatch_log_group.a"],
  ],
  [
    "locals that refer to one another",
    {
      resource: { aws_cloudwatch_log_group: { a: { name: "${local.a}" } } },
      locals: { a: "${local.b}", b: "${local.a}" },
    },
    ["local.a → local.b → local.a"],
  ],
  ["count", { resource: { aws_cloudwatch_log_group: { a: { name: "a", count: 2 } } } }, ['uses "count"']],
  ["a module", { module: { network: { source: "./network" } } }, ['"module" is not understood']],
  ["a section that is no object", { resource: [] }, ['"resource" is a list']],
  ["a resource that is no object", { resource: { aws_sns_topic: { a: 1 } } }, ["aws_sns_topic.a is a number"]],
])("%s stops the stack before anything is made", async (_, stack, parts) => {
  const message = await failure(workspace.provision("wrong", stack));
  expect(message).toContain("Stack wrong");
  for (const part of parts) {
    expect(message).toContain(part);
  }
});

test("all that is wrong with a stack is told at once", async () => {
  const message = await failure(
    workspace.provision("wrong", {
      resource: { aws_cloudwatch_log_group: { a: { name: "${local.x}" }, b: { name: "${aws_a.b.c}", for_each: [] } } },
    }),
  );
  expect(message.split("\n- ")).toHaveLength(4);
});

test.each([
  ["${aws_cloudwatch_log_group.a.armadillo}", 'there is no attribute "armadillo"'],
  ["${frobnicate(aws_cloudwatch_log_group.a.name)}", 'the function "frobnicate" is not known'],
  ["${var.unset}", "the variable unset has no default"],
])("%s names stack, resource, attribute and expression", async (expression, reason) => {
  const message = await failure(
    workspace.provision("expression", {
      variable: { unset: {} },
      resource: {
        aws_cloudwatch_log_group: { a: { name: "/expression/a" } },
        aws_ssm_parameter: { p: { name: "/expression/p", type: "String", tags: { Deep: expression } } },
      },
    }),
  );
  expect(message).toContain(
    `Stack expression, aws_ssm_parameter.p, attribute "tags.Deep": ${JSON.stringify(expression)}`,
  );
  expect(message).toContain(reason);
});

test("an argument of the wrong kind is named with its value", async () => {
  const message = await failure(
    workspace.provision("kind", {
      resource: { aws_cloudwatch_log_group: { a: { name: "/kind/a", retention_in_days: "soon" } } },
    }),
  );
  expect(message).toBe(
    'Stack kind, aws_cloudwatch_log_group.a.retention_in_days: a number was expected, found a string, "soon"',
  );
});

test("one failure doesn't keep what stands apart from it from being made, and all failures are told", async () => {
  const message = await failure(
    workspace.provision("partly", {
      resource: {
        aws_cloudwatch_log_group: { good: { name: "/partly/good" } },
        aws_s3_bucket_versioning: {
          bad: { bucket: "nobodys-bucket", versioning_configuration: { status: "Enabled" } },
        },
        aws_ssm_parameter: {
          worse: { name: "/partly/worse", type: "String" },
          after: { name: "/partly/after", type: "String", insecure_value: "${aws_s3_bucket_versioning.bad.id}" },
        },
      },
    }),
  );
  expect(message).toContain("- Stack partly, aws_s3_bucket_versioning.bad: NoSuchBucket: ");
  expect(message).toContain("- Stack partly, aws_ssm_parameter.worse.value: text");
  expect(message).not.toContain("aws_ssm_parameter.after");
  expect(await logGroups("/partly/")).toEqual({ "/partly/good": undefined });
});

test("a precondition that does not hold stops with its own message, before the resource is made", async () => {
  const stack: Stack = {
    data: { aws_ssm_parameter: { champion: { name: "/condition/champion" } } },
    resource: {
      aws_cloudwatch_log_group: {
        a: {
          name: "/condition/a",
          lifecycle: {
            precondition: [
              {
                condition: '${data.aws_ssm_parameter.champion.insecure_value != "PLACEHOLDER"}',
                error_message: "No model yet in ${data.aws_ssm_parameter.champion.name}. Run the workflow.",
              },
            ],
            postcondition: [{ condition: '${self.name == "/condition/a"}', error_message: "${self.name} is wrong" }],
          },
        },
      },
    },
  };
  expect(await failure(workspace.provision("condition", stack))).toContain(
    "nobody has published the parameter /condition/champion yet",
  );
  const put = (Value: string): Promise<unknown> =>
    workspace.clients.ssm.send(
      new PutParameterCommand({ Name: "/condition/champion", Value, Type: "String", Overwrite: true }),
    );
  await put("PLACEHOLDER");
  const message = await failure(workspace.provision("condition", stack));
  expect(message).toContain(
    "Stack condition, aws_cloudwatch_log_group.a: No model yet in /condition/champion. Run the workflow.",
  );
  expect(await logGroups("/condition/")).toEqual({});
  await put("arn:v1");
  await workspace.provision("condition", stack);
  expect(await logGroups("/condition/")).toEqual({ "/condition/a": undefined });
});

test("a postcondition that does not hold says so", async () => {
  const message = await failure(
    workspace.provision("after", {
      resource: {
        aws_cloudwatch_log_group: {
          a: {
            name: "/after/a",
            lifecycle: {
              postcondition: [{ condition: "${self.name == null}", error_message: "${self.name} is wrong" }],
            },
          },
        },
      },
    }),
  );
  expect(message).toContain("aws_cloudwatch_log_group.a: /after/a is wrong");
});

test("data sources tell where the stack is", async () => {
  const { outputs } = await workspace.provision("where", {
    data: { aws_caller_identity: { me: {} }, aws_region: { here: {} }, aws_partition: { p: {} } },
    locals: { bucket: "surveys-${data.aws_caller_identity.me.account_id}" },
    variable: { stage: { default: "test" } },
    output: {
      text: {
        value: "arn:${data.aws_partition.p.partition}:s3:::${local.bucket}-${data.aws_region.here.region}-${var.stage}",
      },
    },
  });
  expect(outputs).toEqual({ text: `arn:aws:s3:::surveys-${account}-${region}-test` });
});

test("what the progress callback throws stops the run, and the next run ends it without making anything twice", async () => {
  const stack: Stack = {
    resource: {
      aws_kms_key: { a: { description: "stopped" }, b: { description: "stopped" } },
      aws_kms_alias: { a: { name: "alias/stopped", target_key_id: "${aws_kms_key.a.key_id}" } },
      aws_sns_topic: { t: { name_prefix: "stopped-" } },
    },
  };
  let stops = 0;
  for (let stop = 0; ; stop += 1) {
    let events = 0;
    try {
      const { inventory: done } = await workspace.provision("stopped", stack, {
        parallel: 1,
        onProgress: (_, { action }) => {
          events += action === "unchanged" ? 0 : 1;
          if (events === 1 + (stop % 2)) {
            throw new Error("stop here");
          }
        },
      });
      expect(done.unchanged).toHaveLength(4);
      break;
    } catch (error) {
      expect((error as Error).message).toBe("stop here");
      stops += 1;
    }
  }
  expect(stops).toBeGreaterThanOrEqual(4);
  const { Keys = [] } = await workspace.clients.kms.send(new ListKeysCommand({}));
  const owners = await Promise.all(
    Keys.map(async ({ KeyId }) => {
      const { Tags = [] } = await workspace.clients.kms.send(new ListResourceTagsCommand({ KeyId }));
      return Tags.find(({ TagKey }) => TagKey === "Provisioned")?.TagValue ?? "";
    }),
  );
  expect(
    owners
      .filter((owner) => owner.startsWith("stopped."))
      .map((owner) => owner.replace(/\.[^.]*$/, ""))
      .sort(),
  ).toEqual(["stopped.aws_kms_key.a", "stopped.aws_kms_key.b"]);
});

test("destroy deletes everything, what depends on others first; a second time there is nothing to do", async () => {
  await workspace.provision("destroyed", bucketStack("destroyed-data"));
  expect(inventory(`${workspace.folder}/state`)).toEqual([
    {
      stack: "destroyed",
      address: "aws_s3_bucket.data",
      type: "aws_s3_bucket",
      id: "destroyed-data",
      arn: "arn:aws:s3:::destroyed-data",
    },
    {
      stack: "destroyed",
      address: "aws_s3_bucket_versioning.data",
      type: "aws_s3_bucket_versioning",
      id: "destroyed-data",
    },
    {
      stack: "destroyed",
      address: "aws_ssm_parameter.published",
      type: "aws_ssm_parameter",
      id: "/destroyed-data/name",
      arn: `arn:aws:ssm:${region}:${account}:parameter/destroyed-data/name`,
    },
  ]);
  expect(await workspace.destroy("destroyed")).toEqual([
    "aws_ssm_parameter.published",
    "aws_s3_bucket_versioning.data",
    "aws_s3_bucket.data",
  ]);
  expect(await failure(workspace.clients.s3.send(new HeadBucketCommand({ Bucket: "destroyed-data" })))).toBeTruthy();
  expect(inventory(`${workspace.folder}/state`)).toEqual([]);
  expect(await workspace.destroy("destroyed")).toEqual([]);
  expect(inventory(`${workspace.folder}/nowhere`)).toEqual([]);
});

test("a bucket with objects is emptied only where force_destroy allows it", async () => {
  const stack = (force: boolean): Stack => ({
    resource: { aws_s3_bucket: { a: { bucket: "forced-data", force_destroy: force } } },
  });
  await workspace.provision("forced", stack(false));
  await workspace.clients.s3.send(new PutObjectCommand({ Bucket: "forced-data", Key: "kept", Body: "kept" }));
  expect(await failure(workspace.destroy("forced"))).toMatch(/aws_s3_bucket\.a can't be deleted: .*not empty/i);
  await workspace.provision("forced", stack(true));
  expect(await workspace.destroy("forced")).toEqual(["aws_s3_bucket.a"]);
});

test.each([
  ["half a file", '{"version": 1, "stack"', "Move it away to begin anew: what exists is found again by its name."],
  ["another version", '{"version": 99}', "is no state of the local provisioning"],
  [
    "another stack's state",
    '{"version": 1, "stack": "other", "resources": {}}',
    "is the state of the stack other, not of broken",
  ],
])("a state file with %s is refused and left as it is", async (_, content, reason) => {
  await workspace.provision("broken", groups());
  writeFileSync(workspace.stateFile("broken"), content);
  expect(await failure(workspace.provision("broken", groups()))).toContain(reason);
  expect(workspace.state("broken")).toBe(content);
});

test("a stack that was not synthesized is told plainly", async () => {
  expect(await failure(provision(workspace.options("nothing")))).toMatch(
    /cdk\.tf\.json can't be read .* Synthesize it first\./,
  );
});

test("an emulator that is not there is told plainly", async () => {
  const message = await failure(workspace.provision("absent", groups(), { endpoint: "http://127.0.0.1:1" }));
  expect(message).toContain("aws_cloudwatch_log_group.a: the AWS emulator does not answer");
});
