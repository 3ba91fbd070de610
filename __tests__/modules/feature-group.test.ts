import { EncryptionKey } from "../../modules/encryption-key";
import { FeatureGroup, type FeatureGroupProps } from "../../modules/feature-group";
import { SecureBucket } from "../../modules/secure-bucket";
import { featureDefinitions } from "../../survey/feature-contract";
import { synthesize, type Template } from "../support/synthesize";

function make(changes: Partial<FeatureGroupProps> = {}): Template {
  return synthesize((stack) => {
    const encryptionKey = new EncryptionKey(stack, "encryption", {
      name: "acme",
      description: "Encrypts",
      logGroupsNamed: "acme-",
    });
    const bucket = new SecureBucket(stack, "data", { name: "acme-data", encryptionKeyArn: encryptionKey.arn });
    new FeatureGroup(stack, "features", {
      name: "acme-abalone",
      description: "Abalone",
      bucket,
      prefix: "feature-store",
      encryptionKey,
      ...changes,
    });
  });
}

const template = make();
const group = template.resource("aws_sagemaker_feature_group");

test("its columns are the feature contract's, in the contract's order", () => {
  expect(group.feature_definition).toEqual(
    featureDefinitions.map(({ featureName, featureType }) => ({
      feature_name: featureName,
      feature_type: featureType,
    })),
  );
});

test("a record's identifier is one of its columns, and never the label", () => {
  const columns = featureDefinitions.map(({ featureName }) => featureName);
  expect(columns).toContain(group.record_identifier_feature_name);
  expect(columns).toContain(group.event_time_feature_name);
  expect(group.record_identifier_feature_name).not.toBe("rings");
});

test("its store is the offline one, encrypted, in Glue's format, below its prefix", () => {
  expect(group.online_store_config).toBeUndefined();
  expect(group.offline_store_config).toEqual({
    table_format: "Glue",
    s3_storage_config: {
      s3_uri: "s3://${aws_s3_bucket.data_bucket.bucket}/feature-store",
      kms_key_id: "${aws_kms_key.encryption_key.arn}",
    },
  });
});

test("it comes after the permissions that SageMaker checks as soon as it is made", () => {
  expect(group.depends_on).toEqual(["aws_iam_role_policy.features_role_policy", "aws_s3_bucket_policy.data_policy"]);
});

test("its role writes below the prefix and reads nothing", () => {
  const policy = template.policyOfRole("features");
  const bucket = "${aws_s3_bucket.data_bucket.arn}";
  expect(policy.allows("s3:PutObject", `${bucket}/feature-store/a`)).toBe(true);
  expect(policy.allows("s3:PutObject", `${bucket}/feature-store-2/a`)).toBe(false);
  expect(policy.allows("s3:GetObject", `${bucket}/feature-store/a`)).toBe(false);
  expect(policy.allows("s3:DeleteObject", `${bucket}/feature-store/a`)).toBe(false);
});

test("it is protected unless the environment gives its data up", () => {
  expect(group.lifecycle).toEqual({ prevent_destroy: true });
  expect(make({ protect: false }).resource("aws_sagemaker_feature_group").lifecycle).toBeUndefined();
});

test.each([[""], ["-a"], ["a-"], ["a.b"], ["a".repeat(65)]])("the name %j is refused", (name) => {
  expect(() => make({ name })).toThrow("must have 1 to 64 letters and digits");
});
