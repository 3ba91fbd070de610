/**
 * Airflow, run by Amazon MWAA: the bucket of its DAGs, its role, security group and logs, and the Variables that DAGs
 * read.
 *
 *     const airflow = new AirflowEnvironment(this, "airflow", { name: "acme-production-airflow", dags: new Map([["a.py", source]]), … });
 *     airflow.grant({ sid: "InvokeFunction", actions: ["lambda:InvokeFunction"], resources: [arn] }); // what its DAGs may do
 *     airflow.alarms({ topicArn, dagIds: ["acme-data-workflow"] });
 *
 * - **Objects.** DAGs are below `dags/`, which Airflow scans: a new DAG changes nothing else. `requirements.txt` is
 *   referenced by its object version, which changes only with its content, because an update of the environment takes
 *   20 minutes and more.
 * - **Variables** come from SSM's Parameter Store, Airflow's secrets backend. They hold names and no secrets, so
 *   Secrets Manager would only cost more. The next task reads a changed Variable; a startup script would need an update
 *   of the environment.
 */
import { createHash } from "node:crypto";
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { MwaaEnvironment } from "@cdktf/provider-aws/lib/mwaa-environment";
import { S3Object } from "@cdktf/provider-aws/lib/s3-object";
import { SecurityGroup } from "@cdktf/provider-aws/lib/security-group";
import { SsmParameter } from "@cdktf/provider-aws/lib/ssm-parameter";
import { VpcSecurityGroupEgressRule } from "@cdktf/provider-aws/lib/vpc-security-group-egress-rule";
import { VpcSecurityGroupIngressRule } from "@cdktf/provider-aws/lib/vpc-security-group-ingress-rule";
import { Lazy, TerraformResource } from "cdktf";
import { Construct } from "constructs";
import { Alarm, withRunbook } from "./alarm";
import { GeneratedAsset } from "./generated-asset";
import { boundaryOf } from "./permissions-boundary";
import { placeOf } from "./place";
import { policyDocument, type Statement } from "./policy";
import { type LogTarget, SecureBucket } from "./secure-bucket";

/**
 * The Python version of each Airflow version that MWAA offers (MWAA User Guide, "Apache Airflow versions on Amazon
 * Managed Workflows for Apache Airflow").
 */
const pythonVersions = { "2.10.3": "3.11", "2.11.0": "3.12", "3.0.6": "3.12" } as const;

/** A version of Airflow that MWAA offers. */
export type AirflowVersion = keyof typeof pythonVersions;

/** Airflow Variables and their path. */
export interface AirflowVariablesProps {
  /** Values by name: 1 to 250 letters, digits and underscores each. */
  readonly variables: Readonly<Record<string, string>>;
  /** SSM path, such as `/acme/local/airflow/variables`. */
  readonly path: string;
}

/** Writes Variables where Airflow's secrets backend `SystemsManagerParameterStoreBackend` reads them. */
function airflowVariables(scope: Construct, { variables, path }: AirflowVariablesProps): readonly SsmParameter[] {
  return Object.entries(variables).map(
    ([variable, value]) =>
      new SsmParameter(scope, `variable-${variable.replaceAll("_", "-")}`, {
        name: `${path}/${variable}`,
        description: `Airflow Variable ${variable}`,
        type: "String",
        insecureValue: value,
      }),
  );
}

export interface AirflowEnvironmentProps {
  /**
   * 1 to 64 letters, digits, hyphens and underscores, the first a letter. The role and the security group have the same
   * name.
   */
  readonly name: string;
  readonly version: AirflowVersion;
  /** For example `mw1.small`. */
  readonly environmentClass: string;
  /** Workers that run at once; at least one always runs. 1 to 25, and 1 with `mw1.micro`. */
  readonly maximumWorkers: number;
  /** Whether Airflow's page answers only within the VPC, or in public to everyone whom IAM allows. */
  readonly webServer: "private" | "public";
  readonly vpcId: string;
  /** Two private subnets, in two zones. */
  readonly subnetIds: readonly [string, string];
  /** Globally unique name of the bucket of DAGs: 3 to 63 lower-case letters, digits and hyphens. */
  readonly bucketName: string;
  /** Days after which an old version of a DAG expires. @default 90 */
  readonly expireOldVersionsAfterDays?: number;
  /** The bucket for the access logs of the DAG bucket. @default no access logs */
  readonly accessLogBucket?: LogTarget;
  /** The DAGs' files, by their path below `dags/`. */
  readonly dags: ReadonlyMap<string, Uint8Array>;
  /**
   * What pip installs beside Airflow, the constraints of Airflow's version first. Workers and web server both download
   * it, so both need a route to the internet: the workers a NAT gateway, the web server a public one.
   * @default only what MWAA includes, such as Amazon's provider
   */
  readonly requirements?: Uint8Array;
  /** Airflow's Variables by name: 1 to 250 letters, digits and underscores. None may be secret. */
  readonly variables: Readonly<Record<string, string>>;
  /** SSM path of the Variables, such as `/acme/local/airflow/variables`. */
  readonly variablesPath: string;
  /**
   * Encrypts DAGs, logs, queue and database. Its policy must let CloudWatch Logs use it for log groups with this
   * environment's name.
   */
  readonly encryptionKeyArn: string;
  /** Days that each of the five logs is kept: one of CloudWatch's retention times. */
  readonly logRetentionDays: number;
  /** Whether Terraform refuses to destroy environment and bucket. @default true */
  readonly protect?: boolean;
}

