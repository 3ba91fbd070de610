import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteBucketEncryptionCommand,
  DeleteBucketLifecycleCommand,
  DeleteBucketOwnershipControlsCommand,
  DeleteBucketPolicyCommand,
  DeleteBucketTaggingCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeletePublicAccessBlockCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLoggingCommand,
  GetBucketNotificationConfigurationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  type LifecycleRule,
  type LifecycleRuleFilter,
  ListObjectVersionsCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketLoggingCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  type ObjectOwnership,
  type S3Client,
  type ServerSideEncryption,
  type ServerSideEncryptionRule,
} from "@aws-sdk/client-s3";
import type { Arguments } from "../arguments";
import {
  type Attributes,
  type Creation,
  type Existing,
  isNamed,
  type Place,
  type ResourceKind,
  settled,
  tagList,
  textOf,
  unlessMissing,
} from "../resource-kind";

function bucketAttributes(bucket: string, { region, partition }: Place): Attributes {
  const domain = partition === "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com";
  return {
    id: bucket,
    arn: `arn:${partition}:s3:::${bucket}`,
    region,
    bucket_region: region,
    bucket_domain_name: `${bucket}.s3.${domain}`,
    bucket_regional_domain_name: `${bucket}.s3.${region}.${domain}`,
  };
}

const bucketKind: ResourceKind = settled({
  type: "aws_s3_bucket",
  naming: { argument: "bucket", prefix: "terraform-", maximumLength: 63 },
  replacedBy: ["object_lock_enabled"],
  async put(creation) {
    const { arguments: list, clients, region, tags } = creation;
    const Bucket = list.requireText("bucket");
    list.accept("force_destroy");
    try {
      await clients.s3.send(
        new CreateBucketCommand({
          Bucket,
          ...(region === "us-east-1"
            ? {}
            : { CreateBucketConfiguration: { LocationConstraint: region as "eu-west-1" } }),
          ObjectLockEnabledForBucket: list.boolean("object_lock_enabled"),
        }),
      );
    } catch (error) {
      if (!isNamed(error, "BucketAlreadyOwnedByYou", "BucketAlreadyExists")) {
        throw error;
      }
    }
    if (Object.keys(tags).length > 0) {
      await clients.s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: tagList(tags) } }));
    } else {
      await clients.s3.send(new DeleteBucketTaggingCommand({ Bucket }));
    }
    return bucketAttributes(Bucket, creation);
  },
  async read({ attributes, clients }) {
    const found = await unlessMissing(clients.s3.send(new HeadBucketCommand({ Bucket: attributes.id })));
    return found && attributes;
  },
  async delete({ attributes, arguments: list, clients }) {
    const Bucket = attributes.id;
    await unlessMissing(
      (async () => {
        if (list.boolean("force_destroy")) {
          await emptyBucket(clients.s3, Bucket);
        }
        await clients.s3.send(new DeleteBucketCommand({ Bucket }));
      })(),
    );
  },
});

/** Deletes every version of every object. */
async function emptyBucket(s3: S3Client, Bucket: string): Promise<void> {
  for (;;) {
    const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
    const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }));
    if (Objects.length === 0) {
      return;
    }
    const { Errors = [] } = await s3.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: Objects.slice(0, 1_000), Quiet: true } }),
    );
    if (Errors[0]) {
      throw new Error(`${Errors[0].Key}: ${Errors[0].Message}`);
    }
  }
}

/** What is set on a bucket: put as a whole, gone with its bucket. */
function bucketSetting(
  type: string,
  work: {
    put(bucket: string, creation: Creation): Promise<unknown>;
    /** Something true when it is set. */
    get(bucket: string, s3: S3Client, list: Arguments): Promise<unknown>;
    remove(bucket: string, s3: S3Client): Promise<unknown>;
  },
): ResourceKind {
  return settled({
    type,
    replacedBy: ["bucket"],
    async put(creation) {
      const bucket = creation.arguments.requireText("bucket");
      await work.put(bucket, creation);
      return { id: bucket };
    },
    async read({ attributes, arguments: list, clients }: Existing) {
      return (await unlessMissing(work.get(attributes.id, clients.s3, list))) ? attributes : undefined;
    },
    async delete({ attributes, clients }: Existing) {
      await unlessMissing(work.remove(attributes.id, clients.s3));
    },
  });
}

