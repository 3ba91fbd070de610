/**
 * What a role needs to deploy a stack with Terraform, from the types of the stack's resources and the beginnings of
 * their names.
 *
 *     deployStatements(["aws_lambda_function", "aws_iam_role"], where);  // create, change, delete
 *     planStatements(["aws_lambda_function", "aws_iam_role"], where);    // only read
 *
 * The actions are the calls that Terraform's AWS provider makes for each type, as its source shows, and those that AWS
 * checks besides. What can't be made again nobody deletes with such a role: no bucket, key, table, repository, feature
 * group, model package group or Airflow environment.
 */
import { managedPolicyCharacters } from "../permissions-boundary";
import { type Conditions, policyDocument, type Statement } from "../policy";

/** Where a stack stands and what its resources are called. */
export interface DeployScope {
  readonly account: string;
  readonly region: string;
  /** AWS partition. @default "aws" */
  readonly partition?: string;
  /**
   * The stack's tag `Stack`: it tells its keys and its part of the network from its neighbours', whose ARNs show no
   * name.
   */
  readonly stack: string;
  /** Patterns of the names of the stack's resources, such as `acme-production-test*`. */
  readonly names: readonly string[];
  /** How the names of all the platform's resources begin, such as `acme-production-`. */
  readonly prefix: string;
  /**
   * ARN of the permissions boundary of the stack's roles: only with it are they made, and given policies.
   * @default none: no role can be made, and none changed
   */
  readonly boundary?: string;
  /** How the names of all the environment's SSM parameters begin: `/acme/production/`. */
  readonly parameterPath: string;
  /** The SSM parameters that the stack publishes, by name: `/acme/production/DataBucket`. */
  readonly published: readonly string[];
  /** The SSM parameters that it reads. */
  readonly read: readonly string[];
  /** Objects of another stack's bucket that the stack looks up. @default none */
  readonly lookedUp?: {
    /** Their ARNs, or patterns of such. */
    readonly objects: readonly string[];
    /** The tag `Stack` of the key that encrypts them. */
    readonly keyStack: string;
  };
  /**
   * The domains and addresses from which the stack mails: what SES calls the identities that it makes. @default none
   */
  readonly mailIdentities?: readonly string[];
  /** The hosted zones in which the stack writes names. @default none */
  readonly hostedZones?: readonly string[];
  /** The services to which the stack's resources hand roles, such as `lambda.amazonaws.com`. */
  readonly roleServices: readonly string[];
  /**
   * The tag `Stack` of the key that encrypts what the stack makes: its own, or where it has none, that of the stack
   * whose key it reads.
   */
  readonly keyStack: string;
}

interface Resolved extends DeployScope {
  readonly arn: (service: string, resource: string, options?: { readonly global?: boolean }) => string;
  /** The ARNs of a service's resources that bear the stack's names behind a prefix. */
  readonly named: (service: string, prefix: string, options?: { readonly global?: boolean }) => readonly string[];
}

/** What types of resources need that belong to one service. */
interface Permissions {
  /** Names the statements, in letters and digits. */
  readonly sid: string;
  /** Terraform's types; data sources begin with `data.`. */
  readonly types: readonly string[];
  /** Actions that only look. */
  readonly reads?: readonly string[];
  /** Actions that change something. */
  readonly writes?: readonly string[];
  /** The resources of both. */
  readonly on?: (scope: Resolved) => readonly string[];
  readonly conditions?: (scope: Resolved) => Conditions;
  /** Actions that look, and for which AWS takes no resource. */
  readonly readsAnywhere?: readonly string[];
  /** Actions that change something, and for which AWS takes no resource. */
  readonly writesAnywhere?: readonly string[];
  /** Further statements, with conditions of their own, for those who may change something. */
  readonly more?: (scope: Resolved) => readonly Statement[];
}

const ownTag = ({ stack }: DeployScope): Conditions => ({ StringEquals: { "aws:ResourceTag/Stack": stack } });

/** What is made only now has no tag yet; what a neighbour made has another. */
const ownTagOrNone = ({ stack }: DeployScope): Conditions => ({
  StringEqualsIfExists: { "aws:ResourceTag/Stack": stack },
});

/** IAM User Guide, "Delegating responsibility to others using permissions boundaries". */
const withBoundary = (boundary: string): Conditions => ({ StringEquals: { "iam:PermissionsBoundary": boundary } });

const inVpc =
  (...kinds: readonly string[]) =>
  ({ arn }: Resolved): readonly string[] =>
    kinds.map((kind) => arn("ec2", `${kind}/*`));

/** By which CloudWatch Logs lets other services deliver. */
const logDelivery = [
  "logs:CreateLogDelivery",
  "logs:DeleteLogDelivery",
  "logs:DescribeResourcePolicies",
  "logs:GetLogDelivery",
  "logs:ListLogDeliveries",
  "logs:PutResourcePolicy",
  "logs:UpdateLogDelivery",
];

/**
 * The use, through a service, of the key that encrypts what the stack makes. What of the service is used is for the
 * other statements to say.
 */
function useKey({ arn, keyStack, region }: Resolved, sid: string, service: string): Statement {
  return {
    sid,
    actions: [
      "kms:Decrypt",
      "kms:Encrypt",
      "kms:GenerateDataKey",
      "kms:GenerateDataKeyWithoutPlaintext",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
    ],
    resources: [arn("kms", "key/*")],
    conditions: {
      StringEquals: { "aws:ResourceTag/Stack": keyStack, "kms:ViaService": `${service}.${region}.amazonaws.com` },
    },
  };
}

