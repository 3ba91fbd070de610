import { mkdirSync } from "node:fs";
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request as httpRequest } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import type { AwsClients } from "../aws";
import { pause } from "../concurrency";
import { containerCommand, containerEnvironment } from "../containers/container";
import type { ContainerCredentials } from "../containers/credentials";
import { LogFollower } from "../containers/logs";
import { ObjectStorage } from "../containers/object-storage";
import type { Child, Children } from "../containers/processes";
import { log } from "../log";
import { messageOf } from "../protocol/errors";
import type { Settings } from "../settings";

/** What a server serves, and where its files are. */
export interface ServerOptions {
  readonly endpointName: string;
  readonly variantName: string;
  /** The endpoint configuration by which it serves. */
  readonly configName: string;
  readonly image: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Whether the container has no network, and so no AWS credentials. */
  readonly isIsolated: boolean;
  /** Folder that replaces /opt/ml; the model is in its folder `model`. */
  readonly base: string;
  /** How long it may take until the server answers /ping. */
  readonly startupMilliseconds: number;
}

/** An answer of the container. */
export interface ContainerAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The server does not run and did not start again in time: it never got the request. */
export class ServerUnavailable extends Error {}

/** The server took the request, and ended or closed the connection before it answered. */
export class ServerBroken extends Error {}

/** The server took the request and did not answer in time. */
export class ServerTimeout extends Error {}

type State = "starting" | "ready" | "stopped";

const pingInterval = 5000;
const pingTimeout = 10_000;
const failedPings = 3; // A server that misses so many pings in a row is restarted.
const stopGrace = 5000;
const drainMilliseconds = 60_000;
const waitForServer = 30_000;
const invocationTimeout = 60_000; // SageMaker's own limit for a real-time invocation.
const longestRestartDelay = 10_000;
const shortLife = 10_000; // A server that ends sooner has failed again, so its next start waits longer.

/** A `serve` process of the model image; it is restarted when it ends or no longer answers. */
export class ModelServer {
  private state: State = "starting";
  private child: Child | undefined;
  private port = 0;
  private inFlight = 0;
  private drained: (() => void) | undefined;
  private follower: LogFollower | undefined;
  private readonly changed = new Set<() => void>();
  /** Writes its captured traffic with the model's role. */
  readonly storage: ObjectStorage;

  constructor(
    readonly options: ServerOptions,
    private readonly settings: Settings,
    /** The credentials of the model's role. */
    readonly clients: AwsClients,
    private readonly credentials: ContainerCredentials,
    private readonly children: Children,
  ) {
    this.storage = new ObjectStorage(clients, settings.region);
  }

  /** The server's log, one for each configuration, because two run during a release. */
  get logFile(): string {
    const { endpointName, variantName, configName } = this.options;
    return join(this.settings.logDirectory, `endpoint-${endpointName}-${variantName}-${configName}.log`);
  }

  /**
   * Starts the server and waits until it answers /ping. From then on it is restarted when it ends.
   * @throws Error saying why it did not become healthy
   */
  async start(): Promise<void> {
    const follower = this.follow();
    try {
      await this.startProcess();
      await this.untilHealthy();
    } catch (error) {
      const lines = follower.lastLines.slice(-10).join("\n");
      await this.stop();
      throw new Error(
        `The primary container for production variant ${this.options.variantName} did not pass the ping health check: ` +
          `${messageOf(error)}${lines === "" ? "" : `\n${lines}`}`,
        { cause: error },
      );
    }
    this.setState("ready");
    void this.supervise();
  }

  /** As `start`, but retries a server that does not start: for an endpoint that was in service. */
  resume(): void {
    this.follow();
    void this.supervise();
  }

  /** Whether it takes requests now. */
  get isReady(): boolean {
    return this.state === "ready";
  }

  /**
   * Passes a request to the container's /invocations.
   * @param patient whether to wait for a server that is restarting, and to ask again when it ends during the request
   * @throws ServerUnavailable, ServerBroken or ServerTimeout
   */
  async invoke(headers: OutgoingHttpHeaders, body: Uint8Array, patient = true): Promise<ContainerAnswer> {
    this.inFlight += 1;
    try {
      const deadline = patient ? Date.now() + waitForServer : 0;
      for (let ends = patient ? 0 : 1; ;) {
        await this.untilReady(deadline);
        const child = this.child;
        try {
          return await this.request("POST", "/invocations", headers, body, invocationTimeout);
        } catch (error) {
          if (error instanceof ServerBroken && ends === 0 && (await hasEnded(child))) {
            // The server was most likely killed before it read the request. If the next one ends, too, it is the
            // request that ends them.
            ends += 1;
          } else if (error instanceof ServerUnavailable && Date.now() < deadline) {
            // Nothing has reached the server, and its supervisor will soon notice that it has ended.
            await pause(50);
          } else {
            throw error;
          }
        }
      }
    } finally {
      this.inFlight -= 1;
      if (this.inFlight === 0) {
        this.drained?.();
      }
    }
  }

  /** Waits until requests in flight have been answered, then stops the server. */
  async drain(): Promise<void> {
    if (this.inFlight > 0) {
      const empty = new Promise<void>((resolve) => (this.drained = resolve));
      await Promise.race([empty, pause(drainMilliseconds)]);
    }
    await this.stop();
  }

  async stop(): Promise<void> {
    this.setState("stopped");
    await this.child?.stop(stopGrace);
    await this.follower?.finish();
  }

  private follow(): LogFollower {
    const { endpointName, variantName } = this.options;
    mkdirSync(this.settings.logDirectory, { recursive: true });
    this.follower = new LogFollower(
      this.logFile,
      this.clients,
      `/aws/sagemaker/Endpoints/${endpointName}`,
      `${variantName}/${basename(dirname(this.options.base))}`,
    );
    return this.follower;
  }

