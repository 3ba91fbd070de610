import { EncryptionKey } from "../../modules/encryption-key";
import { ExecutionRole } from "../../modules/execution-role";
import { SecureBucket } from "../../modules/secure-bucket";
import { Policy } from "../support/policy";
import { synthesize } from "../support/synthesize";

const bucketArn = "${aws_s3_bucket.data_bucket.arn}";
const template = synthesize((stack) => {
  new SecureBucket(stack, "data", { name: "acme-data", encryptionKeyArn: "arn:key" });
});

test("it is private in all of S3's four ways, and has no ACLs", () => {
  expect(template.resource("aws_s3_bucket_public_access_block")).toMatchObject({
    block_public_acls: true,
    block_public_policy: true,
    ignore_public_acls: true,
    restrict_public_buckets: true,
  });
  expect(template.resource("aws_s3_bucket_ownership_controls").rule).toEqual({
    object_ownership: "BucketOwnerEnforced",
  });
});

test("it is versioned, and encrypted by the key with one KMS request for many objects", () => {
  expect(template.resource("aws_s3_bucket_versioning").versioning_configuration).toEqual({ status: "Enabled" });
  expect(template.resource("aws_s3_bucket_server_side_encryption_configuration").rule).toEqual([
    {
      bucket_key_enabled: true,
      apply_server_side_encryption_by_default: { sse_algorithm: "aws:kms", kms_master_key_id: "arn:key" },
    },
  ]);
});

test("it refuses plain text and TLS below 1.2, whoever asks, for itself and its objects", () => {
  const policy = new Policy(template.resource("aws_s3_bucket_policy").policy);
  for (const resource of [bucketArn, `${bucketArn}/a`]) {
    expect(policy.denies("s3:GetObject", resource, { "aws:SecureTransport": "false" })).toBe(true);
    expect(policy.denies("s3:GetObject", resource, { "aws:SecureTransport": "true", "s3:TlsVersion": "1.1" })).toBe(
      true,
    );
    expect(policy.denies("s3:GetObject", resource, { "aws:SecureTransport": "true", "s3:TlsVersion": "1.2" })).toBe(
      false,
    );
    expect(policy.denies("s3:GetObject", resource, { "aws:SecureTransport": "true", "s3:TlsVersion": "1.3" })).toBe(
      false,
    );
  }
  expect(policy.allows("s3:GetObject", `${bucketArn}/a`, { "aws:SecureTransport": "true" })).toBe(false);
});

test("old versions expire, and so do unfinished uploads", () => {
  const [rule] = template.resource("aws_s3_bucket_lifecycle_configuration").rule;
  expect(rule).toMatchObject({
    status: "Enabled",
    noncurrent_version_expiration: [{ noncurrent_days: 90 }],
    abort_incomplete_multipart_upload: [{ days_after_initiation: 1 }],
  });
  expect(rule.expiration).toEqual([{ expired_object_delete_marker: true }]);
});

test("Terraform refuses to destroy it unless it is told otherwise", () => {
  expect(template.resource("aws_s3_bucket")).toMatchObject({
    force_destroy: false,
    lifecycle: { prevent_destroy: true },
  });
  const free = synthesize((stack) => {
    new SecureBucket(stack, "data", { name: "acme-data", protect: false });
  });
  expect(free.resource("aws_s3_bucket")).toMatchObject({ force_destroy: true });
  expect(free.resource("aws_s3_bucket").lifecycle).toBeUndefined();
});

test("later permissions are added to the refusals", () => {
  const policy = new Policy(
    synthesize((stack) => {
      const bucket = new SecureBucket(stack, "data", { name: "acme-data" });
      bucket.allowAccessLogs();
    }).resource("aws_s3_bucket_policy").policy,
  );
  const ours = { "aws:SourceAccount": "123456789012" };
  const delivery = "logging.s3.amazonaws.com";
  expect(policy.allows("s3:PutObject", `${bucketArn}/a`, ours, delivery)).toBe(true);
  expect(policy.allows("s3:PutObject", `${bucketArn}/a`, { ...ours, "aws:SecureTransport": "false" }, delivery)).toBe(
    false,
  );
});

