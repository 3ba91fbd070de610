import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type * as control from "@aws-sdk/client-sagemaker";
import type { DataCaptureConfig, DeploymentConfig, DescribeEndpointOutput } from "@aws-sdk/client-sagemaker";
import type { AwsClients } from "../aws";
import { pause } from "../concurrency";
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
import { planOf, ReleaseFailed, type ReleasePlan, trippedAlarm } from "./deployment-policy";
import type { EndpointConfig, EndpointConfigs } from "./endpoint-configs";
import type { EndpointMetrics } from "./endpoint-metrics";
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
  /** How the traffic moves to the pending configuration. */
  readonly pendingPolicy?: DeploymentConfig | undefined;
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

/** A new fleet that a release moves the traffic to. */
interface Shift {
  readonly fleet: Fleet;
  /** Its part of the requests, from 0 to 1. */
  share: number;
  /** Requests since it has this part. */
  requests: number;
  readonly since: Date;
}

/** Which server answers a request. */
export interface Route {
  readonly server: ModelServer;
  /** Who answers when that one takes no requests: the old fleet's server, as long as a release may be turned back. */
  readonly otherwise?: ModelServer;
}

const defaultStartupSeconds = 120;
const lookInterval = 500; // Between two looks at the alarms of a release.
const longestSilence = 60_000; // How long a release goes on waiting for alarms that can't be read.

/** Endpoints: for each variant of its configuration, a server of the model image that is kept running. */
export class Endpoints {
  private readonly fleets = new Map<string, Fleet>();
  private readonly shifts = new Map<string, Shift>();
  private closing = false;

  constructor(
    private readonly store: ResourceStore<StoredEndpoint>,
    private readonly settings: Settings,
    private readonly configs: EndpointConfigs,
    private readonly models: Models,
    private readonly storage: ObjectStorage,
    private readonly clients: AwsClients,
    private readonly metrics: EndpointMetrics,
    private readonly children: Children,
    private readonly arns: Arns,
    private readonly tags: TagRegistry,
  ) {
    tags.register("endpoint", (name) => store.has(name));
  }

  /**
   * Starts, after a restart, the servers of all endpoints. A release that was going on begins anew: the old fleet
   * serves until the new one has passed all of it.
   */
  restore(): void {
    for (const { endpoint, deployment, pendingConfigName, pendingPolicy } of this.store.values()) {
      const name = endpoint.EndpointName;
      if (endpoint.EndpointStatus === "Deleting") {
        this.forget(name, endpoint.EndpointArn);
        continue;
      }
      if (deployment !== undefined) {
        const fleet = this.fleetOf(name, deployment);
        this.fleets.set(name, fleet);
        for (const server of fleet.servers.values()) {
          server.resume();
        }
      }
      if (pendingConfigName !== undefined) {
        void this.deploy(name, pendingConfigName, pendingPolicy);
      }
    }
  }

  /** Stops all servers; the endpoints themselves stay for the next start. */
  async close(): Promise<void> {
    this.closing = true;
    const fleets = [...this.fleets.values(), ...[...this.shifts.values()].map(({ fleet }) => fleet)];
    await Promise.all(fleets.flatMap(({ servers }) => [...servers.values()].map((each) => each.stop())));
  }

  /**
   * The server that answers a request to an endpoint. While a release goes on, the new fleet gets its share of the
   * requests one by one: of four at a share of a quarter, the fourth.
   *
   * @throws ServiceError (ValidationError) when the endpoint or the variant is not there
   */
  chooseServer(endpointName: string, variantName: string | undefined): Route {
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
    const shift = this.shifts.get(endpointName);
    const next = shift?.fleet.servers.get(chosen);
    if (shift === undefined || next === undefined) {
      return { server };
    }
    shift.requests += 1;
    const before = Math.floor((shift.requests - 1) * shift.share);
    return Math.floor(shift.requests * shift.share) > before ? { server: next, otherwise: server } : { server };
  }

  /** How an endpoint in service captures its traffic, and of which variants; undefined when it does not. */
  captureOf(endpointName: string): EndpointCapture | undefined {
    const deployment = this.store.get(endpointName)?.deployment;
    const config = deployment && this.findConfig(deployment.configName)?.DataCaptureConfig;
    if (deployment === undefined || config === undefined || config.EnableCapture === false) {
      return undefined;
    }
    return { config, variants: deployment.variants.map(({ name }) => name) };
  }

