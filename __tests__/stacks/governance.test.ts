import { Policy } from "../support/policy";
import { type Arguments, synthesizePlatform } from "../support/synthesize";
import { loadEnvironment } from "../../environments";

const account = "444455556666";
const trailArn = `arn:aws:cloudtrail:eu-west-1:${account}:trail/acme-production-governance-trail`;
const platform = synthesizePlatform("production", { alarmEmail: "alarms@example.com" });
const stack = platform.governance!;
const trail = stack.resource("aws_cloudtrail");

interface Field {
  readonly field: string;
  readonly equals?: readonly string[];
  readonly starts_with?: readonly string[];
  readonly not_starts_with?: readonly string[];
  readonly not_ends_with?: readonly string[];
}

/**
 * Whether CloudTrail would record an event: the fields of a selector all have to fit, and one selector is enough
 * (CloudTrail User Guide).
 */
function isRecorded(resourceType: string, arn: string): boolean {
  const event: Readonly<Record<string, string>> = {
    eventCategory: "Data",
    "resources.type": resourceType,
    "resources.ARN": arn,
  };
  return (trail.advanced_event_selector as { field_selector: Field[] }[]).some(({ field_selector: fields }) =>
    fields.every(({ field, equals, starts_with: from, not_starts_with: notFrom, not_ends_with: notTo }) => {
      const value = event[field]!;
      return (
        (equals?.includes(value) ?? true) &&
        (from?.some((prefix) => value.startsWith(prefix)) ?? true) &&
        !(notFrom?.some((prefix) => value.startsWith(prefix)) ?? false) &&
        !(notTo?.some((suffix) => value.endsWith(suffix)) ?? false)
      );
    }),
  );
}

const object = (bucket: string): boolean => isRecorded("AWS::S3::Object", `arn:aws:s3:::${bucket}/key`);

test("the trail covers every region, signs its files, and is encrypted by a key of the stack", () => {
  expect(trail).toMatchObject({
    name: "acme-production-governance-trail",
    is_multi_region_trail: true,
    include_global_service_events: true,
    enable_log_file_validation: true,
    kms_key_id: "${aws_kms_key.encryption_key.arn}",
  });
  expect(trail.advanced_event_selector).toContainEqual(
    expect.objectContaining({ field_selector: [{ field: "eventCategory", equals: ["Management"] }] }),
  );
});

test("every read and write of any bucket's objects is recorded, except of the logs themselves, which would be endless", () => {
  const buckets = Object.values(platform).flatMap((template) =>
    Object.values(template.resources("aws_s3_bucket")).map(({ bucket }) => bucket as string),
  );
  const logs = buckets.filter((name) => /^acme-production-(governance-|data-logs-)/.test(name));
  expect(logs).toHaveLength(3);
  for (const bucket of logs) {
    expect([bucket, object(bucket)]).toEqual([bucket, false]);
  }
  const others = buckets.filter((name) => !logs.includes(name) && name.startsWith("acme-production-"));
  expect(others.length).toBeGreaterThanOrEqual(3);
  for (const bucket of others) {
    expect([bucket, object(bucket)]).toEqual([bucket, true]);
  }
  expect(object(`acme-state-${account}-eu-west-1`)).toBe(true);
  expect(object("acme-development-data")).toBe(false);
});

test.each([
  ["AWS::DynamoDB::Table", `arn:aws:dynamodb:eu-west-1:${account}:table/acme-production-website-test-contact`, true],
  ["AWS::DynamoDB::Table", `arn:aws:dynamodb:eu-west-1:${account}:table/others`, false],
  [
    "AWS::SageMaker::FeatureGroup",
    `arn:aws:sagemaker:eu-west-1:${account}:feature-group/acme-production-data-abalone`,
    true,
  ],
  ["AWS::SageMaker::Endpoint", `arn:aws:sagemaker:eu-west-1:${account}:endpoint/acme-production-website-test`, true],
  [
    "AWS::Lambda::Function",
    `arn:aws:lambda:eu-west-1:${account}:function:acme-production-ml-workflow-ingest-survey`,
    true,
  ],
  // The API's access log has each of these.
  ["AWS::Lambda::Function", `arn:aws:lambda:eu-west-1:${account}:function:acme-production-website-test-predict`, false],
  ["AWS::Lambda::Function", `arn:aws:lambda:eu-west-1:${account}:function:acme-production-website-test-contact`, false],
])("%s %s is recorded: %p", (type, arn, expected) => {
  expect(isRecorded(type, arn)).toBe(expected);
});

