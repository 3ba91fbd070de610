/**
 * The most that the roles of a platform can do: the statements of its two permissions boundaries (IAM User Guide,
 * "Delegating responsibility to others using permissions boundaries"). One is for everything that runs on the platform.
 * The other is for the pipeline, which makes those roles and gives them their boundary.
 *
 * A role's own policy names actions and resources; a boundary names services and name prefixes. An engineer deploys
 * boundaries by hand, and a change of a role must not wait for that. A denial in a boundary wins over every policy that
 * allows.
 */
import { awsServices } from "../aws-services";
import { words } from "../aws-services/permissions";
import type { Conditions, Statement } from "../modules/policy";
import { keepsOwnState, type PlatformStack, stateBucketName } from "./platform";

/** The services whose ARNs contain resource names. IAM, KMS and S3 have statements of their own below. */
const namedServices = awsServices.namedServices.filter((service) => !["iam", "kms", "s3"].includes(service));

/** The EC2 resource kinds of the network. Instances are not among them. */
const networkKinds = [
  "*gateway",
  "elastic-ip",
  "network-acl",
  "network-interface",
  "route-table",
  "security-group*",
  "subnet",
  "vpc*",
];

/** The actions for log delivery by other services. They take no resource. */
const logDelivery = ["logs:*LogDeliver*", "logs:*ResourcePolic*", "logs:DescribeLogGroups"];

/** The deployment actions that take no resource. Long lists are patterns, because a boundary's size is limited. */
const withoutResource = [
  ...new Set([
    ...logDelivery,
    ...awsServices.actionsWithoutResources
      .filter((action) => !action.startsWith("logs:"))
      .map((action) => action.replace(/^(application-autoscaling|ec2):Describe.*/, "$1:Describe*")),
  ]),
].sort();

/** No role of the platform needs these actions, and each would be a way out of the account or the boundary. */
const foreignServices = ["account:*", "cloudtrail:*", "organizations:*", "sts:AssumeRole"];

/**
 * Actions that delete what cannot be made again: only people may do that. Types that only engineers deploy are left
 * out, because the boundary allows nothing on them.
 */
const losses = awsServices.records
  .flatMap(([, { permissions, holds }]) => (permissions === "engineers" ? [] : (holds?.lostBy ?? [])))
  .sort();

const tagged = (key: string, value: string | readonly string[]): Conditions => ({
  StringEquals: { [`aws:ResourceTag/${key}`]: value },
});

/** The environment's ARNs that both boundaries need. */
class Places {
  constructor(private readonly stack: PlatformStack) {}

  /** The resources of a service whose names start with the prefix of the environment, after `prefix`. */
  own(service: string, prefix = ""): string {
    return this.stack.arn(service, `${prefix}${this.stack.namePrefix}*`);
  }

  /** Resources in any region: CloudFront's are in us-east-1, and a shorter pattern leaves room for other statements. */
  any(service: string, resource: string): string {
    return this.stack.arn(service, resource, { region: "*" });
  }

  global(service: string, resource: string): string {
    return this.stack.arn(service, resource);
  }

  bucket(name: string): string {
    return this.stack.bucketArn(name);
  }

  get roles(): string {
    return this.global("iam", `role/${this.stack.namePrefix}*`);
  }

  get keys(): string {
    return this.stack.arn("kms", "key/*");
  }

  get states(): string {
    const { account, region } = this.stack.environment;
    return this.bucket(stateBucketName(account, region));
  }

  /** The buckets with the trail's records and with the access logs of those (stacks/governance.ts). */
  get records(): string {
    return this.bucket(this.stack.named("*", "governance"));
  }

  get featureStore(): readonly string[] {
    return ["catalog", "database/sagemaker_featurestore", "table/sagemaker_featurestore/*"].map((resource) =>
      this.stack.arn("glue", resource),
    );
  }
}

/**
 * The most that functions, jobs, endpoints, workflows and Airflow can do: use the resources of their environment, and
 * change only data.
 * @param stack the stack that makes the boundary
 */
