import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { listenAt } from "./loopback";
import { ownProcess, startTimeOf } from "./process-identity";
import { Aws } from "./aws";
import { pause } from "./concurrency";
import { ContainerCredentials } from "./containers/credentials";
import { Children, childrenFolder, stopOrphans } from "./containers/processes";
import { Experiments } from "./experiments/experiments";
import { FeatureGroups } from "./feature-store/feature-groups";
import { RecordOperations } from "./feature-store/record-operations";
import { EndpointConfigs } from "./hosting/endpoint-configs";
import { EndpointMetrics } from "./hosting/endpoint-metrics";
import { Endpoints } from "./hosting/endpoints";
import { invocationOperations } from "./hosting/invocations";
import { Models } from "./hosting/models";
import { JobRunner } from "./jobs/job-runner";
import { ProcessingJobs } from "./jobs/processing-jobs";
import { TrainingJobs } from "./jobs/training-jobs";
import { log } from "./log";
import { DataCapture } from "./monitoring/data-capture";
import { JobDefinitions } from "./monitoring/job-definitions";
import { MonitoringSchedules } from "./monitoring/schedules";
import { messageOf, ServiceError } from "./protocol/errors";
import { refuseForeignPages } from "./protocol/callers";
import { errorAnswer, JsonProtocol, readBody, RestProtocol, type WireAnswer } from "./protocol/http";
import type { AnyOperation } from "./protocol/operations";
import { ServiceModel } from "./protocol/service-model";
import { ModelRegistry } from "./registry/model-packages";
import { Arns } from "./resources/arns";
import type { ResourceContext } from "./resources/resources";
import { ResourceStore, writeAtomically } from "./resources/store";
import { TagRegistry } from "./resources/tags";
import type { Settings } from "./settings";
import { StartError } from "./start-error";

const megabyte = 1024 * 1024;
const invocationLimit = 6 * megabyte; // InvokeEndpoint's own limit.
const requestLimit = 16 * megabyte;
const stopGrace = 5000;
const flushGrace = 5000;

type Operations = Readonly<Record<string, AnyOperation | undefined>>;

/**
 * SageMaker on one machine: the control plane, the runtime and the feature store runtime behind one port.
 *
 * It speaks SageMaker's wire protocols; jobs and endpoints are subprocesses of the model image's code. Its whole state
 * is in its state folder, so it may be killed at any time.
 */
export class SageMakerService {
  /** The names of all operations, by their subject. */
  readonly operationNames: Readonly<Record<string, readonly string[]>>;
  private readonly children: Children;
  private readonly credentials: ContainerCredentials;
  private readonly featureGroups: FeatureGroups;
  private readonly processingJobs: ProcessingJobs;
  private readonly trainingJobs: TrainingJobs;
  private readonly endpoints: Endpoints;
  private readonly capture: DataCapture;
  private readonly monitoring: MonitoringSchedules;
  private readonly endpointMetrics: EndpointMetrics;
  private readonly control: JsonProtocol;
  private readonly runtimes: readonly RestProtocol[];
  private readonly server: Server;
  private restored: Promise<void> = Promise.resolve();

  private constructor(private readonly settings: Settings) {
    const folder = join(settings.stateDirectory, "resources");
    const arns = new Arns(settings);
    const tags = new TagRegistry(new ResourceStore(join(folder, "tags"), ["arn", "tags"]), arns);
    const context: ResourceContext = { folder, arns, tags };
    const aws = new Aws(settings);
    this.credentials = new ContainerCredentials(settings);
    this.children = new Children(childrenFolder(settings.stateDirectory));
    this.featureGroups = new FeatureGroups(context, settings, aws);
    const experiments = new Experiments(context);
    const runner = new JobRunner(settings, aws, this.credentials, this.children, () => this.featureGroups.flush());
    this.processingJobs = new ProcessingJobs(context, runner, experiments);
    this.trainingJobs = new TrainingJobs(context, runner, experiments);
    const registry = new ModelRegistry(context);
    const models = new Models(context, registry);
    const configs = new EndpointConfigs(context, models);
    this.endpointMetrics = new EndpointMetrics(aws.own);
    this.endpoints = new Endpoints(
      context,
      settings,
      configs,
      models,
      aws,
      this.credentials,
      this.endpointMetrics,
      this.children,
    );
    this.capture = new DataCapture();
    const definitions = new JobDefinitions(context, this.endpoints);
    this.monitoring = new MonitoringSchedules(
      context,
      definitions,
      this.endpoints,
      this.processingJobs,
      this.capture,
      aws,
      settings.region,
      settings.monitoringSeconds,
    );
    const subjects = {
      "Training jobs": this.trainingJobs,
      "Processing jobs": this.processingJobs,
      "Model registry": registry,
      Models: models,
      "Endpoint configurations": configs,
      Endpoints: this.endpoints,
      "Feature groups": this.featureGroups,
      Experiments: experiments,
      "Data quality job definitions": definitions,
      "Monitoring schedules": this.monitoring,
      Tags: tags,
    };
    const operations = Object.assign({}, ...Object.values(subjects).map((subject) => subject.operations)) as Operations;
    const model = (service: string): ServiceModel => ServiceModel.load(settings.botocoreData, service);
    this.control = new JsonProtocol(model("sagemaker"), operations);
    const invocations = invocationOperations(this.endpoints, this.endpointMetrics, settings, this.capture);
    const records = new RecordOperations(this.featureGroups).operations;
    this.runtimes = [
      new RestProtocol(model("sagemaker-runtime"), invocations as Operations),
      new RestProtocol(model("sagemaker-featurestore-runtime"), records as Operations),
    ];
    this.operationNames = Object.fromEntries([
      ...Object.entries(subjects).map(([name, subject]) => [name, Object.keys(subject.operations)]),
      ["Invocations (runtime)", Object.keys(invocations)],
      ["Records (feature store runtime)", Object.keys(records)],
    ]) as Readonly<Record<string, readonly string[]>>;
    this.server = createServer((request, response) => {
      void this.answer(request, response);
    });
    // Clients keep connections open for a long time; a shorter time here would break their next request.
    this.server.keepAliveTimeout = 65_000;
    this.server.maxRequestsPerSocket = 0;
  }

