/**
 * Alarms and the topics that receive them.
 *
 *     const topic = new AlarmTopic(this, "alarms", { name, encryptionKeyArn, email });
 *     new Alarm(this, "errors", { name, description, namespace: "AWS/Lambda", metric: "Errors", dimensions, statistic: "Sum", threshold: 0, topicArn: topic.arn });
 *     functionErrors(this, "errors", { function: predict, topicArn: topic.arn }); // the same for a function
 *
 * The text of each alarm names its runbook: see `withRunbook`.
 */
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { SnsTopic } from "@cdktf/provider-aws/lib/sns-topic";
import { SnsTopicPolicy } from "@cdktf/provider-aws/lib/sns-topic-policy";
import { SnsTopicSubscription } from "@cdktf/provider-aws/lib/sns-topic-subscription";
import { Lazy } from "cdktf";
import { Construct, type IConstruct } from "constructs";
import { placeOf } from "./place";
import { policyDocument, type ResourceStatement } from "./policy";
import { ownPart } from "./resource-names";
import type { TypeScriptFunction } from "./typescript-function";

export interface AlarmTopicProps {
  /** 1 to 256 letters, digits, hyphens and underscores. */
  readonly name: string;
  /** Encrypts the messages; its policy must let CloudWatch use it. */
  readonly encryptionKeyArn: string;
  /** Who gets e-mails, after confirming the address. @default nobody */
  readonly email?: string;
}

/** Another service than CloudWatch that publishes to a topic. */
export interface Publisher {
  /** Sid of its statement in the topic's policy: letters and digits. */
  readonly sid: string;
  /** For example `budgets.amazonaws.com`. */
  readonly service: string;
  /** ARN of the resource for which it publishes, or a pattern. */
  readonly sourceArn: string;
}

/** The topic of one stack's alarms. Only alarms of the same account can publish to it. */
export class AlarmTopic extends Construct {
  readonly arn: string;
  /** Depend on it if a service checks on creation that it may publish. */
  readonly policy: SnsTopicPolicy;
  private readonly statements: ResourceStatement[];

  constructor(scope: Construct, id: string, props: AlarmTopicProps) {
    super(scope, id);
    const topic = new SnsTopic(this, "topic", { name: props.name, kmsMasterKeyId: props.encryptionKeyArn });
    this.arn = topic.arn;
    this.statements = [
      {
        sid: "AlarmsPublish",
        principals: { Service: "cloudwatch.amazonaws.com" },
        actions: ["sns:Publish"],
        resources: [topic.arn],
        conditions: { StringEquals: { "aws:SourceAccount": placeOf(this).account } },
      },
      {
        sid: "RefusePlainText",
        effect: "Deny",
        principals: "*",
        actions: ["sns:Publish"],
        resources: [topic.arn],
        conditions: { Bool: { "aws:SecureTransport": "false" } },
      },
    ];
    this.policy = new SnsTopicPolicy(this, "policy", {
      arn: topic.arn,
      policy: Lazy.stringValue({ produce: () => policyDocument(this.statements) }),
    });
    if (props.email !== undefined) {
      new SnsTopicSubscription(this, "email", { topicArn: topic.arn, protocol: "email", endpoint: props.email });
    }
  }

  /**
   * Lets another service publish, for this account only. The policy of the topic's key must also let it use the key.
   */
  admit({ sid, service, sourceArn }: Publisher): void {
    this.statements.push({
      sid,
      principals: { Service: service },
      actions: ["sns:Publish"],
      resources: [this.arn],
      conditions: {
        StringEquals: { "aws:SourceAccount": placeOf(this).account },
        ArnLike: { "aws:SourceArn": sourceArn },
      },
    });
  }
}

/**
 * The text of an alarm's e-mail: what happened, and the runbook. The runbook's name is the alarm's without its stack:
 * the runbook of `acme-development-website-test-endpoint-errors` is `endpoint-errors`.
 */
export function withRunbook(scope: IConstruct, name: string, description: string): string {
  return `${description} What to do: docs/runbooks.md#${ownPart(scope, name)}`;
}

export interface AlarmProps {
  readonly name: string;
  /** What happened and where to look: the text of the e-mail. The link to the runbook is added. */
  readonly description: string;
  /** For example `AWS/Lambda`. */
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: Readonly<Record<string, string>>;
  /** A statistic such as `Sum`, or a percentile such as `p99`. */
  readonly statistic: "Average" | "Maximum" | "Minimum" | "SampleCount" | "Sum" | `p${number}`;
  /** It goes off above this value, in the metric's unit. */
  readonly threshold: number;
  /** @default 60 */
  readonly periodSeconds?: number;
  /** Number of periods evaluated. @default 1 */
  readonly evaluationPeriods?: number;
  /** How many of those must be above the threshold. @default all */
  readonly periodsAbove?: number;
  readonly topicArn: string;
  /**
   * ARN of a topic that is notified only when the alarm goes off, so that something acts on it. @default nothing acts
   */
  readonly actionTopicArn?: string;
}

/** Notifies a topic when a metric goes above its threshold, and when it is back. Missing data counts as good. */
export class Alarm extends Construct {
  /** As a reference: a resource that uses it depends on the alarm. */
  readonly name: string;
  readonly arn: string;

  constructor(scope: Construct, id: string, props: AlarmProps) {
    super(scope, id);
    const percentile = props.statistic.startsWith("p");
    const { evaluationPeriods = 1 } = props;
    const alarm = new CloudwatchMetricAlarm(this, "alarm", {
      alarmName: props.name,
      alarmDescription: withRunbook(this, props.name, props.description),
      namespace: props.namespace,
      metricName: props.metric,
      dimensions: props.dimensions,
      ...(percentile ? { extendedStatistic: props.statistic } : { statistic: props.statistic }),
      comparisonOperator: "GreaterThanThreshold",
      threshold: props.threshold,
      period: props.periodSeconds ?? 60,
      evaluationPeriods,
      datapointsToAlarm: props.periodsAbove ?? evaluationPeriods,
      treatMissingData: "notBreaching",
      alarmActions: [props.topicArn, ...(props.actionTopicArn === undefined ? [] : [props.actionTopicArn])],
      okActions: [props.topicArn],
    });
    this.name = alarm.alarmName;
    this.arn = alarm.arn;
  }
}

export interface FunctionErrorsProps {
  readonly function: Pick<TypeScriptFunction, "fullName" | "handler" | "name">;
  readonly topicArn: string;
}

/**
 * Goes off when a function fails once. Its text and its entry in docs/runbooks.md come from the handler's declaration.
 */
export function functionErrors(scope: Construct, id: string, props: FunctionErrorsProps): Alarm {
  const { fullName, handler, name } = props.function;
  const { report = "The function <function> failed: read /aws/lambda/<function>." } = handler.failure;
  return new Alarm(scope, id, {
    name: `${fullName}-errors`,
    description: report.replaceAll("<function>", fullName),
    namespace: "AWS/Lambda",
    metric: "Errors",
    dimensions: { FunctionName: name },
    statistic: "Sum",
    threshold: 0,
    topicArn: props.topicArn,
  });
}
