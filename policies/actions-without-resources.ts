/**
 * The actions for which AWS takes no other resource than `*`: those of the records in aws-services/, which deploying
 * needs, and below what runs needs besides. Before you add one: the action's line in the Service Authorization
 * Reference has an empty column "Resource types", or the guide of the service says so.
 */
import { awsServices } from "../aws-services";

/** Why AWS takes only `*`, by action. */
const whileRunning: Readonly<Record<string, string>> = {
  "cloudwatch:PutMetricData":
    "A metric is not a resource; the condition key cloudwatch:namespace holds the action instead",
  "ec2:DescribeDhcpOptions": "EC2's lists are of the whole account and region",
  "s3:GetAccountPublicAccessBlock": "The block is the account's, and no bucket's",
  // SageMaker Developer Guide, "Amazon SageMaker AI API Permissions: Actions, Permissions, and Resources Reference".
  "sagemaker:ListModelPackages": "Lists know no resources",
  "xray:GetSamplingRules": "Sampling rules belong to the account and region",
  "xray:GetSamplingTargets": "Sampling rules belong to the account and region",
  "xray:PutTelemetryRecords": "Traces belong to the account and region",
  "xray:PutTraceSegments": "Traces belong to the account and region",
};

/** All of them. */
export const actionsWithoutResources: ReadonlySet<string> = new Set([
  ...awsServices.actionsWithoutResources,
  ...Object.keys(whileRunning),
]);
