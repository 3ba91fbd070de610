/**
 * The training workflow: a Step Functions state machine, its role, and the role of the SageMaker jobs that it starts.
 *
 *     const workflow = new TrainingWorkflow(this, "training", { name: "acme-local-ml-workflow-training", …, functions: { prepareRun, evaluateResults, registerModel } });
 *     workflow.arn; workflow.logGroupName;
 *
 * `definition.ts` has its states, this file its rights.
 */
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { SfnStateMachine } from "@cdktf/provider-aws/lib/sfn-state-machine";
import { Fn, TerraformLocal } from "cdktf";
import { Construct } from "constructs";

import { ExecutionRole } from "../execution-role";
import { type Place, placeOf } from "../place";
import { readObjects, type Statement, allowKeyUse, writeObjects } from "../policy";
import { type JobNetwork, type JobSettings, trainingWorkflowDefinition } from "./definition";
import { networkStatements } from "./network-permissions";
import { integrationStatements } from "./permissions";

export type { JobNetwork, JobSettings } from "./definition";
export { belowThresholdError } from "./definition";

export interface TrainingWorkflowProps {
  /** Name of the state machine: 1 to 58 letters, digits and hyphens; the prefix of the roles' names. */
  readonly name: string;
  /** Name prefix of every job; the roles can use no other job. */
  readonly jobPrefix: string;
  /** ARNs of the functions behind the Lambda tasks. */
  readonly functions: {
    readonly prepareRun: string;
    readonly evaluateResults: string;
    readonly registerModel: string;
  };
  /** The model image, by digest. */
  readonly imageUri: string;
  /** Name of the image's ECR repository. */
  readonly imageRepository: string;
  readonly featureGroup: string;
  readonly athenaWorkgroup: string;
  /** Name of the data bucket. */
  readonly bucket: string;
  /** Encrypts the data bucket, the jobs' volumes and the workflow's log. */
  readonly encryptionKeyArn: string;
  readonly processing: JobSettings;
  readonly training: JobSettings;
  /** Where the jobs run. @default outside our VPCs, with internet access */
  readonly network?: JobNetwork;
  /** Tags on each job. @default only the run's name */
  readonly jobTags?: Readonly<Record<string, string>>;
  /** One of CloudWatch's retention times. */
  readonly logRetentionDays: number;
}

/** The data bucket's prefixes that the jobs read and write. */
const prefixes = { runs: "runs/", queryResults: "athena/", featureStore: "feature-store/" } as const;

/** The Glue database of every offline store. */
const featureStoreDatabase = "sagemaker_featurestore";

/** The state machine with its roles and its log. */
export class TrainingWorkflow extends Construct {
  readonly arn: string;
  readonly logGroupName: string;
  /** The role of Step Functions. */
  readonly role: ExecutionRole;
  /** The role with which SageMaker runs the jobs. */
  readonly jobRole: ExecutionRole;

  constructor(scope: Construct, id: string, props: TrainingWorkflowProps) {
    super(scope, id);
    if (!/^[A-Za-z0-9-]{1,58}$/.test(props.name)) {
      throw new Error(
        `The state machine name ${JSON.stringify(props.name)} must have 1 to 58 letters, digits and hyphens, because the roles append to it. Shorten or correct it.`,
      );
    }
    const place = placeOf(this);

    this.jobRole = new ExecutionRole(this, "job-role", {
      name: `${props.name}-job`,
      description: `What the processing, training and evaluation jobs of ${props.name} may do`,
      service: "sagemaker.amazonaws.com",
      statements: jobStatements(props, place, this.featureTables(props)),
    });

    // AWS's advice: with a name under /aws/vendedlogs/ the log resource policy, which all state machines of an account
    // share, stays below its size limit.
    const logs = new CloudwatchLogGroup(this, "logs", {
      name: `/aws/vendedlogs/states/${props.name}`,
      retentionInDays: props.logRetentionDays,
      kmsKeyId: props.encryptionKeyArn,
    });

    const definition = trainingWorkflowDefinition({
      functions: props.functions,
      jobRoleArn: this.jobRole.arn,
      imageUri: props.imageUri,
      featureGroup: props.featureGroup,
      athenaWorkgroup: props.athenaWorkgroup,
      keyArn: props.encryptionKeyArn,
      region: place.region,
      processing: props.processing,
      training: props.training,
      network: props.network,
      jobTags: props.jobTags,
    });
    this.role = new ExecutionRole(this, "role", {
      name: props.name,
      description: `What the state machine ${props.name} may do`,
      service: "states.amazonaws.com",
      statements: [
        ...integrationStatements(definition, { place, jobPrefix: props.jobPrefix }),
        ...observationStatements,
      ],
    });

    const machine = new SfnStateMachine(this, "machine", {
      name: props.name,
      type: "STANDARD",
      roleArn: this.role.arn,
      definition: JSON.stringify(definition),
      // A run has a few dozen events without personal data, so everything is logged: the log outlives the 90 days of
      // the execution history.
      loggingConfiguration: { level: "ALL", includeExecutionData: true, logDestination: `${logs.arn}:*` },
      tracingConfiguration: { enabled: true },
      // Step Functions checks the role's rights on creation. The jobs' role must be complete before the first run.
      dependsOn: [this.role.policy, this.jobRole.policy],
    });
    this.arn = machine.arn;
    this.logGroupName = logs.name;
  }