export interface AirflowAlarmsProps {
  /** The topic that receives the alarms. */
  readonly topicArn: string;
  /** DAGs whose failed runs raise an alarm. */
  readonly dagIds: readonly string[];
}

/** The five logs: Terraform's block, and the suffix of the log group's name. */
const logs = {
  dagProcessingLogs: "DAGProcessing",
  schedulerLogs: "Scheduler",
  taskLogs: "Task",
  webserverLogs: "WebServer",
  workerLogs: "Worker",
} as const;

/**
 * `s3:GetObject*`, `s3:GetBucket*` and `s3:List*` of MWAA's guide, as single actions. The guide doesn't say which of
 * them MWAA calls, and an environment that lacks one fails only after an hour.
 */
const readBucketActions = [
  "s3:GetBucketAcl",
  "s3:GetBucketCORS",
  "s3:GetBucketLocation",
  "s3:GetBucketLogging",
  "s3:GetBucketNotification",
  "s3:GetBucketObjectLockConfiguration",
  "s3:GetBucketOwnershipControls",
  "s3:GetBucketPolicy",
  "s3:GetBucketPolicyStatus",
  "s3:GetBucketPublicAccessBlock",
  "s3:GetBucketRequestPayment",
  "s3:GetBucketTagging",
  "s3:GetBucketVersioning",
  "s3:GetBucketWebsite",
  "s3:ListBucket",
  "s3:ListBucketMultipartUploads",
  "s3:ListBucketVersions",
] as const;
const readObjectActions = [
  "s3:GetObject",
  "s3:GetObjectAcl",
  "s3:GetObjectAttributes",
  "s3:GetObjectLegalHold",
  "s3:GetObjectRetention",
  "s3:GetObjectTagging",
  "s3:GetObjectTorrent",
  "s3:GetObjectVersion",
  "s3:GetObjectVersionAcl",
  "s3:GetObjectVersionAttributes",
  "s3:GetObjectVersionForReplication",
  "s3:GetObjectVersionTagging",
  "s3:GetObjectVersionTorrent",
  "s3:ListMultipartUploadParts",
] as const;

/** MWAA publishes its metrics every minute, and a scheduler may restart. */
const alarmPeriodSeconds = 300;

const environmentArn = (scope: Construct, name: string): string => placeOf(scope).arn("airflow", `environment/${name}`);

const readVariables = (scope: Construct, path: string): Statement => ({
  sid: "ReadVariables",
  actions: ["ssm:GetParameter"],
  resources: [placeOf(scope).arn("ssm", `parameter${path}/*`)],
});

/** The use of the key, as in MWAA's guide. */
function useKey(scope: Construct, keyArn: string): Statement {
  const { region } = placeOf(scope);
  return {
    sid: "UseKey",
    actions: [
      "kms:Decrypt",
      "kms:DescribeKey",
      "kms:Encrypt",
      // `kms:GenerateDataKey*` of the guide, as single actions.
      "kms:GenerateDataKey",
      "kms:GenerateDataKeyPair",
      "kms:GenerateDataKeyPairWithoutPlaintext",
      "kms:GenerateDataKeyWithoutPlaintext",
    ],
    resources: [keyArn],
    conditions: {
      StringEquals: {
        "kms:ViaService": [`s3.${region}.amazonaws.com`, `sqs.${region}.amazonaws.com`],
      },
    },
  };
}

/**
 * The role of an environment and its policy. Only this environment can assume the role.
 * @param statements May grow until synth.
 */