const table: readonly Permissions[] = [
  {
    sid: "Parameters",
    types: ["aws_ssm_parameter"],
    reads: ["ssm:GetParameter", "ssm:GetParameters", "ssm:ListTagsForResource"],
    writes: ["ssm:PutParameter", "ssm:DeleteParameter", "ssm:AddTagsToResource", "ssm:RemoveTagsFromResource"],
    on: ({ arn, published }) => published.map((name) => arn("ssm", `parameter${name}`)),
    readsAnywhere: ["ssm:DescribeParameters"],
    more: ({ arn, parameterPath, stack }) => [
      {
        sid: "RemovedParameters",
        actions: ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:ListTagsForResource"],
        resources: [arn("ssm", `parameter${parameterPath}*`)],
        conditions: { StringEquals: { "aws:ResourceTag/Stack": stack } },
      },
    ],
  },
  {
    sid: "Contract",
    types: ["data.aws_ssm_parameter"],
    reads: ["ssm:GetParameter", "ssm:GetParameters"],
    on: ({ arn, read }) => read.map((name) => arn("ssm", `parameter${name}`)),
  },
  {
    sid: "Roles",
    types: ["aws_iam_role", "aws_iam_role_policy"],
    reads: [
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies",
      "iam:ListInstanceProfilesForRole",
      "iam:ListRolePolicies",
      "iam:ListRoleTags",
    ],
    // Those of which IAM can't ask the boundary: they give a role no right (Service Authorization Reference, "Actions
    // defined by AWS Identity and Access Management (IAM)", condition keys).
    writes: [
      "iam:DeleteRole",
      "iam:TagRole",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
      "iam:UpdateRoleDescription",
    ],
    on: ({ named }) => named("iam", "role/", { global: true }),
    more: ({ boundary, named, roleServices }): readonly Statement[] => [
      ...(boundary === undefined
        ? []
        : [
            {
              // Of a role without it only the boundary itself can be set: so one comes under it that was made before
              // there was a boundary.
              sid: "BoundedRoles",
              actions: [
                "iam:CreateRole",
                "iam:DeleteRolePolicy",
                "iam:PutRolePermissionsBoundary",
                "iam:PutRolePolicy",
              ],
              resources: named("iam", "role/", { global: true }),
              conditions: withBoundary(boundary),
            },
          ]),
      ...(roleServices.length === 0
        ? []
        : [
            {
              sid: "PassRoles",
              actions: ["iam:PassRole"],
              resources: named("iam", "role/", { global: true }),
              conditions: { StringEquals: { "iam:PassedToService": roleServices } },
            },
          ]),
    ],
  },
  {
    sid: "Policies",
    types: ["aws_iam_policy"],
    reads: ["iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyTags", "iam:ListPolicyVersions"],
    writes: [
      "iam:CreatePolicy",
      "iam:CreatePolicyVersion",
      "iam:DeletePolicy",
      "iam:DeletePolicyVersion",
      "iam:TagPolicy",
      "iam:UntagPolicy",
    ],
    on: ({ named }) => named("iam", "policy/", { global: true }),
  },
  {
    sid: "PolicyAttachments",
    types: ["aws_iam_role_policy_attachment"],
    reads: ["iam:ListAttachedRolePolicies"],
    on: ({ named }) => named("iam", "role/", { global: true }),
    // The stack's own policies, and none that AWS manages.
    more: ({ boundary, named }) =>
      boundary === undefined
        ? []
        : [
            {
              sid: "AttachOwnPolicies",
              actions: ["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
              resources: named("iam", "role/", { global: true }),
              conditions: {
                ...withBoundary(boundary),
                ArnLike: { "iam:PolicyARN": named("iam", "policy/", { global: true }) },
              },
            },
          ],
  },
  {
    sid: "Keys",
    types: ["aws_kms_key"],
    reads: ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"],
    writes: [
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:EnableKeyRotation",
      "kms:PutKeyPolicy",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ],
    on: ({ arn }) => [arn("kms", "key/*")],
    conditions: ownTag,
    more: ({ arn, stack }): readonly Statement[] => [
      {
        sid: "CreateKeys",
        actions: ["kms:CreateKey"],
        resources: ["*"],
        conditions: { StringEquals: { "aws:RequestTag/Stack": stack } },
      },
      {
        // A key gets its tags before it has any. One that has them belongs to somebody, who could lose it to a new tag.
        sid: "TagNewKeys",
        actions: ["kms:TagResource"],
        resources: [arn("kms", "key/*")],
        conditions: {
          StringEquals: { "aws:RequestTag/Stack": stack },
          Null: { "aws:ResourceTag/Stack": "true" },
        },
      },
      {
        // Services go on using a key by a grant of whoever makes their resource.
        sid: "GrantKeys",
        actions: ["kms:CreateGrant"],
        resources: [arn("kms", "key/*")],
        conditions: {
          StringEquals: { "aws:ResourceTag/Stack": stack },
          Bool: { "kms:GrantIsForAWSResource": "true" },
        },
      },
    ],
  },
  {
    sid: "KeyAliases",
    types: ["aws_kms_alias"],
    writes: ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"],
    on: ({ named }) => named("kms", "alias/"),
    readsAnywhere: ["kms:ListAliases"],
  },
  {
    sid: "Buckets",
    types: [
      "aws_s3_bucket",
      "aws_s3_bucket_lifecycle_configuration",
      "aws_s3_bucket_logging",
      "aws_s3_bucket_ownership_controls",
      "aws_s3_bucket_policy",
      "aws_s3_bucket_public_access_block",
      "aws_s3_bucket_server_side_encryption_configuration",
      "aws_s3_bucket_versioning",
    ],
    reads: [
      "s3:GetAccelerateConfiguration",
      "s3:GetBucketAcl",
      "s3:GetBucketCORS",
      "s3:GetBucketLocation",
      "s3:GetBucketLogging",
      "s3:GetBucketObjectLockConfiguration",
      "s3:GetBucketOwnershipControls",
      "s3:GetBucketPolicy",
      "s3:GetBucketPublicAccessBlock",
      "s3:GetBucketRequestPayment",
      "s3:GetBucketTagging",
      "s3:GetBucketVersioning",
      "s3:GetBucketWebsite",
      "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration",
      "s3:ListBucket",
      "s3:ListTagsForResource",
    ],
    writes: [
      "s3:CreateBucket",
      "s3:DeleteBucketPolicy",
      "s3:PutBucketLogging",
      "s3:PutBucketOwnershipControls",
      "s3:PutBucketPolicy",
      "s3:PutBucketPublicAccessBlock",
      "s3:PutBucketTagging",
      "s3:PutBucketVersioning",
      "s3:PutEncryptionConfiguration",
      "s3:PutLifecycleConfiguration",
      "s3:TagResource",
      "s3:UntagResource",
    ],
    on: ({ partition, names }) => names.map((name) => `arn:${partition}:s3:::${name}`),
  },
  {
    sid: "Objects",
    types: ["aws_s3_object"],
    reads: ["s3:GetObject", "s3:GetObjectTagging"],
    writes: [
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
      "s3:PutObject",
      "s3:PutObjectTagging",
      "s3:ListBucketVersions",
    ],
    on: ({ partition, names }) => names.map((name) => `arn:${partition}:s3:::${name}`),
    more: (scope) => [useKey(scope, "EncryptObjects", "s3")],
  },
  {
    sid: "LookUpObjects",
    types: ["data.aws_s3_object"],
    // The content is asked for by the version that the object had when it was looked at.
    reads: ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion"],
    on: ({ lookedUp }) => lookedUp?.objects ?? [],
  },
  {
    sid: "DecryptLookedUpObjects",
    types: ["data.aws_s3_object"],
    reads: ["kms:Decrypt"],
    on: ({ arn, lookedUp }) => (lookedUp ? [arn("kms", "key/*")] : []),
    conditions: ({ lookedUp, region }) => ({
      StringEquals: {
        "aws:ResourceTag/Stack": lookedUp?.keyStack ?? "",
        "kms:ViaService": `s3.${region}.amazonaws.com`,
      },
    }),
  },
  {
    sid: "LogGroups",
    types: ["aws_cloudwatch_log_group", "aws_cloudwatch_log_metric_filter"],
    reads: ["logs:DescribeMetricFilters", "logs:ListTagsForResource"],
    writes: [
      "logs:AssociateKmsKey",
      "logs:CreateLogGroup",
      "logs:DeleteLogGroup",
      "logs:DeleteMetricFilter",
      "logs:DeleteRetentionPolicy",
      "logs:DisassociateKmsKey",
      "logs:PutMetricFilter",
      "logs:PutRetentionPolicy",
      "logs:TagResource",
      "logs:UntagResource",
    ],
    // Behind a folder or a word of the service that writes.
    on: ({ named }) => named("logs", "log-group:*"),
    readsAnywhere: ["logs:DescribeLogGroups"],
  },
  {
    sid: "AccessLogs",
    types: [
      "aws_cloudwatch_log_delivery",
      "aws_cloudwatch_log_delivery_destination",
      "aws_cloudwatch_log_delivery_source",
    ],
    reads: ["logs:GetDelivery", "logs:GetDeliveryDestination", "logs:GetDeliverySource", "logs:ListTagsForResource"],
    writes: [
      "logs:CreateDelivery",
      "logs:DeleteDelivery",
      "logs:DeleteDeliveryDestination",
      "logs:DeleteDeliverySource",
      "logs:PutDeliveryDestination",
      "logs:PutDeliverySource",
      "logs:TagResource",
      "logs:UntagResource",
      "logs:UpdateDeliveryConfiguration",
    ],
    // CloudFront takes part in us-east-1 alone; a delivery's ARN has a number.
    on: ({ account, partition, names }) =>
      [...names.flatMap((name) => [`delivery-source:${name}`, `delivery-destination:${name}`]), "delivery:*"].map(
        (resource) => `arn:${partition}:logs:us-east-1:${account}:${resource}`,
      ),
    more: ({ arn }) => [
      {
        sid: "DeliverAccessLogs",
        actions: ["cloudfront:AllowVendedLogDeliveryForResource"],
        resources: [arn("cloudfront", "distribution/*", { global: true })],
      },
    ],
  },
  {
    sid: "Alarms",
    types: ["aws_cloudwatch_metric_alarm"],
    reads: ["cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"],
    writes: [
      "cloudwatch:DeleteAlarms",
      "cloudwatch:PutMetricAlarm",
      "cloudwatch:TagResource",
      "cloudwatch:UntagResource",
    ],
    on: ({ named }) => named("cloudwatch", "alarm:"),
  },
  {
    sid: "Topics",
    types: ["aws_sns_topic", "aws_sns_topic_policy", "aws_sns_topic_subscription"],
    reads: [
      "sns:GetSubscriptionAttributes",
      "sns:GetTopicAttributes",
      "sns:ListSubscriptionsByTopic",
      "sns:ListTagsForResource",
    ],
    writes: [
      "sns:CreateTopic",
      "sns:DeleteTopic",
      "sns:SetSubscriptionAttributes",
      "sns:SetTopicAttributes",
      "sns:Subscribe",
      "sns:TagResource",
      "sns:Unsubscribe",
      "sns:UntagResource",
    ],
    on: ({ named }) => named("sns", ""),
  },
  {
    sid: "EventRules",
    types: ["aws_cloudwatch_event_rule", "aws_cloudwatch_event_target"],
    reads: ["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"],
    writes: [
      "events:DeleteRule",
      "events:PutRule",
      "events:PutTargets",
      "events:RemoveTargets",
      "events:TagResource",
      "events:UntagResource",
    ],
    on: ({ named }) => named("events", "rule/"),
  },
  {
    sid: "Functions",
    types: ["aws_lambda_function", "aws_lambda_permission"],
    reads: [
      "lambda:GetFunction",
      "lambda:GetFunctionCodeSigningConfig",
      "lambda:GetFunctionConcurrency",
      "lambda:GetFunctionConfiguration",
      "lambda:GetPolicy",
      "lambda:ListTags",
      "lambda:ListVersionsByFunction",
    ],
    writes: [
      "lambda:AddPermission",
      "lambda:CreateFunction",
      "lambda:DeleteFunction",
      "lambda:DeleteFunctionConcurrency",
      "lambda:PutFunctionConcurrency",
      "lambda:RemovePermission",
      "lambda:TagResource",
      "lambda:UntagResource",
      "lambda:UpdateFunctionCode",
      "lambda:UpdateFunctionConfiguration",
    ],
    on: ({ named }) => named("lambda", "function:"),
  },
  {
    sid: "EventSources",
    types: ["aws_lambda_event_source_mapping"],
    // Its ARN has a number; the function for which it is stands in the request (Service Authorization Reference,
    // "Actions defined by AWS Lambda").
    reads: ["lambda:GetEventSourceMapping", "lambda:ListTags"],
    writes: [
      "lambda:DeleteEventSourceMapping",
      "lambda:TagResource",
      "lambda:UntagResource",
      "lambda:UpdateEventSourceMapping",
    ],
    on: ({ arn }) => [arn("lambda", "event-source-mapping:*")],
    readsAnywhere: ["lambda:ListEventSourceMappings"],
    more: ({ named }) => [
      {
        sid: "CreateEventSources",
        actions: ["lambda:CreateEventSourceMapping"],
        resources: ["*"],
        conditions: { ArnLike: { "lambda:FunctionArn": named("lambda", "function:") } },
      },
    ],
  },
  {
    sid: "Queues",
    types: ["aws_sqs_queue", "aws_sqs_queue_policy"],
    reads: ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"],
    writes: ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"],
    on: ({ named }) => named("sqs", ""),
  },
  {
    sid: "Mail",
    types: ["aws_sesv2_configuration_set", "aws_sesv2_configuration_set_event_destination"],
    reads: ["ses:GetConfigurationSet", "ses:GetConfigurationSetEventDestinations", "ses:ListTagsForResource"],
    writes: [
      "ses:CreateConfigurationSet",
      "ses:CreateConfigurationSetEventDestination",
      "ses:DeleteConfigurationSet",
      "ses:DeleteConfigurationSetEventDestination",
      "ses:PutConfigurationSetDeliveryOptions",
      "ses:PutConfigurationSetReputationOptions",
      "ses:PutConfigurationSetSendingOptions",
      "ses:PutConfigurationSetSuppressionOptions",
      "ses:PutConfigurationSetTrackingOptions",
      "ses:PutConfigurationSetVdmOptions",
      "ses:TagResource",
      "ses:UntagResource",
      "ses:UpdateConfigurationSetEventDestination",
    ],
    on: ({ named }) => named("ses", "configuration-set/"),
  },
  {
    sid: "MailIdentities",
    types: ["aws_sesv2_email_identity"],
    reads: ["ses:GetEmailIdentity", "ses:ListTagsForResource"],
    writes: [
      "ses:CreateEmailIdentity",
      "ses:DeleteEmailIdentity",
      "ses:PutEmailIdentityConfigurationSetAttributes",
      "ses:PutEmailIdentityDkimSigningAttributes",
      "ses:TagResource",
      "ses:UntagResource",
    ],
    on: ({ arn, mailIdentities = [] }) => mailIdentities.map((name) => arn("ses", `identity/${name}`)),
    conditions: ownTagOrNone,
    more: ({ arn, stack }) => [
      {
        // From which the settings no longer mail.
        sid: "RemovedMailIdentities",
        actions: ["ses:DeleteEmailIdentity", "ses:GetEmailIdentity", "ses:ListTagsForResource"],
        resources: [arn("ses", "identity/*")],
        conditions: { StringEquals: { "aws:ResourceTag/Stack": stack } },
      },
    ],
  },
  {
    sid: "StateMachines",
    types: ["aws_sfn_state_machine"],
    reads: ["states:DescribeStateMachine", "states:ListStateMachineVersions", "states:ListTagsForResource"],
    writes: [
      "states:CreateStateMachine",
      "states:DeleteStateMachine",
      "states:TagResource",
      "states:UntagResource",
      "states:UpdateStateMachine",
    ],
    on: ({ named }) => named("states", "stateMachine:"),
    readsAnywhere: ["states:ValidateStateMachineDefinition"],
    writesAnywhere: logDelivery,
  },
  {
    sid: "FeatureStore",
    types: ["aws_sagemaker_feature_group"],
    reads: ["sagemaker:DescribeFeatureGroup", "sagemaker:ListTags"],
    writes: [
      "sagemaker:AddTags",
      "sagemaker:CreateFeatureGroup",
      "sagemaker:DeleteTags",
      "sagemaker:UpdateFeatureGroup",
    ],
    on: ({ named }) => named("sagemaker", "feature-group/"),
    more: ({ arn }) => [
      {
        // The table of the offline store, under a name of SageMaker's own, is made with the rights of whoever makes the
        // group (AWS managed policy AmazonSageMakerFullAccess, its statements for Glue).
        sid: "OfflineStoreTables",
        actions: ["glue:CreateDatabase", "glue:CreateTable", "glue:GetDatabase", "glue:GetTable"],
        resources: ["catalog", "database/sagemaker_featurestore", "table/sagemaker_featurestore/*"].map((resource) =>
          arn("glue", resource),
        ),
      },
    ],
  },
  {
    sid: "ModelRegistry",
    types: ["aws_sagemaker_model_package_group"],
    reads: ["sagemaker:DescribeModelPackageGroup", "sagemaker:ListTags"],
    writes: ["sagemaker:AddTags", "sagemaker:CreateModelPackageGroup", "sagemaker:DeleteTags"],
    on: ({ named }) => named("sagemaker", "model-package-group/"),
  },
  {
    sid: "Models",
    types: ["aws_sagemaker_model"],
    reads: ["sagemaker:DescribeModel", "sagemaker:ListTags"],
    writes: ["sagemaker:AddTags", "sagemaker:CreateModel", "sagemaker:DeleteModel", "sagemaker:DeleteTags"],
    // The provider names a model without a name by itself.
    on: ({ arn, named }) => [...named("sagemaker", "model/"), arn("sagemaker", "model/terraform-*")],
    more: ({ arn, prefix }) => [
      {
        sid: "ServePackages",
        actions: ["sagemaker:DescribeModelPackage"],
        resources: [arn("sagemaker", `model-package/${prefix}*`)],
      },
    ],
  },
  {
    sid: "Endpoints",
    types: ["aws_sagemaker_endpoint", "aws_sagemaker_endpoint_configuration"],
    reads: ["sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:ListTags"],
    writes: [
      "sagemaker:AddTags",
      "sagemaker:CreateEndpoint",
      "sagemaker:CreateEndpointConfig",
      "sagemaker:DeleteEndpoint",
      "sagemaker:DeleteEndpointConfig",
      "sagemaker:DeleteTags",
      "sagemaker:UpdateEndpoint",
      "sagemaker:UpdateEndpointWeightsAndCapacities",
    ],
    on: ({ named }) => [...named("sagemaker", "endpoint/"), ...named("sagemaker", "endpoint-config/")],
  },
  {
    sid: "Scaling",
    types: ["aws_appautoscaling_policy", "aws_appautoscaling_target"],
    reads: ["application-autoscaling:ListTagsForResource"],
    readsAnywhere: [
      "application-autoscaling:DescribeScalableTargets",
      "application-autoscaling:DescribeScalingPolicies",
    ],
    writes: [
      "application-autoscaling:DeleteScalingPolicy",
      "application-autoscaling:DeregisterScalableTarget",
      "application-autoscaling:PutScalingPolicy",
      "application-autoscaling:RegisterScalableTarget",
      "application-autoscaling:TagResource",
      "application-autoscaling:UntagResource",
    ],
    // AWS names a target by a number.
    on: ({ arn }) => [arn("application-autoscaling", "scalable-target/*")],
    // Tags come without it.
    conditions: () => ({ StringEqualsIfExists: { "application-autoscaling:service-namespace": "sagemaker" } }),
    more: ({ arn }) => [
      {
        sid: "ScalingServiceRole",
        actions: ["iam:CreateServiceLinkedRole"],
        resources: [
          arn(
            "iam",
            "role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
            { global: true },
          ),
        ],
        conditions: { StringEquals: { "iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com" } },
      },
    ],
  },
  {
    sid: "Monitoring",
    types: ["aws_sagemaker_data_quality_job_definition", "aws_sagemaker_monitoring_schedule"],
    reads: ["sagemaker:DescribeDataQualityJobDefinition", "sagemaker:DescribeMonitoringSchedule", "sagemaker:ListTags"],
    writes: [
      "sagemaker:AddTags",
      "sagemaker:CreateDataQualityJobDefinition",
      "sagemaker:CreateMonitoringSchedule",
      "sagemaker:DeleteDataQualityJobDefinition",
      "sagemaker:DeleteMonitoringSchedule",
      "sagemaker:DeleteTags",
      "sagemaker:UpdateMonitoringSchedule",
    ],
    // The provider names a definition without a name by itself.
    on: ({ arn, named }) => [
      ...named("sagemaker", "monitoring-schedule/"),
      arn("sagemaker", "data-quality-job-definition/terraform-*"),
    ],
  },
  {
    sid: "Tables",
    types: ["aws_dynamodb_table"],
    reads: [
      "dynamodb:DescribeContinuousBackups",
      "dynamodb:DescribeTable",
      "dynamodb:DescribeTimeToLive",
      "dynamodb:ListTagsOfResource",
    ],
    writes: [
      "dynamodb:CreateTable",
      "dynamodb:TagResource",
      "dynamodb:UntagResource",
      "dynamodb:UpdateContinuousBackups",
      "dynamodb:UpdateTable",
      "dynamodb:UpdateTimeToLive",
    ],
    on: ({ named }) => named("dynamodb", "table/"),
    // DynamoDB Developer Guide, "Authorizing use of a customer managed key": whoever makes the table needs them.
    more: (scope) => [useKey(scope, "EncryptTables", "dynamodb")],
  },
  {
    sid: "Workgroups",
    types: ["aws_athena_workgroup"],
    reads: ["athena:GetWorkGroup", "athena:ListTagsForResource"],
    writes: [
      "athena:CreateWorkGroup",
      "athena:DeleteWorkGroup",
      "athena:TagResource",
      "athena:UntagResource",
      "athena:UpdateWorkGroup",
    ],
    on: ({ named }) => named("athena", "workgroup/"),
  },
  {
    sid: "Repositories",
    types: ["aws_ecr_lifecycle_policy", "aws_ecr_repository"],
    reads: ["ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"],
    writes: [
      "ecr:CreateRepository",
      "ecr:DeleteLifecyclePolicy",
      "ecr:PutImageScanningConfiguration",
      "ecr:PutImageTagMutability",
      "ecr:PutLifecyclePolicy",
      "ecr:TagResource",
      "ecr:UntagResource",
    ],
    on: ({ named }) => named("ecr", "repository/"),
    // ECR User Guide, "Encryption at rest", required IAM permissions: ECR takes a grant on the key that AWS manages for
    // it.
    more: ({ arn, region }) => [
      {
        sid: "EncryptRepositories",
        actions: ["kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"],
        resources: [arn("kms", "key/*")],
        conditions: { StringEquals: { "kms:ViaService": `ecr.${region}.amazonaws.com` } },
      },
    ],
  },
  {
    sid: "Images",
    types: ["docker_image", "docker_registry_image", "data.aws_ecr_authorization_token"],
    reads: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"],
    writes: ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"],
    on: ({ named }) => named("ecr", "repository/"),
    readsAnywhere: ["ecr:GetAuthorizationToken"],
  },
  {
    sid: "Apis",
    types: ["aws_apigatewayv2_api", "aws_apigatewayv2_integration", "aws_apigatewayv2_route", "aws_apigatewayv2_stage"],
    reads: ["apigateway:GET"],
    writes: ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT", "apigateway:TagResource"],
    // An API's ARN has a number that nobody knows beforehand, and no account.
    on: ({ partition, region }) =>
      ["/apis", "/apis/*", "/tags/*"].map((path) => `arn:${partition}:apigateway:${region}::${path}`),
    conditions: ownTagOrNone,
    writesAnywhere: logDelivery,
  },
  {
    sid: "Distributions",
    types: ["aws_cloudfront_distribution"],
    reads: ["cloudfront:GetDistribution", "cloudfront:GetDistributionConfig", "cloudfront:ListTagsForResource"],
    writes: [
      "cloudfront:CreateDistribution",
      "cloudfront:DeleteDistribution",
      "cloudfront:TagResource",
      "cloudfront:UntagResource",
      "cloudfront:UpdateDistribution",
    ],
    on: ({ arn }) => [arn("cloudfront", "distribution/*", { global: true })],
    conditions: ownTagOrNone,
  },
  {
    sid: "DistributionPolicies",
    types: ["aws_cloudfront_origin_access_control", "aws_cloudfront_response_headers_policy"],
    reads: ["cloudfront:GetOriginAccessControl", "cloudfront:GetResponseHeadersPolicy"],
    writes: [
      "cloudfront:CreateOriginAccessControl",
      "cloudfront:CreateResponseHeadersPolicy",
      "cloudfront:DeleteOriginAccessControl",
      "cloudfront:DeleteResponseHeadersPolicy",
      "cloudfront:UpdateOriginAccessControl",
      "cloudfront:UpdateResponseHeadersPolicy",
    ],
    // Their ARNs have numbers, and neither bears tags.
    on: ({ arn }) => [
      arn("cloudfront", "origin-access-control/*", { global: true }),
      arn("cloudfront", "response-headers-policy/*", { global: true }),
    ],
  },
  {
    sid: "Firewalls",
    types: ["aws_wafv2_web_acl", "aws_wafv2_web_acl_logging_configuration"],
    reads: ["wafv2:GetLoggingConfiguration", "wafv2:GetWebACL", "wafv2:ListTagsForResource"],
    writes: [
      "wafv2:CreateWebACL",
      "wafv2:DeleteLoggingConfiguration",
      "wafv2:DeleteWebACL",
      "wafv2:PutLoggingConfiguration",
      "wafv2:TagResource",
      "wafv2:UntagResource",
      "wafv2:UpdateWebACL",
    ],
    // Those for CloudFront are global, and stand in us-east-1 with the groups of rules that AWS keeps (Service
    // Authorization Reference, "AWS WAF V2").
    on: ({ account, partition, names }) => [
      ...names.map((name) => `arn:${partition}:wafv2:us-east-1:${account}:global/webacl/${name}/*`),
      `arn:${partition}:wafv2:us-east-1:${account}:global/managedruleset/*/*`,
    ],
    readsAnywhere: ["wafv2:ListWebACLs"],
    writesAnywhere: logDelivery,
  },
  {
    // Its logs and their key stand there too.
    sid: "FirewallLogs",
    types: ["aws_wafv2_web_acl"],
    reads: ["logs:ListTagsForResource"],
    writes: [
      "logs:AssociateKmsKey",
      "logs:CreateLogGroup",
      "logs:DeleteLogGroup",
      "logs:DeleteRetentionPolicy",
      "logs:DisassociateKmsKey",
      "logs:PutRetentionPolicy",
      "logs:TagResource",
      "logs:UntagResource",
    ],
    on: ({ account, partition, names }) =>
      names.map((name) => `arn:${partition}:logs:us-east-1:${account}:log-group:aws-waf-logs-${name}`),
  },
  {
    sid: "FirewallKeys",
    types: ["aws_wafv2_web_acl"],
    reads: ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"],
    writes: [
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:EnableKeyRotation",
      "kms:PutKeyPolicy",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ],
    on: ({ account, partition }) => [`arn:${partition}:kms:us-east-1:${account}:key/*`],
    conditions: ownTag,
    more: ({ account, partition, names, stack }): readonly Statement[] => [
      {
        sid: "TagNewFirewallKeys",
        actions: ["kms:TagResource"],
        resources: [`arn:${partition}:kms:us-east-1:${account}:key/*`],
        conditions: {
          StringEquals: { "aws:RequestTag/Stack": stack },
          Null: { "aws:ResourceTag/Stack": "true" },
        },
      },
      {
        sid: "FirewallKeyAliases",
        actions: ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"],
        resources: names.map((name) => `arn:${partition}:kms:us-east-1:${account}:alias/${name}`),
      },
    ],
  },
  {
    sid: "DomainNames",
    types: ["aws_route53_record"],
    reads: ["route53:GetHostedZone", "route53:ListResourceRecordSets"],
    writes: ["route53:ChangeResourceRecordSets"],
    // Records bear no tags: those in a zone that the settings no longer name are for an engineer to remove.
    on: ({ hostedZones = [], partition }) => hostedZones.map((zone) => `arn:${partition}:route53:::hostedzone/${zone}`),
    more: ({ partition }) => [
      // The provider waits until the zone's name servers have it.
      { sid: "DomainNameChanges", actions: ["route53:GetChange"], resources: [`arn:${partition}:route53:::change/*`] },
    ],
  },
  {
    sid: "Network",
    types: [
      "aws_default_network_acl",
      "aws_default_route_table",
      "aws_default_security_group",
      "aws_eip",
      "aws_flow_log",
      "aws_internet_gateway",
      "aws_nat_gateway",
      "aws_network_acl",
      "aws_network_acl_rule",
      "aws_route",
      "aws_route_table",
      "aws_route_table_association",
      "aws_subnet",
      "aws_vpc",
      "aws_vpc_endpoint",
    ],
    readsAnywhere: [
      "ec2:DescribeAddresses",
      "ec2:DescribeAddressesAttribute",
      "ec2:DescribeAvailabilityZones",
      "ec2:DescribeFlowLogs",
      "ec2:DescribeInternetGateways",
      "ec2:DescribeNatGateways",
      "ec2:DescribeNetworkAcls",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribePrefixLists",
      "ec2:DescribeRouteTables",
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcEndpoints",
      "ec2:DescribeVpcs",
    ],
    reads: ["ec2:DescribeVpcAttribute"],
    writes: [
      "ec2:AllocateAddress",
      "ec2:AssociateRouteTable",
      "ec2:AttachInternetGateway",
      "ec2:CreateFlowLogs",
      "ec2:CreateInternetGateway",
      "ec2:CreateNatGateway",
      "ec2:CreateNetworkAcl",
      "ec2:CreateNetworkAclEntry",
      "ec2:CreateRoute",
      "ec2:CreateRouteTable",
      "ec2:CreateSubnet",
      "ec2:CreateTags",
      "ec2:CreateVpc",
      "ec2:CreateVpcEndpoint",
      "ec2:DeleteFlowLogs",
      "ec2:DeleteInternetGateway",
      "ec2:DeleteNatGateway",
      "ec2:DeleteNetworkAcl",
      "ec2:DeleteNetworkAclEntry",
      "ec2:DeleteRoute",
      "ec2:DeleteRouteTable",
      "ec2:DeleteSubnet",
      "ec2:DeleteTags",
      "ec2:DeleteVpc",
      "ec2:DeleteVpcEndpoints",
      "ec2:DetachInternetGateway",
      "ec2:DisassociateAddress",
      "ec2:DisassociateRouteTable",
      "ec2:ModifySubnetAttribute",
      "ec2:ModifyVpcAttribute",
      "ec2:ModifyVpcEndpoint",
      "ec2:ReleaseAddress",
      "ec2:ReplaceNetworkAclAssociation",
      "ec2:ReplaceRoute",
      "ec2:ReplaceRouteTableAssociation",
    ],
    on: inVpc(
      "elastic-ip",
      "internet-gateway",
      "natgateway",
      "network-acl",
      "route-table",
      "security-group",
      "subnet",
      "vpc",
      "vpc-endpoint",
      "vpc-flow-log",
    ),
    conditions: ownTagOrNone,
    // A flow log writes by a delivery of CloudWatch Logs.
    writesAnywhere: ["logs:CreateLogDelivery", "logs:DeleteLogDelivery"],
    more: ({ partition }) => [
      {
        // The private names of an endpoint are a hosted zone of AWS's (service authorization reference of EC2,
        // dependent actions of CreateVpcEndpoint).
        sid: "PrivateNames",
        actions: ["route53:AssociateVPCWithHostedZone"],
        resources: [`arn:${partition}:route53:::hostedzone/*`],
      },
    ],
  },
  {
    sid: "SecurityGroups",
    types: [
      "aws_default_security_group",
      "aws_security_group",
      "aws_vpc_security_group_egress_rule",
      "aws_vpc_security_group_ingress_rule",
    ],
    readsAnywhere: ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"],
    writes: [
      "ec2:AuthorizeSecurityGroupEgress",
      "ec2:AuthorizeSecurityGroupIngress",
      "ec2:CreateSecurityGroup",
      "ec2:CreateTags",
      "ec2:DeleteSecurityGroup",
      "ec2:DeleteTags",
      "ec2:ModifySecurityGroupRules",
      "ec2:RevokeSecurityGroupEgress",
      "ec2:RevokeSecurityGroupIngress",
    ],
    on: inVpc("security-group", "security-group-rule"),
    conditions: ownTagOrNone,
    more: ({ arn }) => [
      // Every group stands in the network's VPC, which bears the network's tag.
      { sid: "GroupsInVpc", actions: ["ec2:CreateSecurityGroup"], resources: [arn("ec2", "vpc/*")] },
    ],
  },
  {
    sid: "Airflow",
    types: ["aws_mwaa_environment"],
    reads: ["airflow:GetEnvironment", "airflow:ListTagsForResource"],
    writes: ["airflow:CreateEnvironment", "airflow:TagResource", "airflow:UntagResource", "airflow:UpdateEnvironment"],
    on: ({ named }) => named("airflow", "environment/"),
    readsAnywhere: ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"],
    // MWAA User Guide, "Accessing an Amazon MWAA environment": what it does on behalf of whoever creates an
    // environment.
    more: (scope) => [
      {
        sid: "AirflowEndpoints",
        actions: ["ec2:CreateVpcEndpoint"],
        resources: inVpc("security-group", "subnet", "vpc", "vpc-endpoint")(scope),
      },
      {
        sid: "AirflowServiceRole",
        actions: ["iam:CreateServiceLinkedRole"],
        resources: [
          scope.arn("iam", "role/aws-service-role/airflow.amazonaws.com/AWSServiceRoleForAmazonMWAA", { global: true }),
        ],
        conditions: { StringEquals: { "iam:AWSServiceName": "airflow.amazonaws.com" } },
      },
      useKey(scope, "EncryptAirflow", "airflow"),
      {
        // MWAA User Guide, "Using customer managed keys for encryption": it goes on using the key by grants of whoever
        // creates the environment.
        sid: "GrantAirflowKey",
        actions: ["kms:CreateGrant", "kms:DescribeKey"],
        resources: [scope.arn("kms", "key/*")],
        conditions: {
          StringEquals: {
            "aws:ResourceTag/Stack": scope.keyStack,
            "kms:ViaService": `airflow.${scope.region}.amazonaws.com`,
          },
        },
      },
    ],
  },
  {
    sid: "Builds",
    types: ["aws_codebuild_project"],
    reads: ["codebuild:BatchGetProjects"],
    writes: ["codebuild:CreateProject", "codebuild:DeleteProject", "codebuild:UpdateProject"],
    on: ({ named }) => named("codebuild", "project/"),
  },
  {
    sid: "Pipelines",
    types: ["aws_codepipeline"],
    reads: ["codepipeline:GetPipeline", "codepipeline:ListTagsForResource"],
    writes: [
      "codepipeline:CreatePipeline",
      "codepipeline:DeletePipeline",
      "codepipeline:TagResource",
      "codepipeline:UntagResource",
      "codepipeline:UpdatePipeline",
    ],
    on: ({ named }) => named("codepipeline", ""),
  },
];

const unique = (values: readonly string[]): readonly string[] => [...new Set(values)].sort();

function statementsFor(types: readonly string[], scope: DeployScope, write: boolean): readonly Statement[] {
  const { account, region, partition = "aws", names } = scope;
  const known = new Set(table.flatMap((row) => row.types));
  const unknown = types.filter((type) => !known.has(type));
  if (unknown.length > 0) {
    throw new Error(
      `Nobody knows what deploying ${unknown.join(", ")} of the stack ${scope.stack} takes: ` +
        "add the type to the table of modules/pipeline/deploy-permissions.ts, with the calls that Terraform's provider makes for it.",
    );
  }
  const arn: Resolved["arn"] = (service, resource, { global = false } = {}) =>
    `arn:${partition}:${service}:${global ? "" : region}:${account}:${resource}`;
  const resolved: Resolved = {
    ...scope,
    partition,
    arn,
    named: (service, prefix, options) => names.map((name) => arn(service, `${prefix}${name}`, options)),
  };
  const rows = table.filter((row) => row.types.some((type) => types.includes(type)));
  const anywhere = unique(
    rows.flatMap(({ readsAnywhere = [], writesAnywhere = [] }) => [...readsAnywhere, ...(write ? writesAnywhere : [])]),
  );
  return [
    ...rows.flatMap(({ sid, reads = [], writes = [], on, conditions, more }) => {
      const actions = [...reads, ...(write ? writes : [])];
      const resources = on?.(resolved) ?? [];
      return [
        ...(actions.length > 0 && resources.length > 0
          ? [{ sid, actions, resources, ...(conditions ? { conditions: conditions(resolved) } : {}) }]
          : []),
        ...(write ? (more?.(resolved) ?? []) : []),
      ];
    }),
    ...(anywhere.length > 0 ? [{ sid: "WithoutResource", actions: anywhere, resources: ["*"] }] : []),
  ];
}

/**
 * The statements with which Terraform creates, changes and deletes a stack's resources.
 * @param types Terraform's types of the stack's resources and, with `data.` before, of its data sources
 * @throws Error that names the types which the table doesn't know
 */
export function deployStatements(types: readonly string[], scope: DeployScope): readonly Statement[] {
  return statementsFor(types, scope, true);
}

/**
 * The statements with which Terraform plans a stack: it looks at its resources, and changes nothing.
 * @throws Error that names the types which the table doesn't know
 */
export function planStatements(types: readonly string[], scope: DeployScope): readonly Statement[] {
  return statementsFor(types, scope, false);
}

/** The length of a managed policy, and how many a role can hold (IAM User Guide, "IAM and AWS STS quotas"). */
const policyLimits = { characters: managedPolicyCharacters, policies: 10 } as const;

/**
 * Distributes statements over as few policies as IAM's limit on the length of one allows, in their order.
 * @throws Error when one statement alone is too long, or when a role can't hold as many policies
 */
export function distribute(role: string, statements: readonly Statement[]): readonly (readonly Statement[])[] {
  const policies: Statement[][] = [];
  for (const statement of statements) {
    const last = policies.at(-1);
    if (last && policyDocument([...last, statement]).length <= policyLimits.characters) {
      last.push(statement);
      continue;
    }
    const { length } = policyDocument([statement]);
    if (length > policyLimits.characters) {
      throw new Error(
        `The statement ${statement.sid} of the role ${role} has ${length} characters; a policy takes ${policyLimits.characters}. ` +
          "Divide its row in modules/pipeline/deploy-permissions.ts.",
      );
    }
    policies.push([statement]);
  }
  if (policies.length > policyLimits.policies) {
    throw new Error(
      `The role ${role} needs ${policies.length} policies; IAM attaches ${policyLimits.policies}. Divide the stack that it deploys.`,
    );
  }
  return policies;
}
