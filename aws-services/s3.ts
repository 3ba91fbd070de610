/** Amazon S3: buckets, their settings, and objects that Terraform writes. */
import { blocks, filled, isTrue } from "./arguments";
import { ownKeyIf } from "./encryption";
import { type Permissions, useKey } from "./permissions";
import { partOfAnother, use } from "./price";
import type { ResourceType, Service } from "./resource-type";

const buckets: Permissions = {
  sid: "Buckets",
  service: "s3",
  reads: [
    "GetAccelerateConfiguration",
    "GetBucketAcl",
    "GetBucketCORS",
    "GetBucketLocation",
    "GetBucketLogging",
    "GetBucketObjectLockConfiguration",
    "GetBucketOwnershipControls",
    "GetBucketPolicy",
    "GetBucketPublicAccessBlock",
    "GetBucketRequestPayment",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetBucketWebsite",
    "GetEncryptionConfiguration",
    "GetLifecycleConfiguration",
    "GetReplicationConfiguration",
    "ListBucket",
    "ListTagsForResource",
  ],
  writes: [
    "CreateBucket",
    "DeleteBucketPolicy",
    "PutBucketLogging",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketPublicAccessBlock",
    "PutBucketTagging",
    "PutBucketVersioning",
    "PutEncryptionConfiguration",
    "PutLifecycleConfiguration",
    "TagResource",
    "UntagResource",
  ],
  on: ["{name}"],
};

const objects: Permissions = {
  sid: "Objects",
  service: "s3",
  reads: ["GetObject", "GetObjectTagging"],
  writes: ["DeleteObject", "DeleteObjectVersion", "PutObject", "PutObjectTagging", "ListBucketVersions"],
  on: ["{name}"],
  more: (scope) => [useKey(scope, "EncryptObjects", "s3")],
};

const lookUpObjects: Permissions = {
  sid: "LookUpObjects",
  service: "s3",
  // The content is asked for by the version that the object had when it was looked at.
  reads: ["GetObject", "GetObjectTagging", "GetObjectVersion"],
  on: ({ of }) => of.lookedUp?.objects ?? [],
};

const decryptLookedUpObjects: Permissions = {
  sid: "DecryptLookedUpObjects",
  service: "kms",
  reads: ["Decrypt"],
  on: (scope) => (scope.of.lookedUp ? scope.arns("kms", "key/*") : []),
  conditions: ({ lookedUp, region }) => ({
    StringEquals: {
      "aws:ResourceTag/Stack": lookedUp?.keyStack ?? "",
      "kms:ViaService": `s3.${region}.amazonaws.com`,
    },
  }),
};

const setting: ResourceType = { permissions: [buckets], price: partOfAnother };

export const s3: Service = {
  aws_s3_bucket: {
    permissions: [buckets],
    price: {
      charges: (_, { bucketGigabytes, bucketReads, bucketWrites }) => [
        use("bucketGigabyteMonth", bucketGigabytes),
        use("bucketWrite", bucketWrites),
        use("bucketRead", bucketReads),
      ],
    },
    importId: "bucket",
    taggedLater: true,
    madeByOneCall: true,
    holds: {
      what: "objects, old versions included",
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
    encryption: { elsewhere: "It is the encryption of a bucket, at which the bucket's record looks." },
  },
  aws_s3_bucket_versioning: setting,
  aws_s3_object: {
    permissions: [objects],
    price: { free: "counted with its bucket" },
    encryption: { elsewhere: "The bucket encrypts it." },
  },
  "data.aws_s3_object": { permissions: [lookUpObjects, decryptLookedUpObjects] },
};