function airflowRole(
  scope: Construct,
  name: string,
  statements: readonly Statement[],
): readonly [IamRole, IamRolePolicy] {
  const role = new IamRole(scope, "role", {
    name,
    description: `What Airflow's environment ${name} and its DAGs may do`,
    permissionsBoundary: boundaryOf(scope),
    assumeRolePolicy: JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        {
          Sid: "Assume",
          Effect: "Allow",
          Principal: { Service: ["airflow.amazonaws.com", "airflow-env.amazonaws.com"] },
          Action: "sts:AssumeRole",
          // MWAA User Guide, "Cross-service confused deputy prevention".
          Condition: {
            ArnLike: { "aws:SourceArn": environmentArn(scope, name) },
            StringEquals: { "aws:SourceAccount": placeOf(scope).account },
          },
        },
      ],
    }),
  });
  const policy = new IamRolePolicy(scope, "role-policy", {
    name: "permissions",
    role: role.name,
    policy: Lazy.stringValue({ produce: () => policyDocument(statements) }),
  });
  return [role, policy];
}

export interface ExternalAirflowProps extends AirflowVariablesProps {
  /** As for {@link AirflowEnvironment}. */
  readonly name: string;
  /** Encrypts what DAGs read and write. */
  readonly encryptionKeyArn: string;
}

/**
 * What DAGs need when Airflow runs outside of MWAA: their Variables, and the role that the MWAA environment would have,
 * with the rights of DAGs only.
 *
 *     const airflow = new ExternalAirflow(this, "airflow", { name: "acme-local-airflow", variables, path, encryptionKeyArn });
 *     airflow.grant(…); // what its DAGs may do
 */
export class ExternalAirflow extends Construct {
  private readonly statements: Statement[];

  constructor(scope: Construct, id: string, { name, encryptionKeyArn, ...variables }: ExternalAirflowProps) {
    super(scope, id);
    this.statements = [useKey(this, encryptionKeyArn), readVariables(this, variables.path)];
    airflowRole(this, name, this.statements);
    airflowVariables(scope, variables);
  }

  /** Adds statements to the rights of DAGs. */
  grant(...statements: readonly Statement[]): void {
    this.statements.push(...statements);
  }
}

/** An MWAA environment with its bucket, role, security group, logs and Variables. */
export class AirflowEnvironment extends Construct {
  readonly name: string;
  readonly arn: string;
  /** The bucket of DAGs. */
  readonly bucketName: string;
  private readonly statements: Statement[];

  constructor(
    scope: Construct,
    id: string,
    private readonly props: AirflowEnvironmentProps,
  ) {
    super(scope, id);
    this.check();
    const { name, protect = true } = props;
    this.name = name;
    this.arn = environmentArn(this, name);

    const bucket = new SecureBucket(this, "dags", {
      name: props.bucketName,
      encryptionKeyArn: props.encryptionKeyArn,
      expireOldVersionsAfterDays: props.expireOldVersionsAfterDays,
      accessLogBucket: props.accessLogBucket,
      protect,
    });
    this.bucketName = bucket.name;
    // Objects get a version only after versioning is on, and MWAA refuses a bucket that isn't private.
    const bucketParts = bucket.node.findAll().filter((part) => TerraformResource.isTerraformResource(part));
    const dags = [...props.dags].map(([path, content]) => this.object(`dags/${path}`, content, bucket, bucketParts));
    const requirements = props.requirements && this.object("requirements.txt", props.requirements, bucket, bucketParts);

    this.statements = [...this.statementsOfGuide(bucket), readVariables(this, props.variablesPath)];
    const [role, policy] = airflowRole(this, name, this.statements);
    const group = new SecurityGroup(this, "security-group", {
      name,
      description: "Airflow: its schedulers, workers, web server and database speak with one another",
      vpcId: props.vpcId,
      tags: { Name: name },
    });
    const rules = this.rules(group);
    const groups = Object.values(logs).map(
      (suffix) =>
        new CloudwatchLogGroup(this, `logs-${suffix}`, {
          // MWAA creates missing log groups, without an expiry.
          name: `airflow-${name}-${suffix}`,
          retentionInDays: props.logRetentionDays,
          kmsKeyId: props.encryptionKeyArn,
        }),
    );
    const variables = airflowVariables(this, { variables: props.variables, path: props.variablesPath });
    const log = { enabled: true, logLevel: "INFO" } as const;

    new MwaaEnvironment(this, "environment", {
      name,
      airflowVersion: props.version,
      environmentClass: props.environmentClass,
      minWorkers: 1,
      maxWorkers: props.maximumWorkers,
      webserverAccessMode: props.webServer === "private" ? "PRIVATE_ONLY" : "PUBLIC_ONLY",
      executionRoleArn: role.arn,
      kmsKey: props.encryptionKeyArn,
      sourceBucketArn: bucket.arn,
      dagS3Path: "dags",
      requirementsS3Path: requirements?.key,
      requirementsS3ObjectVersion: requirements?.versionId,
      airflowConfigurationOptions: {
        "secrets.backend": "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend",
        "secrets.backend_kwargs": JSON.stringify({
          connections_prefix: null,
          config_prefix: null,
          variables_prefix: props.variablesPath,
        }),
      },
      networkConfiguration: { securityGroupIds: [group.id], subnetIds: [...props.subnetIds] },
      loggingConfiguration: {
        dagProcessingLogs: log,
        schedulerLogs: log,
        taskLogs: log,
        webserverLogs: log,
        workerLogs: log,
      },
      // An update waits for running tasks, up to twelve hours, instead of killing them. It continues after Terraform
      // stops waiting.
      workerReplacementStrategy: "GRACEFUL",
      // UTC; not at midnight, when daily DAGs start.
      weeklyMaintenanceWindowStart: "SUN:04:00",
      // MWAA documents 20 to 30 minutes, but needs hours when it repairs itself. The provider's defaults are two hours,
      // and 90 minutes for an update. Below four hours, the time limit of the build, so that Terraform ends and
      // releases its lock before the build stops.
      timeouts: { create: "3h30m", update: "3h30m", delete: "2h" },
      lifecycle: protect ? { preventDestroy: true } : undefined,
      dependsOn: [policy, ...rules, ...groups, ...bucketParts, ...dags, ...variables],
    });
  }