const publicAccessBlock = bucketSetting("aws_s3_bucket_public_access_block", {
  put: (Bucket, { arguments: list, clients }) =>
    clients.s3.send(
      new PutPublicAccessBlockCommand({
        Bucket,
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: list.boolean("block_public_acls") ?? false,
          BlockPublicPolicy: list.boolean("block_public_policy") ?? false,
          IgnorePublicAcls: list.boolean("ignore_public_acls") ?? false,
          RestrictPublicBuckets: list.boolean("restrict_public_buckets") ?? false,
        },
      }),
    ),
  get: (Bucket, s3) => s3.send(new GetPublicAccessBlockCommand({ Bucket })),
  remove: (Bucket, s3) => s3.send(new DeletePublicAccessBlockCommand({ Bucket })),
});

const ownershipControls = bucketSetting("aws_s3_bucket_ownership_controls", {
  put: (Bucket, { arguments: list, clients }) =>
    clients.s3.send(
      new PutBucketOwnershipControlsCommand({
        Bucket,
        OwnershipControls: {
          Rules: list.blocks("rule").map((rule) => ({
            ObjectOwnership: rule.requireText("object_ownership") as ObjectOwnership,
          })),
        },
      }),
    ),
  get: (Bucket, s3) => s3.send(new GetBucketOwnershipControlsCommand({ Bucket })),
  remove: (Bucket, s3) => s3.send(new DeleteBucketOwnershipControlsCommand({ Bucket })),
});

const encryption = bucketSetting("aws_s3_bucket_server_side_encryption_configuration", {
  put: (Bucket, { arguments: list, clients }) =>
    clients.s3.send(
      new PutBucketEncryptionCommand({
        Bucket,
        ServerSideEncryptionConfiguration: {
          Rules: list.blocks("rule").map((rule): ServerSideEncryptionRule => {
            const byDefault = rule.block("apply_server_side_encryption_by_default");
            return {
              ...(byDefault && {
                ApplyServerSideEncryptionByDefault: {
                  SSEAlgorithm: byDefault.requireText("sse_algorithm") as ServerSideEncryption,
                  KMSMasterKeyID: byDefault.text("kms_master_key_id"),
                },
              }),
              BucketKeyEnabled: rule.boolean("bucket_key_enabled"),
            };
          }),
        },
      }),
    ),
  get: (Bucket, s3) => s3.send(new GetBucketEncryptionCommand({ Bucket })),
  remove: (Bucket, s3) => s3.send(new DeleteBucketEncryptionCommand({ Bucket })),
});

const versioning = bucketSetting("aws_s3_bucket_versioning", {
  put: async (Bucket, { arguments: list, clients }) => {
    const status = list.requireBlock("versioning_configuration").requireText("status");
    // "Disabled" is Terraform's word for a bucket whose versioning was never switched on.
    if (status !== "Disabled") {
      await clients.s3.send(
        new PutBucketVersioningCommand({
          Bucket,
          VersioningConfiguration: { Status: status as "Enabled" | "Suspended" },
        }),
      );
    }
  },
  get: async (Bucket, s3, list) => {
    const { Status = "Disabled" } = await s3.send(new GetBucketVersioningCommand({ Bucket }));
    return Status === list.requireBlock("versioning_configuration").requireText("status");
  },
  remove: (Bucket, s3) =>
    s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Suspended" } })),
});

const policy = bucketSetting("aws_s3_bucket_policy", {
  put: (Bucket, { arguments: list, clients }) =>
    clients.s3.send(new PutBucketPolicyCommand({ Bucket, Policy: list.requireText("policy") })),
  get: (Bucket, s3) => s3.send(new GetBucketPolicyCommand({ Bucket })),
  remove: (Bucket, s3) => s3.send(new DeleteBucketPolicyCommand({ Bucket })),
});

