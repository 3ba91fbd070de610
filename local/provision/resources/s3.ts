import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type {
  LifecycleRule,
  ObjectOwnership,
  S3,
  ServerSideEncryption,
  ServerSideEncryptionRule,
} from "@aws-sdk/client-s3";
import type { Arguments } from "../arguments";
import { type Creation, isNamed, type ResourceKind, settled, tagList, textOf } from "../resource-kind";

const bucketKind: ResourceKind = settled({
  type: "aws_s3_bucket",
  naming: { argument: "bucket", prefix: "terraform-", maximumLength: 63 },
  async put(creation) {
    const { arguments: list, clients, region, tags } = creation;
    const Bucket = list.requireText("bucket");
    list.accept("force_destroy");
    try {
      await clients.s3.createBucket({
        Bucket,
        CreateBucketConfiguration: region === "us-east-1" ? undefined : { LocationConstraint: region as "eu-west-1" },
      });
    } catch (error) {
      if (!isNamed(error, "BucketAlreadyOwnedByYou", "BucketAlreadyExists")) {
        throw error;
      }
    }
    if (Object.keys(tags).length > 0) {
      await clients.s3.putBucketTagging({ Bucket, Tagging: { TagSet: tagList(tags) } });
    } else {
      await clients.s3.deleteBucketTagging({ Bucket });
    }
    return {
      id: Bucket,
      arn: `arn:aws:s3:::${Bucket}`,
      bucket_regional_domain_name: `${Bucket}.s3.${region}.amazonaws.com`,
    };
  },
  exists: ({ attributes, clients }) => clients.s3.headBucket({ Bucket: attributes.id }),
  async delete({ attributes: { id: Bucket }, arguments: list, clients }) {
    if (list.boolean("force_destroy")) {
      await emptyBucket(clients.s3, Bucket);
    }
    await clients.s3.deleteBucket({ Bucket });
  },
});

/** Deletes every version of every object. */
async function emptyBucket(s3: S3, Bucket: string): Promise<void> {
  for (;;) {
    const { Versions = [], DeleteMarkers = [] } = await s3.listObjectVersions({ Bucket });
    const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }));
    if (Objects.length === 0) {
      return;
    }
    const { Errors = [] } = await s3.deleteObjects({
      Bucket,
      Delete: { Objects: Objects.slice(0, 1_000), Quiet: true },
    });
    if (Errors[0]) {
      throw new Error(`${Errors[0].Key}: ${Errors[0].Message}`);
    }
  }
}

/** A bucket setting: replaced as a whole, deleted with its bucket. */
function bucketSetting(
  type: string,
  work: {
    put(bucket: string, creation: Creation): Promise<unknown>;
    /** Returns a truthy value when it is set. */
    get(bucket: string, s3: S3, list: Arguments): Promise<unknown>;
    remove(bucket: string, s3: S3): Promise<unknown>;
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
    exists: ({ attributes, arguments: list, clients }) => work.get(attributes.id, clients.s3, list),
    delete: ({ attributes, clients }) => work.remove(attributes.id, clients.s3),
  });
}

const publicAccessBlock = bucketSetting("aws_s3_bucket_public_access_block", {
  put: (Bucket, { arguments: list, clients }) =>
    clients.s3.putPublicAccessBlock({
      Bucket,
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: list.boolean("block_public_acls") ?? false,
        BlockPublicPolicy: list.boolean("block_public_policy") ?? false,
        IgnorePublicAcls: list.boolean("ignore_public_acls") ?? false,
        RestrictPublicBuckets: list.boolean("restrict_public_buckets") ?? false,
      },
    }),
  get: (Bucket, s3) => s3.getPublicAccessBlock({ Bucket }),
  remove: (Bucket, s3) => s3.deletePublicAccessBlock({ Bucket }),
});

const ownershipControls = bucketSetting("aws_s3_bucket_ownership_controls", {
  put: (Bucket, { arguments: list, clients }) =>
    clients.s3.putBucketOwnershipControls({
      Bucket,
      OwnershipControls: {
        Rules: list.blocks("rule").map((rule) => ({
          ObjectOwnership: rule.requireText("object_ownership") as ObjectOwnership,
        })),
      },
    }),
  get: (Bucket, s3) => s3.getBucketOwnershipControls({ Bucket }),
  remove: (Bucket, s3) => s3.deleteBucketOwnershipControls({ Bucket }),
});

const encryption = bucketSetting("aws_s3_bucket_server_side_encryption_configuration", {
  put: (Bucket, { arguments: list, clients }) =>
    clients.s3.putBucketEncryption({
      Bucket,
      ServerSideEncryptionConfiguration: {
        Rules: list.blocks("rule").map((rule): ServerSideEncryptionRule => {
          const byDefault = rule.block("apply_server_side_encryption_by_default");
          return {
            ApplyServerSideEncryptionByDefault: byDefault && {
              SSEAlgorithm: byDefault.requireText("sse_algorithm") as ServerSideEncryption,
              KMSMasterKeyID: byDefault.text("kms_master_key_id"),
            },
            BucketKeyEnabled: rule.boolean("bucket_key_enabled"),
          };
        }),
      },
    }),
  get: (Bucket, s3) => s3.getBucketEncryption({ Bucket }),
  remove: (Bucket, s3) => s3.deleteBucketEncryption({ Bucket }),
});

