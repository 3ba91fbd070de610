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
 * Records of the trail of which somebody is told at once (the first three of the CIS AWS Foundations Benchmark's
 * section on monitoring that fit here).
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
    description: "Somebody disabled a key or had it marked for deletion: what it encrypted can't be read then",
  },
  // Terraform gives a key its tags as it makes it, which is recorded as CreateKey alone.
  "key-tagged": {
    pattern:
      "{ ($.eventSource = kms.amazonaws.com) && (($.eventName = TagResource) || ($.eventName = UntagResource)) }",
    description: "Somebody changed the tags of a key, by which roles may use it or not",
  },
} as const;

/**
 * What watches over the account: the trail of who did what, to objects, items and records too; alarms on what should
 * never happen; the budget; and the boundaries, which no role of the platform can leave. They stand here because an
 * engineer deploys this stack, and the pipeline can't.
 *
 * The tags of the platform show in the bills once they are activated as cost allocation tags, in the account that pays
 * (AWS Billing User Guide, "Activating user-defined cost allocation tags"); from then on the budget of the platform
 * counts. That of the account always does.
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
   * The stack's own role is made after its boundary; those of other stacks name theirs, as that has long been there.
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
    // The data's log bucket comes with the data stack, which is deployed later.
    const accessLogs = new SecureBucket(this, "access-logs", {
      name: this.named(`logs-${account}-${region}`),
      // Server access logs are delivered to buckets with S3's own key.
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
   * What is done to the platform's data, by the beginning of its names. The logs themselves are left out: to record
   * their writing would never end.
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
        // Whoever asks often enough can copy a model by its answers. Of that CloudTrail records what is asked for as a
        // stream alone, none of the calls of InvokeEndpoint (CloudTrail User Guide, "Logging data events"): what the
        // websites ask, data capture keeps.
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
    // It also counts what nobody tagged, and counts before the tags are activated.
    new CostBudget(this, "account-budget", { name: this.named("account"), monthlyDollars, topic });
  }
}
