/**
 * Compares an endpoint's traffic with the rows on which its model was trained, on a schedule, and raises alarms.
 *
 *     const monitor = new ModelMonitor(this, "monitor", { name: "acme-local-website-production", endpointName: endpoint.name, captureUri, reportUri, … });
 *     monitor.drift; monitor.violations; // alarms
 *
 * The schedule is SageMaker Model Monitor's, the container is the model image. Terraform's provider has no entrypoint
 * for the container of a data quality job definition, so the image's default command is `monitor`; all other users name
 * a command.
 */
import { SagemakerDataQualityJobDefinition } from "@cdktf/provider-aws/lib/sagemaker-data-quality-job-definition";
import { SagemakerMonitoringSchedule } from "@cdktf/provider-aws/lib/sagemaker-monitoring-schedule";
import type { ITerraformDependable, Precondition } from "cdktf";
import { Construct } from "constructs";
import { hasLocalStorage } from "../aws-services/sagemaker";
import { Alarm } from "./alarm";
import { ExecutionRole } from "./execution-role";
import { type Place, placeOf } from "./place";
import { readObjects, type Statement, allowKeyUse, writeObjects } from "./policy";
import type { JobNetwork, JobSettings } from "./training-workflow/definition";
import { networkStatements } from "./training-workflow/network-permissions";

export interface ModelMonitorProps {
  /** Name prefix of its parts: 1 to 58 letters, digits and hyphens. */
  readonly name: string;
  /** Name of the endpoint, which captures its traffic. */
  readonly endpointName: string;
  /** The endpoint as a resource: it must exist first. */
  readonly endpoint: ITerraformDependable;
  /** Name of the bucket of captured traffic, baselines and reports. */
  readonly bucket: string;
  /** Prefix of the endpoint's traffic, such as `data-capture/<endpoint>/`. */
  readonly capturePrefix: string;
  /** Prefix of baselines, such as `runs/`. */
  readonly baselinePrefix: string;
  /** Prefix of the reports, such as `monitoring`; SageMaker adds `/<endpoint>/<schedule>/yyyy/mm/dd/hh`. */
  readonly reportPrefix: string;
  /** S3 URI of the folder with the `statistics.json` and `constraints.json` of the model that is served. */
  readonly baselineUri: string;
  /** Checked before Terraform creates it. @default nothing */
  readonly preconditions?: Precondition[];
  /** The model image, by digest. */
  readonly imageUri: string;
  /** ARN of its ECR repository. */
  readonly repositoryArn: string;
  readonly schedule: "hourly" | "daily";
  /** Rows that a period needs before drift is judged. */
  readonly minimumRows: number;
  /** Instance and time limit of a comparison job. */
  readonly job: JobSettings;
  /** Where it runs. @default outside our VPCs, with internet access */
  readonly network?: JobNetwork;
  /** Encrypts the bucket and the job's volume. */
  readonly encryptionKeyArn: string;
  /** The topic of the alarms. */
  readonly alarmTopicArn: string;
  /** A topic whose subscriber acts on drift. @default nothing acts */
  readonly driftTopicArn?: string;
}

/**
 * SageMaker accepts hourly schedules, or whole hours of a day (API reference, ScheduleConfig). It starts a job within
 * twenty minutes of its time, with the traffic since the previous time.
 */
const expressions = { hourly: "cron(0 * ? * * *)", daily: "cron(0 3 ? * * *)" } as const;

/** The namespace in which `monitor` of the model image puts its metrics. */
const namespace = "/aws/sagemaker/Endpoints/data-metrics";

const processingFolder = "/opt/ml/processing";

/** A monitoring schedule with its role and its three alarms. */
export class ModelMonitor extends Construct {
  readonly scheduleName: string;
  /** Goes off when visitors ask about animals unlike those in the training data. */
  readonly drift: Alarm;
  /** Goes off when requests to the endpoint broke the feature contract. */
  readonly violations: Alarm;
  /** Goes off when a comparison failed, so the traffic is unknown. */
  readonly failures: Alarm;

  constructor(scope: Construct, id: string, props: ModelMonitorProps) {
    super(scope, id);
    this.scheduleName = `${props.name}-data`;
    if (!/^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,57}$/.test(props.name)) {
      throw new Error(
        `The monitor's name ${JSON.stringify(props.name)} must have 1 to 58 letters and digits, with hyphens between, because its parts append to it.`,
      );
    }
    const role = new ExecutionRole(this, "role", {
      name: `${props.name}-monitor`,
      description: `Lets SageMaker compare the traffic of ${props.endpointName} with the training data`,
      service: "sagemaker.amazonaws.com",
      statements: jobStatements(props, placeOf(this)),
    });
    const definition = this.definition(props, role);
    const schedule = new SagemakerMonitoringSchedule(this, "schedule", {
      name: this.scheduleName,
      monitoringScheduleConfig: {
        monitoringJobDefinitionName: definition.name,
        monitoringType: "DataQuality",
        scheduleConfig: { scheduleExpression: expressions[props.schedule] },
      },
    });