  readonly operations: OperationTable<typeof control> = {
    CreateEndpoint: ({ EndpointName: name, EndpointConfigName, DeploymentConfig, Tags }) => {
      const arn = this.arns.of("endpoint", name);
      if (this.store.has(name)) {
        throw validationException(`Cannot create already existing endpoint "${arn}".`);
      }
      this.planFor(this.configs.existing(EndpointConfigName), DeploymentConfig);
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
      void this.deploy(name, EndpointConfigName, undefined);
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
            PendingDeploymentSummary: {
              EndpointConfigName: pendingConfigName,
              ProductionVariants: this.describePending(EndpointName),
              StartTime: endpoint.LastModifiedTime,
            },
          }),
      };
    },
    UpdateEndpoint: ({ EndpointName: name, EndpointConfigName, DeploymentConfig, RetainDeploymentConfig }) => {
      const { endpoint, deployment, pendingConfigName } = this.existing(name);
      if (pendingConfigName !== undefined || endpoint.EndpointStatus === "Deleting") {
        throw validationException(`Cannot update in-progress endpoint "${endpoint.EndpointArn}".`);
      }
      const config = this.configs.existing(EndpointConfigName);
      const policy = RetainDeploymentConfig === true ? endpoint.LastDeploymentConfig : DeploymentConfig;
      const { shares } = this.planFor(config, policy);
      const names = config.ProductionVariants.map(({ VariantName }) => VariantName).sort();
      const inService = deployment?.variants.map((variant) => variant.name).sort() ?? names;
      if (shares.length > 1 && names.join() !== inService.join()) {
        throw validationException(
          `The endpoint configuration ${EndpointConfigName} has the variants [${names.join(", ")}], the endpoint has ` +
            `[${inService.join(", ")}]: they must be the same for traffic that moves in steps.`,
        );
      }
      delete endpoint.FailureReason;
      endpoint.EndpointStatus = "Updating";
      if (policy) {
        endpoint.LastDeploymentConfig = policy;
      }
      endpoint.LastModifiedTime = new Date();
      this.store.put(name, {
        endpoint,
        deployment,
        pendingConfigName: EndpointConfigName,
        pendingPolicy: policy,
      });
      void this.deploy(name, EndpointConfigName, policy);
      return { EndpointArn: endpoint.EndpointArn };
    },
    DeleteEndpoint: ({ EndpointName: name }) => {
      const { endpoint, deployment, pendingConfigName } = this.existing(name);
      if (pendingConfigName !== undefined) {
        throw validationException(
          `Cannot delete in-progress endpoint "${endpoint.EndpointArn}": it is in status ${endpoint.EndpointStatus}.`,
        );
      }
      if (endpoint.EndpointStatus === "Deleting") {
        return {};
      }
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
   * How the traffic moves to a configuration.
   *
   * @throws ServiceError (ValidationException) when that can't be
   */
  private planFor(config: EndpointConfig, policy: DeploymentConfig | undefined): ReleasePlan {
    return planOf(policy, Math.min(...config.ProductionVariants.map((each) => each.InitialInstanceCount ?? 1)));
  }

  /**
   * Brings an endpoint to a configuration: the new fleet first, then share after share of the traffic while the alarms
   * are watched, then the old fleet's last requests. When the new fleet doesn't become healthy, or an alarm goes off,
   * the old one has all traffic again. What is written down in between says only that a release goes on.
   */
  private async deploy(name: string, configName: string, policy: DeploymentConfig | undefined): Promise<void> {
    const folder = this.newFolder(name);
    const previous = this.fleets.get(name);
    let fleet: Fleet | undefined;
    try {
      fleet = this.fleetOf(name, await this.prepare(configName, folder));
      await Promise.all([...fleet.servers.values()].map((server) => server.start()));
      if (previous !== undefined) {
        await this.shiftTraffic(name, fleet, this.planFor(this.configs.existing(configName), policy));
      }
    } catch (error) {
      // The service is being stopped: its next start begins the release anew.
      if (this.closing) {
        return;
      }
      this.shifts.delete(name);
      const serving = previous?.deployment.configName;
      this.finish(
        name,
        undefined,
        error instanceof ReleaseFailed && serving !== undefined
          ? `The release of the endpoint configuration ${configName} was rolled back to ${serving}: ${error.message}.`
          : messageOf(error),
      );
      await this.stopFleet(fleet);
      rmSync(folder, { recursive: true, force: true });
      return;
    }
    if (this.closing) {
      return;
    }
    this.fleets.set(name, fleet);
    this.shifts.delete(name);
    this.finish(name, fleet.deployment, undefined);
    await this.stopFleet(previous);
    if (previous !== undefined) {
      rmSync(previous.deployment.folder, { recursive: true, force: true });
    }
  }

  /**
   * Gives the new fleet its shares of the traffic, one after the other, and watches each.
   *
   * @throws ReleaseFailed when an alarm goes off, the new fleet fails, or it takes too long
   */
  private async shiftTraffic(name: string, fleet: Fleet, plan: ReleasePlan): Promise<void> {
    const begin = Date.now();
    for (const share of plan.shares) {
      this.shifts.set(name, { fleet, share, requests: 0, since: new Date() });
      log(`Endpoint ${name}: ${fleet.deployment.configName} has ${Math.round(share * 100)} % of the requests.`);
      if (plan.bakeMilliseconds > 0) {
        await this.bake(fleet, plan, begin);
      }
    }
    for (const end = Date.now() + plan.terminationMilliseconds; Date.now() < end && !this.closing;) {
      await pause(Math.min(lookInterval, end - Date.now()));
    }
  }

  /** One share's baking period. It ends with a look at everything: what can't be looked at has not passed. */
  private async bake(fleet: Fleet, plan: ReleasePlan, begin: number): Promise<void> {
    const end = Date.now() + plan.bakeMilliseconds;
    for (let passed = false; !passed;) {
      await pause(Math.max(0, Math.min(lookInterval, end - Date.now())));
      if (this.closing) {
        return;
      }
      const last = Date.now() >= end;
      if (plan.timeoutMilliseconds !== undefined && Date.now() - begin > plan.timeoutMilliseconds) {
        throw new ReleaseFailed(`it was not done after ${plan.timeoutMilliseconds / 1000} seconds`);
      }
      await this.metrics.flush();
      try {
        const tripped = await trippedAlarm(this.clients, plan.alarms);
        if (tripped !== undefined) {
          throw new ReleaseFailed(tripped);
        }
        passed = last;
      } catch (error) {
        if (error instanceof ReleaseFailed) {
          throw error;
        }
        if (Date.now() > end + longestSilence) {
          throw new ReleaseFailed(`its alarms can't be read (${messageOf(error)})`);
        }
      }
    }
    const ill = [...fleet.servers.values()].find((server) => !server.isReady);
    if (ill !== undefined) {
      throw new ReleaseFailed(`the new container of the variant ${ill.options.variantName} did not stay healthy`);
    }
  }

  private finish(name: string, deployment: Deployment | undefined, failure: string | undefined): void {
    const stored = this.store.get(name);
    if (stored === undefined) {
      return;
    }
    const { endpoint } = stored;
    endpoint.LastModifiedTime = new Date();
    if (deployment !== undefined) {
      endpoint.EndpointConfigName = deployment.configName;
    }
    if (failure !== undefined) {
      endpoint.FailureReason = failure.slice(0, 1024);
    }
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
      const base = join(folder, variant.VariantName, "ml");
      const model = join(base, "model");
      mkdirSync(model, { recursive: true });
      if (container.modelDataUrl !== undefined) {
        const archive = join(base, "model.tar.gz");
        await this.storage.downloadObject(container.modelDataUrl, archive);
        await unpackArchive(archive, model);
        rmSync(archive);
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
        { ...variant, endpointName, variantName: variant.name, configName: deployment.configName },
        this.settings,
        this.clients,
        this.children,
      ),
    ]);
    return { deployment, servers: new Map(servers) };
  }

  /** The variants of the configuration that a release goes to, as far as they are there. */
  private describePending(
    name: string,
  ): NonNullable<NonNullable<Endpoint["PendingDeploymentSummary"]>["ProductionVariants"]> | undefined {
    const shift = this.shifts.get(name);
    return shift?.fleet.deployment.variants.map((variant) => ({
      ...describeVariant(variant),
      CurrentInstanceCount: Math.round(variant.instances * shift.share),
      VariantStatus: [{ Status: "Baking", StartTime: shift.since }],
    }));
  }

  private async stopFleet(fleet: Fleet | undefined): Promise<void> {
    await Promise.all([...(fleet?.servers.values() ?? [])].map((server) => server.drain()));
  }

  private forget(name: string, arn: string): void {
    rmSync(this.folderOf(name), { recursive: true, force: true });
    this.tags.remove(arn);
    this.store.delete(name);
  }

  private folderOf(name: string): string {
    return join(this.settings.stateDirectory, "endpoints", name);
  }

  /** A folder for a new deployment, beside that of the one in service. */
  private newFolder(name: string): string {
    const inService = this.store.get(name)?.deployment?.folder;
    const parent = this.folderOf(name);
    mkdirSync(parent, { recursive: true });
    // What an interrupted deployment has left behind.
    for (const entry of readdirSync(parent)) {
      const folder = join(parent, entry);
      if (folder !== inService) {
        rmSync(folder, { recursive: true, force: true });
      }
    }
    return mkdtempSync(join(parent, "deployment-"));
  }
}

function drawVariant(variants: readonly DeployedVariant[]): string {
  let draw = Math.random() * variants.reduce((sum, { weight }) => sum + weight, 0);
  for (const { name, weight } of variants) {
    draw -= weight;
    if (draw < 0) {
      return name;
    }
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
