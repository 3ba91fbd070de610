import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as control from "@aws-sdk/client-sagemaker";
import type { DescribeTrainingJobResponse, SecondaryStatus } from "@aws-sdk/client-sagemaker";
import { packFolder } from "../containers/archive";
import { ContainerError } from "../containers/container";
import { filesIn, joinS3Uri } from "../containers/object-storage";
import type { Experiments } from "../experiments/experiments";
import { log } from "../log";
import { messageOf, resourceInUse, resourceNotFound, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import type { Arns } from "../resources/arns";
import { listPage } from "../resources/listing";
import type { ResourceStore } from "../resources/store";
import type { TagRegistry } from "../resources/tags";
import { checkStop, cutReason, JobStopped, type JobRunner, restartReason, StopSignal } from "./job-runner";
import { MetricFinder } from "./metrics";
import { originOf } from "./processing-jobs";

/** A training job as DescribeTrainingJob answers it. */
export type TrainingJob = Validated<DescribeTrainingJobResponse>;

const defaultRuntimeSeconds = 86_400;
const kind = "training";

/** What SageMaker says when a training job enters a step. */
const stepMessages: Partial<Record<SecondaryStatus, string>> = {
  Starting: "Preparing the instances for training",
  Downloading: "Downloading input data",
  Training: "Training image download completed. Training in progress.",
  Uploading: "Uploading generated training model",
  Completed: "Training job completed",
  Failed: "Training job failed",
  Stopping: "Stopping the training job",
  Stopped: "Training job stopped",
  MaxRuntimeExceeded: "Training job runtime exceeded MaxRuntimeInSeconds provided",
};

/** Training jobs: a container with channels from S3, which leaves a model in S3. */
export class TrainingJobs {
  private readonly signals = new Map<string, StopSignal>();

  constructor(
    private readonly store: ResourceStore<TrainingJob>,
    private readonly runner: JobRunner,
    private readonly experiments: Experiments,
    private readonly arns: Arns,
    private readonly tags: TagRegistry,
  ) {
    tags.register("training-job", (name) => store.has(name));
  }

  /** Ends, after a restart, the jobs that were running when the service was killed. */
  restore(): void {
    for (const job of this.store.values()) {
      if (job.TrainingJobStatus === "InProgress") {
        this.end(job, "Failed", "Failed", restartReason);
      }
      if (job.TrainingJobStatus === "Stopping") {
        this.end(job, "Stopped", "Stopped");
      }
    }
  }

  readonly operations: OperationTable<typeof control> = {
    CreateTrainingJob: (request) => {
      const { TrainingJobName: name, Tags, ...described } = request;
      const arn = this.arns.of("training-job", name);
      if (this.store.has(name)) {
        throw resourceInUse(
          `Training job names must be unique within an AWS account and region, and a training job with this name already exists (${arn})`,
        );
      }
      checkRequest(request);
      this.experiments.check(request.ExperimentConfig);
      this.tags.create(arn, Tags);
      const now = new Date();
      const job: TrainingJob = {
        ...described,
        TrainingJobName: name,
        TrainingJobArn: arn,
        TrainingJobStatus: "InProgress",
        SecondaryStatus: "Starting",
        SecondaryStatusTransitions: [],
        ModelArtifacts: { S3ModelArtifacts: this.modelUri(request.OutputDataConfig.S3OutputPath, name) },
        StoppingCondition: request.StoppingCondition ?? { MaxRuntimeInSeconds: defaultRuntimeSeconds },
        CreationTime: now,
        LastModifiedTime: now,
      };
      this.enter(job, "Starting");
      void this.run(job);
      return { TrainingJobArn: arn };
    },
    DescribeTrainingJob: ({ TrainingJobName }) => this.existing(TrainingJobName),
    StopTrainingJob: ({ TrainingJobName }) => {
      const job = this.existing(TrainingJobName);
      const signal = this.signals.get(TrainingJobName);
      if (job.TrainingJobStatus !== "InProgress" || signal === undefined) {
        throw validationException(
          `The request was rejected because the training job is in status ${job.TrainingJobStatus}.`,
        );
      }
      this.enter(job, "Stopping", { TrainingJobStatus: "Stopping" });
      this.runner.stop(signal);
      return {};
    },
    DeleteTrainingJob: ({ TrainingJobName }) => {
      const job = this.existing(TrainingJobName);
      if (this.signals.has(TrainingJobName)) {
        throw resourceInUse(`Training job ${TrainingJobName} is in status ${job.TrainingJobStatus}: stop it first.`);
      }
      this.store.delete(TrainingJobName);
      this.tags.remove(job.TrainingJobArn);
      return {};
    },
    ListTrainingJobs: (request) => {
      const page = listPage(
        this.store.values(),
        request,
        (job) => ({
          name: job.TrainingJobName,
          created: job.CreationTime,
          modified: job.LastModifiedTime,
          status: job.TrainingJobStatus,
        }),
        "Ascending",
      );
      return {
        TrainingJobSummaries: page.items.map((job) => ({
          TrainingJobName: job.TrainingJobName,
          TrainingJobArn: job.TrainingJobArn,
          CreationTime: job.CreationTime,
          TrainingEndTime: job.TrainingEndTime,
          LastModifiedTime: job.LastModifiedTime,
          TrainingJobStatus: job.TrainingJobStatus,
          SecondaryStatus: job.SecondaryStatus,
        })),
        NextToken: page.nextToken,
      };
    },
  };

  private modelUri(outputPath: string, name: string): string {
    return joinS3Uri(outputPath, name, "output", "model.tar.gz");
  }

  private async run(job: TrainingJob): Promise<void> {
    const name = job.TrainingJobName;
    const signal = new StopSignal();
    this.signals.set(name, signal);
    const metrics = new MetricFinder(job.AlgorithmSpecification?.MetricDefinitions);
    try {
      const base = this.runner.newBase(kind, name);
      this.recordTrial(job);
      await this.runner.flushRecords();
      checkStop(signal);
      this.enter(job, "Downloading", { TrainingStartTime: new Date() });
      await this.prepare(job, base, signal);
      this.enter(job, "Training");
      const limit = job.StoppingCondition.MaxRuntimeInSeconds ?? defaultRuntimeSeconds;
      const specification = job.AlgorithmSpecification;
      const outcome = await this.runner.run(
        {
          purpose: `training job ${name}`,
          name,
          image: specification?.TrainingImage ?? "",
          entrypoint: [
            ...(specification?.ContainerEntrypoint ?? ["train"]),
            ...(specification?.ContainerArguments ?? []),
          ],
          environment: {
            ...job.Environment,
            TRAINING_JOB_NAME: name,
            TRAINING_JOB_ARN: job.TrainingJobArn,
          },
          base,
          logGroup: "/aws/sagemaker/TrainingJobs",
          maxRuntimeSeconds: limit,
          reasonFile: join(base, "output", "failure"),
          onLine: (line, timestamp) => {
            metrics.read(line, timestamp);
          },
        },
        signal,
      );
      this.change(job, { FinalMetricDataList: metrics.final });
      if (outcome.kind === "failed") {
        this.end(job, "Failed", "Failed", outcome.reason);
        return;
      }
      // A job that was stopped may have left a model that is worth keeping.
      this.enter(job, "Uploading");
      await this.upload(job, base);
      if (outcome.kind === "succeeded") {
        this.end(job, "Completed", "Completed");
      } else {
        this.end(job, "Stopped", outcome.kind === "timed out" ? "MaxRuntimeExceeded" : "Stopped");
      }
    } catch (error) {
      if (error instanceof JobStopped) {
        this.end(job, "Stopped", "Stopped");
      } else {
        const origin = error instanceof ContainerError ? "ClientError" : originOf(error);
        this.end(job, "Failed", "Failed", `${origin}: ${messageOf(error)}`);
      }
    } finally {
      this.signals.delete(name);
      this.runner.removeBase(kind, name);
    }
  }

  private async prepare(job: TrainingJob, base: string, signal: StopSignal): Promise<void> {
    const configuration = join(base, "input", "config");
    for (const folder of ["input/config", "input/data", "model", "output/data"]) {
      mkdirSync(join(base, folder), { recursive: true });
    }
    const channels = job.InputDataConfig ?? [];
    const files = {
      "hyperparameters.json": job.HyperParameters ?? {},
      "inputdataconfig.json": Object.fromEntries(
        channels.map(({ ChannelName, ContentType, DataSource }) => [
          ChannelName,
          {
            TrainingInputMode: "File",
            S3DistributionType: DataSource.S3DataSource?.S3DataDistributionType ?? "FullyReplicated",
            RecordWrapperType: "None",
            ...(ContentType !== undefined && { ContentType }),
          },
        ]),
      ),
      "resourceconfig.json": {
        current_host: "algo-1",
        current_instance_type: job.ResourceConfig?.InstanceType ?? "local",
        hosts: ["algo-1"],
        network_interface_name: "lo",
      },
    };
    for (const [file, content] of Object.entries(files)) {
      writeFileSync(join(configuration, file), JSON.stringify(content));
    }
    for (const { ChannelName, DataSource } of channels) {
      checkStop(signal);
      const folder = join(base, "input", "data", ChannelName);
      mkdirSync(folder, { recursive: true });
      await this.runner.storage.downloadPrefix(DataSource.S3DataSource?.S3Uri ?? "", folder);
    }
    checkStop(signal);
  }

  private async upload(job: TrainingJob, base: string): Promise<void> {
    const { storage } = this.runner;
    const output = joinS3Uri(job.OutputDataConfig?.S3OutputPath ?? "", job.TrainingJobName, "output");
    const archive = join(base, "model.tar.gz");
    await packFolder(join(base, "model"), archive);
    await storage.uploadFile(archive, `${output}/model.tar.gz`);
    const data = join(base, "output", "data");
    if (filesIn(data).length > 0) {
      await packFolder(data, archive);
      await storage.uploadFile(archive, `${output}/output.tar.gz`);
    }
  }

  private enter(job: TrainingJob, step: SecondaryStatus, changes: Partial<TrainingJob> = {}): void {
    const now = new Date();
    const transitions = [...(job.SecondaryStatusTransitions ?? [])];
    const last = transitions.at(-1);
    if (last !== undefined) {
      transitions[transitions.length - 1] = { ...last, EndTime: now };
    }
    const message = stepMessages[step];
    transitions.push({ Status: step, StartTime: now, ...(message !== undefined && { StatusMessage: message }) });
    this.change(job, { ...changes, SecondaryStatus: step, SecondaryStatusTransitions: transitions });
  }

  private end(
    job: TrainingJob,
    status: "Completed" | "Failed" | "Stopped",
    step: SecondaryStatus,
    reason?: string,
  ): void {
    const now = new Date();
    const seconds = Math.max(1, Math.round((now.getTime() - (job.TrainingStartTime ?? now).getTime()) / 1000));
    this.enter(job, step, {
      TrainingJobStatus: status,
      TrainingEndTime: now,
      TrainingTimeInSeconds: seconds,
      BillableTimeInSeconds: seconds,
      ...(reason !== undefined && { FailureReason: cutReason(reason) }),
    });
    const transitions = job.SecondaryStatusTransitions ?? [];
    const last = transitions.at(-1);
    if (last !== undefined) {
      last.EndTime = now;
    }
    this.change(job, {});
    this.recordTrial(job);
    log(`Training job ${job.TrainingJobName}: ${status}${reason === undefined ? "" : `: ${reason}`}`);
  }

  private change(job: TrainingJob, changes: Partial<TrainingJob>): void {
    Object.assign(job, changes, { LastModifiedTime: new Date() });
    this.store.put(job.TrainingJobName, job);
  }

  private recordTrial(job: TrainingJob): void {
    const metrics = (job.FinalMetricDataList ?? []).map(({ MetricName, Value, Timestamp }) => ({
      MetricName,
      Last: Value,
      Min: Value,
      Max: Value,
      Avg: Value,
      Count: 1,
      TimeStamp: Timestamp,
      SourceArn: job.TrainingJobArn,
    }));
    this.experiments.record(
      job.ExperimentConfig,
      { name: job.TrainingJobName, arn: job.TrainingJobArn, kind: "training-job" },
      {
        Status: {
          PrimaryStatus: job.TrainingJobStatus === "Deleting" ? undefined : job.TrainingJobStatus,
          Message: job.FailureReason,
        },
        StartTime: job.TrainingStartTime,
        EndTime: job.TrainingEndTime,
        Parameters: Object.fromEntries(
          Object.entries(job.HyperParameters ?? {}).map(([key, value]) => [key, { StringValue: value }]),
        ),
        InputArtifacts: Object.fromEntries(
          (job.InputDataConfig ?? []).map(({ ChannelName, DataSource }) => [
            ChannelName,
            { Value: DataSource.S3DataSource?.S3Uri ?? "" },
          ]),
        ),
        OutputArtifacts: { "SageMaker.ModelArtifact": { Value: job.ModelArtifacts.S3ModelArtifacts } },
        Metrics: metrics,
      },
    );
  }

  private existing(name: string): TrainingJob {
    const job = this.store.get(name);
    if (job === undefined) {
      throw resourceNotFound(`Requested resource not found: training job ${name}`);
    }
    return job;
  }
}

function checkRequest(request: Validated<control.CreateTrainingJobRequest>): void {
  const { AlgorithmSpecification: specification, InputDataConfig: channels, OutputDataConfig: output } = request;
  if (specification?.TrainingImage === undefined) {
    throw validationException(
      "AlgorithmSpecification.TrainingImage is required: the local platform has no algorithms of its own (AlgorithmName).",
    );
  }
  if (specification.TrainingInputMode === "Pipe") {
    throw validationException(
      "AlgorithmSpecification.TrainingInputMode Pipe is not part of the local platform: use File.",
    );
  }
  if (output.CompressionType === "NONE") {
    throw validationException("OutputDataConfig.CompressionType NONE is not part of the local platform: use GZIP.");
  }
  if ((request.ResourceConfig?.InstanceCount ?? 1) > 1) {
    throw validationException("ResourceConfig.InstanceCount must be 1: the local platform trains on this one machine.");
  }
  new MetricFinder(specification.MetricDefinitions);
  const names = new Set<string>();
  for (const { ChannelName, DataSource, CompressionType, RecordWrapperType } of channels ?? []) {
    if (names.has(ChannelName)) {
      throw validationException(`Channel names must be unique: '${ChannelName}' stands twice.`);
    }
    names.add(ChannelName);
    const source = DataSource.S3DataSource;
    if (source?.S3DataType !== "S3Prefix") {
      throw validationException(
        `Channel '${ChannelName}': the local platform reads an S3DataSource with S3DataType S3Prefix.`,
      );
    }
    if (CompressionType === "Gzip" || RecordWrapperType === "RecordIO") {
      throw validationException(
        `Channel '${ChannelName}': the local platform reads files without compression or record wrapping.`,
      );
    }
  }
}
