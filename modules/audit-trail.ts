/**
 * The record of who did what: a CloudTrail trail of the whole account, in a bucket and in a log group.
 *
 *     const trail = new AuditTrail(this, "trail", { name: "acme-production-governance-trail", bucket, encryptionKey: key, dataEvents, … });
 *     trail.logGroupName; // for metric filters
 */
import { Cloudtrail } from "@cdktf/provider-aws/lib/cloudtrail";
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { Construct } from "constructs";
import type { EncryptionKey } from "./encryption-key";
import { ExecutionRole } from "./execution-role";
import { placeOf } from "./place";
import type { SecureBucket } from "./secure-bucket";

/** Data events of one resource type: access to objects, items, records, functions. */
export interface DataEvents {
  /** For readers of the trail's settings. */
  readonly name: string;
  /** CloudTrail's resource type, such as `AWS::S3::Object` (CloudTrail User Guide, "Logging data events"). */
  readonly resourceType: string;
  /** The ARN must start with one of these. */
  readonly arnPrefixes: readonly string[];
  /** The ARN must not start with one of these. @default nothing is excluded */
  readonly exceptArnPrefixes?: readonly string[];
  /** The ARN must not end with one of these. @default nothing is excluded */
  readonly exceptArnSuffixes?: readonly string[];
}

export interface AuditTrailProps {
  /** 3 to 128 letters, digits, periods, underscores and hyphens, a letter or digit at both ends. */
  readonly name: string;
  /**
   * Holds only the records. `dataEvents` must not include it, because each record written there would cause another
   * one.
   */
  readonly bucket: SecureBucket;
  /** Encrypts the records and the log group. */
  readonly encryptionKey: EncryptionKey;
  /** Data events to record; management events are always recorded. */
  readonly dataEvents: readonly DataEvents[];
  /** One of CloudWatch's retention times. */
  readonly logRetentionDays: number;
  /** Whether Terraform refuses to destroy it: without a trail nothing is recorded. @default false */
  readonly protect?: boolean;
}

/**
 * A trail over all regions. Its files are signed by digest, so a changed or missing one is noticed (`aws cloudtrail
 * validate-logs`). The bucket keeps the records; the log group is for alarms and recent questions.
 */
export class AuditTrail extends Construct {
  readonly arn: string;
  readonly logGroupName: string;

  constructor(scope: Construct, id: string, props: AuditTrailProps) {
    super(scope, id);
    const { bucket, encryptionKey, name } = props;
    const place = placeOf(this);
    const { account, region } = place;
    if (!/^[A-Za-z0-9]([._-]?[A-Za-z0-9])*$/.test(name) || name.length < 3 || name.length > 128) {
      throw new Error(
        `The trail name ${JSON.stringify(name)} must have 3 to 128 letters and digits, with single periods, underscores or hyphens between.`,
      );
    }
    this.admit(props);
    const logs = new CloudwatchLogGroup(this, "logs", {
      name: `/aws/cloudtrail/${name}`,
      retentionInDays: props.logRetentionDays,
      kmsKeyId: encryptionKey.arn,
    });
    const role = new ExecutionRole(this, "role", {
      name,
      description: `Lets CloudTrail write the records of ${name} into their log group`,
      service: "cloudtrail.amazonaws.com",
      // The trust policy in CloudTrail's guide has no condition, and names no key that CloudTrail sends.
      forThisAccount: false,
      statements: [
        {
          sid: "WriteRecords",
          actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
          // CloudTrail's names of its streams ("Role policy document for CloudTrail to use CloudWatch Logs for
          // monitoring").
          resources: [
            place.arn("logs", `log-group:/aws/cloudtrail/${name}:log-stream:${account}_CloudTrail_${region}*`),
          ],
        },
      ],
    });

    const trail = new Cloudtrail(this, "trail", {
      name,
      s3BucketName: bucket.name,
      kmsKeyId: encryptionKey.arn,
      isMultiRegionTrail: true,
      includeGlobalServiceEvents: true,
      enableLogFileValidation: true,
      cloudWatchLogsGroupArn: `${logs.arn}:*`,
      cloudWatchLogsRoleArn: role.arn,
      advancedEventSelector: [
        {
          name: "What is done to the account's resources",
          fieldSelector: [{ field: "eventCategory", equalTo: ["Management"] }],
        },
        ...props.dataEvents.map(
          ({ name: selector, resourceType, arnPrefixes, exceptArnPrefixes, exceptArnSuffixes }) => ({
            name: selector,
            fieldSelector: [
              { field: "eventCategory", equalTo: ["Data"] },
              { field: "resources.type", equalTo: [resourceType] },
              {
                field: "resources.ARN",
                startsWith: [...arnPrefixes],
                notStartsWith: exceptArnPrefixes && [...exceptArnPrefixes],
                notEndsWith: exceptArnSuffixes && [...exceptArnSuffixes],
              },
            ],
          }),
        ),
      ],
      lifecycle: props.protect ? { preventDestroy: true } : undefined,
      // CloudTrail tries to write when the trail is created.
      dependsOn: [bucket.policy, role.policy],
    });
    this.arn = trail.arn;
    this.logGroupName = logs.name;
  }

  /** Lets CloudTrail write to the bucket and use the key for it. */
  private admit({ bucket, encryptionKey, name }: AuditTrailProps): void {
    const place = placeOf(this);
    const { account } = place;
    // The policies of bucket and key name the trail before it exists (CloudTrail User Guide, "Amazon S3 bucket policy
    // for CloudTrail").
    const trailArn = place.arn("cloudtrail", `trail/${name}`);
    const forTrail = { "aws:SourceArn": trailArn };
    const cloudTrail = { Service: "cloudtrail.amazonaws.com" };

    bucket.allow(
      {
        sid: "TrailLooksAtBucket",
        principals: cloudTrail,
        actions: ["s3:GetBucketAcl"],
        resources: [bucket.arn],
        conditions: { StringEquals: forTrail },
      },
      {
        sid: "TrailWritesRecords",
        principals: cloudTrail,
        actions: ["s3:PutObject"],
        resources: [`${bucket.arn}/AWSLogs/${account}/*`],
        conditions: { StringEquals: { "s3:x-amz-acl": "bucket-owner-full-control", ...forTrail } },
      },
    );
    // CloudTrail User Guide, "Configure AWS KMS key policies for CloudTrail"; the decrypt right is for the bucket key.
    encryptionKey.allow(
      {
        sid: "TrailEncryptsRecords",
        principals: cloudTrail,
        actions: ["kms:GenerateDataKey*"],
        resources: ["*"],
        conditions: {
          StringEquals: forTrail,
          StringLike: {
            "kms:EncryptionContext:aws:cloudtrail:arn": place.arn("cloudtrail", "trail/*", { region: "*" }),
          },
        },
      },
      {
        sid: "TrailUsesBucketKey",
        principals: cloudTrail,
        actions: ["kms:Decrypt", "kms:DescribeKey"],
        resources: ["*"],
        conditions: { StringEquals: forTrail },
      },
    );
  }
}