  /** Adds statements to the rights of DAGs. */
  grant(...statements: readonly Statement[]): void {
    this.statements.push(...statements);
  }

  /**
   * Alarms of a scheduler that stopped, of tasks that wait, and of failed runs of the DAGs (MWAA User Guide, "Apache
   * Airflow environment metrics").
   */
  alarms({ topicArn, dagIds }: AirflowAlarmsProps): void {
    const { name } = this.props;
    const where = `the environment ${name} in MWAA's console and its logs airflow-${name}-Scheduler and -Worker in CloudWatch`;
    new CloudwatchMetricAlarm(this, "scheduler-silent", {
      alarmName: `${name}-scheduler-silent`,
      alarmDescription: withRunbook(
        this,
        `${name}-scheduler-silent`,
        `Airflow's scheduler has given no sign of life for ten minutes: no survey is brought in. Look at ${where}.`,
      ),
      namespace: "AmazonMWAA",
      metricName: "SchedulerHeartbeat",
      dimensions: { Environment: name, Function: "Scheduler" },
      statistic: "Sum",
      comparisonOperator: "LessThanThreshold",
      threshold: 1,
      period: alarmPeriodSeconds,
      evaluationPeriods: 2,
      datapointsToAlarm: 2,
      // Missing heartbeats are the failure.
      treatMissingData: "breaching",
      alarmActions: [topicArn],
      okActions: [topicArn],
    });
    new Alarm(this, "tasks-waiting", {
      name: `${name}-tasks-waiting`,
      description: `Tasks have waited for a worker for half an hour. Look at ${where}; raise maximumWorkers if the workers are busy.`,
      namespace: "AmazonMWAA",
      metric: "QueuedTasks",
      dimensions: { Environment: name, Function: "Executor" },
      statistic: "Minimum",
      threshold: 0,
      periodSeconds: alarmPeriodSeconds,
      evaluationPeriods: 6,
      topicArn,
    });
    for (const dagId of dagIds) {
      new Alarm(this, `${dagId}-failed`, {
        name: `${name}-${dagId}-failed`,
        description: `A run of the DAG ${dagId} failed. Airflow's page shows the task, and its log in airflow-${name}-Task says why.`,
        namespace: "AmazonMWAA",
        metric: "DAGDurationFailed",
        dimensions: { Environment: name, DAG: dagId },
        // The metric exists only for failed runs; its value is their duration.
        statistic: "Maximum",
        threshold: 0,
        periodSeconds: alarmPeriodSeconds,
        topicArn,
      });
    }
  }