test("grants name the bucket's own objects", () => {
  const policy = synthesize((stack) => {
    const bucket = new SecureBucket(stack, "data", { name: "acme-data" });
    const statements = bucket.writeStatements(["surveys/"]);
    new ExecutionRole(stack, "reader", {
      name: "reader",
      description: "x",
      service: "lambda.amazonaws.com",
      statements,
    });
  }).policyOf("reader_policy");
  expect(policy.allows("s3:PutObject", `${bucketArn}/surveys/a`)).toBe(true);
  expect(policy.allows("s3:PutObject", `${bucketArn}/runs/a`)).toBe(false);
});

test.each(["ab", "Acme", "acme_data", "-acme", "acme.data", "a".repeat(64)])("the name %p is refused", (name) => {
  expect(() =>
    synthesize((stack) => {
      new SecureBucket(stack, "data", { name });
    }),
  ).toThrow(`The bucket name ${JSON.stringify(name)} must have 3 to 63`);
});

describe("an encryption key", () => {
  const key = synthesize((stack) => {
    new EncryptionKey(stack, "encryption", {
      name: "acme-local-data",
      description: "x",
      logGroupsNamed: "acme-local-",
    });
  }).resource("aws_kms_key");
  const policy = new Policy(key.policy);

  test("changes its material, waits 30 days before it goes, and is protected", () => {
    expect(key).toMatchObject({
      enable_key_rotation: true,
      deletion_window_in_days: 30,
      lifecycle: { prevent_destroy: true },
    });
  });

  test("encrypts the platform's own log groups in its own account, and nobody else's", () => {
    const logs = "logs.eu-west-1.amazonaws.com";
    const group = (account: string, name: string): Record<string, string> => ({
      "kms:EncryptionContext:aws:logs:arn": `arn:aws:logs:eu-west-1:${account}:log-group:${name}`,
    });
    expect(policy.allows("kms:GenerateDataKey", "k", group("123456789012", "/aws/lambda/acme-local-x"), logs)).toBe(
      true,
    );
    expect(policy.allows("kms:GenerateDataKey", "k", group("999999999999", "/aws/lambda/acme-local-x"), logs)).toBe(
      false,
    );
    expect(policy.allows("kms:GenerateDataKey", "k", group("123456789012", "/aws/lambda/other"), logs)).toBe(false);
    expect(policy.allows("kms:ScheduleKeyDeletion", "k", group("123456789012", "/aws/lambda/acme-local-x"), logs)).toBe(
      false,
    );
  });

  test("lets this account's alarms publish, and leaves the rest to the account's policies", () => {
    const alarms = "cloudwatch.amazonaws.com";
    expect(policy.allows("kms:Decrypt", "k", { "aws:SourceAccount": "123456789012" }, alarms)).toBe(true);
    expect(policy.allows("kms:Decrypt", "k", { "aws:SourceAccount": "999999999999" }, alarms)).toBe(false);
    expect(policy.allows("kms:Decrypt", "k", {}, "arn:aws:iam::123456789012:root")).toBe(true);
    expect(policy.allows("kms:Decrypt", "k", {}, "arn:aws:iam::999999999999:root")).toBe(false);
  });
});

test("CloudFront may write its logs in its own folder, for this account's sites, and nothing else", () => {
  const logs = synthesize((stack) => {
    const bucket = new SecureBucket(stack, "data", { name: "acme-logs" });
    bucket.allowCloudFrontLogs("arn:aws:logs:us-east-1:123456789012:delivery-source:acme-local-*");
  });
  const policy = new Policy(logs.resource("aws_s3_bucket_policy").policy);
  const service = "delivery.logs.amazonaws.com";
  const ours = {
    "aws:SourceAccount": "123456789012",
    "aws:SourceArn": "arn:aws:logs:us-east-1:123456789012:delivery-source:acme-local-test",
    "s3:x-amz-acl": "bucket-owner-full-control",
  };
  const folder = `${bucketArn}/AWSLogs/123456789012/CloudFront`;
  expect(policy.allows("s3:PutObject", `${folder}/log.gz`, ours, service)).toBe(true);
  expect(policy.allows("s3:PutObject", `${bucketArn}/AWSLogs/123456789012/other`, ours, service)).toBe(false);
  expect(policy.allows("s3:GetObject", `${folder}/log.gz`, ours, service)).toBe(false);
  for (const key of Object.keys(ours)) {
    expect(policy.allows("s3:PutObject", `${folder}/log.gz`, { ...ours, [key]: "other" }, service)).toBe(false);
  }
});
