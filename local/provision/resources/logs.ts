import { type CloudWatchLogs, type LogGroup, paginateDescribeLogGroups } from "@aws-sdk/client-cloudwatch-logs";
import { type ResourceKind, settled } from "../resource-kind";

const group: ResourceKind = settled({
  type: "aws_cloudwatch_log_group",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 512 },
  async put({ arguments: list, clients, tags, arnOf }) {
    const logGroupName = list.requireText("name");
    const arn = arnOf("logs", `log-group:${logGroupName}`);
    // A function that ran earlier may have created its log group.
    const found = await findGroup(clients.logs, logGroupName);
    const kmsKeyId = list.text("kms_key_id");
    if (!found) {
      await clients.logs.createLogGroup({ logGroupName, kmsKeyId });
    }
    if (Object.keys(tags).length > 0) {
      await clients.logs.tagResource({ resourceArn: arn, tags });
    }
    if (found && found.kmsKeyId !== kmsKeyId) {
      await (kmsKeyId === undefined
        ? clients.logs.disassociateKmsKey({ logGroupName })
        : clients.logs.associateKmsKey({ logGroupName, kmsKeyId }));
    }
    const days = list.number("retention_in_days") ?? 0;
    // 0 means "for ever" in Terraform.
    await (days > 0
      ? clients.logs.putRetentionPolicy({ logGroupName, retentionInDays: days })
      : clients.logs.deleteRetentionPolicy({ logGroupName }));
    return { id: logGroupName, arn };
  },
  exists: ({ attributes, clients }) => findGroup(clients.logs, attributes.id),
  delete: ({ attributes, clients }) => clients.logs.deleteLogGroup({ logGroupName: attributes.id }),
});

async function findGroup(logs: CloudWatchLogs, name: string): Promise<LogGroup | undefined> {
  for await (const { logGroups = [] } of paginateDescribeLogGroups({ client: logs }, { logGroupNamePrefix: name })) {
    const found = logGroups.find(({ logGroupName }) => logGroupName === name);
    if (found) {
      return found;
    }
  }
  return undefined;
}

const metricFilter: ResourceKind = settled({
  type: "aws_cloudwatch_log_metric_filter",
  replacedBy: ["name", "log_group_name"],
  async put({ arguments: list, clients }) {
    const filterName = list.requireText("name");
    const metric = list.requireBlock("metric_transformation");
    await clients.logs.putMetricFilter({
      filterName,
      logGroupName: list.requireText("log_group_name"),
      filterPattern: list.text("pattern") ?? "",
      metricTransformations: [
        {
          metricName: metric.requireText("name"),
          metricNamespace: metric.requireText("namespace"),
          metricValue: metric.requireText("value"),
          defaultValue: metric.number("default_value"),
        },
      ],
    });
    return { id: filterName };
  },
  async exists({ attributes, arguments: list, clients }) {
    const { metricFilters } = await clients.logs.describeMetricFilters({
      logGroupName: list.requireText("log_group_name"),
      filterNamePrefix: attributes.id,
    });
    return metricFilters?.some(({ filterName }) => filterName === attributes.id);
  },
  delete: ({ attributes, arguments: list, clients }) =>
    clients.logs.deleteMetricFilter({
      filterName: attributes.id,
      logGroupName: list.requireText("log_group_name"),
    }),
});

/** CloudWatch Logs: groups and metric filters. */
export const logsKinds: readonly ResourceKind[] = [group, metricFilter];
