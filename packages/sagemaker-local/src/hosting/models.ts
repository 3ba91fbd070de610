import type * as control from "@aws-sdk/client-sagemaker";
import { validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import type { ModelRegistry } from "../registry/model-packages";
import { type ResourceContext, Resources } from "../resources/resources";

/** A model as DescribeModel answers it. */
export type Model = Validated<control.DescribeModelOutput>;

/** Role and network of a model's container. */
export interface ContainerRights {
  /** The model's role. */
  readonly roleArn: string | undefined;
  /** Whether the container has no network, and so no AWS credentials. */
  readonly isIsolated: boolean;
}

/** What an endpoint needs to serve a model. */
export interface ServingContainer extends ContainerRights {
  readonly image: string;
  /** The S3 address of a model.tar.gz. */
  readonly modelDataUrl: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** Models: an image with a model's data, by itself or from the model registry. */
export class Models {
  private readonly models: Resources<"Model", Model>;

  constructor(
    context: ResourceContext,
    private readonly registry: ModelRegistry,
  ) {
    this.models = new Resources(context, {
      prefix: "Model",
      type: "model",
      folder: "models",
      order: "Descending",
      missing: (_, arn) => validationException(`Could not find model "${arn}".`),
      taken: (_, arn) => validationException(`Cannot create already existing model "${arn}".`),
    });
  }

  /**
   * The model of this name.
   * @throws ServiceError when there is none
   */
  existing(name: string): Model {
    return this.models.existing(name);
  }

  /** Role and network of a model's container; without a role when the model no longer exists. */
  rights(name: string): ContainerRights {
    const model = this.models.find(name);
    return { roleArn: model?.ExecutionRoleArn, isIsolated: model?.EnableNetworkIsolation === true };
  }

  /**
   * What to serve for a model.
   * @throws ServiceError when the model is gone, or its package is gone or not approved
   */
  servingContainer(name: string): ServingContainer {
    const model = this.existing(name);
    const container = model.PrimaryContainer ?? model.Containers?.[0];
    const own = container?.Environment ?? {};
    const rights = this.rights(name);
    if (container?.ModelPackageName === undefined) {
      const modelDataUrl = container?.ModelDataUrl ?? container?.ModelDataSource?.S3DataSource?.S3Uri;
      return { image: container?.Image ?? "", modelDataUrl, environment: own, ...rights };
    }
    const modelPackage = this.registry.deployable(container.ModelPackageName);
    const packaged = modelPackage.InferenceSpecification?.Containers[0];
    return {
      image: packaged?.Image ?? "",
      modelDataUrl: packaged?.ModelDataUrl ?? packaged?.ModelDataSource?.S3DataSource?.S3Uri,
      environment: { ...packaged?.Environment, ...own },
      ...rights,
    };
  }

  readonly operations: OperationTable<typeof control> = {
    CreateModel: (request) => {
      this.models.checkNew(request.ModelName);
      const containers = [request.PrimaryContainer, ...(request.Containers ?? [])].filter((each) => each !== undefined);
      const [container] = containers;
      if (container === undefined || containers.length > 1) {
        throw validationException(
          "sagemaker-local's models have one container, PrimaryContainer or a single one in Containers: " +
            `${containers.length} were given.`,
        );
      }
      if ((container.Image === undefined) === (container.ModelPackageName === undefined)) {
        throw validationException("A container has either Image or ModelPackageName.");
      }
      if (container.Mode === "MultiModel") {
        throw validationException("A container's Mode MultiModel is not part of sagemaker-local: use SingleModel.");
      }
      if (
        container.ModelDataSource !== undefined &&
        container.ModelDataSource.S3DataSource?.CompressionType !== "Gzip"
      ) {
        throw validationException("ModelDataSource.S3DataSource needs the CompressionType Gzip on sagemaker-local.");
      }
      if (container.ModelPackageName !== undefined) {
        this.registry.deployable(container.ModelPackageName);
      }
      return this.models.create(request, {});
    },
    DescribeModel: ({ ModelName }) => this.existing(ModelName),
    DeleteModel: ({ ModelName }) => this.models.remove(ModelName),
    ListModels: (request) => this.models.list(request, "Models"),
  };
}
