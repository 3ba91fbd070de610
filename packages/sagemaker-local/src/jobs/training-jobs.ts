import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as control from "@aws-sdk/client-sagemaker";
import type { DescribeTrainingJobResponse, SecondaryStatus } from "@aws-sdk/client-sagemaker";
import { packFolder } from "../containers/archive";
import { filesIn, joinS3Uri, type ObjectStorage } from "../containers/object-storage";
import type { Experiments } from "../experiments/experiments";
import { resourceInUse, resourceNotFound, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import type { ResourceContext } from "../resources/resources";
import { checkStop, type JobContainer, type JobRunner, type Outcome, type StopSignal } from "./job-runner";
import { defaultRuntimeSeconds, type Ending, Jobs } from "./jobs";
import { MetricFinder } from "./metrics";

/** A training job as DescribeTrainingJob answers it. */
export type TrainingJob = Validated<DescribeTrainingJobResponse>;

/** SageMaker's status message for each step of a training job. */
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
export class TrainingJobs extends Jobs<"TrainingJob", TrainingJob> {
  /** What the logs of the jobs that run have shown. */
  private readonly metrics = new Map<string, MetricFinder>();

  constructor(
    context: ResourceContext,
    runner: JobRunner,
    private readonly experiments: Experiments,
  ) {
    super(context, runner, {
      prefix: "TrainingJob",
      type: "training-job",
      folder: "training-jobs",
      missing: (name) => resourceNotFound(`Requested resource not found: training job ${name}`),
      taken: (_, arn) =>
        resourceInUse(
          `Training job names must be unique within an AWS account and region, and a training job with this name already exists (${arn})`,
        ),
    });
  }

  readonly operations: OperationTable<typeof control> = {
    CreateTrainingJob: (request) => {
      const { TrainingJobName: name, OutputDataConfig, StoppingCondition } = request;
      this.jobs.checkNew(name);
      checkRequest(request);
      this.experiments.check(request.ExperimentConfig);
      const job = this.jobs.create(request, {
        TrainingJobStatus: "InProgress",
        SecondaryStatus: "Starting",
        SecondaryStatusTransitions: [],
        ModelArtifacts: {
          S3ModelArtifacts: joinS3Uri(OutputDataConfig.S3OutputPath, name, "output", "model.tar.gz"),
        },
        StoppingCondition: StoppingCondition ?? { MaxRuntimeInSeconds: defaultRuntimeSeconds },
      });
      this.enter(job, "Starting");
      void this.run(job);
      return job;
    },
    DescribeTrainingJob: ({ TrainingJobName }) => this.jobs.existing(TrainingJobName),
    StopTrainingJob: ({ TrainingJobName }) => this.stop(TrainingJobName),
    DeleteTrainingJob: ({ TrainingJobName }) => this.remove(TrainingJobName),
    ListTrainingJobs: (request) => this.jobs.list(request, "TrainingJobSummaries"),
  };

  protected async prepare(
    job: TrainingJob,
    base: string,
    storage: ObjectStorage,
    signal: StopSignal,
  ): Promise<JobContainer> {
    const name = job.TrainingJobName;
    const metrics = new MetricFinder(job.AlgorithmSpecification?.MetricDefinitions);
    this.metrics.set(name, metrics);
    this.recordTrial(job);
    checkStop(signal);
    this.enter(job, "Downloading", { TrainingStartTime: new Date() });
    await this.bringInputs(job, base, storage, signal);
    this.enter(job, "Training");
    const { TrainingImage, ContainerEntrypoint, ContainerArguments } = job.AlgorithmSpecification ?? {};
    return {
      purpose: `training job ${name}`,
      name,
      image: TrainingImage ?? "",
      entrypoint: [...(ContainerEntrypoint ?? ["train"]), ...(ContainerArguments ?? [])],
      environment: { ...job.Environment, TRAINING_JOB_NAME: name, TRAINING_JOB_ARN: job.TrainingJobArn },
      isIsolated: job.EnableNetworkIsolation === true,
      base,
      logGroup: "/aws/sagemaker/TrainingJobs",
      maxRuntimeSeconds: job.StoppingCondition.MaxRuntimeInSeconds ?? defaultRuntimeSeconds,
      reasonFile: join(base, "output", "failure"),
      onLine: (line, timestamp) => {
        metrics.read(line, timestamp);
      },
    };
  }

  protected async finish(job: TrainingJob, base: string, storage: ObjectStorage, outcome: Outcome): Promise<void> {
    this.jobs.change(job, { FinalMetricDataList: this.metrics.get(job.TrainingJobName)?.final });
    if (outcome.kind === "failed") {
      this.end(job, "Failed", outcome.reason);
      return;
    }
    // A job that was stopped may have left a model that is worth keeping.
    this.enter(job, "Uploading");
    await this.upload(job, base, storage);
    this.endAt(
      outcome.kind === "timed out" ? "MaxRuntimeExceeded" : outcome.kind === "succeeded" ? "Completed" : "Stopped",
      job,
      outcome.kind === "succeeded" ? "Completed" : "Stopped",
    );
  }

  protected end(job: TrainingJob, ending: Ending, reason?: string): void {
    this.endAt(ending, job, ending, reason);
  }

  protected markStopping(job: TrainingJob): void {
    this.enter(job, "Stopping", { TrainingJobStatus: "Stopping" });
  }

  private async bringInputs(job: TrainingJob, base: string, storage: ObjectStorage, signal: StopSignal): Promise<void> {
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
            ContentType,
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
      await storage.downloadPrefix(DataSource.S3DataSource?.S3Uri ?? "", folder);
    }
    checkStop(signal);
  }

  private async upload(job: TrainingJob, base: string, storage: ObjectStorage): Promise<void> {
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
    transitions.push({ Status: step, StartTime: now, StatusMessage: message });
    this.jobs.change(job, { ...changes, SecondaryStatus: step, SecondaryStatusTransitions: transitions });
  }

  private endAt(step: SecondaryStatus, job: TrainingJob, ending: Ending, reason?: string): void {
    const now = new Date();
    const seconds = Math.max(1, Math.round((now.getTime() - (job.TrainingStartTime ?? now).getTime()) / 1000));
    this.metrics.delete(job.TrainingJobName);
    this.enter(job, step, {
      TrainingJobStatus: ending,
      TrainingEndTime: now,
      TrainingTimeInSeconds: seconds,
      BillableTimeInSeconds: seconds,
      ...this.changesAtEnd(job, ending, reason),
    });
    const [last, ...earlier] = [...(job.SecondaryStatusTransitions ?? [])].reverse();
    if (last !== undefined) {
      this.jobs.change(job, { SecondaryStatusTransitions: [...earlier.reverse(), { ...last, EndTime: now }] });
    }
    this.recordTrial(job);
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
}

function checkRequest(request: Validated<control.CreateTrainingJobRequest>): void {
  const { AlgorithmSpecification: specification, InputDataConfig: channels, OutputDataConfig: output } = request;
  if (specification?.TrainingImage === undefined) {
    throw validationException(
      "AlgorithmSpecification.TrainingImage is required: sagemaker-local has no built-in algorithms (AlgorithmName).",
    );
  }
  if (specification.TrainingInputMode === "Pipe") {
    throw validationException(
      "AlgorithmSpecification.TrainingInputMode Pipe is not part of sagemaker-local: use File.",
    );
  }
  if (output.CompressionType === "NONE") {
    throw validationException("OutputDataConfig.CompressionType NONE is not part of sagemaker-local: use GZIP.");
  }
  if ((request.ResourceConfig?.InstanceCount ?? 1) > 1) {
    throw validationException("ResourceConfig.InstanceCount must be 1: sagemaker-local trains on this one machine.");
  }
  new MetricFinder(specification.MetricDefinitions);
  const names = new Set<string>();
  for (const { ChannelName, DataSource, CompressionType, RecordWrapperType } of channels ?? []) {
    if (names.has(ChannelName)) {
      throw validationException(`Channel names must be unique: '${ChannelName}' is given twice.`);
    }
    names.add(ChannelName);
    const source = DataSource.S3DataSource;
    if (source?.S3DataType !== "S3Prefix") {
      throw validationException(
        `Channel '${ChannelName}': sagemaker-local reads an S3DataSource with S3DataType S3Prefix.`,
      );
    }
    if (CompressionType === "Gzip" || RecordWrapperType === "RecordIO") {
      throw validationException(
        `Channel '${ChannelName}': sagemaker-local reads files without compression or record wrapping.`,
      );
    }
  }
}
