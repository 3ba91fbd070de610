import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type * as control from "@aws-sdk/client-sagemaker";
import type { DataCaptureConfig, DeploymentConfig, DescribeEndpointOutput } from "@aws-sdk/client-sagemaker";
import type { Aws, AwsClients } from "../aws";
import { pause } from "../concurrency";
import { unpackArchive } from "../containers/archive";
import { checkImage } from "../containers/container";
import type { ContainerCredentials } from "../containers/credentials";
import { ObjectStorage } from "../containers/object-storage";
import type { Children } from "../containers/processes";
import { log } from "../log";
import { messageOf, validationError, validationException } from "../protocol/errors";
import { AccessError } from "../role-session";
import type { OperationTable, Validated } from "../protocol/operations";
import { type ResourceContext, Resources } from "../resources/resources";
import type { Settings } from "../settings";
import { planOf, ReleaseFailed, type ReleasePlan, trippedAlarm } from "./deployment-policy";
import type { EndpointConfig, EndpointConfigs } from "./endpoint-configs";
import type { EndpointMetrics } from "./endpoint-metrics";
import type { ContainerRights, Models } from "./models";
import { ModelServer } from "./model-server";

/** An endpoint as DescribeEndpoint answers it, what serves it, and what it is being changed to. */
export type Endpoint = Validated<DescribeEndpointOutput> & {
  deployment?: Deployment | undefined;
  pendingConfigName?: string | undefined;
  /** How the traffic moves to the pending configuration. */
  pendingPolicy?: DeploymentConfig | undefined;
};

/** One production variant as it is deployed: everything that its server needs, without asking S3 again. */
interface DeployedVariant extends Partial<ContainerRights> {
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

/** A new fleet, to which a release moves the traffic. */
interface Shift {
  readonly fleet: Fleet;
  /** Its share of the requests, from 0 to 1. */
  share: number;
  /** Number of requests since it has this share. */
  requests: number;
  readonly since: Date;
}

/** Which server answers a request. */
export interface Route {
  readonly server: ModelServer;
  /** The server that answers if the first takes no requests: the old fleet's, while a release may be rolled back. */
  readonly otherwise?: ModelServer;
}

const defaultStartupSeconds = 120;
const lookInterval = 500; // How often a release checks its alarms.
const longestSilence = 60_000; // How long a release waits for alarms that can't be read.

/** Endpoints: for each variant of its configuration, a server of the model image that is kept running. */
export class Endpoints {
  private readonly endpoints: Resources<"Endpoint", Endpoint>;
  private readonly fleets = new Map<string, Fleet>();
  private readonly shifts = new Map<string, Shift>();
  private closing = false;

  constructor(
    context: ResourceContext,
    private readonly settings: Settings,
    private readonly configs: EndpointConfigs,
    private readonly models: Models,
    private readonly aws: Aws,
    private readonly credentials: ContainerCredentials,
    private readonly metrics: EndpointMetrics,
    private readonly children: Children,
  ) {
    this.endpoints = new Resources(context, {
      prefix: "Endpoint",
      type: "endpoint",
      folder: "endpoints",
      members: ["EndpointStatus"],
      order: "Descending",
      missing: (_, arn) => validationException(`Could not find endpoint "${arn}".`),
      taken: (_, arn) => validationException(`Cannot create already existing endpoint "${arn}".`),
    });
  }

