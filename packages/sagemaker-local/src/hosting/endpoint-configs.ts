import type * as control from "@aws-sdk/client-sagemaker";
import { validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import { type ResourceContext, Resources } from "../resources/resources";
import type { Models } from "./models";

/** An endpoint configuration as DescribeEndpointConfig answers it. */
export type EndpointConfig = Validated<control.DescribeEndpointConfigOutput>;

/** Endpoint configurations: which models an endpoint serves, and how requests are divided among them. */
export class EndpointConfigs {
  private readonly configs: Resources<"EndpointConfig", EndpointConfig>;

  constructor(
    context: ResourceContext,
    private readonly models: Models,
  ) {
    this.configs = new Resources(context, {
      prefix: "EndpointConfig",
      type: "endpoint-config",
      folder: "endpoint-configs",
      order: "Descending",
      missing: (_, arn) => validationException(`Could not find endpoint configuration "${arn}".`),
      taken: (_, arn) => validationException(`Cannot create already existing endpoint configuration "${arn}".`),
    });
  }

  /** The configuration of this name, if there is one. */
  find(name: string): EndpointConfig | undefined {
    return this.configs.find(name);
  }

  /**
   * The configuration of this name.
   * @throws ServiceError when there is none
   */
  existing(name: string): EndpointConfig {
    return this.configs.existing(name);
  }

  readonly operations: OperationTable<typeof control> = {
    CreateEndpointConfig: (request) => {
      this.configs.checkNew(request.EndpointConfigName);
      if (request.AsyncInferenceConfig !== undefined || request.ShadowProductionVariants !== undefined) {
        throw validationException(
          "AsyncInferenceConfig and ShadowProductionVariants are not part of sagemaker-local: leave them out.",
        );
      }
      const names = new Set<string>();
      for (const { VariantName, ModelName } of request.ProductionVariants) {
        if (names.has(VariantName)) {
          throw validationException(`Variant names must be unique: '${VariantName}' is given twice.`);
        }
        names.add(VariantName);
        if (ModelName === undefined) {
          throw validationException(
            `Variant '${VariantName}' has no ModelName: inference components are not part of sagemaker-local.`,
          );
        }
        this.models.existing(ModelName);
      }
      return this.configs.create(request, {});
    },
    DescribeEndpointConfig: ({ EndpointConfigName }) => this.existing(EndpointConfigName),
    DeleteEndpointConfig: ({ EndpointConfigName }) => this.configs.remove(EndpointConfigName),
    ListEndpointConfigs: (request) => this.configs.list(request, "EndpointConfigs"),
  };
}