const logging = bucketSetting("aws_s3_bucket_logging", {
  put: (Bucket, { arguments: list, clients }) =>
    clients.s3.send(
      new PutBucketLoggingCommand({
        Bucket,
        BucketLoggingStatus: {
          LoggingEnabled: {
            TargetBucket: list.requireText("target_bucket"),
            TargetPrefix: list.requireText("target_prefix"),
          },
        },
      }),
    ),
  get: async (Bucket, s3) => (await s3.send(new GetBucketLoggingCommand({ Bucket }))).LoggingEnabled,
  remove: (Bucket, s3) => s3.send(new PutBucketLoggingCommand({ Bucket, BucketLoggingStatus: {} })),
});

const lifecycle = bucketSetting("aws_s3_bucket_lifecycle_configuration", {
  put: (Bucket, { arguments: list, clients }) =>
    clients.s3.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket,
        LifecycleConfiguration: { Rules: list.blocks("rule").map(lifecycleRule) },
      }),
    ),
  get: (Bucket, s3) => s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket })),
  remove: (Bucket, s3) => s3.send(new DeleteBucketLifecycleCommand({ Bucket })),
});

function lifecycleRule(rule: Arguments): LifecycleRule {
  const expiration = rule.block("expiration");
  const noncurrent = rule.block("noncurrent_version_expiration");
  const abort = rule.block("abort_incomplete_multipart_upload");
  const date = expiration?.text("date");
  return {
    ID: rule.requireText("id"),
    Status: rule.requireText("status") as "Enabled" | "Disabled",
    Filter: lifecycleFilter(rule.block("filter")) ?? { Prefix: rule.text("prefix") ?? "" },
    ...(expiration && {
      Expiration: {
        Days: expiration.number("days"),
        Date: date === undefined ? undefined : new Date(date),
        ExpiredObjectDeleteMarker: expiration.boolean("expired_object_delete_marker"),
      },
    }),
    ...(noncurrent && {
      NoncurrentVersionExpiration: {
        NoncurrentDays: noncurrent.number("noncurrent_days"),
        NewerNoncurrentVersions: noncurrent.number("newer_noncurrent_versions"),
      },
    }),
    ...(abort && {
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: abort.number("days_after_initiation") },
    }),
    ...(rule.has("transition") && {
      Transitions: rule.blocks("transition").map((transition) => ({
        Days: transition.number("days"),
        StorageClass: transition.requireText("storage_class") as "GLACIER",
      })),
    }),
  };
}

function lifecycleFilter(filter: Arguments | undefined): LifecycleRuleFilter | undefined {
  if (!filter) {
    return undefined;
  }
  const tag = filter.block("tag");
  const and = filter.block("and");
  return {
    Prefix: filter.text("prefix") ?? (tag || and ? undefined : ""),
    ObjectSizeGreaterThan: filter.number("object_size_greater_than"),
    ObjectSizeLessThan: filter.number("object_size_less_than"),
    ...(tag && { Tag: { Key: tag.requireText("key"), Value: tag.requireText("value") } }),
    ...(and && { And: { Prefix: and.text("prefix"), Tags: tagList(and.map("tags") ?? {}) } }),
  };
}

