/** Amazon CloudWatch Logs: log groups, and log deliveries of other services. */
import { numberOf } from "./arguments";
import { ownTagOrNone, type Permissions } from "./permissions";
import { daysOfMonth, fixedCharge, keyArgument, partOfAnother, type Service, usageCharge } from "./record";

/**
 * The actions for log deliveries of other services. Deliveries and their resource policies belong to the account (Step
 * Functions Developer Guide, "Using CloudWatch Logs to log execution history").
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
  // The writing service puts a folder or a word before the name.
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
  // CloudFront's part is always in us-east-1; a delivery's ARN contains a generated id.
  region: "us-east-1",
  on: ({ names }) =>
    [
      ...names.flatMap((name) => [`logs:delivery-source:${name}`, `logs:delivery-destination:${name}`]),
      "logs:delivery:*",
    ].join(" "),
  conditions: ownTagOrNone,
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
        usageCharge("logGigabyte", logGigabytes),
        // The amount stored after one retention period, without CloudWatch's compression.
        usageCharge("logGigabyteMonth", (logGigabytes * numberOf(retention_in_days, 365)) / daysOfMonth),
      ],
    },
    importId: "name",
    encryption: keyArgument("kms_key_id"),
  },
  aws_cloudwatch_log_metric_filter: {
    permissions: [logGroups],
    price: { charges: () => [fixedCharge("metricMonth", 1)] },
  },
  aws_cloudwatch_log_delivery: {
    permissions: [deliveries, deliver],
    price: { notPriced: "access logs of CloudFront are billed by the GB: a few MB per month with the assumed visits" },
  },
  aws_cloudwatch_log_delivery_destination: { permissions: [deliveries, deliver], price: partOfAnother },
  aws_cloudwatch_log_delivery_source: { permissions: [deliveries, deliver], price: partOfAnother },
};
