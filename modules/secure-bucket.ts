import { S3Bucket } from "@cdktf/provider-aws/lib/s3-bucket";
import { S3BucketLifecycleConfiguration } from "@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration";
import { S3BucketLoggingA } from "@cdktf/provider-aws/lib/s3-bucket-logging";
import { S3BucketOwnershipControls } from "@cdktf/provider-aws/lib/s3-bucket-ownership-controls";
import { S3BucketPolicy } from "@cdktf/provider-aws/lib/s3-bucket-policy";
import { S3BucketPublicAccessBlock } from "@cdktf/provider-aws/lib/s3-bucket-public-access-block";
import { S3BucketServerSideEncryptionConfigurationA } from "@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration";
import { S3BucketVersioningA } from "@cdktf/provider-aws/lib/s3-bucket-versioning";
import { type ITerraformDependable, Lazy } from "cdktf";
import { Construct } from "constructs";
import { placeOf } from "./place";
import { policyDocument, type ResourceStatement, type Statement, writeObjects } from "./policy";

/** Objects that expire. */
export interface Expiry {
  /** For example `athena/`; an empty string means the whole bucket. */
  readonly prefix: string;
  readonly days: number;
}

/** A bucket for logs. */
export interface LogTarget {
  readonly name: string;
  /** Its policy, if the same stack makes it: log delivery checks it on creation. */
  readonly policy?: ITerraformDependable;
}

export interface SecureBucketProps {
  /** Globally unique: 3 to 63 lower-case letters, digits and hyphens. */
  readonly name: string;
  /**
   * ARN of the KMS key that encrypts every object. @default S3's own key, for public objects and where KMS keys are not
   * supported
   */
  readonly encryptionKeyArn?: string;
  /** Days after which noncurrent versions expire. @default 90 */
  readonly expireOldVersionsAfterDays?: number;
  /** Current objects that expire. @default none */
  readonly expiries?: readonly Expiry[];
  /** The bucket for the access logs, under the name of this one. @default no access logs */
  readonly accessLogBucket?: LogTarget;
  /** Whether Terraform refuses to destroy it; otherwise its objects are deleted too. @default true */
  readonly protect?: boolean;
}

/** A private, versioned, encrypted bucket that accepts only TLS 1.2 and above. */
export class SecureBucket extends Construct {
  readonly arn: string;
  readonly name: string;
  /** `<name>.s3.<region>.amazonaws.com` */
  readonly regionalDomainName: string;
  /** Depend on it if AWS checks the bucket's policy on creation. */
  readonly policy: S3BucketPolicy;
  private readonly statements: ResourceStatement[];

  constructor(scope: Construct, id: string, props: SecureBucketProps) {
    super(scope, id);
    if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(props.name)) {
      throw new Error(
        `The bucket name ${JSON.stringify(props.name)} must have 3 to 63 lower-case letters, digits and hyphens. Shorten or correct it.`,
      );
    }
    const protect = props.protect ?? true;
    const bucket = new S3Bucket(this, "bucket", {
      bucket: props.name,
      forceDestroy: !protect,
      lifecycle: protect ? { preventDestroy: true } : undefined,
    });
    this.arn = bucket.arn;
    this.name = bucket.bucket;
    this.regionalDomainName = bucket.bucketRegionalDomainName;