  /**
   * Starts the service: takes the port and the state folder, then starts what ran before.
   * @throws PortError when the port can't be opened
   * @throws StartError when the state folder is in use, or a file in it is damaged
   */
  static async start(settings: Settings): Promise<SageMakerService> {
    mkdirSync(settings.stateDirectory, { recursive: true });
    mkdirSync(settings.logDirectory, { recursive: true });
    takeStateFolder(settings.stateDirectory);
    const service = new SageMakerService(settings);
    await listenAt(service.server, settings.port, "choose another with --port or SAGEMAKER_PORT");
    service.credentials.listensOn(service.port);
    service.restored = service.restore();
    return service;
  }

  /** The port that the service listens on. */
  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /**
   * Stops jobs, endpoints and the service itself; records that are not in the offline store yet are moved there if it
   * answers.
   */
  async stop(): Promise<void> {
    await this.restored;
    this.monitoring.close();
    this.server.close();
    this.server.closeIdleConnections();
    await Promise.all([this.endpoints.close(), this.children.stopAll(stopGrace)]);
    const flushed = Promise.all([
      this.featureGroups.flush().then(() => this.featureGroups.close()),
      this.capture.close(),
    ]);
    await Promise.race([Promise.all([flushed, this.endpointMetrics.close()]), pause(flushGrace)]);
    this.server.closeAllConnections();
    rmSync(ownerFile(this.settings.stateDirectory), { force: true });
  }

  private async restore(): Promise<void> {
    await stopOrphans(childrenFolder(this.settings.stateDirectory));
    rmSync(join(this.settings.stateDirectory, "jobs"), { recursive: true, force: true });
    this.featureGroups.restore();
    this.processingJobs.restore();
    this.trainingJobs.restore();
    this.endpoints.restore();
    this.monitoring.restore();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: WireAnswer;
    try {
      answer = await this.route(request);
    } catch (error) {
      const known = error instanceof ServiceError ? error : new ServiceError("InternalFailure", messageOf(error), 500);
      if (known !== error) {
        log(
          `${request.method ?? ""} ${request.url ?? ""}: ${error instanceof Error ? (error.stack ?? "") : String(error)}`,
        );
      }
      answer = errorAnswer(
        known,
        request.headers["x-amz-target"] === undefined ? "application/json" : this.control.contentType,
      );
    }
    response.writeHead(answer.status, { ...answer.headers, "Content-Length": Buffer.byteLength(answer.body) });
    response.end(answer.body);
  }

  private async route(request: IncomingMessage): Promise<WireAnswer> {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const method = request.method ?? "GET";
    const target = request.headers["x-amz-target"];
    if (method === "GET" && url.pathname === "/health") {
      const headers = { "Content-Type": "application/json", ...ownProcess };
      return { status: 200, headers, body: JSON.stringify({ status: "ok" }) };
    }
    refuseForeignPages(request.headers);
    if (method === "GET" && url.pathname === ContainerCredentials.path) {
      return this.credentials.answer(request.headers.authorization);
    }
    await this.restored;
    if (typeof target === "string") {
      return this.control.call(target, await readBody(request, requestLimit));
    }
    for (const runtime of this.runtimes) {
      const route = runtime.route(method, url.pathname);
      if (route === undefined) {
        continue;
      }
      const limit = route.operation.name.startsWith("InvokeEndpoint") ? invocationLimit : requestLimit;
      return runtime.call(route, url, request.headers, await readBody(request, limit));
    }
    throw new ServiceError(
      "UnknownOperationException",
      `${method} ${url.pathname} is not an operation of SageMaker: expected the header X-Amz-Target (control plane), ` +
        "or a path of the runtime or the feature store runtime.",
      404,
    );
  }
}

const ownerFile = (stateDirectory: string): string => join(stateDirectory, "owner.json");

/** The service that uses the state folder, or used it when it was killed. */
function readOwner(file: string): { readonly pid: number; readonly startedAt: string } {
  try {
    const owner = JSON.parse(readFileSync(file, "utf8")) as { pid?: unknown; startedAt?: unknown } | null;
    if (typeof owner?.pid === "number" && typeof owner.startedAt === "string") {
      return { pid: owner.pid, startedAt: owner.startedAt };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) {
      throw error;
    }
  }
  throw new StartError(
    `${file} is damaged, so another SageMaker service may be using this state folder. ` +
      "Make sure that none is, delete the file, and start again.",
  );
}

/** Two services on one state folder would stop each other's jobs. */
function takeStateFolder(stateDirectory: string): void {
  const file = ownerFile(stateDirectory);
  if (existsSync(file)) {
    const { pid, startedAt } = readOwner(file);
    if (pid !== process.pid && startTimeOf(pid) === startedAt) {
      throw new StartError(
        `The state folder ${stateDirectory} is in use by a running SageMaker service (process ${pid}). ` +
          "Stop it first, or choose another folder with --state-directory or SAGEMAKER_STATE_DIRECTORY.",
      );
    }
  }
  writeAtomically(file, JSON.stringify({ pid: process.pid, startedAt: startTimeOf(process.pid) ?? "" }));
}