  /**
   * The pattern of the offline store's table: SageMaker names it after the group, with underscores and the creation
   * time. The group's name comes from another stack, so Terraform replaces the hyphens. It is a local because a
   * function call inside a policy would make the policy invalid JSON until Terraform resolves it.
   */
  private featureTables({ featureGroup }: TrainingWorkflowProps): string {
    const name = new TerraformLocal(this, "feature-table", Fn.replace(featureGroup, "-", "_"));
    return `${name.asString}_*`;
  }
}

/** A state machine's rights for logging and tracing (Step Functions Developer Guide). */
const observationStatements: readonly Statement[] = [
  {
    // Log deliveries take no resource ("Logging in CloudWatch Logs" in the Step Functions Developer Guide).
    sid: "DeliverLogs",
    actions: [
      "logs:CreateLogDelivery",
      "logs:GetLogDelivery",
      "logs:UpdateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:DescribeResourcePolicies",
      "logs:DescribeLogGroups",
    ],
    resources: ["*"],
  },
  {
    // X-Ray's write actions take no resource (service authorization reference, "Actions defined by AWS X-Ray").
    sid: "WriteTraces",
    actions: ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"],
    resources: ["*"],
  },
];

/**
 * The rights of the containers, and of SageMaker for a job ("How to use SageMaker AI execution roles" in the SageMaker
 * Developer Guide).
 */
function jobStatements(props: TrainingWorkflowProps, place: Place, featureTables: string): readonly Statement[] {
  const { featureGroup, athenaWorkgroup, encryptionKeyArn } = props;
  const { region } = place;
  const bucketArn = place.bucketArn(props.bucket);
  const logGroups = ["ProcessingJobs", "TrainingJobs"].map((kind) =>
    place.arn("logs", `log-group:/aws/sagemaker/${kind}`),
  );
  return [
    ...readObjects({ bucketArn, prefixes: Object.values(prefixes) }),
    ...writeObjects({ bucketArn, prefixes: [prefixes.runs, prefixes.queryResults] }),
    {
      // Athena reads the bucket's location, and uploads large results in parts.
      sid: "WriteQueryResults",
      actions: ["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
      resources: [bucketArn],
    },
    allowKeyUse({ keyArn: encryptionKeyArn, services: ["s3"], region, access: "write", sid: "UseKeyForObjects" }),
    {
      // API reference, OutputDataConfig: for a customer key, "the SageMaker AI execution role must include permissions
      // to call kms:Encrypt".
      sid: "EncryptOutputs",
      actions: ["kms:Encrypt"],
      resources: [encryptionKeyArn],
      conditions: {
        StringEquals: { "kms:ViaService": ["s3", "sagemaker"].map((service) => `${service}.${region}.amazonaws.com`) },
      },
    },
    {
      // SageMaker grants the key to the volume of the job's instance, and only to AWS resources.
      sid: "UseKeyForVolumes",
      actions: ["kms:CreateGrant"],
      resources: [encryptionKeyArn],
      conditions: { Bool: { "kms:GrantIsForAWSResource": "true" } },
    },
    { sid: "LookAtKey", actions: ["kms:DescribeKey"], resources: [encryptionKeyArn] },
    {
      sid: "QueryFeatures",
      actions: [
        "athena:StartQueryExecution",
        "athena:GetQueryExecution",
        "athena:GetQueryResults",
        "athena:StopQueryExecution",
      ],
      resources: [place.arn("athena", `workgroup/${athenaWorkgroup}`)],
    },
    {
      sid: "ReadFeatureTable",
      actions: [
        "glue:GetDatabase",
        "glue:GetTable",
        "glue:GetPartition",
        "glue:GetPartitions",
        "glue:BatchGetPartition",
      ],
      resources: [
        place.arn("glue", "catalog"),
        place.arn("glue", `database/${featureStoreDatabase}`),
        place.arn("glue", `table/${featureStoreDatabase}/${featureTables}`),
      ],
    },
    {
      sid: "DescribeFeatureGroup",
      actions: ["sagemaker:DescribeFeatureGroup"],
      resources: [place.arn("sagemaker", `feature-group/${featureGroup}`)],
    },
    {
      sid: "PullImage",
      actions: ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
      resources: [place.arn("ecr", `repository/${props.imageRepository}`)],
    },
    {
      // A token is for the whole registry: the action takes no resource (service authorization reference, Amazon ECR).
      sid: "LogInToRegistry",
      actions: ["ecr:GetAuthorizationToken"],
      resources: ["*"],
    },
    {
      sid: "WriteLogs",
      actions: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
      resources: logGroups.flatMap((group) => [group, `${group}:log-stream:*`]),
    },
    {
      // Metrics take no resource, only namespaces (service authorization reference, Amazon CloudWatch): these are
      // SageMaker's for jobs.
      sid: "WriteMetrics",
      actions: ["cloudwatch:PutMetricData"],
      resources: ["*"],
      conditions: {
        StringEquals: {
          "cloudwatch:namespace": ["/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs"],
        },
      },
    },
    ...(props.network ? networkStatements(props.network, place) : []),
  ];
}
