import {
  type ComparisonOperator,
  DeleteAlarmsCommand,
  DeleteDashboardsCommand,
  DescribeAlarmsCommand,
  GetDashboardCommand,
  type MetricDataQuery,
  PutDashboardCommand,
  PutMetricAlarmCommand,
  type StandardUnit,
  type Statistic,
} from "@aws-sdk/client-cloudwatch";
import type { Arguments } from "../arguments";
import { type ResourceKind, settled, tagList, unlessMissing } from "../resource-kind";

const alarm: ResourceKind = settled({
  type: "aws_cloudwatch_metric_alarm",
  replacedBy: ["alarm_name"],
  async put({ arguments: list, clients, tags, account, region, partition }) {
    const AlarmName = list.requireText("alarm_name");
    await clients.cloudWatch.send(
      new PutMetricAlarmCommand({
        AlarmName,
        AlarmDescription: list.text("alarm_description"),
        ActionsEnabled: list.boolean("actions_enabled") ?? true,
        AlarmActions: list.texts("alarm_actions"),
        OKActions: list.texts("ok_actions"),
        InsufficientDataActions: list.texts("insufficient_data_actions"),
        Namespace: list.text("namespace"),
        MetricName: list.text("metric_name"),
        Dimensions: dimensions(list),
        Statistic: list.text("statistic") as Statistic | undefined,
        ExtendedStatistic: list.text("extended_statistic"),
        Unit: list.text("unit") as StandardUnit | undefined,
        Period: list.number("period"),
        EvaluationPeriods: list.requireNumber("evaluation_periods"),
        DatapointsToAlarm: list.number("datapoints_to_alarm"),
        Threshold: list.number("threshold"),
        ThresholdMetricId: list.text("threshold_metric_id"),
        ComparisonOperator: list.requireText("comparison_operator") as ComparisonOperator,
        TreatMissingData: list.text("treat_missing_data") ?? "missing",
        EvaluateLowSampleCountPercentile: list.text("evaluate_low_sample_count_percentiles"),
        ...(list.has("metric_query") && { Metrics: list.blocks("metric_query").map(query) }),
        Tags: tagList(tags),
      }),
    );
    return { id: AlarmName, arn: `arn:${partition}:cloudwatch:${region}:${account}:alarm:${AlarmName}` };
  },
  async read({ attributes, clients }) {
    const { MetricAlarms = [] } = await clients.cloudWatch.send(
      new DescribeAlarmsCommand({ AlarmNames: [attributes.id], AlarmTypes: ["MetricAlarm"] }),
    );
    return MetricAlarms.length > 0 ? attributes : undefined;
  },
  async delete({ attributes, clients }) {
    await unlessMissing(clients.cloudWatch.send(new DeleteAlarmsCommand({ AlarmNames: [attributes.id] })));
  },
});

function dimensions(list: Arguments): { Name: string; Value: string }[] | undefined {
  const map = list.map("dimensions");
  return map && Object.entries(map).map(([Name, Value]) => ({ Name, Value }));
}

function query(block: Arguments): MetricDataQuery {
  const metric = block.block("metric");
  return {
    Id: block.requireText("id"),
    Expression: block.text("expression"),
    Label: block.text("label"),
    ReturnData: block.boolean("return_data"),
    Period: block.number("period"),
    ...(metric && {
      MetricStat: {
        Metric: {
          Namespace: metric.text("namespace"),
          MetricName: metric.requireText("metric_name"),
          Dimensions: dimensions(metric),
        },
        Period: metric.requireNumber("period"),
        Stat: metric.requireText("stat"),
        Unit: metric.text("unit") as StandardUnit | undefined,
      },
    }),
  };
}

const dashboard: ResourceKind = settled({
  type: "aws_cloudwatch_dashboard",
  replacedBy: ["dashboard_name"],
  async put({ arguments: list, clients, account, partition }) {
    const DashboardName = list.requireText("dashboard_name");
    const { DashboardValidationMessages: complaints = [] } = await clients.cloudWatch.send(
      new PutDashboardCommand({ DashboardName, DashboardBody: list.requireText("dashboard_body") }),
    );
    const [complaint] = complaints;
    if (complaint) {
      throw new Error(`dashboard_body, ${complaint.DataPath}: ${complaint.Message}`);
    }
    return { id: DashboardName, dashboard_arn: `arn:${partition}:cloudwatch::${account}:dashboard/${DashboardName}` };
  },
  async read({ attributes, clients }) {
    const found = await unlessMissing(
      clients.cloudWatch.send(new GetDashboardCommand({ DashboardName: attributes.id })),
    );
    return found && attributes;
  },
  async delete({ attributes, clients }) {
    await unlessMissing(clients.cloudWatch.send(new DeleteDashboardsCommand({ DashboardNames: [attributes.id] })));
  },
});

/** CloudWatch: alarms and dashboards. */
export const cloudWatchKinds: readonly ResourceKind[] = [alarm, dashboard];