    const publicAccess = new S3BucketPublicAccessBlock(this, "public-access", {
      bucket: bucket.bucket,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    new S3BucketOwnershipControls(this, "ownership", {
      bucket: bucket.bucket,
      rule: { objectOwnership: "BucketOwnerEnforced" },
    });
    new S3BucketServerSideEncryptionConfigurationA(this, "encryption", {
      bucket: bucket.bucket,
      rule: [
        {
          applyServerSideEncryptionByDefault:
            props.encryptionKeyArn === undefined
              ? { sseAlgorithm: "AES256" }
              : { sseAlgorithm: "aws:kms", kmsMasterKeyId: props.encryptionKeyArn },
          // Saves KMS requests.
          bucketKeyEnabled: props.encryptionKeyArn === undefined ? undefined : true,
        },
      ],
    });
    const versioning = new S3BucketVersioningA(this, "versioning", {
      bucket: bucket.bucket,
      versioningConfiguration: { status: "Enabled" },
    });
    new S3BucketLifecycleConfiguration(this, "lifecycle", {
      bucket: bucket.bucket,
      rule: [
        {
          id: "tidy",
          status: "Enabled",
          filter: [{ prefix: "" }],
          noncurrentVersionExpiration: [{ noncurrentDays: props.expireOldVersionsAfterDays ?? 90 }],
          expiration: [{ expiredObjectDeleteMarker: true }],
          abortIncompleteMultipartUpload: [{ daysAfterInitiation: 1 }],
        },
        ...(props.expiries ?? []).map(({ prefix, days }) => ({
          id: `expire-${prefix.replace(/\/$/, "") || "all"}`,
          status: "Enabled",
          filter: [{ prefix }],
          expiration: [{ days }],
        })),
      ],
      dependsOn: [versioning],
    });
    if (props.accessLogBucket) {
      new S3BucketLoggingA(this, "access-logs", {
        bucket: bucket.bucket,
        targetBucket: props.accessLogBucket.name,
        targetPrefix: `${props.name}/`,
        dependsOn: props.accessLogBucket.policy && [props.accessLogBucket.policy],
      });
    }

    this.statements = [
      {
        sid: "RefusePlainText",
        effect: "Deny",
        principals: "*",
        actions: ["s3:*"],
        resources: [bucket.arn, `${bucket.arn}/*`],
        conditions: { Bool: { "aws:SecureTransport": "false" } },
      },
      {
        sid: "RefuseOldTls",
        effect: "Deny",
        principals: "*",
        actions: ["s3:*"],
        resources: [bucket.arn, `${bucket.arn}/*`],
        conditions: { NumericLessThan: { "s3:TlsVersion": "1.2" } },
      },
    ];
    this.policy = new S3BucketPolicy(this, "policy", {
      bucket: bucket.bucket,
      policy: Lazy.stringValue({ produce: () => policyDocument(this.statements) }),
      // S3 refuses both at the same time: "a conflicting conditional operation is in progress".
      dependsOn: [publicAccess],
    });
  }

  /** Lets a service without a role access the bucket. */
  allow(...statements: readonly ResourceStatement[]): void {
    this.statements.push(...statements);
  }

  /** Lets S3 write the access logs of this account's buckets here. */
  allowAccessLogs(): void {
    this.allow({
      sid: "AccessLogs",
      principals: { Service: "logging.s3.amazonaws.com" },
      actions: ["s3:PutObject"],
      resources: [`${this.arn}/*`],
      conditions: { StringEquals: { "aws:SourceAccount": placeOf(this).account } },
    });
  }

  /**
   * Lets CloudFront write its access logs here, below `AWSLogs/<account>/CloudFront/`.
   * @param sources ARN or pattern of the delivery sources, which are always in us-east-1
   */
  allowCloudFrontLogs(sources: string): void {
    const { account } = placeOf(this);
    // CloudWatch Logs User Guide, "Logs sent to Amazon S3".
    this.allow({
      sid: "CloudFrontLogs",
      principals: { Service: "delivery.logs.amazonaws.com" },
      actions: ["s3:PutObject"],
      resources: [`${this.arn}/AWSLogs/${account}/CloudFront/*`],
      conditions: {
        StringEquals: { "aws:SourceAccount": account, "s3:x-amz-acl": "bucket-owner-full-control" },
        ArnLike: { "aws:SourceArn": sources },
      },
    });
  }

  /** The statements that let a role write objects under the prefixes. */
  writeStatements(prefixes: readonly string[], name?: string): readonly Statement[] {
    return writeObjects({ bucketArn: this.arn, prefixes, name });
  }
}
