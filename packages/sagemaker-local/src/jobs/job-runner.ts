import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Aws, AwsClients } from "../aws";
import { containerCommand, containerEnvironment, ContainerError, writtenText } from "../containers/container";
import type { ContainerCredentials } from "../containers/credentials";
import { LogFollower } from "../containers/logs";
import { ObjectStorage } from "../containers/object-storage";
import type { Child, Children } from "../containers/processes";
import { messageOf } from "../protocol/errors";
import { AccessError, RoleError } from "../role-session";
import type { Settings } from "../settings";

/** What a job runs. */
export interface JobContainer {
  /** "training job abalone-1" */
  readonly purpose: string;
  readonly name: string;
  readonly image: string;
  readonly entrypoint: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Whether it has no network, and so no AWS credentials. */
  readonly isIsolated: boolean;
  /** Folder that replaces /opt/ml. */
  readonly base: string;
  /** CloudWatch log group. */
  readonly logGroup: string;
  readonly maxRuntimeSeconds: number;
  /** File in which the container leaves the reason of a failure. */
  readonly reasonFile: string;
  readonly onLine?: (line: string, timestamp: number) => void;
}

/** How a job's container ended. */
export type Outcome =
  | { readonly kind: "succeeded" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "stopped" }
  | { readonly kind: "timed out" };

/** A job that was asked to stop, at whatever step it is. */
export class StopSignal {
  requested = false;
  /** The container while it runs. */
  child: Child | undefined;
}

/** The steps of a job between its creation and its end. */
export interface JobSteps {
  /** Puts the container's inputs into the folder that replaces /opt/ml. */
  readonly prepare: (base: string, storage: ObjectStorage, signal: StopSignal) => Promise<JobContainer>;
  /** Stores the container's outputs and ends the job. */
  readonly finish: (base: string, storage: ObjectStorage, outcome: Outcome) => Promise<void>;
  /** Ends a job that could not run to its end. */
  readonly end: (ending: "Failed" | "Stopped", reason?: string) => void;
}

/** Thrown between the steps of a job that was asked to stop. */
export class JobStopped extends Error {}

/** The reason of a job that was running when the service ended. */
export const restartReason =
  "InternalServerError: We encountered an internal error: the service was restarted while the job was running. Please try again.";

const graceMilliseconds = 10_000; // SageMaker gives two minutes, which is too long on a laptop.
const longestReason = 1024;

/** Runs the containers of jobs as subprocesses of the model image's code. */
export class JobRunner {
  /** The jobs in progress. */
  private readonly signals = new Map<string, StopSignal>();

  constructor(
    private readonly settings: Settings,
    private readonly aws: Aws,
    private readonly credentials: ContainerCredentials,
    private readonly children: Children,
    /** Moves all records into the offline stores, so that a job's queries find them. */
    private readonly flushRecords: () => Promise<void>,
  ) {}

  /** Runs a job with its role, from its inputs to its outputs, in a new folder that replaces /opt/ml. */
  async work(kind: string, name: string, roleArn: string | undefined, steps: JobSteps): Promise<void> {
    const signal = new StopSignal();
    this.signals.set(`${kind}/${name}`, signal);
    const base = join(this.settings.stateDirectory, "jobs", kind, name, "ml");
    const clients = this.aws.as(roleArn);
    const storage = new ObjectStorage(clients, this.settings.region);
    try {
      rmSync(base, { recursive: true, force: true });
      mkdirSync(base, { recursive: true });
      await clients.check();
      await this.flushRecords();
      const container = await steps.prepare(base, storage, signal);
      await steps.finish(base, storage, await this.run(container, clients, signal));
    } catch (error) {
      if (error instanceof JobStopped) {
        steps.end("Stopped");
      } else {
        steps.end("Failed", `${originOf(error)}: ${messageOf(error)}`);
      }
    } finally {
      this.signals.delete(`${kind}/${name}`);
      rmSync(dirname(base), { recursive: true, force: true });
    }
  }

