import type * as control from "@aws-sdk/client-sagemaker";
import { resourceInUse, resourceNotFound, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import type { Endpoints } from "../hosting/endpoints";
import { type ResourceContext, Resources } from "../resources/resources";

/** A data quality job definition as DescribeDataQualityJobDefinition answers it. */
export type JobDefinition = Validated<control.DescribeDataQualityJobDefinitionResponse>;

/** What a monitoring job reads, the baseline for the comparison, and where the report goes. It can't be changed. */
export class JobDefinitions {
  private readonly definitions: Resources<"JobDefinition", JobDefinition>;

  constructor(
    context: ResourceContext,
    private readonly endpoints: Endpoints,
  ) {
    this.definitions = new Resources(context, {
      prefix: "JobDefinition",
      type: "data-quality-job-definition",
      folder: "data-quality-job-definitions",
      members: ["DataQualityJobInput"],
      order: "Descending",
      missing: (name) => resourceNotFound(`Could not find data quality job definition ${name}.`),
      taken: (_, arn) => resourceInUse(`The data quality job definition ${arn} already exists.`),
    });
  }

  /**
   * The definition of this name.
   * @throws ServiceError when there is none
   */
  existing(name: string): JobDefinition {
    return this.definitions.existing(name);
  }

  readonly operations: OperationTable<typeof control> = {
    CreateDataQualityJobDefinition: (request) => {
      this.definitions.checkNew(request.JobDefinitionName);
      const input = request.DataQualityJobInput.EndpointInput;
      if (input === undefined) {
        throw validationException(
          "DataQualityJobInput.EndpointInput is required: sagemaker-local has no batch transform jobs.",
        );
      }
      if (request.DataQualityJobOutputConfig.MonitoringOutputs.length !== 1) {
        throw validationException("DataQualityJobOutputConfig.MonitoringOutputs must have one output.");
      }
      if (this.endpoints.captureOf(input.EndpointName) === undefined) {
        throw validationException(
          `The endpoint ${input.EndpointName} captures no data: give its endpoint configuration a DataCaptureConfig, and wait until it is InService.`,
        );
      }
      return this.definitions.create(request, {});
    },
    DescribeDataQualityJobDefinition: ({ JobDefinitionName }) => this.existing(JobDefinitionName),
    DeleteDataQualityJobDefinition: ({ JobDefinitionName }) => this.definitions.remove(JobDefinitionName),
    ListDataQualityJobDefinitions: (request) => {
      const endpointOf = ({ DataQualityJobInput }: JobDefinition): string | undefined =>
        DataQualityJobInput.EndpointInput?.EndpointName;
      const { JobDefinitionSummaries, NextToken } = this.definitions.list(request, "JobDefinitionSummaries", {
        where: (definition) => request.EndpointName === undefined || endpointOf(definition) === request.EndpointName,
      });
      return {
        JobDefinitionSummaries: JobDefinitionSummaries.map((definition) => ({
          MonitoringJobDefinitionName: definition.JobDefinitionName,
          MonitoringJobDefinitionArn: definition.JobDefinitionArn,
          CreationTime: definition.CreationTime,
          EndpointName: endpointOf(definition),
        })),
        NextToken,
      };
    },
  };
}
