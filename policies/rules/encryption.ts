/** Encryption at rest: how each type of resource that keeps something is told to encrypt it, and with whose key. */
import { type Arguments, type Documents, parseObject, type Resource, tasks, values } from "../documents";
import type { Rule } from "../rule";

/**
 * Who encrypts it: a key of ours, a key of AWS's, the hardware of the instance, or nobody. `refused`: it has a key
 * where AWS takes none, so that making it would fail.
 */
export type Encryption = "own key" | "key of AWS" | "hardware" | "none" | "refused";

interface Answer {
  readonly encryption: Encryption;
  /** What is encrypted, where a resource has several such things. @default the resource */
  readonly part?: string;
}

type Row = (resource: Resource, documents: Documents) => readonly Answer[];

const filled = (block: unknown, ...path: readonly string[]): boolean =>
  values(block, ...path).some((value) => typeof value === "string" && value !== "");

const ownKeyIf = (condition: boolean, otherwise: Encryption): readonly Answer[] => [
  { encryption: condition ? "own key" : otherwise },
];

/** A row for a type that has one argument for the key. */
const keyArgument =
  (otherwise: Encryption, ...path: readonly string[]): Row =>
  (resource) =>
    ownKeyIf(filled(resource.arguments, ...path), otherwise);

/**
 * Whether an instance type has disks of its own, which its hardware encrypts and for which SageMaker takes no key. The
 * letter d after the generation says so, and some families of accelerators have them without it (EC2 User Guide,
 * "Instance store volumes" and "Instance type naming conventions").
 */
export function hasLocalStorage(instanceType: string): boolean {
  return /^ml\.(?:[a-z]+\d+[a-z]*d[a-z]*|g[56]e?|gr6|p[456][a-z]*|trn\d\w*)\./.test(instanceType);
}

/**
 * The volumes of SageMaker's instances (API reference, KmsKeyId of CreateEndpointConfig and VolumeKmsKeyId of
 * ResourceConfig).
 */
function volumes(instanceTypes: readonly unknown[], hasKey: boolean, part: string): Answer {
  const local = instanceTypes.some((type) => typeof type === "string" && hasLocalStorage(type));
  if (local) {
    return { encryption: hasKey ? "refused" : "hardware", part };
  }
  return { encryption: hasKey ? "own key" : "key of AWS", part };
}

/** Where the arguments of each of SageMaker's jobs have the instances, and the keys of outputs. */
const jobs: Readonly<Record<string, { readonly instances: readonly string[]; readonly output: readonly string[] }>> = {
  createProcessingJob: {
    instances: ["ProcessingResources", "ClusterConfig"],
    output: ["ProcessingOutputConfig", "KmsKeyId"],
  },
  createTrainingJob: { instances: ["ResourceConfig"], output: ["OutputDataConfig", "KmsKeyId"] },
  createTransformJob: { instances: ["TransformResources"], output: ["TransformOutput", "KmsKeyId"] },
};

/**
 * The jobs that a state machine starts. The machine's own history names jobs and addresses and holds no data: AWS's own
 * key encrypts it.
 */
function jobsOf({ arguments: { definition } }: Resource): readonly Answer[] {
  const machine: Arguments = typeof definition === "string" ? (parseObject(definition) ?? {}) : {};
  return tasks(machine).flatMap((task) => {
    const job = jobs[/:sagemaker:(create\w+Job)(?:\.|$)/.exec(task.integration)?.[1] ?? ""];
    if (!job) {
      return [];
    }
    const instanceTypes = values(task.arguments, ...job.instances, "InstanceType");
    return [
      volumes(
        instanceTypes,
        filled(task.arguments, ...job.instances, "VolumeKmsKeyId"),
        `the volumes of the task ${task.name}`,
      ),
      {
        encryption: filled(task.arguments, ...job.output) ? "own key" : "key of AWS",
        part: `the output of the task ${task.name}`,
      },
    ];
  });
}

/**
 * The types that keep something, and where each has its key. What AWS does without one is in the security chapter of
 * each service's guide, section "Encryption at rest".
 */
