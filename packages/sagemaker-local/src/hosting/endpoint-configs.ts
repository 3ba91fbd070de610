import type * as control from "@aws-sdk/client-sagemaker";
import type { DescribeEndpointConfigOutput } from "@aws-sdk/client-sagemaker";
import { validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import type { Arns } from "../resources/arns";
import { listPage } from "../resources/listing";
import type { ResourceStore } from "../resources/store";
import type { TagRegistry } from "../resources/tags";
import type { Models } from "./models";

/** An endpoint configuration as DescribeEndpointConfig answers it. */
export type EndpointConfig = Validated<DescribeEndpointConfigOutput>;

/** Endpoint configurations: which models an endpoint serves, and how requests are divided among them. */
export class EndpointConfigs {
  constructor(
    private readonly store: ResourceStore<EndpointConfig>,
    private readonly models: Models,
    private readonly arns: Arns,
    private readonly tags: TagRegistry,
  ) {
    tags.register("endpoint-config", (name) => store.has(name));
  }

  /**
   * The configuration of this name.
   *
   * @throws ServiceError when there is none
   */
  existing(name: string): EndpointConfig {
    const config = this.store.get(name);
    if (config === undefined) {
      throw validationException(`Could not find endpoint configuration "${this.arns.of("endpoint-config", name)}".`);
    }
    return config;
  }

  readonly operations: OperationTable<typeof control> = {
    CreateEndpointConfig: (request) => {
      const { EndpointConfigName: name, Tags, ...described } = request;
      const arn = this.arns.of("endpoint-config", name);
      if (this.store.has(name)) {
        throw validationException(`Cannot create already existing endpoint configuration "${arn}".`);
      }
      if (request.AsyncInferenceConfig !== undefined || request.ShadowProductionVariants !== undefined) {
        throw validationException(
          "AsyncInferenceConfig and ShadowProductionVariants are not part of the local platform: leave them out.",
        );
      }
      const names = new Set<string>();
      for (const { VariantName, ModelName } of request.ProductionVariants) {
        if (names.has(VariantName)) {
          throw validationException(`Variant names must be unique: '${VariantName}' stands twice.`);
        }
        names.add(VariantName);
        if (ModelName === undefined) {
          throw validationException(
            `Variant '${VariantName}' has no ModelName: inference components are not part of the local platform.`,
          );
        }
        this.models.existing(ModelName);
      }
      this.tags.create(arn, Tags);
      this.store.put(name, {
        ...described,
        EndpointConfigName: name,
        EndpointConfigArn: arn,
        CreationTime: new Date(),
      });
      return { EndpointConfigArn: arn };
    },
    DescribeEndpointConfig: ({ EndpointConfigName }) => this.existing(EndpointConfigName),
    DeleteEndpointConfig: ({ EndpointConfigName }) => {
      this.tags.remove(this.existing(EndpointConfigName).EndpointConfigArn);
      this.store.delete(EndpointConfigName);
      return {};
    },
    ListEndpointConfigs: (request) => {
      const page = listPage(
        this.store.values(),
        request,
        (config) => ({ name: config.EndpointConfigName, created: config.CreationTime }),
        "Descending",
      );
      return {
        EndpointConfigs: page.items.map(({ EndpointConfigName, EndpointConfigArn, CreationTime }) => ({
          EndpointConfigName,
          EndpointConfigArn,
          CreationTime,
        })),
        NextToken: page.nextToken,
      };
    },
  };
}
