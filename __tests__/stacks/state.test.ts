import { Policy } from "../support/policy";
import { synthesizePlatform } from "../support/synthesize";

const development = synthesizePlatform("development");
const account = "111122223333";
const state = development.state!;
const key = "${aws_kms_key.encryption_key.arn}";
const states = "aws_s3_bucket.states_bucket";
const object = `\${${states}.arn}/development/data.tfstate`;

/** The resource of a type that belongs to the bucket of the states. */
const ofStates = (type: string) =>
  Object.values(state.resources(type)).find(({ bucket }) => bucket === `\${${states}.bucket}`);

test("there is one where the account keeps its states in S3, and none where Terraform Cloud or an emulator does", () => {
  expect(Object.keys(development)).toContain("state");
  expect(Object.keys(synthesizePlatform("production"))).toContain("state");
  expect(Object.keys(synthesizePlatform("local"))).not.toContain("state");
  const backend = { type: "cloud", organization: "acme" } as const;
  expect(Object.keys(synthesizePlatform("development", { backend }))).not.toContain("state");
});

test("the bucket is the one in which every stack keeps its state", () => {
  const name = `acme-state-${account}-eu-west-1`;
  expect(state.resource("aws_s3_bucket", "states_bucket").bucket).toBe(name);
  for (const { document } of Object.values(development)) {
    expect(document.terraform.backend.s3.bucket).toBe(name);
  }
  expect(state.resource("aws_ssm_parameter", "StateBucket")).toMatchObject({
    name: "/acme/development/StateBucket",
    insecure_value: `\${${states}.bucket}`,
  });
  expect(state.resource("aws_ssm_parameter", "StateKey").insecure_value).toBe(key);
});

test("bucket and key are never destroyed, not even where the environment protects no data", () => {
  for (const resource of [state.resource("aws_s3_bucket", "states_bucket"), state.resource("aws_kms_key")]) {
    expect(resource.lifecycle.prevent_destroy).toBe(true);
  }
  expect(state.resource("aws_s3_bucket", "states_bucket").force_destroy).toBe(false);
});

test("it is versioned, private, logged, and its old versions expire", () => {
  expect(ofStates("aws_s3_bucket_versioning")?.versioning_configuration).toEqual({ status: "Enabled" });
  expect(ofStates("aws_s3_bucket_public_access_block")).toMatchObject({
    block_public_acls: true,
    restrict_public_buckets: true,
  });
  expect(ofStates("aws_s3_bucket_logging")?.target_bucket).toBe("${aws_s3_bucket.logs_bucket.bucket}");
  expect(ofStates("aws_s3_bucket_lifecycle_configuration")?.rule).toEqual([
    expect.objectContaining({ noncurrent_version_expiration: [{ noncurrent_days: 14 }] }),
  ]);
});

test("current states never expire", () => {
  for (const { expiration } of ofStates("aws_s3_bucket_lifecycle_configuration")?.rule ?? []) {
    expect(expiration).toEqual([{ expired_object_delete_marker: true }]);
  }
});

describe("encryption", () => {
  const policy = new Policy(ofStates("aws_s3_bucket_policy")?.policy);

  test("is by a key of its own, which changes every year and serves nobody else", () => {
    expect(ofStates("aws_s3_bucket_server_side_encryption_configuration")?.rule).toEqual([
      {
        bucket_key_enabled: true,
        apply_server_side_encryption_by_default: { sse_algorithm: "aws:kms", kms_master_key_id: key },
      },
    ]);
    const { enable_key_rotation: rotates, policy: keyPolicy } = state.resource("aws_kms_key");
    expect(rotates).toBe(true);
    expect(new Policy(keyPolicy).statements.map(({ Sid }) => Sid)).toEqual(["AccountDecidesByItsPolicies"]);
  });

  test("is the bucket's for whoever asks for none, as Terraform does", () => {
    expect(policy.denies("s3:PutObject", object, { "aws:SecureTransport": "true", "s3:TlsVersion": "1.3" })).toBe(
      false,
    );
    // `encrypt = true` without a key would make Terraform ask for AES256.
    for (const { document } of Object.values(development)) {
      expect(document.terraform.backend.s3).not.toHaveProperty("encrypt");
      expect(document.terraform.backend.s3).not.toHaveProperty("kms_key_id");
    }
  });

  test("by anything else is refused: S3's own key, another key, a key of the caller's", () => {
    const asked = (header: string, value: string): boolean =>
      policy.denies("s3:PutObject", object, { [`s3:x-amz-server-side-encryption${header}`]: value });
    expect(asked("", "AES256")).toBe(true);
    expect(asked("", "aws:kms")).toBe(false);
    expect(asked("-aws-kms-key-id", "arn:aws:kms:eu-west-1:111122223333:key/other")).toBe(true);
    expect(asked("-aws-kms-key-id", key)).toBe(false);
    expect(asked("-customer-algorithm", "AES256")).toBe(true);
  });

  test("goes over TLS 1.2 and above only", () => {
    expect(policy.denies("s3:GetObject", object, { "aws:SecureTransport": "false" })).toBe(true);
    expect(policy.denies("s3:GetObject", object, { "s3:TlsVersion": "1.1" })).toBe(true);
  });
});
