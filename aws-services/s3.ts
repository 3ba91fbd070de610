/** Amazon S3: buckets, their settings, and objects that Terraform writes. */
import { blocks, filled, isTrue } from "./arguments";
import { type Permissions, keyUseThrough } from "./permissions";
import { ownKeyIf, partOfAnother, type ResourceType, type Service, usageCharge } from "./record";

const buckets: Permissions = {
  sid: "Buckets",
  reads: `
    s3:GetAccelerateConfiguration s3:GetBucketAcl s3:GetBucketCORS s3:GetBucketLocation s3:GetBucketLogging
    s3:GetBucketObjectLockConfiguration s3:GetBucketOwnershipControls s3:GetBucketPolicy s3:GetBucketPublicAccessBlock
    s3:GetBucketRequestPayment s3:GetBucketTagging s3:GetBucketVersioning s3:GetBucketWebsite
    s3:GetEncryptionConfiguration s3:GetLifecycleConfiguration s3:GetReplicationConfiguration s3:ListBucket
    s3:ListTagsForResource`,
  writes: `
    s3:CreateBucket s3:DeleteBucketPolicy s3:PutBucketLogging s3:PutBucketOwnershipControls s3:PutBucketPolicy
    s3:PutBucketPublicAccessBlock s3:PutBucketTagging s3:PutBucketVersioning s3:PutEncryptionConfiguration
    s3:PutLifecycleConfiguration s3:TagResource s3:UntagResource`,
  on: "s3:{name}",
};

const setting: ResourceType = { permissions: [buckets], price: partOfAnother };

export const s3: Service = {
  aws_s3_bucket: {
    permissions: [buckets],
    price: {
      charges: (_, { bucketGigabytes, bucketReads, bucketWrites }) => [
        usageCharge("bucketGigabyteMonth", bucketGigabytes),
        usageCharge("bucketWrite", bucketWrites),
        usageCharge("bucketRead", bucketReads),
      ],
    },
    importId: "bucket",
    taggedLater: true,
    madeByOneCall: true,
    holds: {
      what: "objects and their old versions",
      lostBy: ["s3:DeleteBucket"],
      unguarded: (block) => (isTrue(block, "force_destroy") ? ["force_destroy"] : []),
    },
    encryption: (bucket, neighbours) => {
      const type = "aws_s3_bucket_server_side_encryption_configuration";
      const defaults = neighbours
        .belongingTo(bucket, type, "bucket", ["bucket", "id"])
        .flatMap((each) => blocks(each.arguments, "rule", "apply_server_side_encryption_by_default"));
      const ownKey = defaults.every((rule) => filled(rule, "kms_master_key_id"));
      return defaults.length === 0 ? [{ by: "none" }] : [ownKeyIf(ownKey)];
    },
  },
  aws_s3_bucket_lifecycle_configuration: setting,
  aws_s3_bucket_logging: setting,
  aws_s3_bucket_ownership_controls: setting,
  aws_s3_bucket_policy: setting,
  aws_s3_bucket_public_access_block: setting,
  aws_s3_bucket_server_side_encryption_configuration: {
    ...setting,
    encryption: { elsewhere: "It is a bucket's encryption, which the bucket's record checks." },
  },
  aws_s3_bucket_versioning: setting,
  aws_s3_object: {
    permissions: [
      {
        sid: "Objects",
        reads: "s3:GetObject s3:GetObjectTagging",
        writes: "s3:DeleteObject s3:DeleteObjectVersion s3:PutObject s3:PutObjectTagging s3:ListBucketVersions",
        on: "s3:{name}",
      },
      keyUseThrough("EncryptObjects", "s3"),
    ],
    price: { free: "counted with its bucket" },
    encryption: { elsewhere: "The bucket encrypts it." },
  },
  "data.aws_s3_object": {
    permissions: [
      {
        sid: "LookUpObjects",
        // The provider reads the content of the version that it found.
        reads: "s3:GetObject s3:GetObjectTagging s3:GetObjectVersion",
        on: ({ lookedUp }) => lookedUp?.objects.join(" ") ?? "",
      },
      {
        sid: "DecryptLookedUpObjects",
        reads: "kms:Decrypt",
        on: ({ lookedUp }) => (lookedUp ? "kms:key/*" : ""),
        conditions: ({ lookedUp, region }) => ({
          StringEquals: {
            "aws:ResourceTag/Stack": lookedUp?.keyStack ?? "",
            "kms:ViaService": `s3.${region}.amazonaws.com`,
          },
        }),
      },
    ],
  },
};
