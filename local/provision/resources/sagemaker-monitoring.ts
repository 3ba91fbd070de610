import type {
  MonitoringScheduleConfig,
  MonitoringType,
  ProcessingInstanceType,
  ProcessingS3DataDistributionType,
  ProcessingS3InputMode,
  ProcessingS3UploadMode,
} from "@aws-sdk/client-sagemaker";
import type { Arguments } from "../arguments";
import { isNamed, type ResourceKind, settled, tagList, textOf, unlessMissing, waitFor } from "../resource-kind";

const jobDefinition: ResourceKind = {
  type: "aws_sagemaker_data_quality_job_definition",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 63 },
  replacedBy: [
    ...["data_quality_app_specification", "data_quality_baseline_config", "data_quality_job_input"],
    ...["data_quality_job_output_config", "job_resources", "network_config", "role_arn", "stopping_condition"],
  ],
  async create({ arguments: list, clients, tags, arnOf }) {
    const JobDefinitionName = list.requireText("name");
    const application = list.requireBlock("data_quality_app_specification");
    const baseline = list.block("data_quality_baseline_config");
    const input = list.requireBlock("data_quality_job_input").requireBlock("endpoint_input");
    const outputs = list.requireBlock("data_quality_job_output_config");
    const output = outputs.requireBlock("monitoring_outputs").requireBlock("s3_output");
    const cluster = list.requireBlock("job_resources").requireBlock("cluster_config");
    const network = list.block("network_config");
    const seconds = list.block("stopping_condition")?.number("max_runtime_in_seconds");
    const resource = (name: string) => {
      const uri = baseline?.block(name)?.text("s3_uri");
      return uri === undefined ? undefined : { S3Uri: uri };
    };
    // Remove the leftovers of a killed creation.
    await unlessMissing(clients.sageMaker.deleteDataQualityJobDefinition({ JobDefinitionName }));
    await clients.sageMaker.createDataQualityJobDefinition({
      JobDefinitionName,
      RoleArn: list.requireText("role_arn"),
      DataQualityAppSpecification: {
        ImageUri: application.requireText("image_uri"),
        Environment: application.map("environment"),
      },
      DataQualityBaselineConfig: baseline && {
        ConstraintsResource: resource("constraints_resource"),
        StatisticsResource: resource("statistics_resource"),
      },
      DataQualityJobInput: {
        EndpointInput: {
          EndpointName: input.requireText("endpoint_name"),
          LocalPath: input.text("local_path") ?? "/opt/ml/processing/input",
          S3DataDistributionType: input.text("s3_data_distribution_type") as ProcessingS3DataDistributionType,
          S3InputMode: input.text("s3_input_mode") as ProcessingS3InputMode,
        },
      },
      DataQualityJobOutputConfig: {
        KmsKeyId: outputs.text("kms_key_id"),
        MonitoringOutputs: [
          {
            S3Output: {
              S3Uri: output.requireText("s3_uri"),
              LocalPath: output.text("local_path") ?? "/opt/ml/processing/output",
              S3UploadMode: output.text("s3_upload_mode") as ProcessingS3UploadMode,
            },
          },
        ],
      },
      JobResources: {
        ClusterConfig: {
          InstanceCount: cluster.requireNumber("instance_count"),
          InstanceType: cluster.requireText("instance_type") as ProcessingInstanceType,
          VolumeSizeInGB: cluster.requireNumber("volume_size_in_gb"),
          VolumeKmsKeyId: cluster.text("volume_kms_key_id"),
        },
      },
      NetworkConfig: network && {
        EnableInterContainerTrafficEncryption: network.boolean("enable_inter_container_traffic_encryption"),
        EnableNetworkIsolation: network.boolean("enable_network_isolation"),
      },
      StoppingCondition: seconds === undefined ? undefined : { MaxRuntimeInSeconds: seconds },
      Tags: tagList(tags),
    });
    const arn = arnOf("sagemaker", `data-quality-job-definition/${JobDefinitionName}`);
    return { id: JobDefinitionName, arn };
  },
  exists: ({ attributes, clients }) =>
    clients.sageMaker.describeDataQualityJobDefinition({ JobDefinitionName: attributes.id }),
  async update({ attributes, clients, tags }) {
    await clients.sageMaker.addTags({ ResourceArn: textOf(attributes, "arn"), Tags: tagList(tags) });
    return attributes;
  },
  delete: ({ attributes, clients }) =>
    clients.sageMaker.deleteDataQualityJobDefinition({ JobDefinitionName: attributes.id }),
};

function scheduleConfig(block: Arguments): MonitoringScheduleConfig {
  const expression = block.block("schedule_config")?.requireText("schedule_expression");
  return {
    MonitoringJobDefinitionName: block.requireText("monitoring_job_definition_name"),
    MonitoringType: block.requireText("monitoring_type") as MonitoringType,
    ScheduleConfig: expression === undefined ? undefined : { ScheduleExpression: expression },
  };
}

const schedule: ResourceKind = settled({
  type: "aws_sagemaker_monitoring_schedule",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 63 },
  async put({ arguments: list, clients, tags, arnOf }) {
    const MonitoringScheduleName = list.requireText("name");
    const MonitoringScheduleConfig = scheduleConfig(list.requireBlock("monitoring_schedule_config"));
    const arn = arnOf("sagemaker", `monitoring-schedule/${MonitoringScheduleName}`);
    const found = await unlessMissing(clients.sageMaker.describeMonitoringSchedule({ MonitoringScheduleName }));
    if (found) {
      await clients.sageMaker.updateMonitoringSchedule({ MonitoringScheduleName, MonitoringScheduleConfig });
      await clients.sageMaker.addTags({ ResourceArn: arn, Tags: tagList(tags) });
    } else {
      await clients.sageMaker.createMonitoringSchedule({
        MonitoringScheduleName,
        MonitoringScheduleConfig,
        Tags: tagList(tags),
      });
    }
    return { id: MonitoringScheduleName, arn };
  },
  exists: ({ attributes, clients }) =>
    clients.sageMaker.describeMonitoringSchedule({ MonitoringScheduleName: attributes.id }),
  async delete({ attributes: { id: MonitoringScheduleName }, clients }) {
    await waitFor(
      async () => {
        try {
          return await clients.sageMaker.deleteMonitoringSchedule({ MonitoringScheduleName });
        } catch (error) {
          // An execution is running, and ends by itself.
          if (isNamed(error, "ResourceInUse")) {
            return undefined;
          }
          throw error;
        }
      },
      `the deletion of the monitoring schedule ${MonitoringScheduleName}`,
      { seconds: 300 },
    );
  },
});

/** SageMaker Model Monitor: job definitions and schedules. */
export const sageMakerMonitoringKinds: readonly ResourceKind[] = [jobDefinition, schedule];