  /** Whether a job is in progress. */
  isWorking(kind: string, name: string): boolean {
    return this.signals.has(`${kind}/${name}`);
  }

  /** Stops a job's container, or prevents its start. */
  stop(kind: string, name: string): void {
    const signal = this.signals.get(`${kind}/${name}`);
    if (signal !== undefined) {
      stopContainer(signal);
    }
  }

  /**
   * Runs a container until it ends, is stopped, or its time is over.
   * @throws ContainerError when it can't run here
   */
  private async run(container: JobContainer, clients: AwsClients, signal: StopSignal): Promise<Outcome> {
    const identity = this.credentials.give(clients, container.isIsolated);
    try {
      return await this.runWith(identity.environment, container, clients, signal);
    } finally {
      identity.end();
    }
  }

  private async runWith(
    identity: Readonly<Record<string, string>>,
    container: JobContainer,
    clients: AwsClients,
    signal: StopSignal,
  ): Promise<Outcome> {
    const { command, arguments: rest } = containerCommand(
      this.settings,
      container.image,
      container.entrypoint,
      container.base,
    );
    if (signal.requested) {
      return { kind: "stopped" };
    }
    const logFile = join(this.settings.logDirectory, `${container.name}.log`);
    rmSync(logFile, { force: true });
    const child = await this.children.start({
      purpose: container.purpose,
      command,
      arguments: rest,
      environment: containerEnvironment(this.settings, container.base, container.environment, identity),
      workingDirectory: container.base,
      logFile,
      truncateLog: true,
    });
    signal.child = child;
    const stream = `${container.name}/algo-1-${Math.floor(Date.now() / 1000)}`;
    const follower = new LogFollower(logFile, clients, container.logGroup, stream, container.onLine);
    // A stop during the start of the process.
    if (isRequested(signal)) {
      void child.stop(graceMilliseconds);
    }

    const time = new StopSignal();
    time.child = child;
    const limit = setTimeout(
      () => {
        stopContainer(time);
      },
      Math.min(container.maxRuntimeSeconds * 1000, 2 ** 31 - 1),
    );
    const exit = await child.ended;
    clearTimeout(limit);
    signal.child = undefined;
    await follower.finish();

    if (isRequested(signal)) {
      return { kind: "stopped" };
    }
    if (isRequested(time)) {
      return { kind: "timed out" };
    }
    if (exit.code === 0) {
      return { kind: "succeeded" };
    }
    if (this.children.areStopping) {
      return { kind: "failed", reason: restartReason };
    }
    const ending = exit.signal === null ? `exit code: ${exit.code ?? "unknown"}` : `stopped by signal ${exit.signal}`;
    const reason =
      writtenText(container.reasonFile) ?? (follower.lastLines.slice(-10).join("\n").trim() || "it printed nothing");
    const room = longestReason - "AlgorithmError: ".length - ending.length - 2;
    return { kind: "failed", reason: `AlgorithmError: ${reason.slice(-room)}, ${ending}` };
  }
}

function stopContainer(signal: StopSignal): void {
  signal.requested = true;
  void signal.child?.stop(graceMilliseconds);
}

/** Whose fault a failure outside of the container is: the client's or the service's. */
function originOf(error: unknown): "ClientError" | "InternalServerError" {
  const isClients =
    [AccessError, ContainerError, RoleError].some((kind) => error instanceof kind) ||
    (error instanceof Error && error.constructor === Error);
  return isClients ? "ClientError" : "InternalServerError";
}

/** @throws JobStopped when the job was asked to stop */
export function checkStop(signal: StopSignal): void {
  if (signal.requested) {
    throw new JobStopped();
  }
}

// Reads the flag again: it changes while the process is being started, and while it runs.
function isRequested(signal: StopSignal): boolean {
  return signal.requested;
}

/** The reason of a failure, shortened to SageMaker's limit. */
export function cutReason(reason: string): string {
  return reason.length > longestReason ? `${reason.slice(0, longestReason - 1)}…` : reason;
}
