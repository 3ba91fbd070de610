import type * as control from "@aws-sdk/client-sagemaker";
import type { DescribeModelOutput } from "@aws-sdk/client-sagemaker";
import { validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import type { ModelRegistry } from "../registry/model-packages";
import type { Arns } from "../resources/arns";
import { listPage } from "../resources/listing";
import type { ResourceStore } from "../resources/store";
import type { TagRegistry } from "../resources/tags";

/** A model as DescribeModel answers it. */
export type Model = Validated<DescribeModelOutput>;

/** What an endpoint needs to serve a model. */
export interface ServingContainer {
  readonly image: string;
  /** The S3 address of a model.tar.gz. */
  readonly modelDataUrl: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** Models: an image with a model's data, by itself or from the model registry. */
export class Models {
  constructor(
    private readonly store: ResourceStore<Model>,
    private readonly registry: ModelRegistry,
    private readonly arns: Arns,
    private readonly tags: TagRegistry,
  ) {
    tags.register("model", (name) => store.has(name));
  }

  /**
   * The model of this name.
   *
   * @throws ServiceError when there is none
   */
  existing(name: string): Model {
    const model = this.store.get(name);
    if (model === undefined) {
      throw validationException(`Could not find model "${this.arns.of("model", name)}".`);
    }
    return model;
  }

  /**
   * What to serve for a model.
   *
   * @throws ServiceError when the model is gone, or its package is gone or not approved
   */
  servingContainer(name: string): ServingContainer {
    const model = this.existing(name);
    const container = model.PrimaryContainer ?? model.Containers?.[0];
    const own = container?.Environment ?? {};
    if (container?.ModelPackageName === undefined) {
      const modelDataUrl = container?.ModelDataUrl ?? container?.ModelDataSource?.S3DataSource?.S3Uri;
      return { image: container?.Image ?? "", modelDataUrl, environment: own };
    }
    const modelPackage = this.registry.deployable(container.ModelPackageName);
    const packaged = modelPackage.InferenceSpecification?.Containers[0];
    return {
      image: packaged?.Image ?? "",
      modelDataUrl: packaged?.ModelDataUrl ?? packaged?.ModelDataSource?.S3DataSource?.S3Uri,
      environment: { ...packaged?.Environment, ...own },
    };
  }

  readonly operations: OperationTable<typeof control> = {
    CreateModel: (request) => {
      const { ModelName: name, Tags, ...described } = request;
      const arn = this.arns.of("model", name);
      if (this.store.has(name)) {
        throw validationException(`Cannot create already existing model "${arn}".`);
      }
      const containers = [request.PrimaryContainer, ...(request.Containers ?? [])].filter((each) => each !== undefined);
      const [container] = containers;
      if (container === undefined || containers.length > 1) {
        throw validationException(
          `A model has one container here, PrimaryContainer or a single one in Containers: ${containers.length} were given.`,
        );
      }
      if ((container.Image === undefined) === (container.ModelPackageName === undefined)) {
        throw validationException("A container has either Image or ModelPackageName.");
      }
      if (container.Mode === "MultiModel") {
        throw validationException("A container's Mode MultiModel is not part of the local platform: use SingleModel.");
      }
      if (
        container.ModelDataSource !== undefined &&
        container.ModelDataSource.S3DataSource?.CompressionType !== "Gzip"
      ) {
        throw validationException("ModelDataSource.S3DataSource needs the CompressionType Gzip on the local platform.");
      }
      if (container.ModelPackageName !== undefined) {
        this.registry.deployable(container.ModelPackageName);
      }
      this.tags.create(arn, Tags);
      this.store.put(name, { ...described, ModelName: name, ModelArn: arn, CreationTime: new Date() });
      return { ModelArn: arn };
    },
    DescribeModel: ({ ModelName }) => this.existing(ModelName),
    DeleteModel: ({ ModelName }) => {
      this.tags.remove(this.existing(ModelName).ModelArn);
      this.store.delete(ModelName);
      return {};
    },
    ListModels: (request) => {
      const page = listPage(
        this.store.values(),
        request,
        (model) => ({ name: model.ModelName, created: model.CreationTime }),
        "Descending",
      );
      return {
        Models: page.items.map(({ ModelName, ModelArn, CreationTime }) => ({ ModelName, ModelArn, CreationTime })),
        NextToken: page.nextToken,
      };
    },
  };
}
