/** The smallest stacks that break each rule, and some that keep it. */
import type { StackDocument } from "../../policies";
import type { Arguments } from "../support/synthesize";

/** Resources and data sources by address. */
export type Blocks = Readonly<Record<string, Arguments>>;

/**
 * A stack with resources by address, such as `{ "aws_s3_bucket.data": {…} }`, and data sources, whose addresses begin
 * with `data.`.
 */
export function stack(blocks: Blocks, id = "example", more: Arguments = {}): StackDocument {
  const document: Record<string, Record<string, Record<string, Arguments>>> = {};
  for (const [address, block] of Object.entries(blocks)) {
    const [kind, type, name] = address.startsWith("data.")
      ? ["data", ...address.split(".").slice(1)]
      : ["resource", ...address.split(".")];
    ((document[kind] ??= {})[type!] ??= {})[name!] = block;
  }
  return { id, document: { ...document, ...more } };
}

const policy = (...statements: Arguments[]): string =>
  JSON.stringify({ Version: "2012-10-17", Statement: statements.map((each) => ({ Effect: "Allow", ...each })) });

/** A role with one statement. */
const role = (statement: Arguments): Blocks => ({ "aws_iam_role_policy.reader": { policy: policy(statement) } });

/** The statement with which AWS begins a key's policy, for an account. */
const givenTo = (account: string): Arguments => ({
  Principal: { AWS: `arn:aws:iam::${account}:root` },
  Action: "kms:*",
  Resource: "*",
});

/** A key whose policy has one statement. */
const key = (statement: Arguments): Blocks => ({ "aws_kms_key.data": { policy: policy(statement) } });

/** An endpoint that leads to all of SQS, under some conditions. */
const endpoint = (conditions?: Arguments, action = "sqs:*"): Blocks => ({
  "aws_vpc_endpoint.sqs": {
    policy: policy({
      Principal: "*",
      Action: action,
      Resource: "*",
      ...(conditions ? { Condition: conditions } : {}),
    }),
  },
});

const forAccount: Arguments = { StringEquals: { "aws:PrincipalAccount": "123456789012" } };

const digest = `@sha256:${"0".repeat(64)}`;

const stateMachine = (integration: string, given: Arguments): Blocks => ({
  "aws_sfn_state_machine.training": {
    definition: JSON.stringify({
      States: {
        Each: {
          Type: "Map",
          ItemProcessor: {
            States: {
              Work: { Type: "Task", Resource: `arn:aws:states:::sagemaker:${integration}.sync`, Arguments: given },
            },
          },
        },
      },
    }),
  },
});

const trainingJob = (instance: Arguments, output: Arguments = { KmsKeyId: "key" }): Blocks =>
  stateMachine("createTrainingJob", { ResourceConfig: instance, OutputDataConfig: output });

const bucketPolicy = (changes: Arguments = {}): Blocks => ({
  "aws_s3_bucket.data": { bucket: "acme-data" },
  "aws_s3_bucket_policy.data": {
    bucket: "${aws_s3_bucket.data.bucket}",
    policy: policy({
      Effect: "Deny",
      Principal: "*",
      Action: "s3:*",
      Resource: ["${aws_s3_bucket.data.arn}", "${aws_s3_bucket.data.arn}/*"],
      Condition: { Bool: { "aws:SecureTransport": "false" } },
      ...changes,
    }),
  },
});

const publicAccess = (changes: Arguments = {}): Blocks => ({
  "aws_s3_bucket.data": {},
  "aws_s3_bucket_public_access_block.data": {
    bucket: "${aws_s3_bucket.data.id}",
    block_public_acls: true,
    block_public_policy: true,
    ignore_public_acls: true,
    restrict_public_buckets: true,
    ...changes,
  },
});

const bucketEncryption = (rule: Arguments): Blocks => ({
  "aws_s3_bucket.data": { bucket: "acme-data" },
  "aws_s3_bucket_server_side_encryption_configuration.data": {
    bucket: "acme-data",
    rule: [{ apply_server_side_encryption_by_default: rule }],
  },
});

const provider = (...providers: Arguments[]): Arguments => ({ provider: { aws: providers } });

const handedOn = (image: string): StackDocument[] => [
  stack({ "aws_ssm_parameter.image": { name: "/acme/Image", insecure_value: image } }, "publisher"),
  stack(
    {
      "data.aws_ssm_parameter.image": { name: "/acme/Image" },
      "aws_sagemaker_model.model": { primary_container: { image: "${local.image}" } },
    },
    "reader",
    { locals: { image: "${data.aws_ssm_parameter.image.insecure_value}" } },
  ),
];

/** An endpoint whose releases one alarm watches. */
const watchedEndpoint = (deployment: Arguments, alarm = "errors"): Blocks => ({
  "aws_cloudwatch_metric_alarm.errors": { alarm_name: "errors" },
  "aws_sagemaker_endpoint.a": {
    deployment_config: { auto_rollback_configuration: { alarms: [{ alarm_name: alarm }] }, ...deployment },
  },
});

