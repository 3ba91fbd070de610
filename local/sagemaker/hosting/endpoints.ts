import * as fs from "node:fs";
import * as path from "node:path";
import type * as control from "@aws-sdk/client-sagemaker";
import type { DataCaptureConfig, DescribeEndpointOutput } from "@aws-sdk/client-sagemaker";
import type { AwsClients } from "../aws";
import { unpackArchive } from "../containers/archive";
import { checkImage } from "../containers/container";
import type { ObjectStorage } from "../containers/object-storage";
import type { Children } from "../containers/processes";
import { log } from "../log";
import { messageOf, validationError, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import type { Arns } from "../resources/arns";
import { listPage } from "../resources/listing";
import type { ResourceStore } from "../resources/store";
import type { TagRegistry } from "../resources/tags";
import type { Settings } from "../settings";
import type { EndpointConfigs } from "./endpoint-configs";
import type { Models } from "./models";
import { ModelServer } from "./model-server";

/** An endpoint as DescribeEndpoint answers it. */
export type Endpoint = Validated<DescribeEndpointOutput>;

/** One production variant as it is deployed: everything that its server needs, without asking S3 again. */
interface DeployedVariant {
  readonly name: string;
  readonly weight: number;
  readonly instances: number;
  readonly image: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly base: string;
  readonly startupMilliseconds: number;
}

interface Deployment {
  readonly configName: string;
  readonly folder: string;
  readonly variants: readonly DeployedVariant[];
}

/** An endpoint, what serves it, and what it is being changed to. */
export interface StoredEndpoint {
  readonly endpoint: Endpoint;
  readonly deployment?: Deployment | undefined;
  readonly pendingConfigName?: string | undefined;
}

/** How an endpoint captures its traffic. */
export interface EndpointCapture {
  readonly config: Validated<DataCaptureConfig>;
  readonly variants: readonly string[];
}

/** The servers of a deployment, by variant. */
interface Fleet {
  readonly deployment: Deployment;
  readonly servers: ReadonlyMap<string, ModelServer>;
}

const defaultStartupSeconds = 120;

/** Endpoints: for each variant of its configuration, a server of the model image that is kept running. */
export class Endpoints {
  private readonly fleets = new Map<string, Fleet>();

  constructor(
    private readonly store: ResourceStore<StoredEndpoint>,
    private readonly settings: Settings,
    private readonly configs: EndpointConfigs,
    private readonly models: Models,
    private readonly storage: ObjectStorage,
    private readonly clients: AwsClients,
    private readonly children: Children,
    private readonly arns: Arns,
    private readonly tags: TagRegistry,
  ) {
    tags.register("endpoint", (name) => store.has(name));
  }

  /** Starts, after a restart, the servers of all endpoints, and takes up changes that were going on. */
  restore(): void {
    for (const { endpoint, deployment, pendingConfigName } of this.store.values()) {
      const name = endpoint.EndpointName;
      if (endpoint.EndpointStatus === "Deleting") {
        this.forget(name, endpoint.EndpointArn);
        continue;
      }
      if (deployment !== undefined) {
        const fleet = this.fleetOf(name, deployment);
        this.fleets.set(name, fleet);
        for (const server of fleet.servers.values()) server.resume();
      }
      if (pendingConfigName !== undefined) void this.deploy(name, pendingConfigName);
    }
  }

  /** Stops all servers; the endpoints themselves stay for the next start. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.fleets.values()].flatMap(({ servers }) => [...servers.values()].map((each) => each.stop())),
    );
  }

  /**
   * The server that answers a request to an endpoint.
   *
   * @throws ServiceError (ValidationError) when the endpoint or the variant is not there
   */
  chooseServer(endpointName: string, variantName: string | undefined): ModelServer {
    const stored = this.store.get(endpointName);
    const fleet = this.fleets.get(endpointName);
    if (stored === undefined) {
      throw validationError(`Endpoint ${endpointName} of account ${this.settings.account} not found.`);
    }
    if (fleet === undefined) {
      throw validationError(
        `Endpoint ${endpointName} of account ${this.settings.account} is in status ${stored.endpoint.EndpointStatus}: ` +
          "it can be invoked when it is InService.",
      );
    }
    const chosen = variantName ?? drawVariant(fleet.deployment.variants);
    const server = fleet.servers.get(chosen);
    if (server === undefined) {
      throw validationError(
        `Variant ${chosen} of endpoint ${endpointName} not found; it has [${[...fleet.servers.keys()].join(", ")}].`,
      );
    }
    return server;
  }

  /** How an endpoint in service captures its traffic, and of which variants; undefined when it does not. */
  captureOf(endpointName: string): EndpointCapture | undefined {
    const deployment = this.store.get(endpointName)?.deployment;
    const config = deployment && this.findConfig(deployment.configName)?.DataCaptureConfig;
    if (deployment === undefined || config === undefined || config.EnableCapture === false) return undefined;
    return { config, variants: deployment.variants.map(({ name }) => name) };
  }

  readonly operations: OperationTable<typeof control> = {
    CreateEndpoint: ({ EndpointName: name, EndpointConfigName, DeploymentConfig, Tags }) => {
      const arn = this.arns.of("endpoint", name);
      if (this.store.has(name)) throw validationException(`Cannot create already existing endpoint "${arn}".`);
      this.configs.existing(EndpointConfigName);
      this.tags.create(arn, Tags);
      const now = new Date();
      const endpoint: Endpoint = {
        EndpointName: name,
        EndpointArn: arn,
        EndpointConfigName,
        EndpointStatus: "Creating",
        ...(DeploymentConfig && { LastDeploymentConfig: DeploymentConfig }),
        CreationTime: now,
        LastModifiedTime: now,
      };
      this.store.put(name, { endpoint, pendingConfigName: EndpointConfigName });
      void this.deploy(name, EndpointConfigName);
      return { EndpointArn: arn };
    },
    DescribeEndpoint: ({ EndpointName }) => {
      const { endpoint, deployment, pendingConfigName } = this.existing(EndpointName);
      const config = deployment && this.findConfig(deployment.configName);
      return {
        ...endpoint,
        ...(deployment && { ProductionVariants: deployment.variants.map(describeVariant) }),
        ...(config?.DataCaptureConfig && {
          DataCaptureConfig: {
            EnableCapture: config.DataCaptureConfig.EnableCapture ?? true,
            CaptureStatus:
              config.DataCaptureConfig.EnableCapture === false ? ("Stopped" as const) : ("Started" as const),
            CurrentSamplingPercentage: config.DataCaptureConfig.InitialSamplingPercentage,
            DestinationS3Uri: config.DataCaptureConfig.DestinationS3Uri,
            KmsKeyId: config.DataCaptureConfig.KmsKeyId ?? "",
          },
        }),
        ...(deployment !== undefined &&
          pendingConfigName !== undefined && {
            PendingDeploymentSummary: { EndpointConfigName: pendingConfigName, StartTime: endpoint.LastModifiedTime },
          }),
      };
    },
    UpdateEndpoint: ({ EndpointName: name, EndpointConfigName, DeploymentConfig }) => {
      const { endpoint, deployment, pendingConfigName } = this.existing(name);
      if (pendingConfigName !== undefined || endpoint.EndpointStatus === "Deleting") {
        throw validationException(`Cannot update in-progress endpoint "${endpoint.EndpointArn}".`);
      }
      this.configs.existing(EndpointConfigName);
      delete endpoint.FailureReason;
      endpoint.EndpointStatus = "Updating";
      // Nothing here costs by the hour: the new servers are asked for their health before the old ones go, whatever the policy says of time.
      if (DeploymentConfig) endpoint.LastDeploymentConfig = DeploymentConfig;
      endpoint.LastModifiedTime = new Date();
      this.store.put(name, { endpoint, deployment, pendingConfigName: EndpointConfigName });
      void this.deploy(name, EndpointConfigName);
      return { EndpointArn: endpoint.EndpointArn };
    },
    DeleteEndpoint: ({ EndpointName: name }) => {
      const { endpoint, deployment, pendingConfigName } = this.existing(name);
      if (pendingConfigName !== undefined) {
        throw validationException(
          `Cannot delete in-progress endpoint "${endpoint.EndpointArn}": it is in status ${endpoint.EndpointStatus}.`,
        );
      }
      if (endpoint.EndpointStatus === "Deleting") return {};
      endpoint.EndpointStatus = "Deleting";
      this.store.put(name, { endpoint, deployment });
      const fleet = this.fleets.get(name);
      this.fleets.delete(name);
      void this.stopFleet(fleet).then(() => {
        this.forget(name, endpoint.EndpointArn);
      });
      return {};
    },
    ListEndpoints: (request) => {
      const page = listPage(
        this.store.values().map(({ endpoint }) => endpoint),
        request,
        (endpoint) => ({
          name: endpoint.EndpointName,
          created: endpoint.CreationTime,
          modified: endpoint.LastModifiedTime,
          status: endpoint.EndpointStatus,
        }),
        "Descending",
      );
      return {
        Endpoints: page.items.map((endpoint) => ({
          EndpointName: endpoint.EndpointName,
          EndpointArn: endpoint.EndpointArn,
          CreationTime: endpoint.CreationTime,
          LastModifiedTime: endpoint.LastModifiedTime,
          EndpointStatus: endpoint.EndpointStatus,
        })),
        NextToken: page.nextToken,
      };
    },
  };

  private existing(name: string): StoredEndpoint {
    const stored = this.store.get(name);
    if (stored === undefined) {
      throw validationException(`Could not find endpoint "${this.arns.of("endpoint", name)}".`);
    }
    return stored;
  }

  private findConfig(name: string): ReturnType<EndpointConfigs["existing"]> | undefined {
    try {
      return this.configs.existing(name);
    } catch {
      return undefined; // An endpoint outlives its configuration.
    }
  }

  /**
   * Brings an endpoint to a configuration: the new servers first, then the swap, then the old ones' last requests. When
   * the new servers don't become healthy, the old ones stay.
   */
  private async deploy(name: string, configName: string): Promise<void> {
    const folder = this.newFolder(name);
    let fleet: Fleet | undefined;
    try {
      fleet = this.fleetOf(name, await this.prepare(configName, folder));
      await Promise.all([...fleet.servers.values()].map((server) => server.start()));
    } catch (error) {
      await this.stopFleet(fleet);
      fs.rmSync(folder, { recursive: true, force: true });
      this.finish(name, undefined, messageOf(error));
      return;
    }
    const previous = this.fleets.get(name);
    this.fleets.set(name, fleet);
    this.finish(name, fleet.deployment, undefined);
    await this.stopFleet(previous);
    if (previous !== undefined) fs.rmSync(previous.deployment.folder, { recursive: true, force: true });
  }

  private finish(name: string, deployment: Deployment | undefined, failure: string | undefined): void {
    const stored = this.store.get(name);
    if (stored === undefined) return;
    const { endpoint } = stored;
    endpoint.LastModifiedTime = new Date();
    if (deployment !== undefined) endpoint.EndpointConfigName = deployment.configName;
    if (failure !== undefined) endpoint.FailureReason = failure.slice(0, 1024);
    const serving = deployment ?? stored.deployment;
    endpoint.EndpointStatus = serving === undefined ? "Failed" : "InService";
    this.store.put(name, { endpoint, deployment: serving });
    log(`Endpoint ${name}: ${endpoint.EndpointStatus}${failure === undefined ? "" : `: ${failure}`}`);
  }

  private async prepare(configName: string, folder: string): Promise<Deployment> {
    const config = this.configs.existing(configName);
    const variants: DeployedVariant[] = [];
    for (const variant of config.ProductionVariants) {
      const container = this.models.servingContainer(variant.ModelName ?? "");
      checkImage(this.settings, container.image);
      const base = path.join(folder, variant.VariantName, "ml");
      const model = path.join(base, "model");
      fs.mkdirSync(model, { recursive: true });
      if (container.modelDataUrl !== undefined) {
        const archive = path.join(base, "model.tar.gz");
        await this.storage.downloadObject(container.modelDataUrl, archive);
        await unpackArchive(archive, model);
        fs.rmSync(archive);
      }
      const startupSeconds = variant.ContainerStartupHealthCheckTimeoutInSeconds ?? defaultStartupSeconds;
      variants.push({
        name: variant.VariantName,
        weight: variant.InitialVariantWeight ?? 1,
        instances: variant.InitialInstanceCount ?? 1,
        image: container.image,
        environment: container.environment,
        base,
        startupMilliseconds: startupSeconds * 1000,
      });
    }
    return { configName, folder, variants };
  }

  private fleetOf(endpointName: string, deployment: Deployment): Fleet {
    const servers = deployment.variants.map((variant): [string, ModelServer] => [
      variant.name,
      new ModelServer(
        { ...variant, endpointName, variantName: variant.name },
        this.settings,
        this.clients,
        this.children,
      ),
    ]);
    return { deployment, servers: new Map(servers) };
  }

  private async stopFleet(fleet: Fleet | undefined): Promise<void> {
    await Promise.all([...(fleet?.servers.values() ?? [])].map((server) => server.drain()));
  }

  private forget(name: string, arn: string): void {
    fs.rmSync(this.folderOf(name), { recursive: true, force: true });
    this.tags.remove(arn);
    this.store.delete(name);
  }

  private folderOf(name: string): string {
    return path.join(this.settings.stateDirectory, "endpoints", name);
  }

  /** A folder for a new deployment, beside that of the one in service. */
  private newFolder(name: string): string {
    const inService = this.store.get(name)?.deployment?.folder;
    const parent = this.folderOf(name);
    fs.mkdirSync(parent, { recursive: true });
    // What an interrupted deployment has left behind.
    for (const entry of fs.readdirSync(parent)) {
      const folder = path.join(parent, entry);
      if (folder !== inService) fs.rmSync(folder, { recursive: true, force: true });
    }
    return fs.mkdtempSync(path.join(parent, "deployment-"));
  }
}

function drawVariant(variants: readonly DeployedVariant[]): string {
  let draw = Math.random() * variants.reduce((sum, { weight }) => sum + weight, 0);
  for (const { name, weight } of variants) {
    draw -= weight;
    if (draw < 0) return name;
  }
  return variants[0]?.name ?? "";
}

function describeVariant(variant: DeployedVariant): NonNullable<Endpoint["ProductionVariants"]>[number] {
  return {
    VariantName: variant.name,
    DeployedImages: [{ SpecifiedImage: variant.image, ResolvedImage: variant.image }],
    CurrentWeight: variant.weight,
    DesiredWeight: variant.weight,
    CurrentInstanceCount: variant.instances,
    DesiredInstanceCount: variant.instances,
  };
}