export function executionBoundary(stack: PlatformStack): readonly Statement[] {
  const places = new Places(stack);
  const { name } = stack.environment;
  return [
    {
      sid: "UseOwnResources",
      actions: words(`
        airflow:InvokeRestApi airflow:PublishMetrics athena:*Query* cloudwatch:DescribeAlarms
        codepipeline:StartPipelineExecution dynamodb:*Item dynamodb:DescribeStream dynamodb:Get* dynamodb:List*
        dynamodb:Query dynamodb:Scan ecr:Batch* ecr:DescribeImages ecr:GetDownloadUrlForLayer lambda:InvokeFunction logs:CreateLog*
        logs:DescribeLogStreams logs:Get* logs:PutLogEvents s3:AbortMultipartUpload s3:DeleteObject s3:Get* s3:List*
        s3:PutObject* sagemaker:AddTags sagemaker:BatchWriteRecord sagemaker:Create* sagemaker:Describe*
        sagemaker:InvokeEndpoint* sagemaker:List* sagemaker:PutRecord sagemaker:Stop* sns:Publish sqs:*Message*
        sqs:GetQueue* states:StartExecution`),
      resources: [
        places.own("airflow", "environment/"),
        places.own("airflow", "role/"),
        places.own("athena", "workgroup/"),
        places.own("cloudwatch", "alarm:"),
        places.own("codepipeline"),
        places.own("dynamodb", "table/"),
        places.own("ecr", "repository/"),
        places.own("lambda", "function:"),
        // The writing service puts a folder or a word before the name. All SageMaker jobs of an account share log
        // groups.
        places.own("logs", "log-group:*"),
        stack.arn("logs", "log-group:/aws/sagemaker/*"),
        places.bucket(`${stack.namePrefix}*`),
        ...["endpoint/", "experiment*/", "feature-group/", "model-package*/", "processing-job/", "training-job/"].map(
          (kind) => places.own("sagemaker", kind),
        ),
        places.own("sns"),
        places.own("sqs"),
        // Airflow's own queues are in an AWS account (MWAA User Guide, "Amazon MWAA execution role").
        stack.arn("sqs", "airflow-celery-*", { account: "*" }),
        places.own("states", "stateMachine:"),
      ],
    },
    {
      sid: "UseParameters",
      actions: ["ssm:GetParameter*", "ssm:PutParameter"],
      resources: [stack.arn("ssm", `parameter/acme/${name}/*`)],
    },
    {
      sid: "ReadFeatureTables",
      actions: ["glue:BatchGetPartition", "glue:Get*"],
      resources: places.featureStore,
    },
    {
      sid: "UseOwnKeys",
      actions: ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*"],
      resources: [places.keys],
      conditions: tagged("Environment", name),
    },
    {
      sid: "PassOwnRoles",
      actions: ["iam:PassRole"],
      resources: [places.roles],
      conditions: { StringEquals: { "iam:PassedToService": "sagemaker.amazonaws.com" } },
    },
    {
      // Jobs in the VPC create their own network interfaces.
      sid: "UseNetwork",
      actions: ["ec2:CreateNetworkInterface*", "ec2:DeleteNetworkInterface*"],
      resources: ["network-interface", "security-group", "subnet"].map((kind) => stack.arn("ec2", `${kind}/*`)),
    },
    {
      // Step Functions is notified of ended jobs by its own EventBridge rules (Step Functions Developer Guide, "IAM
      // policies for integrated services").
      sid: "HearOfEndedJobs",
      actions: ["events:DescribeRule", "events:PutRule", "events:PutTargets"],
      resources: [stack.arn("events", "rule/StepFunctionsGetEventsFor*")],
    },
    {
      sid: "SendMail",
      actions: ["ses:SendEmail"],
      resources: ["configuration-set/*", "identity/*"].map((resource) => stack.arn("ses", resource)),
    },
    {
      // These actions take no resource.
      sid: "WithoutResource",
      actions: [
        "cloudwatch:PutMetricData",
        "ec2:Describe*",
        "ecr:GetAuthorizationToken",
        ...logDelivery,
        "s3:GetAccountPublicAccessBlock",
        "sagemaker:ListModelPackages",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
      ],
      resources: ["*"],
    },
    {
      sid: "NoOtherRights",
      effect: "Deny",
      // All IAM actions except iam:PassRole, by first letters, because a Deny has no exceptions.
      actions: ["A", "C", "D", "E", "G", "L", "R", "S", "T", "U"]
        .map((letter) => `iam:${letter}*`)
        .concat("iam:Pu*", foreignServices, losses),
      resources: ["*"],
    },
    {
      sid: "NoStatesNoRecords",
      effect: "Deny",
      actions: ["s3:*"],
      resources: [`${places.states}*`, places.records],
    },
    {
      sid: "NothingOfTheStates",
      effect: "Deny",
      actions: ["*"],
      resources: ["*"],
      conditions: tagged("Stack", "state"),
    },
    {
      // No Deny on all actions: the trail's role has this boundary too, and writes to a log group of that stack.
      sid: "NoKeyOfTheRecords",
      effect: "Deny",
      actions: ["kms:*"],
      resources: ["*"],
      conditions: tagged("Stack", "governance"),
    },
  ];
}