  /**
   * Starts the servers of all endpoints after a restart. An interrupted release begins again: the old fleet serves
   * until the new one has passed every step.
   */
  restore(): void {
    for (const endpoint of this.endpoints.all()) {
      const { EndpointName: name, deployment, pendingConfigName, pendingPolicy } = endpoint;
      if (endpoint.EndpointStatus === "Deleting") {
        this.forget(name);
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
   * The server that answers a request to an endpoint. During a release, the new fleet gets its share of the requests
   * one by one: with a share of a quarter, every fourth request.
   * @throws ServiceError (ValidationError) when the endpoint or the variant does not exist
   */
  chooseServer(endpointName: string, variantName: string | undefined): Route {
    const endpoint = this.endpoints.find(endpointName);
    const fleet = this.fleets.get(endpointName);
    if (endpoint === undefined) {
      throw validationError(`Endpoint ${endpointName} of account ${this.settings.account} not found.`);
    }
    if (fleet === undefined) {
      throw validationError(
        `Endpoint ${endpointName} of account ${this.settings.account} is in status ${endpoint.EndpointStatus}: ` +
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
    const deployment = this.endpoints.find(endpointName)?.deployment;
    const config = deployment && this.configs.find(deployment.configName)?.DataCaptureConfig;
    if (deployment === undefined || config === undefined || config.EnableCapture === false) {
      return undefined;
    }
    return { config, variants: deployment.variants.map(({ name }) => name) };
  }

  readonly operations: OperationTable<typeof control> = {
    CreateEndpoint: (request) => {
      const { EndpointName: name, EndpointConfigName, DeploymentConfig } = request;
      this.endpoints.checkNew(name);
      this.planFor(this.configs.existing(EndpointConfigName), DeploymentConfig);
      const endpoint = this.endpoints.create(request, {
        EndpointStatus: "Creating",
        LastDeploymentConfig: DeploymentConfig,
        pendingConfigName: EndpointConfigName,
      });
      void this.deploy(name, EndpointConfigName, undefined);
      return endpoint;
    },
    DescribeEndpoint: ({ EndpointName }) => {
      const endpoint = this.endpoints.existing(EndpointName);
      const { deployment, pendingConfigName } = endpoint;
      const capture = deployment && this.configs.find(deployment.configName)?.DataCaptureConfig;
      const isCapturing = capture?.EnableCapture !== false;
      return {
        ...endpoint,
        ProductionVariants: deployment?.variants.map(describeVariant),
        DataCaptureConfig: capture && {
          EnableCapture: isCapturing,
          CaptureStatus: isCapturing ? "Started" : "Stopped",
          CurrentSamplingPercentage: capture.InitialSamplingPercentage,
          DestinationS3Uri: capture.DestinationS3Uri,
          KmsKeyId: capture.KmsKeyId ?? "",
        },
        PendingDeploymentSummary:
          deployment && pendingConfigName !== undefined
            ? {
                EndpointConfigName: pendingConfigName,
                ProductionVariants: this.describePending(EndpointName),
                StartTime: endpoint.LastModifiedTime,
              }
            : undefined,
      };
    },
    UpdateEndpoint: ({ EndpointName: name, EndpointConfigName, DeploymentConfig, RetainDeploymentConfig }) => {
      const endpoint = this.endpoints.existing(name);
      if (endpoint.pendingConfigName !== undefined || endpoint.EndpointStatus === "Deleting") {
        throw validationException(`Cannot update in-progress endpoint "${endpoint.EndpointArn}".`);
      }
      const config = this.configs.existing(EndpointConfigName);
      const policy = RetainDeploymentConfig === true ? endpoint.LastDeploymentConfig : DeploymentConfig;
      const { shares } = this.planFor(config, policy);
      const names = config.ProductionVariants.map(({ VariantName }) => VariantName).sort();
      const inService = endpoint.deployment?.variants.map((variant) => variant.name).sort() ?? names;
      if (shares.length > 1 && names.join() !== inService.join()) {
        throw validationException(
          `The endpoint configuration ${EndpointConfigName} has the variants [${names.join(", ")}], the endpoint has ` +
            `[${inService.join(", ")}]: they must be the same for traffic that moves in steps.`,
        );
      }
      this.endpoints.change(endpoint, {
        FailureReason: undefined,
        EndpointStatus: "Updating",
        LastDeploymentConfig: policy ?? endpoint.LastDeploymentConfig,
        pendingConfigName: EndpointConfigName,
        pendingPolicy: policy,
      });
      void this.deploy(name, EndpointConfigName, policy);
      return endpoint;
    },
    DeleteEndpoint: ({ EndpointName: name }) => {
      const endpoint = this.endpoints.existing(name);
      if (endpoint.pendingConfigName !== undefined) {
        throw validationException(
          `Cannot delete in-progress endpoint "${endpoint.EndpointArn}": it is in status ${endpoint.EndpointStatus}.`,
        );
      }
      if (endpoint.EndpointStatus !== "Deleting") {
        this.endpoints.change(endpoint, { EndpointStatus: "Deleting" });
        const fleet = this.fleets.get(name);
        this.fleets.delete(name);
        void this.stopFleet(fleet).then(() => {
          this.forget(name);
        });
      }
      return {};
    },
    ListEndpoints: (request) => this.endpoints.list(request, "Endpoints"),
  };

  /**
   * How the traffic moves to a configuration.
   * @throws ServiceError (ValidationException) when the deployment configuration is invalid
   */
  private planFor(config: EndpointConfig, policy: DeploymentConfig | undefined): ReleasePlan {
    return planOf(policy, Math.min(...config.ProductionVariants.map((each) => each.InitialInstanceCount ?? 1)));
  }

  /**
   * Moves an endpoint to a configuration: it starts the new fleet, moves share after share of the traffic while it
   * watches the alarms, and lets the old fleet finish its last requests. When the new fleet doesn't become healthy, or
   * an alarm goes off, the old one gets all traffic again. In between, the state says only that a release is running.
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
      // The service is being stopped: its next start begins the release again.
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
   * @throws ReleaseFailed when an alarm goes off, the new fleet fails, or the time is over
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

  /** Watches one share of a release. It ends with a check of everything; what can't be checked has not passed. */
  private async bake(fleet: Fleet, plan: ReleasePlan, begin: number): Promise<void> {
    const [first] = fleet.servers.values();
    const clients = first?.clients ?? this.aws.own;
    const end = Date.now() + plan.bakeMilliseconds;
    for (let passed = false; !passed;) {
      await pause(Math.max(0, Math.min(lookInterval, end - Date.now())));
      if (this.closing) {
        return;
      }
      const last = Date.now() >= end;
      if (plan.timeoutMilliseconds !== undefined && Date.now() - begin > plan.timeoutMilliseconds) {
        throw new ReleaseFailed(`it took longer than ${plan.timeoutMilliseconds / 1000} seconds`);
      }
      await this.metrics.flush();
      try {
        const tripped = await trippedAlarm(clients, plan.alarms);
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
    const endpoint = this.endpoints.find(name);
    if (endpoint === undefined) {
      return;
    }
    const serving = deployment ?? endpoint.deployment;
    this.endpoints.change(endpoint, {
      EndpointConfigName: deployment?.configName ?? endpoint.EndpointConfigName,
      FailureReason: failure?.slice(0, 1024) ?? endpoint.FailureReason,
      EndpointStatus: serving === undefined ? "Failed" : "InService",
      deployment: serving,
      pendingConfigName: undefined,
      pendingPolicy: undefined,
    });
    log(`Endpoint ${name}: ${endpoint.EndpointStatus}${failure === undefined ? "" : `: ${failure}`}`);
  }

  private async prepare(configName: string, folder: string): Promise<Deployment> {
    const config = this.configs.existing(configName);
    const variants: DeployedVariant[] = [];
    for (const variant of config.ProductionVariants) {
      const container = this.models.servingContainer(variant.ModelName ?? "");
      checkImage(this.settings, container.image);
      const clients = this.aws.as(container.roleArn);
      await clients.check();
      const base = join(folder, variant.VariantName, "ml");
      const model = join(base, "model");
      mkdirSync(model, { recursive: true });
      if (container.modelDataUrl !== undefined) {
        const archive = join(base, "model.tar.gz");
        await this.downloadModel(clients, container.modelDataUrl, archive);
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
        roleArn: container.roleArn,
        isIsolated: container.isIsolated,
        base,
        startupMilliseconds: startupSeconds * 1000,
      });
    }
    return { configName, folder, variants };
  }

  /**
   * Downloads a model's data.
   * @param clients those of the model's role
   * @throws Error with SageMaker's message when the role must not read it
   */
  private async downloadModel(clients: AwsClients, uri: string, archive: string): Promise<void> {
    try {
      await new ObjectStorage(clients, this.settings.region).downloadObject(uri, archive);
    } catch (error) {
      throw error instanceof AccessError
        ? new Error(
            `Could not access model data at ${uri}. Please ensure that the role "${clients.session?.roleArn ?? ""}" has "s3:GetObject" ` +
              `permissions and that the object is located in ${this.settings.region}. ${messageOf(error)}`,
            { cause: error },
          )
        : error;
    }
  }

  private fleetOf(endpointName: string, deployment: Deployment): Fleet {
    const { configName, variants } = deployment;
    const models = new Map(
      this.configs.find(configName)?.ProductionVariants.map(({ VariantName, ModelName }) => [VariantName, ModelName]),
    );
    const servers = variants.map((variant): [string, ModelServer] => {
      // Deployments of an older version of this package have no roles.
      const { roleArn, isIsolated } = { ...this.models.rights(models.get(variant.name) ?? ""), ...variant };
      return [
        variant.name,
        new ModelServer(
          { ...variant, isIsolated, endpointName, variantName: variant.name, configName },
          this.settings,
          this.aws.as(roleArn),
          this.credentials,
          this.children,
        ),
      ];
    });
    return { deployment, servers: new Map(servers) };
  }

  /** The existing variants of a release's new configuration. */
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

  private forget(name: string): void {
    rmSync(this.folderOf(name), { recursive: true, force: true });
    this.endpoints.remove(name);
  }

  private folderOf(name: string): string {
    return join(this.settings.stateDirectory, "endpoints", name);
  }

  /** A folder for a new deployment, beside the current one. */
  private newFolder(name: string): string {
    const inService = this.endpoints.find(name)?.deployment?.folder;
    const parent = this.folderOf(name);
    mkdirSync(parent, { recursive: true });
    // Remove the files of an interrupted deployment.
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