const allAtOnce: Arguments = {
  blue_green_update_policy: { traffic_routing_configuration: { type: "ALL_AT_ONCE", wait_interval_in_seconds: 60 } },
};

/** A bucket, and a trail that records objects. */
const recordedBucket = (arn: Arguments, ...others: Arguments[]): Blocks => ({
  "aws_s3_bucket.data": { bucket: "acme-data" },
  "aws_cloudtrail.trail": {
    advanced_event_selector: [
      {
        field_selector: [
          { field: "eventCategory", equals: ["Data"] },
          { field: "resources.type", equals: ["AWS::S3::Object"] },
          { field: "resources.ARN", ...arn },
          ...others,
        ],
      },
    ],
  },
});

/** A distribution, and what delivers its logs. */
const delivered = (logType: string, source: string): Blocks => ({
  "aws_cloudfront_distribution.site": {},
  "aws_cloudwatch_log_delivery_source.site": {
    name: "site",
    log_type: logType,
    resource_arn: "${aws_cloudfront_distribution.site.arn}",
  },
  "aws_cloudwatch_log_delivery.site": {
    delivery_source_name: source,
    delivery_destination_arn: "arn:aws:logs:us-east-1:123456789012:delivery-destination:site",
  },
});

/** A policy, and its ARN. */
const boundary: Blocks = {
  "aws_iam_policy.boundary": {
    name: "acme-boundary",
    policy: policy({ Action: "s3:*", Resource: "arn:aws:s3:::acme-*" }),
  },
};
const boundaryArn = "arn:aws:iam::123456789012:policy/acme-boundary";
const boundedRole: Blocks = { "aws_iam_role.a": { permissions_boundary: boundaryArn } };

/** What a fixture is, and its stacks, or the resources of its only one. */
export type Fixture = readonly [name: string, stacks: Blocks | readonly StackDocument[]];
/** What the finding must say is a part of its text. */
type BreakingFixture = readonly [...Fixture, says: string];

interface Fixtures {
  readonly breaking: readonly BreakingFixture[];
  readonly passing: readonly Fixture[];
}

