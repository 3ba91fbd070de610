/**
 * The actions for which AWS takes no other resource than `*`. Before you add a row: the action's line in the Service
 * Authorization Reference has an empty column "Resource types", or the guide of the service says so.
 */

/** Why AWS takes only `*`, and where it says so. */
export interface Reason {
  readonly reason: string;
  readonly source: string;
}

const reference = (service: string): string => `Service Authorization Reference, "Actions defined by ${service}"`;

const logDelivery: Reason = {
  reason: "Log deliveries, and the resource policies by which they write, belong to the account and not to a log group",
  source: 'Step Functions Developer Guide, "Using CloudWatch Logs to log execution history"',
};

const tracing: Reason = {
  reason: "Traces and sampling rules belong to the account and region",
  source: reference("AWS X-Ray"),
};

const networkList: Reason = {
  reason: "EC2's lists know no resources: whoever may read one reads that of the whole account and region",
  source: reference("Amazon EC2"),
};

const scalingList: Reason = {
  reason:
    "Application Auto Scaling's lists know no resources: whoever may read one reads that of the whole account and region",
  source: reference("AWS Application Auto Scaling"),
};

/** Action to reason. */
export const actionsWithoutResources: Readonly<Record<string, Reason>> = {
  "application-autoscaling:DescribeScalableTargets": scalingList,
  "application-autoscaling:DescribeScalingPolicies": scalingList,
  "cloudwatch:PutMetricData": {
    reason: "A metric is no resource; the condition key cloudwatch:namespace holds the action instead",
    source: reference("Amazon CloudWatch"),
  },
  "ec2:DescribeAddresses": networkList,
  "ec2:DescribeAddressesAttribute": networkList,
  "ec2:DescribeAvailabilityZones": networkList,
  "ec2:DescribeDhcpOptions": networkList,
  "ec2:DescribeFlowLogs": networkList,
  "ec2:DescribeInternetGateways": networkList,
  "ec2:DescribeNatGateways": networkList,
  "ec2:DescribeNetworkAcls": networkList,
  "ec2:DescribeNetworkInterfaces": networkList,
  "ec2:DescribePrefixLists": networkList,
  "ec2:DescribeRouteTables": networkList,
  "ec2:DescribeSecurityGroupRules": networkList,
  "ec2:DescribeSecurityGroups": networkList,
  "ec2:DescribeSubnets": networkList,
  "ec2:DescribeVpcEndpoints": networkList,
  "ec2:DescribeVpcs": networkList,
  "ecr:GetAuthorizationToken": {
    reason: "A token is for the account's whole registry",
    source: reference("Amazon Elastic Container Registry"),
  },
  "kms:CreateKey": {
    reason: "A key has no ARN before it is there; the condition key aws:RequestTag holds the action instead",
    source: reference("AWS Key Management Service"),
  },
  "kms:ListAliases": {
    reason: "The list of aliases is that of the account and region",
    source: reference("AWS Key Management Service"),
  },
  "lambda:CreateEventSourceMapping": {
    reason: "A mapping has no ARN before it is there; the condition key lambda:FunctionArn holds the action instead",
    source: reference("AWS Lambda"),
  },
  "logs:CreateLogDelivery": logDelivery,
  "logs:DeleteLogDelivery": logDelivery,
  "logs:DescribeLogGroups": logDelivery,
  "logs:DescribeResourcePolicies": logDelivery,
  "logs:GetLogDelivery": logDelivery,
  "logs:ListLogDeliveries": logDelivery,
  "logs:PutResourcePolicy": logDelivery,
  "logs:UpdateLogDelivery": logDelivery,
  "s3:GetAccountPublicAccessBlock": {
    reason: "The block is the account's, and no bucket's",
    source: reference("Amazon S3"),
  },
  "sagemaker:ListModelPackages": {
    reason: "Lists know no resources",
    source:
      'SageMaker Developer Guide, "Amazon SageMaker AI API Permissions: Actions, Permissions, and Resources Reference"',
  },
  "lambda:ListEventSourceMappings": {
    reason: "The list is of the account and region, or of a function that the request names",
    source: reference("AWS Lambda"),
  },
  "wafv2:ListWebACLs": {
    reason: "The list is of the account, for CloudFront or for a region",
    source: reference("AWS WAF V2"),
  },
  "ssm:DescribeParameters": {
    reason: "Lists know no resources; it tells names and descriptions, never values",
    source: reference("AWS Systems Manager"),
  },
  "states:ValidateStateMachineDefinition": {
    reason: "It checks a text that belongs to no state machine yet",
    source: reference("AWS Step Functions"),
  },
  "xray:GetSamplingRules": tracing,
  "xray:GetSamplingTargets": tracing,
  "xray:PutTelemetryRecords": tracing,
  "xray:PutTraceSegments": tracing,
};