test("no condition of CloudTrail's is broken: 500 values, and each field once in a selector", () => {
  const selectors = trail.advanced_event_selector as { name: string; field_selector: Arguments[] }[];
  const values = selectors.flatMap(({ field_selector: fields }) =>
    fields.flatMap((field) =>
      Object.entries(field).flatMap(([operator, listed]) => (operator === "field" ? [] : (listed as string[]))),
    ),
  );
  expect(values.length).toBeLessThanOrEqual(500);
  for (const { field_selector: fields } of selectors) {
    expect(new Set(fields.map(({ field }) => field)).size).toBe(fields.length);
  }
});

describe("the bucket of the records", () => {
  const policies = stack.resources("aws_s3_bucket_policy");
  const policy = new Policy(policies.records_policy!.policy);
  const bucket = "${aws_s3_bucket.records_bucket.arn}";
  const service = "cloudtrail.amazonaws.com";
  const ours = { "aws:SourceArn": trailArn, "s3:x-amz-acl": "bucket-owner-full-control" };
  const folder = `${bucket}/AWSLogs/${account}`;

  test("takes them from this trail alone, in this account's folder", () => {
    expect(policy.allows("s3:GetBucketAcl", bucket, ours, service)).toBe(true);
    expect(policy.allows("s3:PutObject", `${folder}/CloudTrail/a.json.gz`, ours, service)).toBe(true);
    expect(policy.allows("s3:PutObject", `${bucket}/AWSLogs/999999999999/a`, ours, service)).toBe(false);
    const others = { ...ours, "aws:SourceArn": trailArn.replace(account, "999999999999") };
    expect(policy.allows("s3:PutObject", `${folder}/a`, others, service)).toBe(false);
    expect(policy.allows("s3:GetBucketAcl", bucket, others, service)).toBe(false);
    expect(policy.allows("s3:PutObject", `${folder}/a`, { "aws:SourceArn": trailArn }, service)).toBe(false);
    expect(policy.allows("s3:GetObject", `${folder}/a`, ours, service)).toBe(false);
    expect(policy.allows("s3:DeleteObject", `${folder}/a`, ours, service)).toBe(false);
  });

  test("keeps them as long as the environment says, protected, and logs who reads them", () => {
    const days = loadEnvironment("production").governance!.trailRetentionDays;
    const rules = (name: string) => stack.resource("aws_s3_bucket_lifecycle_configuration", name).rule as Arguments[];
    for (const name of ["records_lifecycle", "access-logs_lifecycle"]) {
      expect(rules(name)).toContainEqual(expect.objectContaining({ filter: [{ prefix: "" }], expiration: [{ days }] }));
    }
    expect(stack.resource("aws_s3_bucket", "records_bucket").lifecycle).toEqual({ prevent_destroy: true });
    expect(stack.resource("aws_s3_bucket_logging")).toMatchObject({
      bucket: "${aws_s3_bucket.records_bucket.bucket}",
      target_bucket: "${aws_s3_bucket.access-logs_bucket.bucket}",
    });
  });
});

test("the key encrypts for this trail, and for budgets of this account, and for nobody else", () => {
  const policy = new Policy(stack.resource("aws_kms_key").policy);
  const trailService = "cloudtrail.amazonaws.com";
  const forTrail = { "aws:SourceArn": trailArn, "kms:EncryptionContext:aws:cloudtrail:arn": trailArn };
  expect(policy.allows("kms:GenerateDataKeyWithoutPlaintext", "*", forTrail, trailService)).toBe(true);
  expect(policy.allows("kms:Decrypt", "*", forTrail, trailService)).toBe(true);
  expect(policy.allows("kms:DescribeKey", "*", forTrail, trailService)).toBe(true);
  const other = { ...forTrail, "aws:SourceArn": `${trailArn}-2` };
  for (const action of ["kms:GenerateDataKey", "kms:Decrypt", "kms:DescribeKey"]) {
    expect(policy.allows(action, "*", other, trailService)).toBe(false);
  }
  expect(policy.allows("kms:GenerateDataKey", "*", { "aws:SourceArn": trailArn }, trailService)).toBe(false);

  const budgets = "budgets.amazonaws.com";
  const ours = { "aws:SourceAccount": account, "aws:SourceArn": `arn:aws:budgets::${account}:budget/a` };
  expect(policy.allows("kms:GenerateDataKey", "*", ours, budgets)).toBe(true);
  expect(policy.allows("kms:GenerateDataKey", "*", { ...ours, "aws:SourceAccount": "999999999999" }, budgets)).toBe(
    false,
  );
});

