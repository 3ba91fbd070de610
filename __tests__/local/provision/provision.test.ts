import { rmSync, writeFileSync } from "node:fs";
import { provision, type Step } from "../../../local/provision";
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
  const { logGroups: groups = [] } = await workspace.clients.logs.describeLogGroups({ logGroupNamePrefix: prefix });
  return Object.fromEntries(groups.map(({ logGroupName, retentionInDays }) => [logGroupName ?? "", retentionInDays]));
}

async function parameter(Name: string): Promise<string | undefined> {
  const { Parameter } = await workspace.clients.ssm.getParameter({ Name });
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
          insecure_value: "${local.bucket} is ${aws_s3_bucket.data.arn}",
          depends_on: ["aws_s3_bucket_versioning.data"],
        },
      },
      aws_s3_bucket: { data: { bucket } },
      aws_s3_bucket_versioning: {
        data: { bucket: "${aws_s3_bucket.data.id}", versioning_configuration: { status: "Enabled" } },
      },
    },
    locals: { bucket: "bucket ${aws_s3_bucket.data.bucket}" },
    output: {
      arn: "${aws_s3_bucket.data.arn}",
      domain: "${aws_s3_bucket.data.bucket_regional_domain_name}",
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
    ...{ updated: [], replaced: [], unchanged: [], deleted: [], leftOut: [] },
  });
  expect(steps.map(({ address, action, done: count, total }) => `${address} ${action} ${count}/${total}`)).toEqual([
    "aws_s3_bucket.data creating 0/3",
    "aws_s3_bucket.data created 1/3",
    "aws_s3_bucket_versioning.data creating 1/3",
    "aws_s3_bucket_versioning.data created 2/3",
    "aws_ssm_parameter.published creating 2/3",
    "aws_ssm_parameter.published created 3/3",
  ]);
  expect(await parameter("/first-data/name")).toBe("bucket first-data is arn:aws:s3:::first-data");
  const { Status } = await workspace.clients.s3.getBucketVersioning({ Bucket: "first-data" });
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
    await workspace.clients.s3.headBucket({ Bucket: "shell-data" });
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