/** By the rule's id. */
export const fixtures: Readonly<Record<string, Fixtures>> = {
  "readable-policies": {
    breaking: [
      [
        "a document of Terraform's own",
        { "aws_iam_policy.a": { policy: "${data.aws_iam_policy_document.a.json}" } },
        "a policy that is not",
      ],
      [
        "a call that makes the text no JSON",
        { "aws_iam_role.a": { inline_policy: [{ policy: '{"Statement": "${replace("a", "b")}"}' }] } },
        "a policy",
      ],
      [
        "an unreadable trust policy",
        { "aws_iam_role.a": { assume_role_policy: "${local.trust}" } },
        "assume_role_policy",
      ],
      ...[
        ["aws_opensearch_domain", "access_policies"],
        ["aws_glacier_vault", "access_policy"],
        ["aws_codeartifact_domain_permissions_policy", "policy_document"],
        ["aws_sagemaker_model_package_group_policy", "resource_policy"],
      ].map(([type = "", argument = ""]): BreakingFixture => [
        `an unreadable policy of ${type}`,
        { [`${type}.a`]: { [argument]: "${local.policy}" } },
        `has a ${argument} that is not JSON`,
      ]),
      ["a definition from a file", { "aws_sfn_state_machine.a": { definition: '${file("a.json")}' } }, "a definition"],
    ],
    passing: [
      ["plain JSON with references", role({ Action: "s3:GetObject", Resource: "${aws_s3_bucket.a.arn}/*" })],
      ["a machine in plain JSON", trainingJob({})],
    ],
  },
  "managed-policies": {
    breaking: [
      [
        "an attachment",
        { "aws_iam_role_policy_attachment.a": { policy_arn: "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess" } },
        "AmazonSageMakerFullAccess",
      ],
      [
        "a list in the role",
        { "aws_iam_role.a": { managed_policy_arns: ["arn:aws:iam::aws:policy/AdministratorAccess"] } },
        "AdministratorAccess",
      ],
      [
        "a policy of a path, in another partition",
        {
          "aws_iam_role.a": {
            managed_policy_arns: ["arn:${data.aws_partition.p.partition}:iam::aws:policy/job-function/PowerUserAccess"],
          },
        },
        "PowerUserAccess",
      ],
      ["a look-up by name", { "data.aws_iam_policy.a": { name: "AmazonS3FullAccess" } }, "AmazonS3FullAccess"],
    ],
    passing: [
      [
        "a narrow managed policy",
        {
          "aws_iam_role_policy_attachment.a": {
            policy_arn: "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
          },
        },
      ],
      ["a resource that happens to have the name", { "aws_ssm_parameter.a": { name: "NoFullAccess" } }],
    ],
  },
  "named-actions": {
    breaking: [
      ["an endpoint without a condition on the account", endpoint(), "allows sqs:*"],
      [
        "an endpoint with another condition",
        endpoint({ StringEquals: { "aws:ResourceAccount": "123456789012" } }),
        "allows sqs:*",
      ],
      [
        "an endpoint whose condition holds without the key, too",
        endpoint({ StringEqualsIfExists: { "aws:PrincipalAccount": "123456789012" } }),
        "allows sqs:*",
      ],
      ["an endpoint for any account", endpoint({ StringLike: { "aws:PrincipalAccount": "*" } }), "allows sqs:*"],
      [
        "a resource's policy that is not an endpoint's",
        {
          "aws_sqs_queue_policy.a": {
            policy: policy({ Principal: "*", Action: "sqs:*", Resource: "*", Condition: forAccount }),
          },
        },
        "allows sqs:*",
      ],
      ["an endpoint to all of AWS", endpoint(forAccount, "*"), "allows *"],
      ["everything", role({ Action: "*", Resource: "a" }), "allows *"],
      ["a whole service in a policy that bounds nobody", boundary, "allows s3:*"],
      [
        "a whole service in a boundary that grants, too",
        {
          ...boundary,
          ...boundedRole,
          "aws_iam_role_policy_attachment.a": { role: "b", policy_arn: boundaryArn },
        },
        "allows s3:*",
      ],
      [
        "everything in a boundary",
        {
          ...boundedRole,
          "aws_iam_policy.a": { name: "acme-boundary", policy: policy({ Action: "*", Resource: "a" }) },
        },
        "allows *",
      ],
      ["a whole service", role({ Action: ["s3:GetObject", "s3:*"], Resource: "a" }), "allows s3:*"],
      ["part of a service", role({ Action: "s3:Get*", Resource: "a" }), "allows s3:Get*"],
      ["all but some", role({ NotAction: "iam:*", Resource: "a" }), "NotAction"],
      [
        "a whole service in a resource's policy",
        {
          "aws_sns_topic_policy.a": { policy: policy({ Principal: { Service: "a" }, Action: "sns:*", Resource: "a" }) },
        },
        "allows sns:*",
      ],
      [
        "a whole key for another account",
        [stack(key(givenTo("999999999999")), "a", provider({ allowed_account_ids: ["123456789012"] }))],
        "allows kms:*",
      ],
      [
        "a whole key for another account's user",
        key({ Principal: { AWS: "arn:aws:iam::1:user/a" }, Action: "kms:*", Resource: "*" }),
        "allows kms:*",
      ],
      [
        "an inline policy",
        { "aws_iam_role.a": { inline_policy: [{ policy: policy({ Action: "s3:*", Resource: "a" }) }] } },
        "allows s3:*",
      ],
    ],
    passing: [
      ["an endpoint for one account", endpoint(forAccount)],
      ["a whole service in a boundary, which grants nothing", { ...boundary, ...boundedRole }],
      ["listed actions", role({ Action: ["s3:GetObject", "s3:PutObject"], Resource: "a" })],
      ["a refusal of everything", role({ Effect: "Deny", Action: "*", Resource: "*" })],
      [
        "the statement that gives a key to its account",
        [
          stack(
            key(givenTo("123456789012")),
            "a",
            provider({ allowed_account_ids: ["123456789012"], default_tags: { tags: { Project: "a" } } }),
          ),
        ],
      ],
      [
        "the key actions as AWS lists them",
        key({ Principal: { Service: "logs" }, Action: "kms:GenerateDataKey*", Resource: "*" }),
      ],
    ],
  },
  "named-resources": {
    breaking: [
      ["an endpoint without a condition on the account", endpoint(), "sqs:* on *"],
      [
        "an endpoint with another condition",
        endpoint({ StringEquals: { "aws:ResourceAccount": "123456789012" } }),
        "sqs:* on *",
      ],
      [
        "an endpoint whose condition holds without the key, too",
        endpoint({ StringEqualsIfExists: { "aws:PrincipalAccount": "123456789012" } }),
        "sqs:* on *",
      ],
      ["an endpoint for any account", endpoint({ StringLike: { "aws:PrincipalAccount": "*" } }), "sqs:* on *"],
      [
        "a resource's policy that is not an endpoint's",
        {
          "aws_sqs_queue_policy.a": {
            policy: policy({ Principal: "*", Action: "sqs:*", Resource: "*", Condition: forAccount }),
          },
        },
        "sqs:* on *",
      ],
      ["everything", role({ Action: "s3:GetObject", Resource: "*" }), "s3:GetObject on *"],
      [
        "everything of a service",
        role({ Action: "s3:GetObject", Resource: ["a", "arn:aws:s3:::*"] }),
        "on arn:aws:s3:::*",
      ],
      [
        "a whole service in a boundary",
        {
          ...boundedRole,
          "aws_iam_policy.a": { name: "acme-boundary", policy: policy({ Action: "s3:*", Resource: "*" }) },
        },
        "s3:* on *",
      ],
      [
        "actions of a boundary of which one knows resources",
        {
          ...boundedRole,
          ...role({ Action: "logs:PutLogEvents", Resource: "a" }),
          "aws_iam_policy.a": { name: "acme-boundary", policy: policy({ Action: "logs:Put*", Resource: "*" }) },
        },
        "logs:Put* on *",
      ],
      [
        "one action too many beside those that know no resource",
        role({ Action: ["xray:PutTraceSegments", "s3:GetObject"], Resource: "*" }),
        "s3:GetObject on *",
      ],
    ],
    passing: [
      ["an endpoint for one account", endpoint(forAccount)],
      ["objects below a prefix", role({ Action: "s3:GetObject", Resource: "arn:aws:s3:::acme/runs/*" })],
      [
        "actions that know no resources, and lists, in a boundary",
        {
          ...boundedRole,
          ...role({ Action: "logs:PutLogEvents", Resource: "a" }),
          "aws_iam_policy.a": {
            name: "acme-boundary",
            policy: policy({ Action: ["logs:*LogDelivery", "ec2:Describe*"], Resource: "*" }),
          },
        },
      ],
      ["an action that knows no resource", role({ Action: "ecr:GetAuthorizationToken", Resource: "*" })],
      [
        "the policy of a key, where * is the key",
        key({ Principal: { Service: "a" }, Action: "kms:Decrypt", Resource: "*" }),
      ],
    ],
  },
  "passed-roles": {
    breaking: [
      ["no condition", role({ Action: "iam:PassRole", Resource: "r" }), "iam:PassRole to whatever"],
      ["spelt otherwise", role({ Action: "iam:passrole", Resource: "r" }), "iam:passrole to whatever"],
      ["by a wildcard", role({ Action: "iam:Pass*", Resource: "r" }), "iam:Pass* to whatever"],
      [
        "another condition",
        role({ Action: "iam:PassRole", Resource: "r", Condition: { StringEquals: { "aws:ResourceTag/a": "b" } } }),
        "whatever",
      ],
      [
        "a condition for any service",
        role({ Action: "iam:PassRole", Resource: "r", Condition: { StringLike: { "iam:PassedToService": "*" } } }),
        "whatever",
      ],
      [
        "a condition that holds without the key, too",
        role({
          Action: "iam:PassRole",
          Resource: "r",
          Condition: { StringEqualsIfExists: { "iam:PassedToService": "lambda.amazonaws.com" } },
        }),
        "whatever",
      ],
    ],
    passing: [
      [
        "a boundary, which grants nothing",
        {
          ...boundedRole,
          "aws_iam_policy.a": { name: "acme-boundary", policy: policy({ Action: "iam:PassRole", Resource: "r" }) },
        },
      ],
      [
        "one service",
        role({
          Action: "iam:PassRole",
          Resource: "r",
          Condition: { StringEquals: { "iam:PassedToService": "sagemaker.amazonaws.com" } },
        }),
      ],
    ],
  },
  "bounded-roles": {
    breaking: [
      ["a role without one", { "aws_iam_role.a": { name: "a" } }, "has no permissions_boundary"],
      ["a user without one", { "aws_iam_user.a": { name: "a" } }, "has no permissions_boundary"],
      [
        "one that AWS makes",
        { "aws_iam_role.a": { permissions_boundary: "arn:aws:iam::aws:policy/ReadOnlyAccess" } },
        "which no stack makes",
      ],
      [
        "a reference to another stack's",
        [
          stack(boundary, "governance"),
          stack({ "aws_iam_role.a": { permissions_boundary: "${aws_iam_policy.boundary.arn}" } }, "data"),
        ],
        "which no stack makes",
      ],
      [
        "one that grants, too",
        {
          ...boundary,
          "aws_iam_role.a": { permissions_boundary: boundaryArn },
          "aws_iam_role_policy_attachment.a": { role: "a", policy_arn: "${aws_iam_policy.boundary.arn}" },
        },
        "example/aws_iam_role_policy_attachment.a attaches",
      ],
      [
        "one that its own role holds, too",
        {
          ...boundary,
          "aws_iam_role.a": { permissions_boundary: boundaryArn, managed_policy_arns: [boundaryArn] },
        },
        "example/aws_iam_role.a attaches",
      ],
      ...(
        [
          ["aws_iam_group_policy_attachment", { policy_arn: boundaryArn }],
          ["aws_iam_policy_attachment", { policy_arn: boundaryArn }],
          ["aws_iam_role_policy_attachments_exclusive", { policy_arns: [boundaryArn] }],
          ["aws_iam_user_policy_attachment", { policy_arn: boundaryArn }],
        ] as const
      ).map(([type, block]): BreakingFixture => [
        `one that an ${type} attaches, too`,
        { ...boundary, ...boundedRole, [`${type}.a`]: block },
        `example/${type}.a attaches`,
      ]),
    ],
    passing: [
      [
        "one of the same stack",
        { ...boundary, "aws_iam_role.a": { permissions_boundary: "${aws_iam_policy.boundary.arn}" } },
      ],
      [
        "one of another stack, by its name",
        [stack(boundary, "governance"), stack({ "aws_iam_role.a": { permissions_boundary: boundaryArn } }, "data")],
      ],
      [
        "a service-linked role, of which AWS takes none",
        { "aws_iam_service_linked_role.a": { aws_service_name: "airflow.amazonaws.com" } },
      ],
    ],
  },
  "named-principals": {
    breaking: [
      [
        "anyone",
        { "aws_s3_bucket_policy.a": { policy: policy({ Principal: "*", Action: "s3:GetObject", Resource: "a" }) } },
        "anyone",
      ],
      [
        "anyone of AWS",
        { "aws_iam_role.a": { assume_role_policy: policy({ Principal: { AWS: "*" }, Action: "sts:AssumeRole" }) } },
        "anyone",
      ],
      [
        "anyone who comes by TLS",
        {
          "aws_s3_bucket_policy.a": {
            policy: policy({
              Principal: "*",
              Action: "s3:GetObject",
              Resource: "a",
              Condition: { Bool: { "aws:SecureTransport": "true" } },
            }),
          },
        },
        "anyone",
      ],
      [
        "all but one",
        {
          "aws_sns_topic_policy.a": {
            policy: policy({ NotPrincipal: { AWS: "1" }, Action: "sns:Publish", Resource: "a" }),
          },
        },
        "anyone",
      ],
      ["a function for anyone", { "aws_lambda_permission.a": { principal: "*" } }, "anyone"],
    ],
    passing: [
      [
        "a service",
        {
          "aws_s3_bucket_policy.a": {
            policy: policy({
              Principal: { Service: "logging.s3.amazonaws.com" },
              Action: "s3:PutObject",
              Resource: "a",
            }),
          },
        },
      ],
      [
        "anyone of one account",
        {
          "aws_s3_bucket_policy.a": {
            policy: policy({
              Principal: "*",
              Action: "s3:GetObject",
              Resource: "a",
              Condition: { StringEquals: { "aws:PrincipalAccount": "1" } },
            }),
          },
        },
      ],
      ["a refusal for anyone", bucketPolicy()],
    ],
  },
  "encrypted-at-rest": {
    breaking: [
      ["a bucket", { "aws_s3_bucket.data": {} }, "nothing encrypts it"],
      ["a topic", { "aws_sns_topic.a": {} }, "nothing encrypts it"],
      [
        "query results",
        { "aws_athena_workgroup.a": { configuration: { result_configuration: {} } } },
        "nothing encrypts it",
      ],
      [
        "an endpoint whose key AWS would refuse",
        {
          "aws_sagemaker_endpoint_configuration.a": {
            kms_key_arn: "k",
            production_variants: [{ instance_type: "ml.g5.xlarge" }],
          },
        },
        "AWS accepts no key",
      ],
      [
        "a job whose key AWS would refuse",
        trainingJob({ InstanceType: "ml.m5d.large", VolumeKmsKeyId: "key" }),
        "task Work: AWS accepts no key",
      ],
    ],
    passing: [
      ["a bucket", bucketEncryption({ sse_algorithm: "AES256" })],
      ["a topic", { "aws_sns_topic.a": { kms_master_key_id: "k" } }],
      [
        "an instance that encrypts its own disks",
        { "aws_sagemaker_endpoint_configuration.a": { production_variants: [{ instance_type: "ml.g5.xlarge" }] } },
      ],
    ],
  },
  "own-key": {
    breaking: [
      ["a bucket", bucketEncryption({ sse_algorithm: "AES256" }), "an AWS key"],
      ["a bucket with KMS and no key named", bucketEncryption({ sse_algorithm: "aws:kms" }), "an AWS key"],
      ["a table", { "aws_dynamodb_table.a": {} }, "an AWS key"],
      [
        "a table that names a key and does not use it",
        { "aws_dynamodb_table.a": { server_side_encryption: { enabled: false, kms_key_arn: "k" } } },
        "an AWS key",
      ],
      ["a log group", { "aws_cloudwatch_log_group.a": {} }, "an AWS key"],
      [
        "a repository",
        { "aws_ecr_repository.a": { encryption_configuration: [{ encryption_type: "KMS" }] } },
        "an AWS key",
      ],
      [
        "query results",
        {
          "aws_athena_workgroup.a": {
            configuration: { result_configuration: { encryption_configuration: { encryption_option: "SSE_S3" } } },
          },
        },
        "an AWS key",
      ],
      [
        "an endpoint's volumes",
        { "aws_sagemaker_endpoint_configuration.a": { production_variants: [{ instance_type: "ml.m5.large" }] } },
        "volumes of the instances: an AWS key",
      ],
      [
        "captured data",
        { "aws_sagemaker_endpoint_configuration.a": { kms_key_arn: "k", data_capture_config: {} } },
        "the captured data",
      ],
      [
        "an offline store",
        { "aws_sagemaker_feature_group.a": { offline_store_config: { s3_storage_config: {} } } },
        "the offline store",
      ],
      [
        "an online store",
        { "aws_sagemaker_feature_group.a": { online_store_config: [{ enable_online_store: true }] } },
        "the online store",
      ],
      ["a job's volumes", trainingJob({ InstanceType: "ml.m5.large" }), "the volumes of the task Work"],
      ["a job's output", trainingJob({ VolumeKmsKeyId: "key" }, {}), "the output of the task Work"],
      [
        "a processing job",
        stateMachine("createProcessingJob", {
          ProcessingResources: { ClusterConfig: { InstanceType: "ml.m5.large" } },
          ProcessingOutputConfig: { KmsKeyId: "key" },
        }),
        "the volumes of the task Work",
      ],
      ["Airflow", { "aws_mwaa_environment.a": {} }, "an AWS key"],
      ["a build", { "aws_codebuild_project.a": {} }, "an AWS key"],
      ["a pipeline's artefacts", { "aws_codepipeline.a": { artifact_store: [{ location: "b" }] } }, "an AWS key"],
      ["a queue", { "aws_sqs_queue.a": {} }, "an AWS key"],
      ["a secret", { "aws_secretsmanager_secret.a": {} }, "an AWS key"],
    ],
    passing: [
      ["a bucket", bucketEncryption({ sse_algorithm: "aws:kms", kms_master_key_id: "k" })],
      ["a table", { "aws_dynamodb_table.a": { server_side_encryption: { enabled: true, kms_key_arn: "k" } } }],
      ["a log group", { "aws_cloudwatch_log_group.a": { kms_key_id: "k" } }],
      [
        "a repository",
        { "aws_ecr_repository.a": { encryption_configuration: [{ encryption_type: "KMS", kms_key: "k" }] } },
      ],
      [
        "query results",
        {
          "aws_athena_workgroup.a": {
            configuration: {
              result_configuration: { encryption_configuration: { encryption_option: "SSE_KMS", kms_key_arn: "k" } },
            },
          },
        },
      ],
      [
        "an endpoint",
        {
          "aws_sagemaker_endpoint_configuration.a": {
            kms_key_arn: "k",
            production_variants: [{ instance_type: "ml.m5.large" }],
          },
        },
      ],
      [
        "an offline store",
        { "aws_sagemaker_feature_group.a": { offline_store_config: { s3_storage_config: { kms_key_id: "k" } } } },
      ],
      ["a job", trainingJob({ InstanceType: "ml.m5.large", VolumeKmsKeyId: "key" })],
      ["a job on disks that the hardware encrypts", trainingJob({ InstanceType: "ml.m5d.large" })],
      ["Airflow", { "aws_mwaa_environment.a": { kms_key: "k" } }],
      ["a build", { "aws_codebuild_project.a": { encryption_key: "k" } }],
      [
        "a pipeline's artefacts",
        { "aws_codepipeline.a": { artifact_store: [{ encryption_key: { id: "k", type: "KMS" } }] } },
      ],
      ["a queue", { "aws_sqs_queue.a": { kms_master_key_id: "k" } }],
      ["a secret", { "aws_secretsmanager_secret.a": { kms_key_id: "k" } }],
    ],
  },
  "tls-only-buckets": {
    breaking: [
      ["no policy", { "aws_s3_bucket.data": {} }, "itself and its objects"],
      ["the bucket alone", bucketPolicy({ Resource: "${aws_s3_bucket.data.arn}" }), "for its objects"],
      ["the objects alone", bucketPolicy({ Resource: "${aws_s3_bucket.data.arn}/*" }), "for itself without"],
      ["one action", bucketPolicy({ Action: "s3:GetObject" }), "without TLS"],
      ["one principal", bucketPolicy({ Principal: { AWS: "arn:aws:iam::1:root" } }), "without TLS"],
      ["the wrong way round", bucketPolicy({ Condition: { Bool: { "aws:SecureTransport": "true" } } }), "without TLS"],
      [
        "a further condition",
        bucketPolicy({ Condition: { Bool: { "aws:SecureTransport": "false" }, StringEquals: { a: "b" } } }),
        "without TLS",
      ],
      ["a permission", bucketPolicy({ Effect: "Allow" }), "without TLS"],
      ["the policy of another bucket", { ...bucketPolicy(), "aws_s3_bucket.other": {} }, "without TLS"],
      [
        "the policy of a namesake in another stack",
        [stack(bucketPolicy(), "a"), stack({ "aws_s3_bucket.data": {} }, "b")],
        "without TLS",
      ],
    ],
    passing: [
      ["both", bucketPolicy()],
      ["by the bucket's name", bucketPolicy({ Resource: ["arn:aws:s3:::acme-data", "arn:aws:s3:::acme-data/*"] })],
    ],
  },
  "private-buckets": {
    breaking: [
      [
        "no block",
        { "aws_s3_bucket.data": {} },
        "block_public_acls, block_public_policy, ignore_public_acls, restrict_public_buckets",
      ],
      ["one left out", publicAccess({ ignore_public_acls: undefined }), "has no ignore_public_acls"],
      ["one switched off", publicAccess({ restrict_public_buckets: false }), "has no restrict_public_buckets"],
      ["another bucket's", { ...publicAccess(), "aws_s3_bucket.other": {} }, "has no block_public_acls"],
    ],
    passing: [["all four", publicAccess()]],
  },
  "ending-logs": {
    breaking: [
      ["no retention", { "aws_cloudwatch_log_group.a": {} }, "for ever"],
      ["0, which is for ever", { "aws_cloudwatch_log_group.a": { retention_in_days: 0 } }, "for ever"],
      [
        "a function whose group AWS would make",
        { "aws_lambda_function.a": { function_name: "acme" } },
        "/aws/lambda/acme",
      ],
      [
        "an endpoint whose group AWS would make",
        { "aws_sagemaker_endpoint.a": { name: "acme" } },
        "/aws/sagemaker/Endpoints/acme",
      ],
      [
        "a function whose group is another's",
        {
          "aws_lambda_function.a": { function_name: "acme" },
          "aws_cloudwatch_log_group.b": { name: "/aws/lambda/other", retention_in_days: 1 },
        },
        "/aws/lambda/acme",
      ],
    ],
    passing: [
      [
        "a function and its group",
        {
          "aws_lambda_function.a": { logging_config: { log_group: "${aws_cloudwatch_log_group.b.name}" } },
          "aws_cloudwatch_log_group.b": { retention_in_days: 1 },
        },
      ],
      [
        "an endpoint and its group",
        {
          "aws_sagemaker_endpoint.a": { name: "acme" },
          "aws_cloudwatch_log_group.b": { name: "/aws/sagemaker/Endpoints/acme", retention_in_days: 1 },
        },
      ],
    ],
  },
  "images-by-digest": {
    breaking: [
      [
        "a tag",
        { "aws_sagemaker_model.a": { primary_container: { image: "registry/abalone:latest" } } },
        "runs registry/abalone:latest",
      ],
      [
        "one of several containers",
        { "aws_sagemaker_model.a": { container: [{ image: `r/a${digest}` }, { image: "r/b" }] } },
        "runs r/b",
      ],
      ["a function's image", { "aws_lambda_function.a": { image_uri: "r/a:1" } }, "runs r/a:1"],
      [
        "what a function hands on",
        { "aws_lambda_function.a": { environment: { variables: { MODEL_IMAGE_URI: "r/a:1" } } } },
        "runs r/a:1",
      ],
      [
        "a training job's image",
        stateMachine("createTrainingJob", { AlgorithmSpecification: { TrainingImage: "r/a:1" } }),
        "runs r/a:1",
      ],
      [
        "a processing job's image",
        stateMachine("createProcessingJob", { AppSpecification: { ImageUri: "r/a" } }),
        "runs r/a",
      ],
      ["a tag that another stack publishes", handedOn("r/a:1"), "runs r/a:1"],
      ["a digest that is cut off", handedOn("r/a@sha256:00"), "runs r/a@sha256:00"],
      [
        "a parameter that nobody publishes",
        handedOn("r/a:1").slice(1),
        "runs ${data.aws_ssm_parameter.image.insecure_value}",
      ],
      [
        "a circle of locals",
        [
          stack({ "aws_sagemaker_model.a": { primary_container: { image: "${local.a}" } } }, "a", {
            locals: { a: "${local.b}", b: "${local.a}" },
          }),
        ],
        "runs ${local.",
      ],
    ],
    passing: [
      ["a digest", { "aws_sagemaker_model.a": { primary_container: { image: `r/a${digest}` } } }],
      [
        "a model package, which has its image by digest",
        { "aws_sagemaker_model.a": { primary_container: { model_package_name: "arn" } } },
      ],
      ["a digest that another stack publishes", handedOn(`r/a${digest}`)],
      [
        "the digest of what was pushed",
        handedOn("${aws_ecr_repository.a.repository_url}@${docker_registry_image.a.sha256_digest}"),
      ],
    ],
  },
  "default-tags": {
    breaking: [
      ["none", [stack({}, "a", provider({}))], "does not set the default tags Project"],
      ["an empty one", [stack({}, "a", provider({ default_tags: [{ tags: { Project: "" } }] }))], "Project"],
      [
        "a second provider",
        [stack({}, "a", provider({ default_tags: [{ tags: { Project: "a" } }] }, { alias: "global" }))],
        "Project",
      ],
    ],
    passing: [
      [
        "every provider",
        [
          stack(
            {},
            "a",
            provider(
              { default_tags: [{ tags: { Project: "a" } }] },
              { alias: "global", default_tags: { tags: { Project: "a" } } },
            ),
          ),
        ],
      ],
    ],
  },
  "known-types": {
    breaking: [
      ["a service without a file", { "aws_supercomputer_rack.a": {} }, "write one in aws-services/supercomputer.ts"],
      ["a type that its service's file lacks", { "aws_sns_sms_preferences.a": {} }, "write one in aws-services/sns.ts"],
      ["another provider", { "random_id.a": {} }, "There is no record of random_id"],
    ],
    passing: [["types with records", { "aws_sns_topic.a": {}, "docker_image.b": {} }]],
  },
  protected: {
    breaking: [
      ["a bucket", { "aws_s3_bucket.a": {} }, "no prevent_destroy"],
      [
        "a bucket that goes with its objects",
        { "aws_s3_bucket.a": { force_destroy: true, lifecycle: { prevent_destroy: true } } },
        "has force_destroy",
      ],
      ["a key", { "aws_kms_key.a": { lifecycle: { prevent_destroy: false } } }, "no prevent_destroy"],
      ["a feature group", { "aws_sagemaker_feature_group.a": {} }, "no prevent_destroy"],
      [
        "a table",
        { "aws_dynamodb_table.a": { lifecycle: { prevent_destroy: true } } },
        "no deletion_protection_enabled",
      ],
      ["a repository", { "aws_ecr_repository.a": { force_delete: true } }, "no prevent_destroy and force_delete"],
      ["registered models", { "aws_sagemaker_model_package_group.a": {} }, "holds registered models"],
      ["Airflow", { "aws_mwaa_environment.a": {} }, "holds Airflow's history"],
      ["the source", { "aws_codecommit_repository.a": {} }, "holds the source"],
    ],
    passing: [
      [
        "what is protected",
        {
          "aws_s3_bucket.a": { lifecycle: { prevent_destroy: true } },
          "aws_kms_key.a": { lifecycle: [{ prevent_destroy: true }] },
        },
      ],
      [
        "a table",
        { "aws_dynamodb_table.a": { deletion_protection_enabled: true, lifecycle: { prevent_destroy: true } } },
      ],
      ["what holds nothing", { "aws_lambda_function.a": {} }],
    ],
  },
  "watched-releases": {
    breaking: [
      [
        "an endpoint without alarms",
        { "aws_sagemaker_endpoint.a": { deployment_config: allAtOnce } },
        "no alarm that stops",
      ],
      [
        "an empty list of alarms",
        watchedEndpoint({ ...allAtOnce, auto_rollback_configuration: { alarms: [] } }),
        "no alarm",
      ],
      ["alarms, but no policy for the traffic", watchedEndpoint({}), "moves all traffic at once"],
      ["an alarm that nobody makes", watchedEndpoint(allAtOnce, "latency"), 'the alarm "latency"'],
      [
        "an alarm of another stack",
        [
          stack({ "aws_cloudwatch_metric_alarm.errors": { alarm_name: "errors" } }, "other"),
          stack({ "aws_sagemaker_endpoint.a": watchedEndpoint(allAtOnce)["aws_sagemaker_endpoint.a"]! }),
        ],
        'the alarm "errors"',
      ],
    ],
    passing: [
      ["blue/green, with an alarm by name", watchedEndpoint(allAtOnce)],
      [
        "rolling, with an alarm by reference",
        watchedEndpoint(
          { rolling_update_policy: { wait_interval_in_seconds: 60 } },
          "${aws_cloudwatch_metric_alarm.errors.alarm_name}",
        ),
      ],
    ],
  },
  "recorded-access": {
    breaking: [
      ["a bucket", { "aws_s3_bucket.data": { bucket: "acme-data" } }, "does not record"],
      [
        "a bucket that logs into itself",
        {
          "aws_s3_bucket.data": { bucket: "acme-data" },
          "aws_s3_bucket_logging.data": { bucket: "acme-data", target_bucket: "${aws_s3_bucket.data.id}" },
        },
        "does not record",
      ],
      [
        "a bucket beside what the trail records",
        recordedBucket({ starts_with: ["arn:aws:s3:::acme-logs"] }),
        "does not record",
      ],
      [
        "a bucket that the trail leaves out",
        recordedBucket({ starts_with: ["arn:aws:s3:::acme-"], not_starts_with: ["arn:aws:s3:::acme-data"] }),
        "does not record",
      ],
      [
        "a bucket of which the trail records the writing alone",
        recordedBucket({ starts_with: ["arn:aws:s3:::acme-"] }, { field: "readOnly", equals: ["false"] }),
        "does not record",
      ],
      ["a site", { "aws_cloudfront_distribution.site": {} }, "does not record"],
      ["a site of which another log is delivered", delivered("CONNECTION_LOGS", "site"), "does not record"],
      ["a site whose source nobody delivers", delivered("ACCESS_LOGS", "other"), "does not record"],
      [
        "a site whose name is that of another stack's, of which logs are delivered",
        [stack({ "aws_cloudfront_distribution.site": {} }, "other"), stack(delivered("ACCESS_LOGS", "site"))],
        "does not record",
      ],
      ["an API", { "aws_apigatewayv2_stage.api": {} }, "does not record"],
    ],
    passing: [
      [
        "a bucket with access logs",
        {
          "aws_s3_bucket.data": { bucket: "acme-data" },
          "aws_s3_bucket_logging.data": { bucket: "${aws_s3_bucket.data.id}", target_bucket: "${data.a.b.value}" },
        },
      ],
      ["a bucket that the trail records", recordedBucket({ starts_with: ["arn:aws:s3:::acme-"] })],
      ["a site with logs by delivery", delivered("ACCESS_LOGS", "${aws_cloudwatch_log_delivery_source.site.name}")],
      [
        "a site with logs of the older way",
        { "aws_cloudfront_distribution.site": { logging_config: { bucket: "a" } } },
      ],
      ["an API with logs", { "aws_apigatewayv2_stage.api": { access_log_settings: { destination_arn: "a" } } }],
    ],
  },
};
