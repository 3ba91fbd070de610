import { summarizeResources, summarizeStack } from "../../../delivery/diff/summarize";
import { planSummarySchema } from "../../../delivery/diff/summary";
import type { ResourceChange, TerraformPlan } from "../../../delivery/terraform";
import { data, everyAction, plan, resourceOf, summaryOf } from "./plans";

/** A plan that changes one resource. */
function planOf(change: Partial<ResourceChange["change"]>, expressions: object = {}): TerraformPlan {
  return {
    resource_changes: [
      {
        address: "aws_thing.one",
        mode: "managed",
        type: "aws_thing",
        change: {
          actions: ["update"],
          before: {},
          after: {},
          after_unknown: {},
          before_sensitive: {},
          after_sensitive: {},
          ...change,
        },
      },
    ],
    configuration: { root_module: { resources: [{ address: "aws_thing.one", expressions }] } },
  };
}

const pathsOf = (candidate: TerraformPlan): readonly string[] =>
  summarizeResources(candidate)[0]!.attributes.map(({ path }) => path);

describe("real plans", () => {
  test("a replacement says which argument makes it one, with both values", () => {
    expect(resourceOf(data(), "aws_s3_bucket.logs_bucket")).toMatchObject({
      action: "replace",
      createBeforeDelete: false,
      holds: expect.stringContaining("objects"),
      attributes: [
        {
          path: "bucket",
          forcesReplacement: true,
          before: { kind: "known", value: "acme-local-logs-123456789012-eu-west-1" },
          after: { kind: "known", value: "acme-local-logs2-123456789012-eu-west-1" },
        },
        { path: "tags_all.CostCentre" },
      ],
    });
  });

  test("one feature more is one line, not eleven that are the same", () => {
    const { attributes } = resourceOf(data(), "aws_sagemaker_feature_group.features_group");
    expect(attributes.filter(({ forcesReplacement }) => forcesReplacement)).toEqual([
      {
        path: "feature_definition[11]",
        forcesReplacement: true,
        before: { kind: "absent" },
        after: { kind: "known", value: { feature_name: "gonad_weight", feature_type: "Fractional" } },
      },
    ]);
  });

  test("losses come first, and unchanged resources are left out", () => {
    const actions = data().resources.map(({ action }) => action);
    expect(actions).toEqual([...actions].sort((one, other) => order.indexOf(one) - order.indexOf(other)));
    expect(actions[0]).toBe("delete");
    expect(plan("data").resource_changes?.length).toBe(actions.length + 1);
  });

  test("every action of Terraform has a word", () => {
    const actions = Object.fromEntries(everyAction().resources.map(({ address, action }) => [address, action]));
    expect(actions).toEqual({
      'aws_ssm_parameter.odd["with \\"quotes\\" and `ticks`"]': "delete",
      "aws_dynamodb_table.table": "replace",
      "aws_kms_key.key": "replace",
      "aws_sns_topic.topic": "replace",
      "aws_ssm_parameter.kept": "forget",
      "aws_sqs_queue.jobs": "update",
      "aws_ssm_parameter.secret": "update",
      "aws_ssm_parameter.taken": "import",
      "aws_ssm_parameter.new": "move",
      "aws_cloudwatch_log_group.logs": "create",
      'aws_ssm_parameter.odd["other"]': "create",
    });
    expect(resourceOf(everyAction(), "aws_sns_topic.topic").createBeforeDelete).toBe(true);
    expect(resourceOf(everyAction(), "aws_ssm_parameter.new").previousAddress).toBe("aws_ssm_parameter.old");
    expect(resourceOf(everyAction(), "aws_cloudwatch_log_group.logs").reason).toContain("somebody deleted it");
  });

  test("a value that is known later says where it will come from", () => {
    expect(resourceOf(everyAction(), "aws_sqs_queue.jobs").attributes).toMatchObject([
      { path: "kms_master_key_id", after: { kind: "unknown", from: ["aws_kms_key.key"] } },
    ]);
  });

  test("the permission that is added is read, not the document", () => {
    const [policy] = resourceOf(
      summarizeStack("ml-workflow", plan("ml-workflow")),
      "aws_iam_role_policy.ingest-survey_role_policy",
    ).attributes;
    expect(policy?.policy).toEqual([
      {
        statement: "WriteObjects",
        effect: "Allow",
        change: "changed",
        mayAllowMore: true,
        parts: [{ part: "Action", added: ["s3:DeleteObject"], removed: [] }],
      },
    ]);
  });

  test("no secret is in the summary, whoever marks it", () => {
    const text = JSON.stringify([data(), everyAction()]);
    expect(JSON.stringify([plan("data"), plan("every-action")])).toMatch(/very-secret-value.*second-password/s);
    expect(text).not.toMatch(/very-secret-value|first-password|second-password/);
    expect(resourceOf(everyAction(), "aws_ssm_parameter.secret").attributes).toEqual([
      { path: "value", before: { kind: "hidden" }, after: { kind: "hidden" }, forcesReplacement: false },
    ]);
  });

  test("what is protected says so", () => {
    const [deleted] = summarizeResources(plan("data"), new Set(["aws_s3_bucket_logging.data_access-logs"]));
    expect(deleted?.protected).toBe(true);
  });

  test("the summary keeps its published shape", () => {
    const summary = summaryOf([data(), everyAction()]);
    expect(planSummarySchema.parse(JSON.parse(JSON.stringify(summary)))).toEqual(summary);
  });
});

