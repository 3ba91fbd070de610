/**
 * The actions that take no resource except `*`: those in the records of aws-services/, which deployment needs, and
 * those below, which are needed at run time. Before you add one, check it: its column "Resource types" in the Service
 * Authorization Reference is empty, or the service's guide says so.
 */
import { awsServices } from "../aws-services";

/** The reason by action. */
const whileRunning: Readonly<Record<string, string>> = {
  "cloudwatch:PutMetricData":
    "A metric is not a resource; the condition key cloudwatch:namespace limits the action instead",
  "ec2:DescribeDhcpOptions": "EC2's lists cover the whole account and region",
  "s3:GetAccountPublicAccessBlock": "The block belongs to the account, not to a bucket",
  // SageMaker Developer Guide, "Amazon SageMaker AI API Permissions: Actions, Permissions, and Resources Reference".
  "sagemaker:ListModelPackages": "List actions take no resource",
  "xray:GetSamplingRules": "Sampling rules belong to the account and region",
  "xray:GetSamplingTargets": "Sampling rules belong to the account and region",
  "xray:PutTelemetryRecords": "Traces belong to the account and region",
  "xray:PutTraceSegments": "Traces belong to the account and region",
};

/** All actions that take no resource. */
export const actionsWithoutResources: ReadonlySet<string> = new Set([
  ...awsServices.actionsWithoutResources,
  ...Object.keys(whileRunning),
]);
