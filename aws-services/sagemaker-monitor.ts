/** Amazon SageMaker Model Monitor. */
import { blocks, filled, numberOf, values } from "./arguments";
import type { Permissions } from "./permissions";
import { ownKeyIf, type Service, usageCharge } from "./record";
import { instanceCharges, volumes } from "./sagemaker";

const monitoring: Permissions = {
  sid: "Monitoring",
  reads: "sagemaker:DescribeDataQualityJobDefinition sagemaker:DescribeMonitoringSchedule sagemaker:ListTags",
  writes: `
    sagemaker:AddTags sagemaker:CreateDataQualityJobDefinition sagemaker:CreateMonitoringSchedule
    sagemaker:DeleteDataQualityJobDefinition sagemaker:DeleteMonitoringSchedule sagemaker:DeleteTags
    sagemaker:UpdateMonitoringSchedule`,
  // The provider generates a definition's name if it has none.
  on: "sagemaker:monitoring-schedule/{name} sagemaker:data-quality-job-definition/terraform-*",
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
    // A metric is billed for each hour with a value.
    price: { charges: (_, { comparisonMetrics }) => [usageCharge("metricMonth", comparisonMetrics)] },
  },
};
