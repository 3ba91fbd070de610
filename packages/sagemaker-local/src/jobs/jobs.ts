import { log } from "../log";
import { resourceInUse, validationException } from "../protocol/errors";
import { type Kind, type ResourceContext, Resources } from "../resources/resources";
import type { ObjectStorage } from "../containers/object-storage";
import {
  cutReason,
  type JobContainer,
  type JobRunner,
  type Outcome,
  restartReason,
  type StopSignal,
} from "./job-runner";

/** How a job ended, as its status reports it. */
export type Ending = "Completed" | "Failed" | "Stopped";

/** Seconds that a job may run if its request sets no limit. */
export const defaultRuntimeSeconds = 86_400;

/** What all kinds of jobs share: a job runs until it ends, is asked to stop, or the service restarts. */
export abstract class Jobs<Prefix extends "TrainingJob" | "ProcessingJob", Job extends object> {
  protected readonly jobs: Resources<Prefix, Job>;

  constructor(
    context: ResourceContext,
    protected readonly runner: JobRunner,
    private readonly kind: Omit<Kind<Prefix>, "order" | "members">,
  ) {
    this.jobs = new Resources(context, { ...kind, members: [`${kind.prefix}Status`], order: "Ascending" });
  }

  /** After a restart, ends the jobs that were running when the service was killed. */
  restore(): void {
    for (const job of this.jobs.all()) {
      const status = this.statusOf(job);
      if (status === "InProgress") {
        this.end(job, "Failed", restartReason);
      } else if (status === "Stopping") {
        this.end(job, "Stopped");
      }
    }
  }

  /** The job of this name, if there is one. */
  find(name: string): Job | undefined {
    return this.jobs.find(name);
  }

  /** Puts the job's inputs into the folder that replaces /opt/ml. @returns what to run there */
  protected abstract prepare(job: Job, base: string, storage: ObjectStorage, signal: StopSignal): Promise<JobContainer>;

  /** Stores the container's outputs and ends the job. */
  protected abstract finish(job: Job, base: string, storage: ObjectStorage, outcome: Outcome): Promise<void>;

  /** Records how the job ended. */
  protected abstract end(job: Job, ending: Ending, reason?: string): void;

  /** Records that the job was asked to stop. */
  protected abstract markStopping(job: Job): void;

  protected async run(job: Job): Promise<void> {
    const { RoleArn: roleArn } = job as { readonly RoleArn?: string };
    await this.runner.work(this.kind.type, this.nameOf(job), roleArn, {
      prepare: (...work) => this.prepare(job, ...work),
      finish: (...work) => this.finish(job, ...work),
      end: (ending, reason) => {
        this.end(job, ending, reason);
      },
    });
  }

  /** @throws ServiceError when the job does not run */
  protected stop(name: string): object {
    const job = this.jobs.existing(name);
    if (this.statusOf(job) !== "InProgress" || !this.runner.isWorking(this.kind.type, name)) {
      throw validationException(
        `The request was rejected because the ${this.noun} is in status ${this.statusOf(job)}.`,
      );
    }
    this.markStopping(job);
    this.runner.stop(this.kind.type, name);
    return {};
  }

  /** @throws ServiceError when the job still runs */
  protected remove(name: string): object {
    const job = this.jobs.existing(name);
    if (this.runner.isWorking(this.kind.type, name)) {
      throw resourceInUse(`The ${this.noun} ${name} is in status ${this.statusOf(job)}: stop it first.`);
    }
    return this.jobs.remove(name);
  }

  protected changesAtEnd(job: Job, ending: Ending, reason: string | undefined): { FailureReason?: string } {
    log(`The ${this.noun} ${this.nameOf(job)}: ${ending}${reason === undefined ? "" : `: ${reason}`}`);
    return reason === undefined ? {} : { FailureReason: cutReason(reason) };
  }

  private get noun(): string {
    return this.kind.type.replace("-", " ");
  }

  private nameOf(job: Job): string {
    return (job as Readonly<Record<string, string>>)[`${this.kind.prefix}Name`] ?? "";
  }

  private statusOf(job: Job): string {
    return (job as Readonly<Record<string, string>>)[`${this.kind.prefix}Status`] ?? "";
  }
}
