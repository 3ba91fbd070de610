import type {
  CaptureOption,
  DataCaptureConfig,
  DeploymentConfig,
  DescribeEndpointOutput,
  DescribeFeatureGroupResponse,
  FeatureDefinition,
  OfflineStoreConfig,
  ProductionVariant,
  SageMaker,
} from "@aws-sdk/client-sagemaker";
import type { Arguments } from "../arguments";
import {
  type Attributes,
  type Change,
  type ResourceKind,
  settled,
  tagList,
  textOf,
  unlessMissing,
  waitFor,
  waitUntilGone,
} from "../resource-kind";

async function tag(sageMaker: SageMaker, ResourceArn: string, tags: Record<string, string>): Promise<void> {
  if (Object.keys(tags).length > 0) {
    await sageMaker.addTags({ ResourceArn, Tags: tagList(tags) });
  }
}

/** For types that SageMaker can't change: only tags change. */
async function changeTags({ attributes, clients, tags }: Change): Promise<Attributes> {
  await tag(clients.sageMaker, textOf(attributes, "arn"), tags);
  return attributes;
}

const featureGroup: ResourceKind = {
  type: "aws_sagemaker_feature_group",
  replacedBy: [
    ...["description", "event_time_feature_name", "feature_definition", "feature_group_name", "offline_store_config"],
    ...["record_identifier_feature_name", "role_arn"],
  ],
  async create(creation) {
    const { arguments: list, clients, tags } = creation;
    const FeatureGroupName = list.requireText("feature_group_name");
    const FeatureDefinitions = list.blocks("feature_definition").map(featureDefinition);
    const offline = list.block("offline_store_config");
    const found = await describeFeatureGroup(clients.sageMaker, FeatureGroupName);
    const request = {
      FeatureGroupName,
      Description: list.text("description"),
      RecordIdentifierFeatureName: list.requireText("record_identifier_feature_name"),
      EventTimeFeatureName: list.requireText("event_time_feature_name"),
      FeatureDefinitions,
      RoleArn: list.requireText("role_arn"),
      OfflineStoreConfig: offline && offlineStore(offline),
      Tags: tagList(tags),
    };
    if (found?.FeatureGroupStatus === "CreateFailed") {
      await deleteFeatureGroup(clients.sageMaker, FeatureGroupName);
    }
    if (!found || found.FeatureGroupStatus === "CreateFailed") {
      await clients.sageMaker.createFeatureGroup(request);
    } else if (describeFeatures(found.FeatureDefinitions) !== describeFeatures(FeatureDefinitions)) {
      throw new Error(
        `a feature group ${FeatureGroupName} with other features (${describeFeatures(found.FeatureDefinitions)}) already exists: ` +
          "delete it, or give this one another name",
      );
    }
    const { FeatureGroupArn } = await waitFor(
      async () => {
        const state = await describeFeatureGroup(clients.sageMaker, FeatureGroupName);
        if (state?.FeatureGroupStatus === "CreateFailed") {
          throw new Error(`the feature group ${FeatureGroupName} failed: ${state.FailureReason ?? "no reason given"}`);
        }
        return state?.FeatureGroupStatus === "Creating" ? undefined : state;
      },
      `the feature group ${FeatureGroupName}`,
      { seconds: 300 },
    );
    return {
      id: FeatureGroupName,
      arn: FeatureGroupArn ?? creation.arnOf("sagemaker", `feature-group/${FeatureGroupName}`),
    };
  },
  async exists({ attributes, clients }) {
    const found = await clients.sageMaker.describeFeatureGroup({ FeatureGroupName: attributes.id });
    return found.FeatureGroupStatus !== "CreateFailed";
  },
  update: changeTags,
  delete: ({ attributes, clients }) => deleteFeatureGroup(clients.sageMaker, attributes.id),
};

function featureDefinition(block: Arguments): FeatureDefinition {
  return {
    FeatureName: block.requireText("feature_name"),
    FeatureType: block.requireText("feature_type") as "String",
  };
}

function offlineStore(block: Arguments): OfflineStoreConfig {
  const storage = block.requireBlock("s3_storage_config");
  return {
    TableFormat: block.text("table_format") as "Glue" | undefined,
    S3StorageConfig: {
      S3Uri: storage.requireText("s3_uri"),
      KmsKeyId: storage.text("kms_key_id"),
    },
  };
}

function describeFeatures(features: readonly FeatureDefinition[] = []): string {
  return features
    .map(({ FeatureName, FeatureType }) => `${FeatureName} ${FeatureType}`)
    .sort()
    .join(", ");
}

async function describeFeatureGroup(
  sageMaker: SageMaker,
  FeatureGroupName: string,
): Promise<DescribeFeatureGroupResponse | undefined> {
  return await unlessMissing(sageMaker.describeFeatureGroup({ FeatureGroupName }));
}

