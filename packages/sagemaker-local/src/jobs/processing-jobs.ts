import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as control from "@aws-sdk/client-sagemaker";
import { movedPath, writtenText } from "../containers/container";
import { filesIn, type ObjectStorage } from "../containers/object-storage";
import type { Experiments } from "../experiments/experiments";
import { resourceInUse, resourceNotFound, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import type { ResourceContext } from "../resources/resources";
import { checkStop, type JobContainer, type JobRunner, type Outcome, type StopSignal } from "./job-runner";
import { defaultRuntimeSeconds, type Ending, Jobs } from "./jobs";

/** A processing job as DescribeProcessingJob answers it. */
export type ProcessingJob = Validated<control.DescribeProcessingJobResponse>;

/** Processing jobs: a container with inputs from S3 and outputs to S3. */
export class ProcessingJobs extends Jobs<"ProcessingJob", ProcessingJob> {
  constructor(
    context: ResourceContext,
    runner: JobRunner,
    private readonly experiments: Experiments,
  ) {
    super(context, runner, {
      prefix: "ProcessingJob",
      type: "processing-job",
      folder: "processing-jobs",
      missing: (name) => resourceNotFound(`Could not find requested job with name: ${name}`),
      taken: (_, arn) =>
        resourceInUse(
          `Job name must be unique within an AWS account and region, and a job with this name already exists (${arn})`,
        ),
    });
  }

  /**
   * Starts a job.
   * @throws ServiceError when its request is invalid
   */
  start(request: Validated<control.CreateProcessingJobRequest>): ProcessingJob {
    this.jobs.checkNew(request.ProcessingJobName);
    checkPaths(request);
    this.experiments.check(request.ExperimentConfig);
    const job = this.jobs.create(request, {
      ProcessingJobStatus: "InProgress",
      StoppingCondition: request.StoppingCondition ?? { MaxRuntimeInSeconds: defaultRuntimeSeconds },
    });
    void this.run(job);
    return job;
  }

  readonly operations: OperationTable<typeof control> = {
    CreateProcessingJob: (request) => this.start(request),
    DescribeProcessingJob: ({ ProcessingJobName }) => this.jobs.existing(ProcessingJobName),
    StopProcessingJob: ({ ProcessingJobName }) => this.stop(ProcessingJobName),
    DeleteProcessingJob: ({ ProcessingJobName }) => this.remove(ProcessingJobName),
    ListProcessingJobs: (request) => this.jobs.list(request, "ProcessingJobSummaries"),
  };

  protected async prepare(
    job: ProcessingJob,
    base: string,
    storage: ObjectStorage,
    signal: StopSignal,
  ): Promise<JobContainer> {
    this.recordTrial(job);
    checkStop(signal);
    await this.bringInputs(job, base, storage, signal);
    this.jobs.change(job, { ProcessingStartTime: new Date() });
    const { ImageUri, ContainerEntrypoint, ContainerArguments } = job.AppSpecification;
    return {
      purpose: `processing job ${job.ProcessingJobName}`,
      name: job.ProcessingJobName,
      image: ImageUri,
      entrypoint: [...(ContainerEntrypoint ?? []), ...(ContainerArguments ?? [])],
      environment: job.Environment ?? {},
      isIsolated: job.NetworkConfig?.EnableNetworkIsolation === true,
      base,
      logGroup: "/aws/sagemaker/ProcessingJobs",
      maxRuntimeSeconds: job.StoppingCondition?.MaxRuntimeInSeconds ?? defaultRuntimeSeconds,
      reasonFile: join(base, "output", "message"),
    };
  }

  protected async finish(job: ProcessingJob, base: string, storage: ObjectStorage, outcome: Outcome): Promise<void> {
    this.jobs.change(job, { ExitMessage: writtenText(join(base, "output", "message")) });
    if (outcome.kind === "succeeded") {
      await this.upload(job, base, storage);
      this.end(job, "Completed");
    } else if (outcome.kind === "failed") {
      this.end(job, "Failed", outcome.reason);
    } else {
      const limit = job.StoppingCondition?.MaxRuntimeInSeconds ?? defaultRuntimeSeconds;
      const timedOut = `The job was stopped: it ran longer than its MaxRuntimeInSeconds, ${limit}.`;
      this.end(job, "Stopped", outcome.kind === "timed out" ? timedOut : undefined);
    }
  }

  protected end(job: ProcessingJob, ending: Ending, reason?: string): void {
    this.jobs.change(job, {
      ProcessingJobStatus: ending,
      ProcessingEndTime: new Date(),
      ...this.changesAtEnd(job, ending, reason),
    });
    this.recordTrial(job);
  }

  protected markStopping(job: ProcessingJob): void {
    this.jobs.change(job, { ProcessingJobStatus: "Stopping" });
  }

  private async bringInputs(
    job: ProcessingJob,
    base: string,
    storage: ObjectStorage,
    signal: StopSignal,
  ): Promise<void> {
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
      await storage.downloadPrefix(S3Input.S3Uri, folder);
    }
    for (const { S3Output } of job.ProcessingOutputConfig?.Outputs ?? []) {
      if (S3Output?.LocalPath !== undefined) {
        mkdirSync(movedPath(S3Output.LocalPath, base), { recursive: true });
      }
    }
    checkStop(signal);
  }

  private async upload(job: ProcessingJob, base: string, storage: ObjectStorage): Promise<void> {
    for (const { S3Output } of job.ProcessingOutputConfig?.Outputs ?? []) {
      if (S3Output?.LocalPath === undefined) {
        continue;
      }
      const folder = movedPath(S3Output.LocalPath, base);
      if (filesIn(folder).length > 0) {
        await storage.uploadFolder(folder, S3Output.S3Uri);
      }
    }
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
}

function checkPaths(request: Validated<control.CreateProcessingJobRequest>): void {
  const root = "/opt/ml/processing/";
  const named: [string, string, string | undefined][] = [];
  for (const { InputName, S3Input, DatasetDefinition } of request.ProcessingInputs ?? []) {
    if (DatasetDefinition !== undefined || S3Input === undefined) {
      throw validationException(
        `Processing input '${InputName}' has no S3Input: sagemaker-local has no other kind of input.`,
      );
    }
    if (
      S3Input.S3DataType === "ManifestFile" ||
      S3Input.S3InputMode === "Pipe" ||
      S3Input.S3CompressionType === "Gzip"
    ) {
      throw validationException(
        `Processing input '${InputName}': sagemaker-local reads S3DataType S3Prefix in S3InputMode File without compression.`,
      );
    }
    named.push(["input", InputName, S3Input.LocalPath]);
  }
  for (const { OutputName, S3Output, FeatureStoreOutput } of request.ProcessingOutputConfig?.Outputs ?? []) {
    if (FeatureStoreOutput !== undefined || S3Output === undefined) {
      throw validationException(
        `Processing output '${OutputName}' has no S3Output: sagemaker-local has no other kind of output.`,
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
      throw validationException(`Names must be unique: the processing ${unique} is given twice.`);
    }
    names.add(unique);
  }
}
