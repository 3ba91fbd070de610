import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Alarm, AlarmTopic, functionErrors } from "../../modules/alarm";
import { ExecutionRole } from "../../modules/execution-role";
import { TypeScriptFunction, type TypeScriptFunctionProps } from "../../modules/typescript-function";
import type { HandlerDeclaration } from "../../handlers/shared/declaration";
import * as z from "../../survey/zod";
import { Policy } from "../support/policy";
import { synthesize, type Template } from "../support/synthesize";

const folder = mkdtempSync(join(tmpdir(), "function-"));
const entry = join(folder, "greet", "index.ts");
mkdirSync(join(folder, "greet"));
writeFileSync(entry, "export const handler = () => 1;");
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const greeting = {
  name: "greet",
  purpose: "Greets",
  owners: ["platform"],
  variables: { TABLE: z.string() },
  failure: { means: "", look: "", do: "" },
} satisfies HandlerDeclaration;
type Props = TypeScriptFunctionProps<(typeof greeting)["variables"]>;

function functionWith(changes: Partial<Props> = {}): Template {
  return synthesize((stack) => {
    new TypeScriptFunction(stack, "greet", {
      name: "acme-local-greet",
      handler: greeting,
      environment: { TABLE: "x" },
      entry,
      logRetentionDays: 7,
      encryptionKeyArn: "arn:key",
      ...changes,
    });
  });
}

describe("a function", () => {
  test("runs its bundle on Node 22, traced, with what every handler needs", () => {
    const template = functionWith();
    expect(template.resource("aws_lambda_function")).toMatchObject({
      function_name: "acme-local-greet",
      description: "Greets",
      runtime: "nodejs22.x",
      architectures: ["arm64"],
      handler: "index.handler",
      timeout: 10,
      memory_size: 256,
      tracing_config: { mode: "Active" },
      environment: {
        variables: {
          POWERTOOLS_SERVICE_NAME: "greet",
          POWERTOOLS_METRICS_NAMESPACE: "acme",
          LOG_LEVEL: "INFO",
          TABLE: "x",
        },
      },
    });
    expect(template.file(template.resource("aws_lambda_function").filename).subarray(0, 2).toString()).toBe("PK");
  });

  test("writes its own logs, which are encrypted and end, and nobody else's", () => {
    const template = functionWith();
    expect(template.resource("aws_cloudwatch_log_group")).toMatchObject({
      name: "/aws/lambda/acme-local-greet",
      retention_in_days: 7,
      kms_key_id: "arn:key",
    });
    const policy = template.policyOfRole("greet");
    expect(policy.allows("logs:PutLogEvents", "${aws_cloudwatch_log_group.greet_logs.arn}:log-stream:a")).toBe(true);
    expect(policy.allows("logs:PutLogEvents", "arn:aws:logs:eu-west-1:123456789012:log-group:other:log-stream:a")).toBe(
      false,
    );
    expect(policy.allows("logs:CreateLogGroup", "${aws_cloudwatch_log_group.greet_logs.arn}")).toBe(false);
  });

  test("has its permissions before it can be called", () => {
    expect(functionWith().resource("aws_lambda_function").depends_on).toEqual([
      "aws_iam_role_policy.greet_role_policy",
    ]);
  });

  test("may do what it is granted", () => {
    const statements = [{ sid: "First", actions: ["ssm:GetParameter"], resources: ["arn:one"] }];
    const policy = functionWith({ statements }).policyOfRole("greet");
    expect(policy.allows("ssm:GetParameter", "arn:one")).toBe(true);
    expect(policy.allows("ssm:GetParameter", "arn:two")).toBe(false);
    expect(policy.allows("ssm:PutParameter", "arn:one")).toBe(false);
  });

  test("its archive moves with its content, so that a changed handler is a changed plan", () => {
    const before = functionWith().resource("aws_lambda_function");
    const other = join(folder, "other", "greet", "index.ts");
    mkdirSync(join(folder, "other", "greet"), { recursive: true });
    writeFileSync(other, "export const handler = () => 2;");
    const after = functionWith({ entry: other }).resource("aws_lambda_function");
    expect(after.source_code_hash).not.toBe(before.source_code_hash);
    expect(after.filename).not.toBe(before.filename);
  });

  test.each<[Partial<Props>, string]>([
    [{ name: "a".repeat(65) }, "must have 1 to 64 letters"],
    [{ name: "greet me" }, 'The function name "greet me"'],
    [
      { handler: { ...greeting, timeoutSeconds: 901 } },
      "timeoutSeconds of acme-local-greet is 901; Lambda accepts a whole number from 1 to 900",
    ],
    [
      { handler: { ...greeting, memoryMebibytes: 64 } },
      "memoryMebibytes of acme-local-greet is 64; Lambda accepts a whole number from 128 to 10240",
    ],
    [{ handler: { ...greeting, timeoutSeconds: NaN } }, "timeoutSeconds of acme-local-greet is NaN"],
    [{ handler: { ...greeting, name: "nothing" }, entry: undefined }, "There is no handlers/nothing/index.ts"],
  ])("%p is refused", (changes, message) => {
    expect(() => functionWith(changes)).toThrow(message);
  });
});