    const metrics = {
      namespace,
      dimensions: { Endpoint: props.endpointName, MonitoringSchedule: schedule.name },
      statistic: "Maximum",
      threshold: 0,
      // A comparison puts each metric once.
      periodSeconds: 3_600,
      topicArn: props.alarmTopicArn,
    } as const;
    const report = `the newest folder under s3://${props.bucket}/${props.reportPrefix}/${props.endpointName}/`;
    this.drift = new Alarm(this, "drift", {
      ...metrics,
      name: `${props.name}-drift`,
      description: `The endpoint ${props.endpointName} is asked about other animals than its model was trained on: read constraint_violations.json in ${report}.`,
      metric: "drifted_features",
      actionTopicArn: props.driftTopicArn,
    });
    this.violations = new Alarm(this, "violations", {
      ...metrics,
      name: `${props.name}-contract-violations`,
      description: `The endpoint ${props.endpointName} was asked what the feature contract forbids: read constraint_violations.json in ${report}.`,
      metric: "contract_violations",
    });
    this.failures = new Alarm(this, "failures", {
      ...metrics,
      name: `${props.name}-failed-comparisons`,
      description: `A comparison of the traffic of the endpoint ${props.endpointName} failed: aws sagemaker list-monitoring-executions --monitoring-schedule-name ${this.scheduleName} tells why.`,
      metric: "failed_comparisons",
    });
  }

  /** What a comparison reads, where it runs, and where it writes. */
  private definition(props: ModelMonitorProps, role: ExecutionRole): SagemakerDataQualityJobDefinition {
    const { job, network } = props;
    return new SagemakerDataQualityJobDefinition(this, "definition", {
      roleArn: role.arn,
      dataQualityAppSpecification: {
        imageUri: props.imageUri,
        environment: {
          minimum_rows: String(props.minimumRows),
          publish_cloudwatch_metrics: "Enabled",
          AWS_DEFAULT_REGION: placeOf(this).region,
        },
      },
      dataQualityBaselineConfig: {
        statisticsResource: { s3Uri: `${props.baselineUri}/statistics.json` },
        constraintsResource: { s3Uri: `${props.baselineUri}/constraints.json` },
      },
      dataQualityJobInput: {
        endpointInput: {
          endpointName: props.endpointName,
          localPath: `${processingFolder}/input/traffic`,
          s3InputMode: "File",
          s3DataDistributionType: "FullyReplicated",
        },
      },
      dataQualityJobOutputConfig: {
        kmsKeyId: props.encryptionKeyArn,
        monitoringOutputs: {
          s3Output: {
            localPath: `${processingFolder}/output/monitoring`,
            s3Uri: `s3://${props.bucket}/${props.reportPrefix}`,
            s3UploadMode: "EndOfJob",
          },
        },
      },
      jobResources: {
        clusterConfig: {
          instanceCount: 1,
          instanceType: job.instanceType,
          volumeSizeInGb: job.volumeGibibytes,
          volumeKmsKeyId: hasLocalStorage(job.instanceType) ? undefined : props.encryptionKeyArn,
        },
      },
      networkConfig: {
        enableInterContainerTrafficEncryption: true,
        // The container puts its metrics itself, so it needs the network.
        enableNetworkIsolation: false,
        vpcConfig: network
          ? { subnets: [...network.subnetIds], securityGroupIds: [...network.securityGroupIds] }
          : undefined,
      },
      stoppingCondition: { maxRuntimeInSeconds: job.maximumSeconds },
      // SageMaker checks on creation whether the role may read what the definition names.
      dependsOn: [role.policy, props.endpoint],
      // A definition can't be changed: the schedule moves to a new one before the old one is deleted.
      lifecycle: {
        createBeforeDestroy: true,
        precondition: props.preconditions,
      },
    });
  }
}

/**
 * The rights of the container, and of SageMaker for a comparison ("How to use SageMaker AI execution roles" in the
 * SageMaker Developer Guide).
 */
function jobStatements(props: ModelMonitorProps, place: Place): readonly Statement[] {
  const { encryptionKeyArn } = props;
  const { region } = place;
  const bucketArn = place.bucketArn(props.bucket);
  const logGroup = place.arn("logs", "log-group:/aws/sagemaker/ProcessingJobs");
  return [
    ...readObjects({ bucketArn, prefixes: [props.capturePrefix], name: "Traffic" }),
    ...readObjects({ bucketArn, prefixes: [props.baselinePrefix], name: "Baseline" }),
    ...writeObjects({ bucketArn, prefixes: [`${props.reportPrefix}/${props.endpointName}/`], name: "Reports" }),
    allowKeyUse({ keyArn: encryptionKeyArn, services: ["s3"], region, access: "write", sid: "UseKeyForObjects" }),
    {
      // API reference, MonitoringOutputConfig: a customer key needs kms:Encrypt of the job's role.
      sid: "EncryptReports",
      actions: ["kms:Encrypt"],
      resources: [encryptionKeyArn],
      conditions: {
        StringEquals: { "kms:ViaService": ["s3", "sagemaker"].map((service) => `${service}.${region}.amazonaws.com`) },
      },
    },
    {
      sid: "UseKeyForVolume",
      actions: ["kms:CreateGrant"],
      resources: [encryptionKeyArn],
      conditions: { Bool: { "kms:GrantIsForAWSResource": "true" } },
    },
    { sid: "LookAtKey", actions: ["kms:DescribeKey"], resources: [encryptionKeyArn] },
    {
      sid: "PullImage",
      actions: ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
      resources: [props.repositoryArn],
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
      resources: [logGroup, `${logGroup}:log-stream:*`],
    },
    {
      // Metrics take no resource, only namespaces (service authorization reference, Amazon CloudWatch): the
      // container's, and SageMaker's for jobs.
      sid: "WriteMetrics",
      actions: ["cloudwatch:PutMetricData"],
      resources: ["*"],
      conditions: { StringEquals: { "cloudwatch:namespace": [namespace, "/aws/sagemaker/ProcessingJobs"] } },
    },
    ...(props.network ? networkStatements(props.network, place) : []),
  ];
}
