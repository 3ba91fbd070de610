import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as control from "@aws-sdk/client-sagemaker";
import type { DescribeProcessingJobResponse } from "@aws-sdk/client-sagemaker";
import { ContainerError, movedPath, writtenText } from "../containers/container";
import { filesIn } from "../containers/object-storage";
import type { Experiments } from "../experiments/experiments";
import { log } from "../log";
import { messageOf, resourceInUse, resourceNotFound, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import type { Arns } from "../resources/arns";
import { listPage } from "../resources/listing";
import type { ResourceStore } from "../resources/store";
import type { TagRegistry } from "../resources/tags";
import { checkStop, cutReason, JobStopped, type JobRunner, restartReason, StopSignal } from "./job-runner";

/** A processing job as DescribeProcessingJob answers it. */
export type ProcessingJob = Validated<DescribeProcessingJobResponse>;

const defaultRuntimeSeconds = 86_400;
const kind = "processing";

/** Processing jobs: a container with inputs from S3 and outputs to S3. */
export class ProcessingJobs {
  private readonly signals = new Map<string, StopSignal>();

  constructor(
    private readonly store: ResourceStore<ProcessingJob>,
    private readonly runner: JobRunner,
    private readonly experiments: Experiments,
    private readonly arns: Arns,
    private readonly tags: TagRegistry,
  ) {
    tags.register("processing-job", (name) => store.has(name));
  }

  /** Ends, after a restart, the jobs that were running when the service was killed. */
  restore(): void {
    for (const job of this.store.values()) {
      if (job.ProcessingJobStatus === "InProgress" || job.ProcessingJobStatus === "Stopping") {
        const stopped = job.ProcessingJobStatus === "Stopping";
        this.end(job, stopped ? "Stopped" : "Failed", stopped ? undefined : restartReason);
      }
    }
  }

  /** The job of this name, if there is one. */
  find(name: string): ProcessingJob | undefined {
    return this.store.get(name);
  }

  readonly operations: OperationTable<typeof control> = {
    CreateProcessingJob: (request) => {
      const { ProcessingJobName: name, Tags, ...described } = request;
      const arn = this.arns.of("processing-job", name);
      if (this.store.has(name)) {
        throw resourceInUse(
          `Job name must be unique within an AWS account and region, and a job with this name already exists (${arn})`,
        );
      }
      checkPaths(request);
      this.experiments.check(request.ExperimentConfig);
      this.tags.create(arn, Tags);
      const now = new Date();
      const job: ProcessingJob = {
        ...described,
        ProcessingJobName: name,
        ProcessingJobArn: arn,
        ProcessingJobStatus: "InProgress",
        StoppingCondition: request.StoppingCondition ?? { MaxRuntimeInSeconds: defaultRuntimeSeconds },
        CreationTime: now,
        LastModifiedTime: now,
      };
      this.store.put(name, job);
      void this.run(job);
      return { ProcessingJobArn: arn };
    },
    DescribeProcessingJob: ({ ProcessingJobName }) => this.existing(ProcessingJobName),
    StopProcessingJob: ({ ProcessingJobName }) => {
      const job = this.existing(ProcessingJobName);
      const signal = this.signals.get(ProcessingJobName);
      if (job.ProcessingJobStatus !== "InProgress" || signal === undefined) {
        throw validationException(
          `The request was rejected because the processing job is in status ${job.ProcessingJobStatus}.`,
        );
      }
      this.change(job, { ProcessingJobStatus: "Stopping" });
      this.runner.stop(signal);
      return {};
    },
    DeleteProcessingJob: ({ ProcessingJobName }) => {
      const job = this.existing(ProcessingJobName);
      if (this.signals.has(ProcessingJobName)) {
        throw resourceInUse(
          `Processing job ${ProcessingJobName} is in status ${job.ProcessingJobStatus}: stop it first.`,
        );
      }
      this.store.delete(ProcessingJobName);
      this.tags.remove(job.ProcessingJobArn);
      return {};
    },
    ListProcessingJobs: (request) => {
      const page = listPage(
        this.store.values(),
        request,
        (job) => ({
          name: job.ProcessingJobName,
          created: job.CreationTime,
          modified: job.LastModifiedTime,
          status: job.ProcessingJobStatus,
        }),
        "Ascending",
      );
      return {
        ProcessingJobSummaries: page.items.map((job) => ({
          ProcessingJobName: job.ProcessingJobName,
          ProcessingJobArn: job.ProcessingJobArn,
          CreationTime: job.CreationTime,
          ProcessingEndTime: job.ProcessingEndTime,
          LastModifiedTime: job.LastModifiedTime,
          ProcessingJobStatus: job.ProcessingJobStatus,
          FailureReason: job.FailureReason,
          ExitMessage: job.ExitMessage,
        })),
        NextToken: page.nextToken,
      };
    },
  };

  private async run(job: ProcessingJob): Promise<void> {
    const name = job.ProcessingJobName;
    const signal = new StopSignal();
    this.signals.set(name, signal);
    try {
      const base = this.runner.newBase(kind, name);
      this.recordTrial(job);
      await this.runner.flushRecords();
      await this.prepare(job, base, signal);
      this.change(job, { ProcessingStartTime: new Date() });
      const outcome = await this.runner.run(
        {
          purpose: `processing job ${name}`,
          name,
          image: job.AppSpecification.ImageUri,
          entrypoint: [
            ...(job.AppSpecification.ContainerEntrypoint ?? []),
            ...(job.AppSpecification.ContainerArguments ?? []),
          ],
          environment: job.Environment ?? {},
          base,
          logGroup: "/aws/sagemaker/ProcessingJobs",
          maxRuntimeSeconds: job.StoppingCondition?.MaxRuntimeInSeconds ?? defaultRuntimeSeconds,
          reasonFile: join(base, "output", "message"),
        },
        signal,
      );
      const exitMessage = writtenText(join(base, "output", "message"));
      if (exitMessage !== undefined) {
        this.change(job, { ExitMessage: exitMessage });
      }
      if (outcome.kind === "succeeded") {
        await this.upload(job, base);
        this.end(job, "Completed");
      } else if (outcome.kind === "failed") {
        this.end(job, "Failed", outcome.reason);
      } else {
        const limit = job.StoppingCondition?.MaxRuntimeInSeconds ?? defaultRuntimeSeconds;
        const timedOut = `The job was stopped: it ran longer than its MaxRuntimeInSeconds, ${limit}.`;
        this.end(job, "Stopped", outcome.kind === "timed out" ? timedOut : undefined);
      }
    } catch (error) {
      if (error instanceof JobStopped) {
        this.end(job, "Stopped");
      } else {
        const origin = error instanceof ContainerError ? "ClientError" : originOf(error);
        this.end(job, "Failed", `${origin}: ${messageOf(error)}`);
      }
    } finally {
      this.signals.delete(name);
      this.runner.removeBase(kind, name);
    }
  }

  private async prepare(job: ProcessingJob, base: string, signal: StopSignal): Promise<void> {
    const configuration = join(base, "config");
    mkdirSync(configuration, { recursive: true });
    mkdirSync(join(base, "output"), { recursive: true });
    writeFileSync(join(configuration, "processingjobconfig.json"), JSON.stringify(job));
    writeFileSync(
      join(configuration, "resourceconfig.json"),
      JSON.stringify({ current_host: "algo-1", hosts: ["algo-1"] }),
    );
    for (const { S3Input } of job.ProcessingInputs ?? []) {
      checkStop(signal);
      if (S3Input?.LocalPath === undefined) {
        continue;
      }
      const folder = movedPath(S3Input.LocalPath, base);
      mkdirSync(folder, { recursive: true });
      await this.runner.storage.downloadPrefix(S3Input.S3Uri, folder);
    }
    for (const { S3Output } of job.ProcessingOutputConfig?.Outputs ?? []) {
      if (S3Output?.LocalPath !== undefined) {
        mkdirSync(movedPath(S3Output.LocalPath, base), { recursive: true });
      }
    }
    checkStop(signal);
  }

  private async upload(job: ProcessingJob, base: string): Promise<void> {
    for (const { S3Output } of job.ProcessingOutputConfig?.Outputs ?? []) {
      if (S3Output?.LocalPath === undefined) {
        continue;
      }
      const folder = movedPath(S3Output.LocalPath, base);
      if (filesIn(folder).length > 0) {
        await this.runner.storage.uploadFolder(folder, S3Output.S3Uri);
      }
    }
  }

  private end(job: ProcessingJob, status: "Completed" | "Failed" | "Stopped", reason?: string): void {
    this.change(job, {
      ProcessingJobStatus: status,
      ProcessingEndTime: new Date(),
      ...(reason !== undefined && { FailureReason: cutReason(reason) }),
    });
    this.recordTrial(job);
    log(`Processing job ${job.ProcessingJobName}: ${status}${reason === undefined ? "" : `: ${reason}`}`);
  }

  private change(job: ProcessingJob, changes: Partial<ProcessingJob>): void {
    Object.assign(job, changes, { LastModifiedTime: new Date() });
    this.store.put(job.ProcessingJobName, job);
  }

  private recordTrial(job: ProcessingJob): void {
    this.experiments.record(
      job.ExperimentConfig,
      { name: job.ProcessingJobName, arn: job.ProcessingJobArn, kind: "processing-job" },
      {
        Status: { PrimaryStatus: job.ProcessingJobStatus, Message: job.FailureReason },
        StartTime: job.ProcessingStartTime,
        EndTime: job.ProcessingEndTime,
        InputArtifacts: Object.fromEntries(
          (job.ProcessingInputs ?? []).map(({ InputName, S3Input }) => [InputName, { Value: S3Input?.S3Uri ?? "" }]),
        ),
        OutputArtifacts: Object.fromEntries(
          (job.ProcessingOutputConfig?.Outputs ?? []).map(({ OutputName, S3Output }) => [
            OutputName,
            { Value: S3Output?.S3Uri ?? "" },
          ]),
        ),
      },
    );
  }

  private existing(name: string): ProcessingJob {
    const job = this.store.get(name);
    if (job === undefined) {
      throw resourceNotFound(`Could not find requested job with name: ${name}`);
    }
    return job;
  }
}

/** Whose fault a failure outside of the container is: the addresses that the client gave, or the platform's. */
export function originOf(error: unknown): "ClientError" | "InternalServerError" {
  return error instanceof Error && error.constructor === Error ? "ClientError" : "InternalServerError";
}

function checkPaths(request: {
  ProcessingInputs?: Validated<control.ProcessingInput>[] | undefined;
  ProcessingOutputConfig?: Validated<control.ProcessingOutputConfig> | undefined;
}): void {
  const root = "/opt/ml/processing/";
  const named: [string, string, string | undefined][] = [];
  for (const { InputName, S3Input, DatasetDefinition } of request.ProcessingInputs ?? []) {
    if (DatasetDefinition !== undefined || S3Input === undefined) {
      throw validationException(
        `Processing input '${InputName}' has no S3Input: the local platform has no other kind of input.`,
      );
    }
    if (
      S3Input.S3DataType === "ManifestFile" ||
      S3Input.S3InputMode === "Pipe" ||
      S3Input.S3CompressionType === "Gzip"
    ) {
      throw validationException(
        `Processing input '${InputName}': the local platform reads S3DataType S3Prefix in S3InputMode File without compression.`,
      );
    }
    named.push(["input", InputName, S3Input.LocalPath]);
  }
  for (const { OutputName, S3Output, FeatureStoreOutput } of request.ProcessingOutputConfig?.Outputs ?? []) {
    if (FeatureStoreOutput !== undefined || S3Output === undefined) {
      throw validationException(
        `Processing output '${OutputName}' has no S3Output: the local platform has no other kind of output.`,
      );
    }
    named.push(["output", OutputName, S3Output.LocalPath]);
  }
  const names = new Set<string>();
  for (const [kindOfPath, name, localPath] of named) {
    if (localPath?.startsWith(root) !== true || localPath.split("/").includes("..")) {
      throw validationException(
        `LocalPath '${localPath ?? ""}' of the processing ${kindOfPath} '${name}' must be a folder under ${root}`,
      );
    }
    const unique = `${kindOfPath} '${name}'`;
    if (names.has(unique)) {
      throw validationException(`Names must be unique: the processing ${unique} stands twice.`);
    }
    names.add(unique);
  }
}
