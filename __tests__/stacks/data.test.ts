import { featureDefinitions } from "../../survey/feature-contract";
import { Policy } from "../support/policy";
import { type Arguments, synthesizePlatform } from "../support/synthesize";

const local = synthesizePlatform("local").data!;
const production = synthesizePlatform("production").data!;

test("the feature group has the contract's columns, a real record identifier and an event time", () => {
  const group = local.resource("aws_sagemaker_feature_group");
  expect(group).toMatchObject({
    feature_group_name: "acme-local-data-abalone",
    record_identifier_feature_name: "record_id",
    event_time_feature_name: "surveyed_at",
  });
  expect(group.feature_definition).toEqual(
    featureDefinitions.map(({ featureName, featureType }) => ({
      feature_name: featureName,
      feature_type: featureType,
    })),
  );
  expect(group.online_store_config).toBeUndefined();
});

test("the offline store is encrypted, below feature-store/ in the data bucket", () => {
  expect(local.resource("aws_sagemaker_feature_group").offline_store_config).toEqual({
    table_format: "Glue",
    s3_storage_config: {
      s3_uri: "s3://${aws_s3_bucket.data_bucket.bucket}/feature-store",
      kms_key_id: "${aws_kms_key.encryption_key.arn}",
    },
  });
});

test("the feature store's role writes the offline store and nothing beside it", () => {
  const policy = local.policyOfRole("features");
  const bucket = "${aws_s3_bucket.data_bucket.arn}";
  expect(policy.allows("s3:PutObject", `${bucket}/feature-store/1/part.parquet`)).toBe(true);
  expect(policy.allows("s3:GetBucketAcl", bucket)).toBe(true);
  expect(policy.allows("s3:PutObject", `${bucket}/surveys/new.csv`)).toBe(false);
  expect(policy.allows("s3:PutObject", `${bucket}/feature-store-of-others/x`)).toBe(false);
  expect(policy.allows("s3:GetObject", `${bucket}/feature-store/1/part.parquet`)).toBe(false);
  expect(policy.allows("s3:DeleteObject", `${bucket}/feature-store/1/part.parquet`)).toBe(false);
});

test("the feature store's role uses the key through S3 or SageMaker, never directly", () => {
  const policy = local.policyOfRole("features");
  const key = "${aws_kms_key.encryption_key.arn}";
  expect(policy.allows("kms:GenerateDataKey", key, { "kms:ViaService": "s3.eu-west-1.amazonaws.com" })).toBe(true);
  expect(policy.allows("kms:GenerateDataKey", key, { "kms:ViaService": "s3.us-east-1.amazonaws.com" })).toBe(false);
  expect(policy.allows("kms:GenerateDataKey", key)).toBe(false);
});

test("queries can't leave the workgroup's limits: results are encrypted, scans are capped", () => {
  expect(local.resource("aws_athena_workgroup").configuration).toMatchObject({
    enforce_workgroup_configuration: true,
    bytes_scanned_cutoff_per_query: 2 ** 30,
    result_configuration: {
      output_location: "s3://${aws_s3_bucket.data_bucket.bucket}/athena/",
      expected_bucket_owner: "123456789012",
      encryption_configuration: { encryption_option: "SSE_KMS", kms_key_arn: "${aws_kms_key.encryption_key.arn}" },
    },
  });
});

test("query results, captured traffic and what was found in it expire, surveys and runs don't", () => {
  const { rule } = local.resource("aws_s3_bucket_lifecycle_configuration", "data_lifecycle");
  const expiring = rule.filter(({ expiration }: Arguments) => expiration[0].days !== undefined);
  expect(expiring).toEqual([
    { id: "expire-athena", status: "Enabled", filter: [{ prefix: "athena/" }], expiration: [{ days: 1 }] },
    { id: "expire-data-capture", status: "Enabled", filter: [{ prefix: "data-capture/" }], expiration: [{ days: 1 }] },
    { id: "expire-monitoring", status: "Enabled", filter: [{ prefix: "monitoring/" }], expiration: [{ days: 1 }] },
  ]);
});

test("there is a document without figures for the websites of a model that has none", () => {
  const { insecure_value: key } = synthesizePlatform("local")["ml-workflow"]!.resource(
    "aws_ssm_parameter",
    "FiguresKey",
  );
  expect(local.resource("aws_s3_object")).toMatchObject({
    bucket: "${aws_s3_bucket.data_bucket.bucket}",
    key,
    content: "{}",
    content_type: "application/json",
  });
});

test("the data bucket's accesses are logged into a bucket that only S3's log delivery of this account may write", () => {
  expect(local.resource("aws_s3_bucket_logging").target_bucket).toBe("${aws_s3_bucket.logs_bucket.bucket}");
  const policy = new Policy(local.resource("aws_s3_bucket_policy", "logs_policy").policy);
  const object = "${aws_s3_bucket.logs_bucket.arn}/acme-local-data/2026-01-01";
  const delivery = "logging.s3.amazonaws.com";
  expect(policy.allows("s3:PutObject", object, { "aws:SourceAccount": "123456789012" }, delivery)).toBe(true);
  expect(policy.allows("s3:PutObject", object, { "aws:SourceAccount": "999999999999" }, delivery)).toBe(false);
  expect(policy.allows("s3:GetObject", object, { "aws:SourceAccount": "123456789012" }, delivery)).toBe(false);
});

test("production refuses to destroy what holds data; other environments allow it", () => {
  for (const [type, name] of [
    ["aws_s3_bucket", "data_bucket"],
    ["aws_s3_bucket", "logs_bucket"],
    ["aws_kms_key", "encryption_key"],
    ["aws_sagemaker_feature_group", "features_group"],
  ] as const) {
    expect(production.resource(type, name).lifecycle).toEqual({ prevent_destroy: true });
    expect(local.resource(type, name).lifecycle).toBeUndefined();
  }
  expect(production.resource("aws_s3_bucket", "data_bucket").force_destroy).toBe(false);
  expect(production.resource("aws_athena_workgroup").force_destroy).toBe(false);
});
