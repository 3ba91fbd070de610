/** Amazon CloudWatch Logs: log groups, and what other services deliver. */
import { numberOf } from "./arguments";
import { keyArgument } from "./encryption";
import type { Permissions } from "./permissions";
import { daysOfMonth, fixed, partOfAnother, use } from "./price";
import type { Service } from "./resource-type";

/** By which CloudWatch Logs lets other services deliver. */
export const logDelivery: readonly string[] = [
  "logs:CreateLogDelivery",
  "logs:DeleteLogDelivery",
  "logs:DescribeResourcePolicies",
  "logs:GetLogDelivery",
  "logs:ListLogDeliveries",
  "logs:PutResourcePolicy",
  "logs:UpdateLogDelivery",
];

const logGroups: Permissions = {
  sid: "LogGroups",
  service: "logs",
  reads: ["DescribeMetricFilters", "ListTagsForResource"],
  writes: [
    "AssociateKmsKey",
    "CreateLogGroup",
    "DeleteLogGroup",
    "DeleteMetricFilter",
    "DeleteRetentionPolicy",
    "DisassociateKmsKey",
    "PutMetricFilter",
    "PutRetentionPolicy",
    "TagResource",
    "UntagResource",
  ],
  // Behind a folder or a word of the service that writes.
  on: ["log-group:*{name}"],
  readsAnywhere: ["logs:DescribeLogGroups"],
};

const deliveries: Permissions = {
  sid: "AccessLogs",
  service: "logs",
  reads: ["GetDelivery", "GetDeliveryDestination", "GetDeliverySource", "ListTagsForResource"],
  writes: [
    "CreateDelivery",
    "DeleteDelivery",
    "DeleteDeliveryDestination",
    "DeleteDeliverySource",
    "PutDeliveryDestination",
    "PutDeliverySource",
    "TagResource",
    "UntagResource",
    "UpdateDeliveryConfiguration",
  ],
  // CloudFront takes part in us-east-1 alone; a delivery's ARN has a number.
  region: "us-east-1",
  on: (scope) => [
    ...scope.of.names.flatMap((name) => scope.arns("logs", `delivery-source:${name}`, `delivery-destination:${name}`)),
    ...scope.arns("logs", "delivery:*"),
  ],
  more: (scope) => [
    {
      sid: "DeliverAccessLogs",
      actions: ["cloudfront:AllowVendedLogDeliveryForResource"],
      resources: scope.arns("cloudfront", "distribution/*"),
    },
  ],
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
  aws_cloudwatch_log_metric_filter: {
    permissions: [logGroups],
    price: { charges: () => [fixed("metricMonth", 1)] },
  },
  aws_cloudwatch_log_delivery: {
    permissions: [deliveries],
    price: { notPriced: "access logs of CloudFront are billed by the GB: a few MB a month with the assumed visits" },
  },
  aws_cloudwatch_log_delivery_destination: { permissions: [deliveries], price: partOfAnother },
  aws_cloudwatch_log_delivery_source: { permissions: [deliveries], price: partOfAnother },
};
