import type * as control from "@aws-sdk/client-sagemaker";
import type { DescribeDataQualityJobDefinitionResponse } from "@aws-sdk/client-sagemaker";
import { resourceInUse, resourceNotFound, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import type { Endpoints } from "../hosting/endpoints";
import type { Arns } from "../resources/arns";
import { listPage } from "../resources/listing";
import type { ResourceStore } from "../resources/store";
import type { TagRegistry } from "../resources/tags";

/** A data quality job definition as DescribeDataQualityJobDefinition answers it. */
export type JobDefinition = Validated<DescribeDataQualityJobDefinitionResponse>;

/** What a monitoring job looks at, with what it compares and where its report goes. It can't be changed. */
export class JobDefinitions {
  constructor(
    private readonly store: ResourceStore<JobDefinition>,
    private readonly endpoints: Endpoints,
    private readonly arns: Arns,
    private readonly tags: TagRegistry,
  ) {
    tags.register("data-quality-job-definition", (name) => store.has(name));
  }

  /**
   * The definition of this name.
   *
   * @throws ServiceError when there is none
   */
  existing(name: string): JobDefinition {
    const definition = this.store.get(name);
    if (definition === undefined) {
      throw resourceNotFound(`Could not find data quality job definition ${name}.`);
    }
    return definition;
  }

  readonly operations: OperationTable<typeof control> = {
    CreateDataQualityJobDefinition: (request) => {
      const { JobDefinitionName: name, Tags, ...described } = request;
      const arn = this.arns.of("data-quality-job-definition", name);
      if (this.store.has(name)) {
        throw resourceInUse(`The data quality job definition ${arn} exists already.`);
      }
      const input = request.DataQualityJobInput.EndpointInput;
      if (input === undefined) {
        throw validationException(
          "DataQualityJobInput.EndpointInput is required: the local platform has no batch transform jobs to look at.",
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
      this.tags.create(arn, Tags);
      this.store.put(name, {
        ...described,
        JobDefinitionName: name,
        JobDefinitionArn: arn,
        CreationTime: new Date(),
      });
      return { JobDefinitionArn: arn };
    },
    DescribeDataQualityJobDefinition: ({ JobDefinitionName }) => this.existing(JobDefinitionName),
    DeleteDataQualityJobDefinition: ({ JobDefinitionName }) => {
      this.tags.remove(this.existing(JobDefinitionName).JobDefinitionArn);
      this.store.delete(JobDefinitionName);
      return {};
    },
    ListDataQualityJobDefinitions: (request) => {
      const chosen = this.store
        .values()
        .filter(
          ({ DataQualityJobInput }) =>
            request.EndpointName === undefined ||
            DataQualityJobInput.EndpointInput?.EndpointName === request.EndpointName,
        );
      const page = listPage(
        chosen,
        request,
        (definition) => ({ name: definition.JobDefinitionName, created: definition.CreationTime }),
        "Descending",
      );
      return {
        JobDefinitionSummaries: page.items.map((definition) => ({
          MonitoringJobDefinitionName: definition.JobDefinitionName,
          MonitoringJobDefinitionArn: definition.JobDefinitionArn,
          CreationTime: definition.CreationTime,
          EndpointName: definition.DataQualityJobInput.EndpointInput?.EndpointName,
        })),
        NextToken: page.nextToken,
      };
    },
  };
}
