/** Amazon CloudWatch Logs: log groups, and what other services deliver. */
import { numberOf } from "./arguments";
import type { Permissions } from "./permissions";
import { daysOfMonth, fixed, keyArgument, partOfAnother, type Service, use } from "./record";

/**
 * By which CloudWatch Logs lets other services deliver: deliveries, and the resource policies by which they write,
 * belong to the account (Step Functions Developer Guide, "Using CloudWatch Logs to log execution history").
 */
export const logDelivery = `
  logs:CreateLogDelivery logs:DeleteLogDelivery logs:DescribeResourcePolicies logs:GetLogDelivery
  logs:ListLogDeliveries logs:PutResourcePolicy logs:UpdateLogDelivery`;

const logGroups: Permissions = {
  sid: "LogGroups",
  reads: "logs:DescribeMetricFilters logs:ListTagsForResource",
  writes: `
    logs:AssociateKmsKey logs:CreateLogGroup logs:DeleteLogGroup logs:DeleteMetricFilter logs:DeleteRetentionPolicy
    logs:DisassociateKmsKey logs:PutMetricFilter logs:PutRetentionPolicy logs:TagResource logs:UntagResource`,
  // Behind a folder or a word of the service that writes.
  on: "logs:log-group:*{name}",
  readsAnywhere: "logs:DescribeLogGroups",
};

const deliveries: Permissions = {
  sid: "AccessLogs",
  reads: "logs:GetDelivery logs:GetDeliveryDestination logs:GetDeliverySource logs:ListTagsForResource",
  writes: `
    logs:CreateDelivery logs:DeleteDelivery logs:DeleteDeliveryDestination logs:DeleteDeliverySource
    logs:PutDeliveryDestination logs:PutDeliverySource logs:TagResource logs:UntagResource
    logs:UpdateDeliveryConfiguration`,
  // CloudFront takes part in us-east-1 alone; a delivery's ARN has a number.
  region: "us-east-1",
  on: ({ names }) =>
    [
      ...names.flatMap((name) => [`logs:delivery-source:${name}`, `logs:delivery-destination:${name}`]),
      "logs:delivery:*",
    ].join(" "),
};

const deliver: Permissions = {
  sid: "DeliverAccessLogs",
  writes: "cloudfront:AllowVendedLogDeliveryForResource",
  on: "cloudfront:distribution/*",
};

export const cloudwatchLogs: Service = {
  aws_cloudwatch_log_group: {
    permissions: [logGroups],
    price: {
      charges: ({ retention_in_days }, { logGigabytes }) => [
        use("logGigabyte", logGigabytes),
        // When a retention has passed, that much is kept; how far CloudWatch compresses it is left out.
        use("logGigabyteMonth", (logGigabytes * numberOf(retention_in_days, 365)) / daysOfMonth),
      ],
    },
    importId: "name",
    encryption: keyArgument("kms_key_id"),
  },
  aws_cloudwatch_log_metric_filter: { permissions: [logGroups], price: { charges: () => [fixed("metricMonth", 1)] } },
  aws_cloudwatch_log_delivery: {
    permissions: [deliveries, deliver],
    price: { notPriced: "access logs of CloudFront are billed by the GB: a few MB a month with the assumed visits" },
  },
  aws_cloudwatch_log_delivery_destination: { permissions: [deliveries, deliver], price: partOfAnother },
  aws_cloudwatch_log_delivery_source: { permissions: [deliveries, deliver], price: partOfAnother },
};