test.each([
  ["root-used", '$.userIdentity.type = "Root"'],
  ["trail-changed", "$.eventName = StopLogging"],
  ["key-endangered", "$.eventName = ScheduleKeyDeletion"],
  ["key-tagged", "$.eventName = TagResource"],
])("the alarm %s goes off at once, by the record of it", (id, part) => {
  const filter = stack.resource("aws_cloudwatch_log_metric_filter", `${id}-metric`);
  const alarm = stack.resource("aws_cloudwatch_metric_alarm", `${id}_alarm`);
  expect(filter.log_group_name).toBe("${aws_cloudwatch_log_group.trail_logs.name}");
  expect(filter.pattern).toContain(part);
  expect(alarm).toMatchObject({
    metric_name: filter.metric_transformation.name,
    namespace: filter.metric_transformation.namespace,
    threshold: 0,
    evaluation_periods: 1,
    alarm_actions: ["${aws_sns_topic.alarms_topic.arn}"],
  });
});

describe("a month that becomes too expensive", () => {
  const budgets = stack.resources("aws_budgets_budget");

  test.each(Object.keys(budgets))("%s tells at 80 % of the costs and at a forecast of all", (name) => {
    const budget = budgets[name]!;
    expect(budget).toMatchObject({
      budget_type: "COST",
      limit_amount: String(loadEnvironment("production").governance!.monthlyBudgetDollars),
      limit_unit: "USD",
      time_unit: "MONTHLY",
    });
    expect(budget.notification.map((each: Arguments) => [each.notification_type, each.threshold])).toEqual([
      ["ACTUAL", 80],
      ["FORECASTED", 100],
    ]);
    for (const each of budget.notification) {
      expect(each).toMatchObject({
        threshold_type: "PERCENTAGE",
        comparison_operator: "GREATER_THAN",
        subscriber_sns_topic_arns: ["${aws_sns_topic.alarms_topic.arn}"],
      });
    }
  });

  test("is detected in the platform's own costs, and in the whole account", () => {
    expect(Object.values(budgets).map(({ name, cost_filter: filter }) => [name, filter])).toEqual([
      ["acme-production-governance-account", undefined],
      ["acme-production-governance-platform", [{ name: "TagKeyValue", values: ["user:Environment$production"] }]],
    ]);
  });

  test("is reported by budgets of this account alone", () => {
    const policy = new Policy(stack.resource("aws_sns_topic_policy").policy);
    const topic = "${aws_sns_topic.alarms_topic.arn}";
    const ours = { "aws:SourceAccount": account, "aws:SourceArn": `arn:aws:budgets::${account}:budget/acme` };
    expect(policy.allows("sns:Publish", topic, ours, "budgets.amazonaws.com")).toBe(true);
    for (const key of Object.keys(ours)) {
      expect(policy.allows("sns:Publish", topic, { ...ours, [key]: "999999999999" }, "budgets.amazonaws.com")).toBe(
        false,
      );
    }
  });

  test("is reported to the environment's address", () => {
    expect(stack.resource("aws_sns_topic_subscription")).toMatchObject({
      protocol: "email",
      endpoint: "alarms@example.com",
    });
  });
});

test("an environment without the trail gets a list of the buckets without another record", () => {
  expect(() => synthesizePlatform("production", { governance: undefined })).toThrow(
    /pipeline\/aws_s3_bucket\.artefacts_bucket does not record who uses it/,
  );
});