/**
 * The most that the pipeline's roles can do: deploy the environment's stacks except `state` and `governance`, and make
 * roles that have a boundary. All of it must fit into one policy, so everything without a condition is in one
 * statement: an action of one service has no effect on resources of another.
 * @param stack the stack that makes the boundary
 */
export function deployBoundary(stack: PlatformStack): readonly Statement[] {
  const places = new Places(stack);
  const { backend, name, pipeline, region, websites } = stack.environment;
  const boundaryArns = [stack.boundaryArn("execution"), stack.boundaryArn("deploy")];
  const source = pipeline?.source;
  const zones = Object.values(websites).flatMap(({ domain }) =>
    domain?.hostedZoneId === undefined ? [] : [stack.arn("route53", `hostedzone/${domain.hostedZoneId}`)],
  );
  return [
    {
      sid: "Deploy",
      actions: [
        ...[...namedServices, "apigateway", "application-autoscaling", "cloudfront", "ec2", "s3"].map(
          (service) => `${service}:*`,
        ),
        ...(source?.type === "codecommit"
          ? ["codecommit:*UploadArchive*", "codecommit:Get*", "codecommit:GitPull"]
          : ["codeconnections", "codestar-connections"].flatMap((service) =>
              ["Pass", "Use"].map((verb) => `${service}:${verb}Connection`),
            )),
        "glue:Create*",
        "glue:Get*",
        "kms:*Alias",
        "route53:AssociateVPCWithHostedZone",
        "route53:Get*",
        "route53:List*",
        "secretsmanager:GetSecretValue",
        "ssm:*",
      ],
      resources: [
        ...namedServices.map((service) => places.any(service, `*${stack.namePrefix}*`)),
        places.bucket(`${stack.namePrefix}*`),
        places.any("kms", `alias/${stack.namePrefix}*`),
        places.any("ssm", `parameter/acme/${name}/*`),
        // The following have generated ids, or names that the provider (models) or SageMaker (feature tables) chooses.
        ...networkKinds.map((kind) => places.any("ec2", `${kind}/*`)),
        ...["/apis*", "/tags/*"].map((path) => stack.arn("apigateway", path, { region: "*" })),
        places.any("application-autoscaling", "scalable-target/*"),
        places.global("cloudfront", "*"),
        ...["catalog", "*/sagemaker_featurestore*"].map((resource) => places.any("glue", resource)),
        places.any("logs", "delivery:*"),
        places.any("lambda", "event-source-mapping:*"),
        ...["change", "hostedzone"].map((kind) => stack.arn("route53", `${kind}/*`)),
        places.any("sagemaker", "*/terraform-*"),
        places.any("ses", "identity/*"),
        places.any("wafv2", "global/managedruleset/*"),
        ...(source === undefined
          ? []
          : [source.type === "codecommit" ? places.any("codecommit", source.repository) : source.connectionArn]),
        ...(backend.type === "cloud"
          ? [places.any("secretsmanager", `secret:${stack.named("terraform-cloud-token", "pipeline")}-*`)]
          : []),
      ],
    },
    ...(zones.length === 0
      ? []
      : [{ sid: "DomainNames", actions: ["route53:ChangeResourceRecordSets"], resources: zones }]),
    {
      sid: "DeployOwnKeys",
      actions: ["kms:*"],
      resources: [places.any("kms", "key/*")],
      conditions: tagged("Environment", name),
    },
    {
      sid: "TagNewKeys",
      actions: ["kms:TagResource"],
      resources: [places.any("kms", "key/*")],
      conditions: { Null: { "aws:ResourceTag/Stack": "true" } },
    },
    {
      sid: "RegistryKey",
      actions: ["kms:*Grant", "kms:DescribeKey"],
      resources: [places.any("kms", "key/*")],
      conditions: { StringEquals: { "kms:ViaService": `ecr.${region}.amazonaws.com` } },
    },
    {
      sid: "WithoutResource",
      actions: withoutResource,
      resources: ["*"],
    },
    {
      // IAM cannot check the boundary for these actions (Service Authorization Reference, "Actions defined by AWS
      // Identity and Access Management (IAM)"). Every role that can be passed has a boundary.
      sid: "KeepRoles",
      actions: words(`
        iam:*agPolicy iam:*agRole iam:CreatePolicy* iam:CreateServiceLinkedRole iam:DeletePolicy* iam:DeleteRole
        iam:Get* iam:List* iam:PassRole iam:Update*Role*`),
      resources: [
        places.roles,
        places.global("iam", `policy/${stack.namePrefix}*`),
        // AWS defines what a service-linked role can do.
        places.global("iam", "role/aws-service-role/*"),
      ],
    },
    {
      sid: "BoundRoles",
      actions: ["iam:*tachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRole*"],
      resources: [places.roles],
      conditions: { StringEquals: { "iam:PermissionsBoundary": boundaryArns } },
    },
    {
      sid: "KeepBoundaries",
      effect: "Deny",
      actions: ["iam:*Policy*"],
      resources: [places.global("iam", `policy/${stack.named("*", "governance")}`)],
    },
    {
      sid: "NoOtherRights",
      effect: "Deny",
      actions: ["iam:DeleteRolePermissionsBoundary", ...foreignServices, ...losses],
      resources: ["*"],
    },
    {
      sid: "KeepRecords",
      effect: "Deny",
      actions: ["s3:*"],
      resources: [places.records],
    },
    {
      // The trail, its key and alarms, the budgets and the boundaries.
      sid: "KeepGovernance",
      effect: "Deny",
      actions: ["*"],
      resources: ["*"],
      conditions: tagged("Stack", "governance"),
    },
    ...(keepsOwnState(stack.environment) ? useOfStates(places, name) : []),
  ];
}

/**
 * The pipeline reads and writes the states of the stacks that it deploys, and no others. It uses the key of the states,
 * and cannot change that key.
 */
function useOfStates({ states }: Places, environment: string): readonly Statement[] {
  return [
    {
      sid: "UseStates",
      actions: ["s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"],
      resources: [states, `${states}/${environment}/*`],
    },
    {
      sid: "KeepStates",
      effect: "Deny",
      actions: ["s3:*"],
      resources: ["governance", "state"].map((stack) => `${states}/${environment}/${stack}.tfstate*`),
    },
    {
      sid: "KeepStateStack",
      effect: "Deny",
      actions: [
        // All actions that change a key, by first letters.
        ...["C*", "Del*", "Dis*", "Ena*", "I*", "P*", "R*", "S*", "T*", "U*"].map((action) => `kms:${action}`),
        ...["AddTags*", "Delete*", "Put*", "RemoveTags*"].map((action) => `ssm:${action}`),
      ],
      resources: ["*"],
      conditions: tagged("Stack", "state"),
    },
  ];
}