async function deleteFeatureGroup(sageMaker: SageMaker, FeatureGroupName: string): Promise<void> {
  await unlessMissing(sageMaker.deleteFeatureGroup({ FeatureGroupName }));
  await waitUntilGone(async () => {
    const { FeatureGroupStatus, FailureReason = "" } = await sageMaker.describeFeatureGroup({ FeatureGroupName });
    if (FeatureGroupStatus === "DeleteFailed") {
      throw new Error(`the feature group ${FeatureGroupName} can't be deleted: ${FailureReason}`);
    }
  }, `the feature group ${FeatureGroupName}`);
}

const modelPackageGroup: ResourceKind = {
  type: "aws_sagemaker_model_package_group",
  replacedBy: ["model_package_group_name", "model_package_group_description"],
  async create(creation) {
    const { arguments: list, clients, tags } = creation;
    const ModelPackageGroupName = list.requireText("model_package_group_name");
    const ModelPackageGroupDescription = list.text("model_package_group_description");
    const arn = creation.arnOf("sagemaker", `model-package-group/${ModelPackageGroupName}`);
    const found = await unlessMissing(clients.sageMaker.describeModelPackageGroup({ ModelPackageGroupName }));
    if (found) {
      // It may contain models in use, so it is never replaced by a new one.
      await tag(clients.sageMaker, arn, tags);
    } else {
      await clients.sageMaker.createModelPackageGroup({
        ModelPackageGroupName,
        ModelPackageGroupDescription,
        Tags: tagList(tags),
      });
    }
    return { id: ModelPackageGroupName, arn };
  },
  exists: ({ attributes, clients }) =>
    clients.sageMaker.describeModelPackageGroup({ ModelPackageGroupName: attributes.id }),
  update: changeTags,
  delete: ({ attributes, clients }) =>
    clients.sageMaker.deleteModelPackageGroup({ ModelPackageGroupName: attributes.id }),
};

const model: ResourceKind = {
  type: "aws_sagemaker_model",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 63 },
  replacedBy: ["enable_network_isolation", "execution_role_arn", "primary_container"],
  async create(creation) {
    const { arguments: list, clients, tags } = creation;
    const ModelName = list.requireText("name");
    const container = list.requireBlock("primary_container");
    await unlessMissing(clients.sageMaker.deleteModel({ ModelName }));
    await clients.sageMaker.createModel({
      ModelName,
      ExecutionRoleArn: list.requireText("execution_role_arn"),
      EnableNetworkIsolation: list.boolean("enable_network_isolation"),
      PrimaryContainer: {
        ModelPackageName: container.requireText("model_package_name"),
        Environment: container.map("environment"),
      },
      Tags: tagList(tags),
    });
    return { id: ModelName, arn: creation.arnOf("sagemaker", `model/${ModelName}`) };
  },
  exists: ({ attributes, clients }) => clients.sageMaker.describeModel({ ModelName: attributes.id }),
  update: changeTags,
  delete: ({ attributes, clients }) => clients.sageMaker.deleteModel({ ModelName: attributes.id }),
};

const endpointConfiguration: ResourceKind = {
  type: "aws_sagemaker_endpoint_configuration",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 63 },
  replacedBy: ["data_capture_config", "kms_key_arn", "production_variants"],
  async create(creation) {
    const { arguments: list, clients, tags } = creation;
    const EndpointConfigName = list.requireText("name");
    const capture = list.block("data_capture_config");
    await unlessMissing(clients.sageMaker.deleteEndpointConfig({ EndpointConfigName }));
    await clients.sageMaker.createEndpointConfig({
      EndpointConfigName,
      KmsKeyId: list.text("kms_key_arn"),
      ProductionVariants: list.blocks("production_variants").map(variant),
      DataCaptureConfig: capture && dataCapture(capture),
      Tags: tagList(tags),
    });
    return { id: EndpointConfigName, arn: creation.arnOf("sagemaker", `endpoint-config/${EndpointConfigName}`) };
  },
  exists: ({ attributes, clients }) => clients.sageMaker.describeEndpointConfig({ EndpointConfigName: attributes.id }),
  update: changeTags,
  delete: ({ attributes, clients }) => clients.sageMaker.deleteEndpointConfig({ EndpointConfigName: attributes.id }),
};

function variant(block: Arguments): ProductionVariant {
  return {
    VariantName: block.requireText("variant_name"),
    ModelName: block.requireText("model_name"),
    InstanceType: block.requireText("instance_type") as "ml.m5.large",
    InitialInstanceCount: block.requireNumber("initial_instance_count"),
    InitialVariantWeight: block.number("initial_variant_weight") ?? 1,
  };
}

function dataCapture(block: Arguments): DataCaptureConfig {
  const types = block.block("capture_content_type_header");
  return {
    EnableCapture: block.boolean("enable_capture"),
    InitialSamplingPercentage: block.requireNumber("initial_sampling_percentage"),
    DestinationS3Uri: block.requireText("destination_s3_uri"),
    KmsKeyId: block.text("kms_key_id"),
    CaptureOptions: block
      .blocks("capture_options")
      .map((option): CaptureOption => ({ CaptureMode: option.requireText("capture_mode") as "Input" })),
    CaptureContentTypeHeader: types && {
      CsvContentTypes: types.texts("csv_content_types"),
      JsonContentTypes: types.texts("json_content_types"),
    },
  };
}

