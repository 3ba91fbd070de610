/** Buckets that accept only TLS, and are never public. */
import { type Documents, isArguments, type Resource, values } from "../documents";
import type { Rule } from "../rule";
import { isAnyone, type Statement, statements } from "../statements";

/** The texts that mean a bucket in a policy, and its objects. */
function arnsOf({ address, arguments: { bucket } }: Resource): readonly string[] {
  const named = typeof bucket === "string" ? ["aws", "aws-cn", "aws-us-gov"].map((p) => `arn:${p}:s3:::${bucket}`) : [];
  return [`\${${address}.arn}`, ...named];
}

/** Whether a statement denies everybody everything without TLS, under no other condition. */
function refusesPlainText({ allows, principal, actions, conditions }: Statement): boolean {
  const [[operator, keys] = ["", undefined], ...others] = Object.entries(conditions);
  const [[key, value] = ["", undefined], ...otherKeys] = Object.entries(isArguments(keys) ? keys : {});
  return (
    !allows &&
    isAnyone(principal) &&
    actions.some((action) => action === "s3:*" || action === "*") &&
    operator === "Bool" &&
    key.toLowerCase() === "aws:securetransport" &&
    [value].flat().map(String).join() === "false" &&
    others.length === 0 &&
    otherKeys.length === 0
  );
}

function policyStatements(bucket: Resource, documents: Documents): readonly Statement[] {
  const policies = new Set(documents.belongingTo(bucket, "aws_s3_bucket_policy", "bucket", ["bucket", "id"]));
  return statements(documents).filter(({ resource }) => policies.has(resource));
}

/** No request to a bucket goes unencrypted. */
export const tlsOnlyBuckets: Rule = {
  id: "tls-only-buckets",
  promise: "A bucket and its objects accept only TLS.",
  source: 'S3 User Guide, "Security best practices for Amazon S3": enforce encryption of data in transit',
  remedy: "Make it a SecureBucket (modules/secure-bucket.ts), or deny s3:* if aws:SecureTransport is false.",
  *check(documents) {
    for (const bucket of documents.resources("aws_s3_bucket")) {
      const refused = new Set(
        policyStatements(bucket, documents)
          .filter(refusesPlainText)
          .flatMap((s) => s.resources),
      );
      const missing = ["", "/*"].filter((suffix) => !arnsOf(bucket).some((arn) => refused.has(arn + suffix)));
      if (missing.length > 0) {
        const what = missing.length === 2 ? "itself and its objects" : missing[0] === "" ? "itself" : "its objects";
        yield { place: bucket, found: `accepts requests for ${what} without TLS` };
      }
    }
  },
};

const publicAccessSettings = [
  "block_public_acls",
  "block_public_policy",
  "ignore_public_acls",
  "restrict_public_buckets",
] as const;

/** No later mistake can make a bucket public. */
export const privateBuckets: Rule = {
  id: "private-buckets",
  promise: "S3 blocks public access to every bucket in all four ways.",
  source: 'S3 User Guide, "Blocking public access to your Amazon S3 storage"',
  remedy: "Make it a SecureBucket (modules/secure-bucket.ts), or give it an aws_s3_bucket_public_access_block.",
  *check(documents) {
    for (const bucket of documents.resources("aws_s3_bucket")) {
      const blocks = documents.belongingTo(bucket, "aws_s3_bucket_public_access_block", "bucket", ["bucket", "id"]);
      const missing = publicAccessSettings.filter(
        (setting) => !blocks.some((block) => values(block.arguments, setting)[0] === true),
      );
      if (missing.length > 0) {
        yield { place: bucket, found: `has no ${missing.join(", ")}` };
      }
    }
  },
};