test("a removed argument goes back to its default", async () => {
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
  const stack = (prefix: string): Stack => ({
    resource: {
      aws_cloudwatch_log_group: { a: { name_prefix: prefix, lifecycle: { create_before_destroy: true } } },
      aws_ssm_parameter: {
        name: { name: "/before/name", type: "String", insecure_value: "${aws_cloudwatch_log_group.a.name}" },
      },
    },
  });
  await workspace.provision("before", stack("/before/"));
  const [first] = Object.keys(await logGroups("/before/"));
  expect(first).toMatch(/^\/before\/[0-9a-f]{8}$/);
  const again = await workspace.provision("before", stack("/before/"));
  expect(again.inventory.unchanged).toHaveLength(2);
  expect(Object.keys(await logGroups("/before/"))).toEqual([first]);

  const during: string[][] = [];
  await workspace.provision("before", stack("/before/other-"), {
    onProgress: (_, { address, action }) => {
      if (address === "aws_ssm_parameter.name" && action === "updating") {
        // Both are known while the parameter moves from one to the other.
        during.push([...(workspace.state("before").match(/"id": "\/before\/(other-)?[0-9a-f]{8}"/g) ?? [])]);
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

test("resources that the stack no longer has are deleted", async () => {
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

test("a resource lost outside of the stack is made again, and so are its dependents", async () => {
  await workspace.provision("lost", bucketStack("lost-data"));
  await workspace.clients.s3.deleteBucket({ Bucket: "lost-data" });
  await workspace.clients.ssm.deleteParameter({ Name: "/lost-data/name" });
  const { inventory: done } = await workspace.provision("lost", bucketStack("lost-data"));
  expect([...done.created, ...done.updated].sort()).toEqual([
    "aws_s3_bucket.data",
    "aws_s3_bucket_versioning.data",
    "aws_ssm_parameter.published",
  ]);
  const { Status } = await workspace.clients.s3.getBucketVersioning({ Bucket: "lost-data" });
  expect(Status).toBe("Enabled");
});

test("a lost state adopts what exists, content included", async () => {
  await workspace.provision("adopted", bucketStack("adopted-data"));
  await workspace.clients.s3.putObject({ Bucket: "adopted-data", Key: "kept", Body: "kept" });
  rmSync(workspace.stateFile("adopted"));
  const { inventory: done } = await workspace.provision("adopted", bucketStack("adopted-data"));
  expect(done.created).toHaveLength(3);
  const message = await failure(workspace.clients.s3.deleteBucket({ Bucket: "adopted-data" }));
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
  await workspace.clients.ssm.putParameter({ Name: "/runtime/champion", Value: "arn:v1", Overwrite: true });

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
    return (await workspace.clients.logs.listTagsForResource({ resourceArn: arn })).tags;
  };
  await workspace.provision("tags", stack("acme"));
  expect(await tags()).toEqual({ Project: "acme", Stack: "own" });
  expect((await workspace.provision("tags", stack("other"))).inventory.updated).toHaveLength(1);
  expect(await tags()).toEqual({ Project: "other", Stack: "own" });
});

test("what is left out is listed with its reason, and others can refer to it", async () => {
  const { inventory: done } = await workspace.provision("left-out", {
    resource: {
      aws_ecr_repository: { image: { name: "acme-image" } },
      aws_cloudwatch_log_delivery_destination: { named: { name: "acme-logs", region: "us-east-1" } },
      aws_ssm_parameter: {
        p: {
          name: "/left-out/arn",
          type: "String",
          insecure_value: "${aws_cloudwatch_log_delivery_destination.named.arn} ${aws_ecr_repository.image.name}",
        },
      },
    },
  });
  expect(done.leftOut).toEqual([
    {
      type: "aws_cloudwatch_log_delivery_destination",
      name: "named",
      reason: "the emulator's CloudFront writes no access logs",
    },
    { type: "aws_ecr_repository", name: "image", reason: expect.stringContaining("image") },
  ]);
  expect(await parameter("/left-out/arn")).toBe(
    `arn:aws:logs:us-east-1:${account}:delivery-destination:acme-logs acme-image`,
  );
});

test("an argument that is not known is refused, and again by every run, until the stack is right", async () => {
  const stack = (extra: Record<string, unknown>): Stack => ({
    resource: {
      aws_cloudwatch_log_group: { a: { name: "/argument/a", ...extra } },
      aws_s3_bucket: { b: { bucket: "argument-data" } },
      aws_s3_bucket_versioning: {
        b: { bucket: "${aws_s3_bucket.b.bucket}", versioning_configuration: { status: "Enabled", ...extra } },
      },
    },
  });
  const extra = { deletion_protection_enabled: true };
  for (const run of ["first", "second"]) {
    const message = await failure(workspace.provision("argument", stack(extra)));
    expect([run, message]).toEqual([
      run,
      expect.stringContaining(
        "Stack argument, aws_cloudwatch_log_group.a: the local provisioning doesn't know deletion_protection_enabled: " +
          "extend aws_cloudwatch_log_group in local/provision/resources/logs.ts, or write the stack without it",
      ),
    ]);
    expect(message).toContain("doesn't know versioning_configuration[0].deletion_protection_enabled: extend");
  }
  expect((await workspace.provision("argument", stack({}))).inventory.created).toHaveLength(2);
  const change = await failure(workspace.provision("argument", stack({ retention_in_days: 1, ...extra })));
  expect(change).toContain(
    "aws_cloudwatch_log_group.a: the local provisioning doesn't know deletion_protection_enabled",
  );
  expect((await workspace.provision("argument", stack({}))).inventory.created).toEqual([]);
  await workspace.destroy("argument");
});

test("an argument of a data source that is not known is refused", async () => {
  await workspace.clients.ssm.putParameter({ Name: "/argument/p", Value: "v", Type: "String" });
  const message = await failure(
    workspace.provision("argument-data", {
      data: { aws_ssm_parameter: { p: { name: "/argument/p", with_decryption: true } } },
    }),
  );
  expect(message).toContain(
    "data.aws_ssm_parameter.p: the local provisioning doesn't know with_decryption: " +
      "extend aws_ssm_parameter in local/provision/data-sources.ts",
  );
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
  expect(message).toContain("the types of aws_abacus.b, aws_quantum_computer.q, data.aws_oracle.o");
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
    "an expression that is not known",
    { resource: { aws_cloudwatch_log_group: { a: { name: "${join(" } } } },
    ["aws_cloudwatch_log_group.a.name", "${join(", "the function join() is not known to the local provisioning"],
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
  [
    "an expression that is not known in a postcondition",
    {
      resource: {
        aws_cloudwatch_log_group: {
          a: { name: "a", lifecycle: { postcondition: [{ condition: "${self.days > 1}", error_message: "" }] } },
        },
      },
    },
    ["aws_cloudwatch_log_group.a[0].condition", "local/provision/expression.ts"],
  ],
  [
    "a second provider",
    { provider: { aws: [{ region }, { alias: "virginia", region: "us-east-1" }] } },
    ["a second provider is not known: extend `defaultTags` in local/provision/stack-document.ts"],
  ],
  ...["count", "for_each", "provider", "provisioner"].map((name): [string, Stack, string[]] => [
    name,
    { resource: { aws_cloudwatch_log_group: { a: { name: "a", [name]: "x" } } } },
    [
      `aws_cloudwatch_log_group.a "${name}" is not known: extend \`known.metaArguments\` in local/provision/stack-document.ts`,
    ],
  ]),
  ...["prevent_destroy", "replace_triggered_by"].map((name): [string, Stack, string[]] => [
    name,
    { resource: { aws_cloudwatch_log_group: { a: { name: "a", lifecycle: { [name]: true } } } } },
    [`aws_cloudwatch_log_group.a, lifecycle "${name}" is not known: extend \`known.lifecycle\``],
  ]),
  ...["all", "tags.Owner", "rule[0]"].map((path): [string, Stack, string[]] => [
    `ignore_changes of ${path}`,
    { resource: { aws_cloudwatch_log_group: { a: { name: "a", lifecycle: { ignore_changes: [path] } } } } },
    [`aws_cloudwatch_log_group.a: ignore_changes of ${path} is not known: extend \`block\``],
  ]),
  ...["module", "variable", "moved"].map((name): [string, Stack, string[]] => [
    `the section ${name}`,
    { [name]: {} },
    [`the section "${name}" is not known: extend \`known.sections\` in local/provision/stack-document.ts`],
  ]),
  ["a section that is not an object", { resource: [] }, ['"resource" is a list']],
  ["a resource that is not an object", { resource: { aws_sns_topic: { a: 1 } } }, ["aws_sns_topic.a is a number"]],
])("%s stops the stack before anything is made", async (_, stack, parts) => {
  const message = await failure(workspace.provision("wrong", stack));
  expect(message).toContain("Stack wrong");
  for (const part of parts) {
    expect(message).toContain(part);
  }
});

test("all problems of a stack are reported at once", async () => {
  const message = await failure(
    workspace.provision("wrong", {
      resource: { aws_cloudwatch_log_group: { a: { name: "${local.x}" }, b: { name: "${aws_a.b.c}", for_each: [] } } },
    }),
  );
  expect(message.split("\n- ")).toHaveLength(4);
});

test.each([
  ["${aws_cloudwatch_log_group.a.armadillo}", 'there is no attribute "armadillo"'],
  ['a ${replace(aws_cloudwatch_log_group.a.tags, "a", "b")}', "an object can't be part of a text"],
  ["${self.name}", '"self" has a meaning in postconditions only'],
])("%s names stack, resource, attribute and expression", async (expression, reason) => {
  const message = await failure(
    workspace.provision("expression", {
      resource: {
        aws_cloudwatch_log_group: { a: { name: "/expression/a", tags: {} } },
        aws_ssm_parameter: {
          p: { name: "/expression/p", type: "String", insecure_value: "p", tags: { Deep: expression } },
        },
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

test("independent resources are made despite a failure, and all failures are reported", async () => {
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
  expect(message).toContain("- Stack partly, aws_ssm_parameter.worse.insecure_value: text");
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
    "the parameter /condition/champion does not exist yet",
  );
  const put = (Value: string): Promise<unknown> =>
    workspace.clients.ssm.putParameter({ Name: "/condition/champion", Value, Type: "String", Overwrite: true });
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
              postcondition: [{ condition: '${self.name == "another"}', error_message: "${self.name} is wrong" }],
            },
          },
        },
      },
    }),
  );
  expect(message).toContain("aws_cloudwatch_log_group.a: /after/a is wrong");
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
  const { Keys = [] } = await workspace.clients.kms.listKeys({});
  const owners = await Promise.all(
    Keys.map(async ({ KeyId }) => {
      const { Tags = [] } = await workspace.clients.kms.listResourceTags({ KeyId });
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

test("removed resources are deleted, dependents first; a second time there is nothing to do", async () => {
  await workspace.provision("destroyed", bucketStack("destroyed-data"));
  expect(await workspace.destroy("destroyed")).toEqual([
    "aws_ssm_parameter.published",
    "aws_s3_bucket_versioning.data",
    "aws_s3_bucket.data",
  ]);
  expect(await failure(workspace.clients.s3.headBucket({ Bucket: "destroyed-data" }))).toBeTruthy();
  expect(await workspace.destroy("destroyed")).toEqual([]);
});

test("a bucket with objects is emptied only where force_destroy allows it", async () => {
  const stack = (force: boolean): Stack => ({
    resource: { aws_s3_bucket: { a: { bucket: "forced-data", force_destroy: force } } },
  });
  await workspace.provision("forced", stack(false));
  await workspace.clients.s3.putObject({ Bucket: "forced-data", Key: "kept", Body: "kept" });
  expect(await failure(workspace.destroy("forced"))).toMatch(/aws_s3_bucket\.a can't be deleted: .*not empty/i);
  await workspace.provision("forced", stack(true));
  expect(await workspace.destroy("forced")).toEqual(["aws_s3_bucket.a"]);
});

test.each([
  [
    "half a file",
    '{"version": 1, "stack"',
    "Move it away to start with an empty state: existing resources are found by their names.",
  ],
  ["another version", '{"version": 99}', "is not a state of the local provisioning"],
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

test("a stack that was not synthesized is reported plainly", async () => {
  expect(await failure(provision(workspace.options("nothing")))).toMatch(
    /cdk\.tf\.json can't be read .* Synthesize it first\./,
  );
});

test("a missing emulator is reported plainly", async () => {
  const message = await failure(workspace.provision("absent", groups(), { endpoint: "http://127.0.0.1:1" }));
  expect(message).toContain("aws_cloudwatch_log_group.a: the AWS emulator does not answer");
});