  private async startProcess(): Promise<void> {
    const { base, image, environment, isIsolated, endpointName, variantName } = this.options;
    this.port = await freePort();
    const { command, arguments: rest } = containerCommand(this.settings, image, ["serve"], base);
    const identity = this.credentials.give(this.clients, isIsolated);
    try {
      this.child = await this.children.start({
        purpose: `endpoint ${endpointName}, variant ${variantName}`,
        command,
        arguments: rest,
        environment: {
          ...containerEnvironment(this.settings, base, environment, identity.environment),
          SAGEMAKER_BIND_TO_PORT: String(this.port),
          SERVE_HOST: "127.0.0.1",
        },
        workingDirectory: base,
        logFile: this.logFile,
      });
    } catch (error) {
      identity.end();
      throw error;
    }
    void this.child.ended.then(identity.end);
  }

  private async untilHealthy(): Promise<void> {
    const child = this.child;
    const deadline = Date.now() + this.options.startupMilliseconds;
    while (Date.now() < deadline) {
      if (this.isStopped()) {
        throw new Error("it was stopped");
      }
      if (child?.running() !== true) {
        const exit = await child?.ended;
        throw new Error(
          exit?.signal == null
            ? `it ended with exit code ${exit?.code ?? "unknown"}`
            : `it ended by signal ${exit.signal}`,
        );
      }
      if (await this.answersPing()) {
        return;
      }
      await pause(50);
    }
    throw new Error(`it did not answer GET /ping with 200 within ${this.options.startupMilliseconds / 1000} seconds`);
  }

  private async answersPing(): Promise<boolean> {
    try {
      return (await this.request("GET", "/ping", {}, undefined, pingTimeout)).status === 200;
    } catch {
      return false;
    }
  }

  /** Keeps the server running until it is stopped. */
  private async supervise(): Promise<void> {
    for (let failures = 0; !this.isStopped();) {
      if (this.state === "ready") {
        const readySince = Date.now();
        const reason = await this.untilUnhealthy();
        if (this.isStopped()) {
          return;
        }
        this.setState("starting");
        failures = Date.now() - readySince < shortLife ? failures + 1 : 0;
        log(`Endpoint ${this.options.endpointName}: its server ${reason}. It is restarted.`);
      }
      await this.child?.stop(stopGrace);
      await pause(Math.min(100 * 2 ** failures, longestRestartDelay));
      if (this.isStopped()) {
        return;
      }
      try {
        await this.startProcess();
        await this.untilHealthy();
        if (!this.isStopped()) {
          this.setState("ready");
        }
      } catch (error) {
        if (failures < 2) {
          log(`Endpoint ${this.options.endpointName}: its server can't be started: ${messageOf(error)}`);
        }
        failures += 1;
      }
      // A stop during the start did not find the process yet.
      if (this.isStopped()) {
        await this.child?.stop(stopGrace);
      }
    }
  }

  /** Resolves, with the reason, when the server has ended or misses its pings. */
  private async untilUnhealthy(): Promise<string> {
    const child = this.child;
    if (child === undefined) {
      return "is gone";
    }
    for (let missed = 0; missed < failedPings;) {
      const exit = await Promise.race([child.ended, pause(pingInterval)]);
      if (exit !== undefined) {
        return exit.signal === null ? `ended (exit code ${exit.code ?? "unknown"})` : `ended (signal ${exit.signal})`;
      }
      missed = (await this.answersPing()) ? 0 : missed + 1;
    }
    return `missed ${failedPings} pings`;
  }

  private async untilReady(deadline: number): Promise<void> {
    while (this.state !== "ready") {
      const left = deadline - Date.now();
      if (this.isStopped() || left <= 0) {
        throw new ServerUnavailable(
          this.isStopped() ? "it was stopped" : `it is restarting, and is not ready yet (log: ${this.logFile})`,
        );
      }
      let notify = (): void => undefined;
      const change = new Promise<void>((resolve) => (notify = resolve));
      this.changed.add(notify);
      await Promise.race([change, pause(left)]);
      this.changed.delete(notify);
    }
  }

  private isStopped(): boolean {
    return this.state === "stopped";
  }

  private setState(state: State): void {
    this.state = state;
    for (const notify of this.changed) {
      notify();
    }
  }

  private request(
    method: string,
    target: string,
    headers: OutgoingHttpHeaders,
    body: Uint8Array | undefined,
    timeout: number,
  ): Promise<ContainerAnswer> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          host: "127.0.0.1",
          port: this.port,
          method,
          path: target,
          // Each request has its own connection: then a refused one has surely not reached the server, and one
          // that broke off surely has.
          agent: false,
          timeout,
          headers: { ...headers, ...(body && { "Content-Length": body.length }) },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () => {
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
          });
          response.on("error", (error) => {
            reject(new ServerBroken(error.message));
          });
        },
      );
      request.on("timeout", () => {
        request.destroy(new ServerTimeout(`no answer within ${timeout / 1000} seconds`));
      });
      request.on("error", (error: NodeJS.ErrnoException) => {
        if (error instanceof ServerTimeout) {
          reject(error);
        } else if (error.code === "ECONNREFUSED") {
          reject(new ServerUnavailable(error.message));
        } else {
          reject(new ServerBroken(error.message));
        }
      });
      request.end(body);
    });
  }
}

/** Whether a process closed a connection because it ended. */
async function hasEnded(child: Child | undefined): Promise<boolean> {
  if (child === undefined) {
    return true;
  }
  await Promise.race([child.ended, pause(200)]);
  return !child.running();
}

/** A free port of the loopback interface. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