const versioning = bucketSetting("aws_s3_bucket_versioning", {
  put: async (Bucket, { arguments: list, clients }) => {
    const Status = list.requireBlock("versioning_configuration").requireText("status") as "Enabled" | "Suspended";
    await clients.s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status } });
  },
  get: async (Bucket, s3, list) => {
    const { Status } = await s3.getBucketVersioning({ Bucket });
    return Status === list.requireBlock("versioning_configuration").requireText("status");
  },
  remove: (Bucket, s3) => s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: "Suspended" } }),
});

const policy = bucketSetting("aws_s3_bucket_policy", {
  put: (Bucket, { arguments: list, clients }) =>
    clients.s3.putBucketPolicy({ Bucket, Policy: list.requireText("policy") }),
  get: (Bucket, s3) => s3.getBucketPolicy({ Bucket }),
  remove: (Bucket, s3) => s3.deleteBucketPolicy({ Bucket }),
});

const logging = bucketSetting("aws_s3_bucket_logging", {
  put: (Bucket, { arguments: list, clients }) =>
    clients.s3.putBucketLogging({
      Bucket,
      BucketLoggingStatus: {
        LoggingEnabled: {
          TargetBucket: list.requireText("target_bucket"),
          TargetPrefix: list.requireText("target_prefix"),
        },
      },
    }),
  get: async (Bucket, s3) => (await s3.getBucketLogging({ Bucket })).LoggingEnabled,
  remove: (Bucket, s3) => s3.putBucketLogging({ Bucket, BucketLoggingStatus: {} }),
});

const lifecycle = bucketSetting("aws_s3_bucket_lifecycle_configuration", {
  put: (Bucket, { arguments: list, clients }) =>
    clients.s3.putBucketLifecycleConfiguration({
      Bucket,
      LifecycleConfiguration: { Rules: list.blocks("rule").map(lifecycleRule) },
    }),
  get: (Bucket, s3) => s3.getBucketLifecycleConfiguration({ Bucket }),
  remove: (Bucket, s3) => s3.deleteBucketLifecycle({ Bucket }),
});

function lifecycleRule(rule: Arguments): LifecycleRule {
  const expiration = rule.block("expiration");
  const noncurrent = rule.block("noncurrent_version_expiration");
  const abort = rule.block("abort_incomplete_multipart_upload");
  return {
    ID: rule.requireText("id"),
    Status: rule.requireText("status") as "Enabled" | "Disabled",
    Filter: { Prefix: rule.block("filter")?.text("prefix") ?? "" },
    Expiration: expiration && {
      Days: expiration.number("days"),
      ExpiredObjectDeleteMarker: expiration.boolean("expired_object_delete_marker"),
    },
    NoncurrentVersionExpiration: noncurrent && { NoncurrentDays: noncurrent.number("noncurrent_days") },
    AbortIncompleteMultipartUpload: abort && { DaysAfterInitiation: abort.number("days_after_initiation") },
  };
}

const object: ResourceKind = settled({
  type: "aws_s3_object",
  replacedBy: ["bucket", "key"],
  files: ["source"],
  async put({ arguments: list, clients, directory, tags }) {
    const Bucket = list.requireText("bucket");
    const Key = list.requireText("key");
    const source = list.text("source");
    const Body = source === undefined ? list.requireText("content") : readFileSync(resolve(directory, source));
    // It only marks a change; the content is read and compared anyway.
    list.accept("source_hash");
    const { ETag = "" } = await clients.s3.putObject({
      Bucket,
      Key,
      Body,
      ContentType: list.text("content_type"),
      CacheControl: list.text("cache_control"),
      Tagging: new URLSearchParams(tags).toString() || undefined,
    });
    return {
      id: `${Bucket}/${Key}`,
      key: Key,
      arn: `arn:aws:s3:::${Bucket}/${Key}`,
      etag: ETag.replaceAll('"', ""),
    };
  },
  async exists({ attributes, arguments: list, clients }) {
    const Key = textOf(attributes, "key");
    const { ETag } = await clients.s3.headObject({ Bucket: list.requireText("bucket"), Key });
    // Somebody may have overwritten it.
    return ETag?.replaceAll('"', "") === attributes.etag;
  },
  delete: ({ attributes, arguments: list, clients }) =>
    clients.s3.deleteObject({ Bucket: list.requireText("bucket"), Key: textOf(attributes, "key") }),
});

/** S3: buckets, their settings, and objects. */
export const s3Kinds: readonly ResourceKind[] = [
  bucketKind,
  publicAccessBlock,
  ownershipControls,
  encryption,
  versioning,
  policy,
  logging,
  lifecycle,
  object,
];
