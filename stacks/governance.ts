import { CloudwatchLogMetricFilter } from "@cdktf/provider-aws/lib/cloudwatch-log-metric-filter";
import type { Environment } from "../environments";
import { Alarm, type AlarmTopic } from "../modules/alarm";
import { AuditTrail, type DataEvents } from "../modules/audit-trail";
import { CostBudget } from "../modules/cost-budget";
import type { EncryptionKey } from "../modules/encryption-key";
import { boundRoles, PermissionsBoundary } from "../modules/permissions-boundary";
import { SecureBucket } from "../modules/secure-bucket";
import { deployBoundary, executionBoundary } from "./boundaries";
import { boundaryNames, type Platform, PlatformStack, stateBucketName } from "./platform";

/**
 * Trail records that raise an alarm at once (the first three from the monitoring section of the CIS AWS Foundations
 * Benchmark that fit here).
 */
const incidents = {
  "root-used": {
    pattern:
      '{ $.userIdentity.type = "Root" && $.userIdentity.invokedBy NOT EXISTS && $.eventType != "AwsServiceEvent" }',
    description: "Somebody used the account's root user, which no daily work needs",
  },
  "trail-changed": {
    pattern:
      "{ ($.eventName = UpdateTrail) || ($.eventName = DeleteTrail) || ($.eventName = StopLogging) || ($.eventName = PutEventSelectors) }",
    description: "Somebody changed, stopped or deleted a trail, or what it records",
  },
  "key-endangered": {
    pattern:
      "{ ($.eventSource = kms.amazonaws.com) && (($.eventName = DisableKey) || ($.eventName = ScheduleKeyDeletion)) }",
    description: "Somebody disabled a key or scheduled its deletion: what it encrypted will be unreadable",
  },
  // Terraform tags a key when it creates it; the trail records that as CreateKey only.
  "key-tagged": {
    pattern:
      "{ ($.eventSource = kms.amazonaws.com) && (($.eventName = TagResource) || ($.eventName = UntagResource)) }",
    description: "Somebody changed the tags of a key, which decide what roles may use it",
  },
} as const;

/**
 * What watches the account: the trail of who did what, including data events; alarms on events that should never
 * happen; the budgets; and the boundaries, which limit every role of the platform. They are in this stack because only
 * an engineer deploys it; the pipeline can't.
 *
 * The budget of the platform counts only after its tags are activated as cost allocation tags, in the account that pays
 * (AWS Billing User Guide, "Activating user-defined cost allocation tags"). The budget of the account always counts.
 */
export class GovernanceStack extends PlatformStack {
  constructor(platform: Platform, settings: NonNullable<Environment["governance"]>) {
    super(platform, "governance");
    const { logRetentionDays, oldVersionDays, protectData: protect } = this.environment;

    this.boundRoles(protect);
    const key = this.encryptionKey({
      description: "Encrypts the records of the trail, and the alarms on them and on costs",
      logGroupsNamed: this.namePrefix,
    });
    const topic = this.alarmTopic(key.arn);

    this.recordEvents(key, topic, settings.trailRetentionDays, { logRetentionDays, oldVersionDays, protect });
    this.watchCosts(key, topic, settings.monthlyBudgetDollars);
  }

  /**
   * The stack's own role refers to its boundary as a resource; other stacks refer to it by name, because it is deployed
   * before them.
   */
  private boundRoles(protect: boolean): void {
    const execution = new PermissionsBoundary(this, "boundary", {
      name: this.named(boundaryNames.execution),
      description: `What runs on acme-${this.environment.name} can do at most`,
      statements: executionBoundary(this),
      protect,
    });
    new PermissionsBoundary(this, "deploy-boundary", {
      name: this.named(boundaryNames.deploy),
      description: `What the pipeline of acme-${this.environment.name} can do at most`,
      statements: deployBoundary(this),
      protect,
    });
    boundRoles(this, execution.arn);
  }