/** Time limit in seconds for an endpoint to be in service. */
const endpointSeconds = 900;

const endpoint: ResourceKind = settled({
  type: "aws_sagemaker_endpoint",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 63 },
  async put(creation) {
    const { arguments: list, clients, tags } = creation;
    const EndpointName = list.requireText("name");
    const EndpointConfigName = list.requireText("endpoint_config_name");
    const deployment = list.block("deployment_config");
    const attributes = { id: EndpointName, arn: creation.arnOf("sagemaker", `endpoint/${EndpointName}`) };
    let found = await settledEndpoint(clients.sageMaker, EndpointName);
    if (found && found.EndpointStatus !== "InService") {
      // A failed endpoint can't be updated, only made again.
      await deleteEndpoint(clients.sageMaker, EndpointName);
      found = undefined;
    }
    const DeploymentConfig = deployment && deploymentConfig(deployment);
    if (!found) {
      await clients.sageMaker.createEndpoint({
        EndpointName,
        EndpointConfigName,
        DeploymentConfig,
        Tags: tagList(tags),
      });
    } else {
      await tag(clients.sageMaker, attributes.arn, tags);
      if (found.EndpointConfigName === EndpointConfigName) {
        return attributes;
      }
      await clients.sageMaker.updateEndpoint({ EndpointName, EndpointConfigName, DeploymentConfig });
    }
    const done = await settledEndpoint(clients.sageMaker, EndpointName);
    if (done?.EndpointStatus !== "InService" || done.EndpointConfigName !== EndpointConfigName) {
      const reason = done?.FailureReason ?? "no reason given";
      if (done?.EndpointStatus === "InService") {
        throw new Error(
          `the endpoint ${EndpointName} keeps its previous model. FailureReason: ${reason}\n` +
            'What to do: docs/runbooks.md, "A release was rolled back"',
        );
      }
      throw new Error(`the endpoint ${EndpointName} is ${done?.EndpointStatus ?? "gone"}: FailureReason: ${reason}`);
    }
    return attributes;
  },
  async exists({ attributes, clients }) {
    const { EndpointStatus = "" } = await clients.sageMaker.describeEndpoint({ EndpointName: attributes.id });
    return !["Failed", "OutOfService", "Deleting"].includes(EndpointStatus);
  },
  delete: ({ attributes, clients }) => deleteEndpoint(clients.sageMaker, attributes.id),
});

function deploymentConfig(block: Arguments): DeploymentConfig {
  const traffic = block.requireBlock("blue_green_update_policy").requireBlock("traffic_routing_configuration");
  const canary = traffic.block("canary_size");
  const rollback = block.block("auto_rollback_configuration");
  return {
    BlueGreenUpdatePolicy: {
      TrafficRoutingConfiguration: {
        Type: traffic.requireText("type") as "ALL_AT_ONCE",
        WaitIntervalInSeconds: traffic.requireNumber("wait_interval_in_seconds"),
        CanarySize: canary && {
          Type: canary.requireText("type") as "INSTANCE_COUNT",
          Value: canary.requireNumber("value"),
        },
      },
    },
    AutoRollbackConfiguration: rollback && {
      Alarms: rollback.blocks("alarms").map((alarm) => ({ AlarmName: alarm.requireText("alarm_name") })),
    },
  };
}

/** The endpoint when no operation is running on it; undefined if it does not exist. */
async function settledEndpoint(
  sageMaker: SageMaker,
  EndpointName: string,
): Promise<DescribeEndpointOutput | undefined> {
  const [found] = await waitFor(
    async () => {
      const state = await unlessMissing(sageMaker.describeEndpoint({ EndpointName }));
      const settledStates = ["InService", "Failed", "OutOfService", "UpdateRollbackFailed"];
      return !state || settledStates.includes(state.EndpointStatus ?? "") ? [state] : undefined;
    },
    `the endpoint ${EndpointName}`,
    { seconds: endpointSeconds },
  );
  return found;
}

async function deleteEndpoint(sageMaker: SageMaker, EndpointName: string): Promise<void> {
  await settledEndpoint(sageMaker, EndpointName);
  await unlessMissing(sageMaker.deleteEndpoint({ EndpointName }));
  await waitUntilGone(() => sageMaker.describeEndpoint({ EndpointName }), `the endpoint ${EndpointName}`, 900);
}

/** SageMaker: feature groups, model package groups, models, endpoint configurations, endpoints. */
export const sageMakerKinds: readonly ResourceKind[] = [
  featureGroup,
  modelPackageGroup,
  model,
  endpointConfiguration,
  endpoint,
];
