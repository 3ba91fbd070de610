import { Alarm, type AlarmProps, AlarmTopic, functionErrors } from "../../modules/alarm";
import { Policy } from "../support/policy";
import { synthesize, type Template } from "../support/synthesize";

const account = "123456789012";
const topicArn = "${aws_sns_topic.alarms_topic.arn}";

function topic(email?: string, build: (made: AlarmTopic) => void = () => undefined): Template {
  return synthesize((stack) => {
    build(
      new AlarmTopic(stack, "alarms", {
        name: "acme-alarms",
        encryptionKeyArn: "arn:key",
        ...(email === undefined ? {} : { email }),
      }),
    );
  });
}

const policyOf = (template: Template): Policy => new Policy(template.resource("aws_sns_topic_policy").policy);

describe("a topic", () => {
  test("is encrypted, and takes messages of this account's alarms alone", () => {
    const template = topic();
    expect(template.resource("aws_sns_topic").kms_master_key_id).toBe("arn:key");
    const policy = policyOf(template);
    const ours = { "aws:SourceAccount": account };
    expect(policy.allows("sns:Publish", topicArn, ours, "cloudwatch.amazonaws.com")).toBe(true);
    expect(policy.allows("sns:Publish", topicArn, { "aws:SourceAccount": "9" }, "cloudwatch.amazonaws.com")).toBe(
      false,
    );
    expect(policy.allows("sns:Publish", topicArn, ours, "events.amazonaws.com")).toBe(false);
    expect(policy.allows("sns:Subscribe", topicArn, ours, "cloudwatch.amazonaws.com")).toBe(false);
  });

  test("refuses plain text, whoever asks", () => {
    expect(policyOf(topic()).denies("sns:Publish", topicArn, { "aws:SecureTransport": "false" })).toBe(true);
    expect(policyOf(topic()).denies("sns:Publish", topicArn, { "aws:SecureTransport": "true" })).toBe(false);
  });

  test("notifies an address when there is one", () => {
    expect(topic().resources("aws_sns_topic_subscription")).toEqual({});
    expect(topic("a@example.com").resource("aws_sns_topic_subscription")).toMatchObject({
      protocol: "email",
      endpoint: "a@example.com",
      topic_arn: topicArn,
    });
  });

  test("admits another service for one resource of this account", () => {
    const template = topic(undefined, (made) => {
      made.admit({ sid: "Rules", service: "events.amazonaws.com", sourceArn: "arn:aws:events:*:*:rule/acme-*" });
    });
    const allows = (context: Record<string, string>): boolean =>
      policyOf(template).allows("sns:Publish", topicArn, context, "events.amazonaws.com");
    const ours = { "aws:SourceAccount": account, "aws:SourceArn": "arn:aws:events:eu-west-1:1:rule/acme-a" };
    expect(allows(ours)).toBe(true);
    expect(allows({ ...ours, "aws:SourceAccount": "9" })).toBe(false);
    expect(allows({ ...ours, "aws:SourceArn": "arn:aws:events:eu-west-1:1:rule/other" })).toBe(false);
  });
});

describe("an alarm", () => {
  const alarm = (changes: Partial<AlarmProps> = {}): Template =>
    synthesize((stack) => {
      new Alarm(stack, "errors", {
        name: "acme-errors",
        description: "It failed.",
        namespace: "AWS/Lambda",
        metric: "Errors",
        dimensions: { FunctionName: "a" },
        statistic: "Sum",
        threshold: 0,
        topicArn: "arn:topic",
        ...changes,
      });
    });
  const resource = (changes?: Partial<AlarmProps>) => alarm(changes).resource("aws_cloudwatch_metric_alarm");

  test("goes off above its threshold within a minute, notifies of this and of its end; missing data is OK", () => {
    expect(resource()).toMatchObject({
      alarm_name: "acme-errors",
      comparison_operator: "GreaterThanThreshold",
      threshold: 0,
      period: 60,
      evaluation_periods: 1,
      datapoints_to_alarm: 1,
      treat_missing_data: "notBreaching",
      alarm_actions: ["arn:topic"],
      ok_actions: ["arn:topic"],
      statistic: "Sum",
    });
  });

  test("of a percentile names it where CloudWatch looks for one", () => {
    const percentile = resource({ statistic: "p99", evaluationPeriods: 5, periodsAbove: 3 });
    expect(percentile).toMatchObject({ extended_statistic: "p99", evaluation_periods: 5, datapoints_to_alarm: 3 });
    expect(percentile.statistic).toBeUndefined();
  });

  test("that looks at several periods goes off when all are above, unless told otherwise", () => {
    expect(resource({ evaluationPeriods: 4 }).datapoints_to_alarm).toBe(4);
  });

  test("of a function goes off at the first error", () => {
    const template = synthesize((stack) => {
      const handler = {
        name: "predict",
        purpose: "Asks the model",
        owners: ["ml"] as const,
        variables: {},
        failure: { report: "<function> failed: read the log of <function>.", means: "", look: "", do: "" },
      };
      functionErrors(stack, "errors", {
        function: { fullName: "acme-local-predict", name: "predict", handler },
        topicArn: "arn:topic",
      });
    });
    expect(template.resource("aws_cloudwatch_metric_alarm")).toMatchObject({
      alarm_name: "acme-local-predict-errors",
      alarm_description: expect.stringContaining(
        "acme-local-predict failed: read the log of acme-local-predict. What to do",
      ),
      namespace: "AWS/Lambda",
      metric_name: "Errors",
      dimensions: { FunctionName: "predict" },
      statistic: "Sum",
      threshold: 0,
    });
  });
});