  private check(): void {
    const { name, environmentClass, maximumWorkers, requirements, variables, version, dags } = this.props;
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name)) {
      throw new Error(
        `The environment name ${JSON.stringify(name)} must have 1 to 64 letters, digits, hyphens and underscores, the first a letter, because the role has the same name. Shorten or correct it.`,
      );
    }
    const most = environmentClass === "mw1.micro" ? 1 : 25;
    if (!Number.isInteger(maximumWorkers) || maximumWorkers < 1 || maximumWorkers > most) {
      throw new Error(
        `maximumWorkers of ${name} is ${maximumWorkers}; MWAA takes a whole number from 1 to ${most} with ${environmentClass}. Correct it, or choose another environmentClass.`,
      );
    }
    if (dags.size === 0) {
      throw new Error(`The environment ${name} has no DAG. Give it at least one file.`);
    }
    for (const variable of Object.keys(variables)) {
      if (!/^\w{1,250}$/.test(variable)) {
        throw new Error(
          `The Variable ${JSON.stringify(variable)} of ${name} must have 1 to 250 letters, digits and underscores. Correct it.`,
        );
      }
    }
    if (!requirements) {
      return;
    }
    const expected = `--constraint "https://raw.githubusercontent.com/apache/airflow/constraints-${version}/constraints-${pythonVersions[version]}.txt"`;
    const [first = ""] = Buffer.from(requirements).toString("utf8").split("\n");
    if (first.trim() !== expected) {
      throw new Error(
        `The requirements of ${name} begin with ${JSON.stringify(first)}; Airflow ${version} expects ${expected}. Correct the line and the versions below it.`,
      );
    }
  }

  private object(key: string, content: Uint8Array, bucket: SecureBucket, after: TerraformResource[]): S3Object {
    const id = key.replace(/[^A-Za-z0-9]+/g, "-");
    const file = key.split("/").at(-1) ?? key;
    const asset = new GeneratedAsset(this, `file-${id}`, { files: new Map([[file, content]]) });
    return new S3Object(this, `object-${id}`, {
      bucket: bucket.name,
      key,
      source: asset.path(file),
      // With KMS, the ETag is not a hash of the content.
      sourceHash: createHash("sha256").update(content).digest("hex"),
      contentType: "text/plain; charset=utf-8",
      dependsOn: after,
    });
  }

  /**
   * The statements of MWAA's guide (MWAA User Guide, "Amazon MWAA execution role", "Sample policy for a
   * customer-managed key").
   */
  private statementsOfGuide(bucket: SecureBucket): readonly Statement[] {
    const { name, encryptionKeyArn } = this.props;
    const place = placeOf(this);
    return [
      { sid: "PublishHealth", actions: ["airflow:PublishMetrics"], resources: [this.arn] },
      { sid: "ReadDagBucket", actions: readBucketActions, resources: [bucket.arn] },
      { sid: "ReadDags", actions: readObjectActions, resources: [`${bucket.arn}/*`] },
      {
        sid: "WriteLogs",
        actions: [
          "logs:CreateLogStream",
          "logs:CreateLogGroup",
          "logs:PutLogEvents",
          "logs:GetLogEvents",
          "logs:GetLogRecord",
          "logs:GetLogGroupFields",
          "logs:GetQueryResults",
        ],
        resources: [place.arn("logs", `log-group:airflow-${name}-*`)],
      },
      { sid: "FindLogGroups", actions: ["logs:DescribeLogGroups"], resources: ["*"] },
      { sid: "SeePublicAccess", actions: ["s3:GetAccountPublicAccessBlock"], resources: ["*"] },
      { sid: "PublishMetrics", actions: ["cloudwatch:PutMetricData"], resources: ["*"] },
      {
        // The queue is in an AWS account.
        sid: "UseTaskQueue",
        actions: [
          "sqs:ChangeMessageVisibility",
          "sqs:DeleteMessage",
          "sqs:GetQueueAttributes",
          "sqs:GetQueueUrl",
          "sqs:ReceiveMessage",
          "sqs:SendMessage",
        ],
        resources: [place.arn("sqs", "airflow-celery-*", { account: "*" })],
      },
      useKey(this, encryptionKeyArn),
    ];
  }

  /**
   * The rules that MWAA requires of a security group (MWAA User Guide, "About networking on Amazon MWAA"): all traffic
   * among its members, and all outgoing traffic.
   */
  private rules(group: SecurityGroup): readonly TerraformResource[] {
    return [
      new VpcSecurityGroupIngressRule(this, "from-itself", {
        securityGroupId: group.id,
        description: "Everything from other parts of Airflow",
        referencedSecurityGroupId: group.id,
        ipProtocol: "-1",
      }),
      // The subnets' routes and network ACLs limit it.
      new VpcSecurityGroupEgressRule(this, "to-anywhere", {
        securityGroupId: group.id,
        description: "Any address: MWAA asks for this rule",
        cidrIpv4: "0.0.0.0/0",
        ipProtocol: "-1",
      }),
    ];
  }
}