export const encryptionByType: Readonly<Record<string, Row>> = {
  aws_athena_workgroup: ({ arguments: block }) => {
    const path = ["configuration", "result_configuration", "encryption_configuration"];
    const [option] = values(block, ...path, "encryption_option");
    if (option === undefined) {
      return [{ encryption: "none" }];
    }
    return ownKeyIf(option !== "SSE_S3" && filled(block, ...path, "kms_key_arn"), "key of AWS");
  },
  aws_cloudtrail: keyArgument("key of AWS", "kms_key_id"),
  aws_cloudwatch_log_group: keyArgument("key of AWS", "kms_key_id"),
  aws_codebuild_project: keyArgument("key of AWS", "encryption_key"),
  aws_codepipeline: ({ arguments: block }) =>
    values(block, "artifact_store").flatMap((store) => ownKeyIf(filled(store, "encryption_key", "id"), "key of AWS")),
  aws_dynamodb_table: ({ arguments: block }) => {
    const [encryption] = values(block, "server_side_encryption");
    const enabled = values(encryption, "enabled")[0] === true;
    return ownKeyIf(enabled && filled(encryption, "kms_key_arn"), "key of AWS");
  },
  aws_ecr_repository: ({ arguments: block }) => {
    const path = ["encryption_configuration"];
    const kms = values(block, ...path, "encryption_type").some((type) => String(type).startsWith("KMS"));
    return ownKeyIf(kms && filled(block, ...path, "kms_key"), "key of AWS");
  },
  aws_mwaa_environment: keyArgument("key of AWS", "kms_key"),
  aws_s3_bucket: (bucket, documents) => {
    const type = "aws_s3_bucket_server_side_encryption_configuration";
    const defaults = documents
      .belongingTo(bucket, type, "bucket", ["bucket", "id"])
      .flatMap((configuration) => values(configuration.arguments, "rule", "apply_server_side_encryption_by_default"));
    if (defaults.length === 0) {
      return [{ encryption: "none" }];
    }
    return ownKeyIf(
      defaults.every((rule) => filled(rule, "kms_master_key_id")),
      "key of AWS",
    );
  },
  aws_sagemaker_data_quality_job_definition: ({ arguments: block }) => [
    volumes(
      values(block, "job_resources", "cluster_config", "instance_type"),
      filled(block, "job_resources", "cluster_config", "volume_kms_key_id"),
      "the volume of the job",
    ),
    {
      encryption: filled(block, "data_quality_job_output_config", "kms_key_id") ? "own key" : "key of AWS",
      part: "the report",
    },
  ],
  aws_sagemaker_endpoint_configuration: ({ arguments: block }) => [
    volumes(
      ["production_variants", "shadow_production_variants"].flatMap((kind) => values(block, kind, "instance_type")),
      filled(block, "kms_key_arn"),
      "the volumes of the instances",
    ),
    ...values(block, "data_capture_config").map((capture): Answer => ({
      encryption: filled(capture, "kms_key_id") ? "own key" : "key of AWS",
      part: "the captured data",
    })),
  ],
  aws_sagemaker_feature_group: ({ arguments: block }) => [
    ...values(block, "offline_store_config").map((store): Answer => ({
      encryption: filled(store, "s3_storage_config", "kms_key_id") ? "own key" : "key of AWS",
      part: "the offline store",
    })),
    ...values(block, "online_store_config").map((store): Answer => ({
      encryption: filled(store, "security_config", "kms_key_id") ? "own key" : "key of AWS",
      part: "the online store",
    })),
  ],
  aws_secretsmanager_secret: keyArgument("key of AWS", "kms_key_id"),
  aws_sfn_state_machine: jobsOf,
  aws_sns_topic: keyArgument("none", "kms_master_key_id"),
  aws_sqs_queue: keyArgument("key of AWS", "kms_master_key_id"),
};

/** The types that have an argument for a key of which we make no use, with the reason. */
export const encryptedElsewhere: Readonly<Record<string, string>> = {
  aws_cloudfront_distribution:
    "Its caches hold public pages and no answer of the API; field-level encryption hides single fields in transit.",
  aws_s3_bucket_server_side_encryption_configuration:
    "It is the encryption of a bucket, at which the bucket's row looks.",
  aws_lambda_event_source_mapping: "AWS's own key encrypts the filter, which names a kind of event.",
  aws_lambda_function:
    "AWS's own key encrypts the environment, which holds names and numbers alone, and the code, which is ours.",
  aws_s3_object: "The bucket encrypts it.",
  aws_ssm_parameter: "The contract between the stacks is public to the account: names and ARNs, nothing secret.",
};

function* encryptions(documents: Documents): Iterable<Answer & { readonly resource: Resource }> {
  for (const [type, row] of Object.entries(encryptionByType)) {
    for (const resource of documents.resources(type)) {
      for (const answer of row(resource, documents)) {
        yield { ...answer, resource };
      }
    }
  }
}

const subject = ({ part }: Answer): string => (part === undefined ? "" : `${part}: `);

/** Nothing lies in the clear. */
export const encryptedAtRest: Rule = {
  id: "encrypted-at-rest",
  promise: "Whatever is kept is encrypted.",
  source: 'AWS Well-Architected Security Pillar, SEC08-BP02 "Enforce encryption at rest"',
  remedy: "Give it the key of its stack; an instance with disks of its own takes none.",
  *check(documents) {
    for (const answer of encryptions(documents)) {
      if (answer.encryption === "none") {
        yield { place: answer.resource, found: `${subject(answer)}nothing encrypts it` };
      }
      if (answer.encryption === "refused") {
        yield { place: answer.resource, found: `${subject(answer)}AWS takes no key for disks of the instance's own` };
      }
    }
  },
};

/** With a key of AWS's nobody here decides who may read. */
export const ownKey: Rule = {
  id: "own-key",
  promise: "Whatever is kept is encrypted by a key of the platform, whose policy and use we see.",
  source: 'AWS Well-Architected Security Pillar, SEC08-BP01 "Implement secure key management"',
  remedy: "Give it the key of its stack, or write in policies/exceptions.ts why a key of AWS's is right.",
  *check(documents) {
    for (const answer of encryptions(documents)) {
      if (answer.encryption === "key of AWS") {
        yield { place: answer.resource, found: `${subject(answer)}a key of AWS's encrypts it` };
      }
    }
  },
};
