import type { ComparisonOperator, Statistic } from "@aws-sdk/client-cloudwatch";
import { type ResourceKind, settled, tagList } from "../resource-kind";

const alarm: ResourceKind = settled({
  type: "aws_cloudwatch_metric_alarm",
  replacedBy: ["alarm_name"],
  async put({ arguments: list, clients, tags, arnOf }) {
    const AlarmName = list.requireText("alarm_name");
    await clients.cloudWatch.putMetricAlarm({
      AlarmName,
      AlarmDescription: list.text("alarm_description"),
      ActionsEnabled: true,
      AlarmActions: list.texts("alarm_actions"),
      OKActions: list.texts("ok_actions"),
      Namespace: list.text("namespace"),
      MetricName: list.text("metric_name"),
      Dimensions: Object.entries(list.map("dimensions") ?? {}).map(([Name, Value]) => ({ Name, Value })),
      Statistic: list.text("statistic") as Statistic | undefined,
      ExtendedStatistic: list.text("extended_statistic"),
      Period: list.number("period"),
      EvaluationPeriods: list.requireNumber("evaluation_periods"),
      DatapointsToAlarm: list.number("datapoints_to_alarm"),
      Threshold: list.number("threshold"),
      ComparisonOperator: list.requireText("comparison_operator") as ComparisonOperator,
      TreatMissingData: list.text("treat_missing_data") ?? "missing",
      Tags: tagList(tags),
    });
    return { id: AlarmName, arn: arnOf("cloudwatch", `alarm:${AlarmName}`) };
  },
  async exists({ attributes, clients }) {
    const { MetricAlarms } = await clients.cloudWatch.describeAlarms({ AlarmNames: [attributes.id] });
    return MetricAlarms?.[0];
  },
  delete: ({ attributes, clients }) => clients.cloudWatch.deleteAlarms({ AlarmNames: [attributes.id] }),
});

/** CloudWatch: alarms. */
export const cloudWatchKinds: readonly ResourceKind[] = [alarm];