describe("a role", () => {
  const role = (changes: object = {}): Template =>
    synthesize((stack) => {
      new ExecutionRole(stack, "role", {
        name: "worker",
        description: "x",
        service: "states.amazonaws.com",
        statements: [{ sid: "Any", actions: ["ssm:GetParameter"], resources: ["arn:one"] }],
        ...changes,
      });
    });

  test("is assumed by its service alone, for its account alone where the service sends that", () => {
    const [statement] = new Policy(role().resource("aws_iam_role").assume_role_policy).statements;
    expect(statement).toMatchObject({
      Principal: { Service: "states.amazonaws.com" },
      Action: "sts:AssumeRole",
      Condition: { StringEquals: { "aws:SourceAccount": "123456789012" } },
    });
    const open = new Policy(role({ forThisAccount: false }).resource("aws_iam_role").assume_role_policy);
    expect(open.statements[0]?.Condition).toBeUndefined();
  });

  test("that may do nothing at all is an error", () => {
    expect(() => role({ statements: [] })).toThrow("A policy needs at least one statement");
  });

  test.each(["", "a b", "a".repeat(65)])("the name %p is refused", (name) => {
    expect(() => role({ name })).toThrow("IAM takes 1 to 64 letters");
  });
});

describe("alarms", () => {
  const template = synthesize((stack) => {
    const topic = new AlarmTopic(stack, "alarms", {
      name: "alarms",
      encryptionKeyArn: "arn:key",
    });
    functionErrors(stack, "errors", {
      function: { fullName: "greet", name: "greet", handler: greeting },
      topicArn: topic.arn,
    });
    new Alarm(stack, "slow", {
      name: "slow",
      description: "x",
      namespace: "AWS/SageMaker",
      metric: "ModelLatency",
      dimensions: {},
      statistic: "p99",
      threshold: 5,
      evaluationPeriods: 5,
      periodsAbove: 3,
      topicArn: topic.arn,
    });
  });

  test("go off at a function's first error, and say when it is over; silence is good", () => {
    expect(template.resource("aws_cloudwatch_metric_alarm", "errors_alarm")).toMatchObject({
      metric_name: "Errors",
      statistic: "Sum",
      threshold: 0,
      comparison_operator: "GreaterThanThreshold",
      treat_missing_data: "notBreaching",
      dimensions: { FunctionName: "greet" },
      alarm_actions: ["${aws_sns_topic.alarms_topic.arn}"],
      ok_actions: ["${aws_sns_topic.alarms_topic.arn}"],
    });
  });

  test("watch a percentile as CloudWatch wants it", () => {
    const slow = template.resource("aws_cloudwatch_metric_alarm", "slow_alarm");
    expect(slow).toMatchObject({ extended_statistic: "p99", evaluation_periods: 5, datapoints_to_alarm: 3 });
    expect(slow.statistic).toBeUndefined();
  });

  test("publish to an encrypted topic that only this account's alarms may use, over TLS", () => {
    expect(template.resource("aws_sns_topic").kms_master_key_id).toBe("arn:key");
    const policy = new Policy(template.resource("aws_sns_topic_policy").policy);
    const topic = "${aws_sns_topic.alarms_topic.arn}";
    const ours = { "aws:SourceAccount": "123456789012" };
    expect(policy.allows("sns:Publish", topic, ours, "cloudwatch.amazonaws.com")).toBe(true);
    expect(policy.allows("sns:Publish", topic, { "aws:SourceAccount": "1" }, "cloudwatch.amazonaws.com")).toBe(false);
    expect(policy.denies("sns:Publish", topic, { "aws:SecureTransport": "false" })).toBe(true);
  });
});
