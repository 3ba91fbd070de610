/** Amazon SageMaker Model Monitor. */
import { blocks, filled, numberOf, values } from "./arguments";
import { ownKeyIf } from "./encryption";
import type { Permissions } from "./permissions";
import { use } from "./price";
import type { Service } from "./resource-type";
import { instanceCharges, volumes } from "./sagemaker";

const monitoring: Permissions = {
  sid: "Monitoring",
  service: "sagemaker",
  reads: ["DescribeDataQualityJobDefinition", "DescribeMonitoringSchedule", "ListTags"],
  writes: [
    "AddTags",
    "CreateDataQualityJobDefinition",
    "CreateMonitoringSchedule",
    "DeleteDataQualityJobDefinition",
    "DeleteMonitoringSchedule",
    "DeleteTags",
    "UpdateMonitoringSchedule",
  ],
  // The provider names a definition without a name by itself.
  on: ["monitoring-schedule/{name}", "data-quality-job-definition/terraform-*"],
};

export const sagemakerMonitor: Service = {
  aws_sagemaker_data_quality_job_definition: {
    permissions: [monitoring],
    price: {
      charges: (block, { comparisonJobHours }) =>
        blocks(block, "job_resources", "cluster_config").flatMap(
          ({ instance_type, instance_count, volume_size_in_gb }) =>
            instanceCharges(instance_type, comparisonJobHours * numberOf(instance_count, 1), volume_size_in_gb),
        ),
    },
    encryption: ({ arguments: block }) => [
      volumes(
        values(block, "job_resources", "cluster_config", "instance_type"),
        filled(block, "job_resources", "cluster_config", "volume_kms_key_id"),
        "the volume of the job",
      ),
      ownKeyIf(filled(block, "data_quality_job_output_config", "kms_key_id"), "the report"),
    ],
  },
  aws_sagemaker_monitoring_schedule: {
    permissions: [monitoring],
    // A metric is asked for by the hour in which it has a value.
    price: { charges: (_, { comparisonMetrics }) => [use("metricMonth", comparisonMetrics)] },
  },
};