describe("single cases", () => {
  test("secrets inside lists, blocks and variables are hidden, and their neighbours are not", () => {
    const resources = summarizeResources(
      planOf({
        before: { login: [{ user: "a", word: "one" }], environment: { DB_PASSWORD: "two", LEVEL: "INFO" } },
        after: { login: [{ user: "b", word: "three" }], environment: { DB_PASSWORD: "four", LEVEL: "DEBUG" } },
        after_sensitive: { login: [{ word: true }] },
      }),
    );
    expect(resources[0]?.attributes).toMatchObject([
      { path: "login[0].user", after: { value: "b" } },
      { path: "login[0].word", before: { kind: "hidden" }, after: { kind: "hidden" } },
      { path: "environment.DB_PASSWORD", before: { kind: "hidden" }, after: { kind: "hidden" } },
      { path: "environment.LEVEL", after: { value: "DEBUG" } },
    ]);
    expect(JSON.stringify(resources)).not.toMatch(/"(one|two|three|four)"/);
  });

  test("a new element that holds a secret is shown without it", () => {
    const [resource] = summarizeResources(
      planOf({
        before: { login: [] },
        after: { login: [{ user: "b", word: "three" }] },
        after_sensitive: { login: [{ word: true }] },
      }),
    );
    expect(JSON.stringify(resource)).not.toContain("three");
    expect(JSON.stringify(resource)).toContain('"user"');
  });

  test("moved elements of a set don't count, and an added one is reported", () => {
    expect(pathsOf(planOf({ before: { actions: ["a", "b"] }, after: { actions: ["b", "c", "a"] } }))).toEqual([
      "actions[1]",
    ]);
  });

  test("another order alone is a change: for a list it matters", () => {
    expect(pathsOf(planOf({ before: { steps: ["a", "b"] }, after: { steps: ["b", "a"] } }))).toEqual(["steps"]);
  });

  test("JSON in a text is compared by its parts", () => {
    const [before, after] = [3, 5].map((MaxAttempts) =>
      JSON.stringify({ States: { Train: { Type: "Task", Retry: [{ MaxAttempts }] } } }),
    );
    expect(pathsOf(planOf({ before: { definition: before }, after: { definition: after } }))).toEqual([
      "definition.States.Train.Retry[0].MaxAttempts",
    ]);
  });

  test("null, an empty text and an empty list are the same nothing", () => {
    const nothing = planOf({ before: { a: null, b: "", c: [], d: {} }, after: { a: "", b: [], c: null } });
    expect(pathsOf(nothing)).toEqual([]);
  });

  test("a resource's own tag is reported once, and not again among all tags", () => {
    const tags = planOf({
      before: { tags: { Team: "a" }, tags_all: { Team: "a" } },
      after: { tags: { Team: "b" }, tags_all: { Team: "b" } },
    });
    expect(pathsOf(tags)).toEqual(["tags.Team"]);
  });

  test("values that AWS gives again are only counted, unless the configuration sets them", () => {
    const change = {
      before: { arn: "one", key: "two" },
      after: {},
      after_unknown: { arn: true, key: true },
    };
    const [resource] = summarizeResources(
      planOf(change, { key: { references: ["aws_kms_key.k.arn", "aws_kms_key.k"] } }),
    );
    expect(resource).toMatchObject({
      knownLater: 1,
      attributes: [{ path: "key", after: { from: ["aws_kms_key.k"] } }],
    });
  });

  test("a read is not a change", () => {
    const read = planOf({ actions: ["read"] });
    const [resource] = read.resource_changes!;
    expect(summarizeResources({ ...read, resource_changes: [{ ...resource!, mode: "data" }] })).toEqual([]);
  });

  test("a plan without anything is unchanged", () => {
    expect(summarizeStack("data", {})).toMatchObject({ status: "unchanged", resources: [] });
  });
});

const order = ["delete", "replace", "forget", "update", "import", "move", "create"];