  private recordEvents(
    key: EncryptionKey,
    topic: AlarmTopic,
    retentionDays: number,
    settings: { readonly logRetentionDays: number; readonly oldVersionDays: number; readonly protect: boolean },
  ): void {
    const { account, region } = this.environment;
    const { logRetentionDays, oldVersionDays, protect } = settings;
    // The log bucket of the data stack is deployed later.
    const accessLogs = new SecureBucket(this, "access-logs", {
      name: this.named(`logs-${account}-${region}`),
      // S3 delivers server access logs only to buckets with S3's own key.
      expireOldVersionsAfterDays: oldVersionDays,
      expiries: [{ prefix: "", days: retentionDays }],
      protect,
    });
    accessLogs.allowAccessLogs();
    const bucket = new SecureBucket(this, "records", {
      name: this.named(`trail-${account}-${region}`),
      encryptionKeyArn: key.arn,
      expireOldVersionsAfterDays: oldVersionDays,
      expiries: [{ prefix: "", days: retentionDays }],
      accessLogBucket: accessLogs,
      protect,
    });
    const trail = new AuditTrail(this, "trail", {
      name: this.named("trail"),
      bucket,
      encryptionKey: key,
      dataEvents: this.dataEvents(),
      logRetentionDays,
      protect,
    });

    for (const [id, { pattern, description }] of Object.entries(incidents)) {
      const name = this.named(id);
      const metric = { name: id, namespace: `acme/${this.environment.name}/trail` };
      new CloudwatchLogMetricFilter(this, `${id}-metric`, {
        name,
        logGroupName: trail.logGroupName,
        pattern,
        metricTransformation: { ...metric, value: "1", defaultValue: "0" },
      });
      new Alarm(this, id, {
        name,
        description: `${description}. Who and from where: look for the event in ${this.named("trail")}.`,
        namespace: metric.namespace,
        metric: metric.name,
        dimensions: {},
        statistic: "Sum",
        threshold: 0,
        topicArn: topic.arn,
      });
    }
  }

  /**
   * Access to the platform's data, by name prefix. The log buckets are left out: each record written there would cause
   * another record.
   */
  private dataEvents(): readonly DataEvents[] {
    const { account, region } = this.environment;
    const bucket = (name: string): string => this.bucketArn(name);
    return [
      {
        name: "Objects of the platform's buckets and of the states",
        resourceType: "AWS::S3::Object",
        arnPrefixes: [bucket(this.namePrefix), bucket(stateBucketName(account, region))],
        exceptArnPrefixes: [bucket(this.named()), bucket(this.named("logs-", "data"))],
      },
      {
        name: "Items of the platform's tables",
        resourceType: "AWS::DynamoDB::Table",
        arnPrefixes: [this.arn("dynamodb", `table/${this.namePrefix}`)],
      },
      {
        name: "Records of the platform's feature groups",
        resourceType: "AWS::SageMaker::FeatureGroup",
        arnPrefixes: [this.arn("sagemaker", `feature-group/${this.namePrefix}`)],
      },
      {
        // Enough requests can copy a model by its answers. CloudTrail records only streamed requests and no calls of
        // InvokeEndpoint (CloudTrail User Guide, "Logging data events"); data capture keeps the websites' requests.
        name: "Questions to the platform's models, where they are answered as a stream",
        resourceType: "AWS::SageMaker::Endpoint",
        arnPrefixes: [this.arn("sagemaker", `endpoint/${this.namePrefix}`)],
      },
      {
        name: "Calls of the platform's functions but the websites', which the access logs of their APIs show",
        resourceType: "AWS::Lambda::Function",
        arnPrefixes: [this.arn("lambda", `function:${this.namePrefix}`)],
        exceptArnSuffixes: ["-predict", "-contact"],
      },
    ];
  }

  private watchCosts(key: EncryptionKey, topic: AlarmTopic, monthlyDollars: number): void {
    const { account } = this.environment;
    // AWS Cost Management User Guide, "Creating an Amazon SNS topic for budget notifications".
    const service = "budgets.amazonaws.com";
    const sourceArn = this.arn("budgets", "*");
    topic.admit({ sid: "BudgetsPublish", service, sourceArn });
    key.allow({
      sid: "BudgetsPublishToEncryptedTopics",
      principals: { Service: service },
      actions: ["kms:Decrypt", "kms:GenerateDataKey*"],
      resources: ["*"],
      conditions: { StringEquals: { "aws:SourceAccount": account }, ArnLike: { "aws:SourceArn": sourceArn } },
    });
    new CostBudget(this, "platform-budget", {
      name: this.named("platform"),
      monthlyDollars,
      tag: { key: "Environment", value: this.environment.name },
      topic,
    });
    // It also counts untagged resources, and counts before the tags are activated.
    new CostBudget(this, "account-budget", { name: this.named("account"), monthlyDollars, topic });
  }
}
