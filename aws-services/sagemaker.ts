/** Amazon SageMaker: feature store, model registry, models and endpoints. Its monitors are in sagemaker-monitor.ts. */
import { blocks, filled, numberOf, textOf, values } from "./arguments";
import { ownTagOrNone, type Permissions } from "./permissions";
import { type Charge, type Encryption, fixedCharge, hoursOfMonth, ownKeyIf, type Service, usageCharge } from "./record";

/**
 * Whether an instance type has local disks, which its hardware encrypts and for which SageMaker accepts no key. The
 * letter d after the generation means that; some accelerator families have local disks without it (EC2 User Guide,
 * "Instance store volumes" and "Instance type naming conventions").
 */
export function hasLocalStorage(instanceType: string): boolean {
  return /^ml\.(?:[a-z]+\d+[a-z]*d[a-z]*|g[56]e?|gr6|p[45][a-z]*|p6[a-z0-9-]*|trn\d\w*)\./.test(instanceType);
}

/**
 * The volumes of instances (API reference, KmsKeyId of CreateEndpointConfig and VolumeKmsKeyId of ResourceConfig).
 */
export function volumes(instanceTypes: readonly unknown[], hasKey: boolean, part: string): Encryption {
  if (instanceTypes.some((type) => typeof type === "string" && hasLocalStorage(type))) {
    return { by: hasKey ? "refused" : "hardware", part };
  }
  return ownKeyIf(hasKey, part);
}

/** The charges for a job's instance and its volume. */
export const instanceCharges = (instanceType: unknown, hours: number, volumeGigabytes: unknown): readonly Charge[] => [
  usageCharge(`instance:${textOf(instanceType)}`, hours),
  usageCharge("jobVolumeGigabyteMonth", (hours * numberOf(volumeGigabytes, 1)) / hoursOfMonth),
];

const endpoints: Permissions = {
  sid: "Endpoints",
  reads: "sagemaker:DescribeEndpoint sagemaker:DescribeEndpointConfig sagemaker:ListTags",
  writes: `
    sagemaker:AddTags sagemaker:CreateEndpoint sagemaker:CreateEndpointConfig sagemaker:DeleteEndpoint
    sagemaker:DeleteEndpointConfig sagemaker:DeleteTags sagemaker:UpdateEndpoint
    sagemaker:UpdateEndpointWeightsAndCapacities`,
  on: "sagemaker:endpoint/{name} sagemaker:endpoint-config/{name}",
};

const models = {
  reads: "sagemaker:DescribeModel sagemaker:ListTags",
  writes: "sagemaker:AddTags sagemaker:CreateModel sagemaker:DeleteModel sagemaker:DeleteTags",
};

export const sagemaker: Service = {
  aws_sagemaker_feature_group: {
    permissions: [
      {
        sid: "FeatureStore",
        reads: "sagemaker:DescribeFeatureGroup sagemaker:ListTags",
        writes: "sagemaker:AddTags sagemaker:CreateFeatureGroup sagemaker:DeleteTags sagemaker:UpdateFeatureGroup",
        on: "sagemaker:feature-group/{name}",
      },
      {
        // SageMaker creates the offline store's table, under a name of its own, with the rights of the group's creator
        // (AWS managed policy AmazonSageMakerFullAccess, its statements for Glue).
        sid: "OfflineStoreTables",
        writes: "glue:CreateDatabase glue:CreateTable glue:GetDatabase glue:GetTable",
        on: "glue:catalog glue:database/sagemaker_featurestore glue:table/sagemaker_featurestore/*",
      },
    ],
    price: { charges: (_, { featureWrites }) => [usageCharge("featureWrite", featureWrites)] },
    importId: "feature_group_name",
    holds: {
      what: "records, until all surveys are ingested into a new group",
      lostBy: ["sagemaker:DeleteFeatureGroup"],
    },
    encryption: ({ arguments: block }) => [
      ...blocks(block, "offline_store_config").map((store) =>
        ownKeyIf(filled(store, "s3_storage_config", "kms_key_id"), "the offline store"),
      ),
      ...blocks(block, "online_store_config").map((store) =>
        ownKeyIf(filled(store, "security_config", "kms_key_id"), "the online store"),
      ),
    ],
  },
  aws_sagemaker_model_package_group: {
    permissions: {
      sid: "ModelRegistry",
      reads: "sagemaker:DescribeModelPackageGroup sagemaker:ListTags",
      writes: "sagemaker:AddTags sagemaker:CreateModelPackageGroup sagemaker:DeleteTags",
      on: "sagemaker:model-package-group/{name}",
    },
    price: { free: "the registry is free; its files are counted with their bucket" },
    importId: "model_package_group_name",
    holds: {
      what: "registered models and their evaluations",
      lostBy: ["sagemaker:DeleteModelPackage*"],
    },
  },
  aws_sagemaker_model: {
    permissions: [
      { sid: "Models", ...models, on: "sagemaker:model/{name}" },
      // The provider generates a model's name if it has none.
      { sid: "UnnamedModels", ...models, on: "sagemaker:model/terraform-*", conditions: ownTagOrNone },
      { sid: "ServePackages", writes: "sagemaker:DescribeModelPackage", on: "sagemaker:model-package/{prefix}*" },
    ],
    price: { free: "its files are counted with their bucket" },
    importId: "name",
    images: (block) => [...values(block, "primary_container", "image"), ...values(block, "container", "image")],
  },
  aws_sagemaker_endpoint: {
    permissions: [endpoints],
    price: { free: "counted with its configuration, which names the instances" },
    importId: "name",
    logGroup: ({ name }) => (typeof name === "string" ? `/aws/sagemaker/Endpoints/${name}` : undefined),
  },
  aws_sagemaker_endpoint_configuration: {
    permissions: [endpoints],
    price: {
      charges: (block) =>
        blocks(block, "production_variants").map(({ instance_type, initial_instance_count }) =>
          fixedCharge(`instance:${textOf(instance_type)}`, hoursOfMonth * numberOf(initial_instance_count, 1)),
        ),
    },
    encryption: ({ arguments: block }) => [
      volumes(
        ["production_variants", "shadow_production_variants"].flatMap((kind) => values(block, kind, "instance_type")),
        filled(block, "kms_key_arn"),
        "the volumes of the instances",
      ),
      ...blocks(block, "data_capture_config").map((capture) =>
        ownKeyIf(filled(capture, "kms_key_id"), "the captured data"),
      ),
    ],
  },
};