const notification = bucketSetting("aws_s3_bucket_notification", {
  put: (Bucket, { arguments: list, clients }) => {
    const targets = (block: string, arn: string): { id?: string; arn: string; events: string[]; rules: object[] }[] =>
      list.blocks(block).map((target) => ({
        id: target.text("id"),
        arn: target.requireText(arn),
        events: target.texts("events") ?? [],
        rules: [
          ...["prefix", "suffix"].flatMap((Name) => {
            const value = target.text(`filter_${Name}`);
            return value === undefined ? [] : [{ Name, Value: value }];
          }),
        ],
      }));
    const common = ({ id, events, rules }: ReturnType<typeof targets>[number]): object => ({
      Id: id,
      Events: events,
      ...(rules.length > 0 ? { Filter: { Key: { FilterRules: rules } } } : {}),
    });
    return clients.s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket,
        NotificationConfiguration: {
          ...(list.boolean("eventbridge") ? { EventBridgeConfiguration: {} } : {}),
          LambdaFunctionConfigurations: targets("lambda_function", "lambda_function_arn").map((target) => ({
            ...common(target),
            Events: target.events as "s3:ObjectCreated:*"[],
            LambdaFunctionArn: target.arn,
          })),
          QueueConfigurations: targets("queue", "queue_arn").map((target) => ({
            ...common(target),
            Events: target.events as "s3:ObjectCreated:*"[],
            QueueArn: target.arn,
          })),
          TopicConfigurations: targets("topic", "topic_arn").map((target) => ({
            ...common(target),
            Events: target.events as "s3:ObjectCreated:*"[],
            TopicArn: target.arn,
          })),
        },
      }),
    );
  },
  get: async (Bucket, s3) => {
    const found = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
    return (
      found.EventBridgeConfiguration ??
      found.LambdaFunctionConfigurations ??
      found.QueueConfigurations ??
      found.TopicConfigurations
    );
  },
  remove: (Bucket, s3) =>
    s3.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration: {} })),
});

const object: ResourceKind = settled({
  type: "aws_s3_object",
  replacedBy: ["bucket", "key"],
  files: ["source"],
  async put({ arguments: list, clients, partition, directory, tags }) {
    const Bucket = list.requireText("bucket");
    const Key = list.requireText("key").replace(/^\/+/, "");
    const source = list.text("source");
    const encoded = list.text("content_base64");
    const Body =
      source !== undefined
        ? readFileSync(resolve(directory, source))
        : encoded !== undefined
          ? Buffer.from(encoded, "base64")
          : Buffer.from(list.text("content") ?? "");
    // Only say that the content has changed; it is read and compared in any case.
    list.accept("etag", "source_hash", "force_destroy", "bucket_key_enabled");
    const { ETag = "", VersionId } = await clients.s3.send(
      new PutObjectCommand({
        Bucket,
        Key,
        Body,
        ContentType: list.text("content_type"),
        CacheControl: list.text("cache_control"),
        ContentDisposition: list.text("content_disposition"),
        ContentEncoding: list.text("content_encoding"),
        ContentLanguage: list.text("content_language"),
        Metadata: list.map("metadata"),
        ServerSideEncryption: list.text("server_side_encryption") as ServerSideEncryption | undefined,
        SSEKMSKeyId: list.text("kms_key_id"),
        Tagging: new URLSearchParams(tags).toString() || undefined,
      }),
    );
    return {
      id: `${Bucket}/${Key}`,
      key: Key,
      arn: `arn:${partition}:s3:::${Bucket}/${Key}`,
      etag: ETag.replaceAll('"', ""),
      version_id: VersionId ?? null,
      checksum_sha256: createHash("sha256").update(Body).digest("base64"),
    };
  },
  async read({ attributes, arguments: list, clients }) {
    const found = await unlessMissing(
      clients.s3.send(new HeadObjectCommand({ Bucket: list.requireText("bucket"), Key: textOf(attributes, "key") })),
    );
    // Somebody may have put something else under its name.
    return found?.ETag?.replaceAll('"', "") === attributes.etag ? attributes : undefined;
  },
  async delete({ attributes, arguments: list, clients }) {
    await unlessMissing(
      clients.s3.send(new DeleteObjectCommand({ Bucket: list.requireText("bucket"), Key: textOf(attributes, "key") })),
    );
  },
});

/** S3: buckets, what is set on them, and objects. */
export const s3Kinds: readonly ResourceKind[] = [
  bucketKind,
  publicAccessBlock,
  ownershipControls,
  encryption,
  versioning,
  policy,
  logging,
  lifecycle,
  notification,
  object,
];
