import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { CloudWatchLogs } from "@aws-sdk/client-cloudwatch-logs";
import type {
  CreateProcessingJobCommandInput,
  CreateTrainingJobCommandInput,
  DescribeProcessingJobCommandOutput,
  DescribeTrainingJobCommandOutput,
} from "@aws-sdk/client-sagemaker";
import {
  account,
  bucket,
  childrenOf,
  clientOptions,
  eventually,
  image,
  isRunning,
  Platform,
  region,
  role,
} from "./support/service";

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
  await platform.put("runs/1/dataset/train/data.csv", "M,91\n");
  await platform.put("runs/1/dataset/train/more/data.csv", "F,92\n");
  await platform.put("runs/1/dataset/training-notes/data.csv", "not of the channel\n");
}, 180_000);
afterAll(() => platform.stop(), 60_000);
jest.setTimeout(120_000);

async function startTraining(
  name: string,
  hyperparameters: Record<string, string> = {},
  changes: Partial<CreateTrainingJobCommandInput> = {},
): Promise<void> {
  await platform.sagemaker.createTrainingJob({
    TrainingJobName: name,
    HyperParameters: hyperparameters,
    AlgorithmSpecification: {
      TrainingImage: image,
      TrainingInputMode: "File",
      MetricDefinitions: [
        { Name: "train:rmse", Regex: "train:rmse=([0-9.]+);" },
        { Name: "validation:rmse", Regex: "validation:rmse=([0-9.]+);" },
        { Name: "never:seen", Regex: "never:seen=([0-9.]+);" },
      ],
    },
    RoleArn: role,
    InputDataConfig: [
      {
        ChannelName: "train",
        DataSource: { S3DataSource: { S3DataType: "S3Prefix", S3Uri: `s3://${bucket}/runs/1/dataset/train` } },
      },
    ],
    OutputDataConfig: { S3OutputPath: `s3://${bucket}/runs/1/model/` },
    ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
    StoppingCondition: { MaxRuntimeInSeconds: 600 },
    ...changes,
  });
}

const describeTraining = (name: string): Promise<DescribeTrainingJobCommandOutput> =>
  platform.sagemaker.describeTrainingJob({ TrainingJobName: name });
const endOfTraining = (name: string): Promise<DescribeTrainingJobCommandOutput> =>
  eventually(`training job ${name} to end`, async () => {
    const job = await describeTraining(name);
    return ["Completed", "Failed", "Stopped"].includes(job.TrainingJobStatus ?? "") && job;
  });
const train = async (...parameters: Parameters<typeof startTraining>): Promise<DescribeTrainingJobCommandOutput> => {
  await startTraining(...parameters);
  return endOfTraining(parameters[0]);
};
const untilStep = (name: string, step: string): Promise<unknown> =>
  eventually(`training job ${name} to be ${step}`, async () => (await describeTraining(name)).SecondaryStatus === step);
const logOf = (name: string): string => readFileSync(join(platform.folder, "logs", `${name}.log`), "utf8");

async function filesInArchive(key: string): Promise<string[]> {
  const archive = join(platform.folder, basename(key));
  writeFileSync(archive, await platform.bytes(key));
  return execFileSync("tar", ["-tzf", archive], { encoding: "utf8" }).trim().split("\n").sort();
}

describe("a training job", () => {
  test("trains on its channel and leaves its model, its metrics and its steps", async () => {
    const job = await train("good", { factor: "3" });
    expect(job).toMatchObject({
      TrainingJobStatus: "Completed",
      SecondaryStatus: "Completed",
      TrainingJobArn: `arn:aws:sagemaker:${region}:${account}:training-job/good`,
      ModelArtifacts: { S3ModelArtifacts: `s3://${bucket}/runs/1/model/good/output/model.tar.gz` },
    });
    // The last value of each metric that the log has.
    expect(job.FinalMetricDataList?.map(({ MetricName, Value }) => [MetricName, Value])).toEqual([
      ["train:rmse", 1.93],
      ["validation:rmse", 2.05],
    ]);
    expect(job.SecondaryStatusTransitions?.map(({ Status }) => Status)).toEqual([
      "Starting",
      "Downloading",
      "Training",
      "Uploading",
      "Completed",
    ]);
    expect(job.SecondaryStatusTransitions?.every(({ EndTime }) => EndTime instanceof Date)).toBe(true);
    expect(await filesInArchive("runs/1/model/good/output/model.tar.gz")).toEqual(["./model.json"]);
    expect(await filesInArchive("runs/1/model/good/output/output.tar.gz")).toEqual(["./notes.txt"]);
    // A prefix that is a folder does not take in what merely begins with its name.
    expect(logOf("good")).toContain("files: train/data.csv train/more/data.csv\n");
  });

  test("gets a clean environment: nothing of the machine, harmless credentials, a loopback endpoint", async () => {
    await train("clean", {}, { Environment: { OWN: "yes", AWS_ENDPOINT_URL: "https://example.com" } });
    const [, json = "{}"] = /environment: (.*)/.exec(logOf("clean")) ?? [];
    const environment = JSON.parse(json) as Record<string, string>;
    expect(Object.keys(environment).sort()).toEqual([
      "AWS_ACCESS_KEY_ID",
      "AWS_DEFAULT_REGION",
      "AWS_EC2_METADATA_DISABLED",
      "AWS_ENDPOINT_URL",
      "AWS_REGION",
      "AWS_SECRET_ACCESS_KEY",
      "HOME",
      "LANG",
      "OWN",
      "PATH",
      "PYTHONPYCACHEPREFIX",
      "PYTHONUNBUFFERED",
      "SAGEMAKER_BASE_DIR",
      "TRAINING_JOB_ARN",
      "TRAINING_JOB_NAME",
      "TZ",
    ]);
    expect(environment).toMatchObject({
      AWS_ACCESS_KEY_ID: account,
      AWS_ENDPOINT_URL: platform.emulator.endpoint,
      PYTHONPYCACHEPREFIX: join(platform.folder, "bytecode"),
      TRAINING_JOB_NAME: "clean",
      OWN: "yes",
    });
  });

  test("that fails reports the reason that it wrote, or otherwise the last lines of its log", async () => {
    expect(await train("reason", { mode: "fail-with-reason" })).toMatchObject({
      TrainingJobStatus: "Failed",
      FailureReason: "AlgorithmError: the rings column is missing, exit code: 1",
    });
    const crashed = await train("crash", { mode: "crash" });
    expect(crashed.FailureReason).toMatch(/^AlgorithmError: [^]*ValueError: no rows to train on, exit code: 1$/);
    expect(crashed.FailureReason?.length).toBeLessThanOrEqual(1024);
  });

  test("whose log goes to a file and to CloudWatch Logs", async () => {
    await train("logged");
    const logs = new CloudWatchLogs(clientOptions(platform.emulator.endpoint));
    const { events } = await logs.filterLogEvents({
      logGroupName: "/aws/sagemaker/TrainingJobs",
      logStreamNamePrefix: "logged/algo-1",
    });
    expect(events?.map(({ message }) => message)).toContain("train:rmse=3.5;");
    expect(logOf("logged")).toContain("train:rmse=3.5;");
  });

  test("is stopped when it is asked to be, and keeps its output", async () => {
    await startTraining("stopped", { mode: "slow" });
    await untilStep("stopped", "Training");
    const [child] = await eventually("its process", async () => {
      const children = childrenOf(platform).filter(({ purpose }) => purpose === "training job stopped");
      return Promise.resolve(children.length > 0 && children);
    });
    await eventually("its first lines", async () => Promise.resolve(logOf("stopped").includes("train:rmse=1.93")));
    await platform.sagemaker.stopTrainingJob({ TrainingJobName: "stopped" });
    expect(await endOfTraining("stopped")).toMatchObject({ TrainingJobStatus: "Stopped", SecondaryStatus: "Stopped" });
    expect(isRunning(child?.pid ?? 0)).toBe(false);
    expect(await filesInArchive("runs/1/model/stopped/output/model.tar.gz")).toEqual(["./checkpoint.txt"]);
    await expect(platform.sagemaker.stopTrainingJob({ TrainingJobName: "stopped" })).rejects.toMatchObject({
      name: "ValidationException",
      message: expect.stringContaining("is in status Stopped"),
    });
  });

  test("is stopped when its time is over", async () => {
    const job = await train("too-long", { mode: "slow" }, { StoppingCondition: { MaxRuntimeInSeconds: 1 } });
    expect(job).toMatchObject({ TrainingJobStatus: "Stopped", SecondaryStatus: "MaxRuntimeExceeded" });
  });

  test("that was running when the service was killed has failed after the restart, and its process is gone", async () => {
    await startTraining("orphan", { mode: "slow" });
    await untilStep("orphan", "Training");
    const [child] = await eventually("its process", async () => {
      const children = childrenOf(platform).filter(({ purpose }) => purpose === "training job orphan");
      return Promise.resolve(children.length > 0 && children);
    });
    await platform.service.stop("SIGKILL");
    expect(isRunning(child?.pid ?? 0)).toBe(true);
    await platform.service.start();
    expect(await endOfTraining("orphan")).toMatchObject({
      TrainingJobStatus: "Failed",
      FailureReason: expect.stringMatching(/^InternalServerError: .*the service was restarted/),
    });
    expect(isRunning(child?.pid ?? 0)).toBe(false);
    // Everything else is as it was.
    expect(await describeTraining("good")).toMatchObject({ TrainingJobStatus: "Completed" });
  });

  test.each<[string, Partial<CreateTrainingJobCommandInput>, RegExp]>([
    [
      "an image that is not the model image",
      { AlgorithmSpecification: { TrainingImage: "someone/else:latest", TrainingInputMode: "File" } },
      /^ClientError: The image 'someone\/else:latest' can't run here.*'acme-test-image'/,
    ],
    [
      "an entry point that the image does not have",
      {
        AlgorithmSpecification: { TrainingImage: image, TrainingInputMode: "File", ContainerEntrypoint: ["learn"] },
      },
      /^ClientError: The model image has no executable 'learn'.*\[process, serve, train\]/,
    ],
    [
      "a channel without objects",
      {
        InputDataConfig: [
          {
            ChannelName: "train",
            DataSource: { S3DataSource: { S3DataType: "S3Prefix", S3Uri: `s3://${bucket}/empty/` } },
          },
        ],
      },
      /^ClientError: No S3 objects found under S3 URL "s3:\/\/acme-test-data\/empty\/"/,
    ],
    [
      "an output bucket that does not exist",
      { OutputDataConfig: { S3OutputPath: "s3://acme-no-such-bucket/model" } },
      /bucket does not exist/,
    ],
  ])("with %s fails and says why", async (_, changes, reason) => {
    const job = await train(`bad-${Math.random().toString(36).slice(2)}`, {}, changes);
    expect(job).toMatchObject({ TrainingJobStatus: "Failed", FailureReason: expect.stringMatching(reason) });
  });

  test.each<[string, Partial<CreateTrainingJobCommandInput>, RegExp]>([
    [
      "a metric whose expression captures nothing",
      {
        AlgorithmSpecification: {
          TrainingImage: image,
          TrainingInputMode: "File",
          MetricDefinitions: [{ Name: "rmse", Regex: "rmse=[0-9.]+" }],
        },
      },
      /'rmse=\[0-9.\]\+' of the metric 'rmse' .* needs a group/,
    ],
    ["Pipe mode", { AlgorithmSpecification: { TrainingImage: image, TrainingInputMode: "Pipe" } }, /Pipe/],
    [
      "a trial that does not exist",
      { ExperimentConfig: { TrialName: "no-such-trial" } },
      /'no-such-trial' does not exist/,
    ],
  ])("with %s is refused", async (_, changes, message) => {
    await expect(startTraining("refused", {}, changes)).rejects.toMatchObject({
      message: expect.stringMatching(message),
    });
  });

  test("accepts a name once, is listed, and can be deleted when it has ended", async () => {
    await train("listed-1");
    await train("listed-2", { mode: "crash" });
    await expect(startTraining("listed-1")).rejects.toMatchObject({
      name: "ResourceInUse",
      message: expect.stringContaining("Training job names must be unique"),
    });
    const list = async (filter: object): Promise<unknown[]> => {
      const { TrainingJobSummaries } = await platform.sagemaker.listTrainingJobs({
        NameContains: "listed",
        SortBy: "Name",
        ...filter,
      });
      return (TrainingJobSummaries ?? []).map(({ TrainingJobName }) => TrainingJobName);
    };
    expect(await list({})).toEqual(["listed-1", "listed-2"]);
    expect(await list({ SortOrder: "Descending" })).toEqual(["listed-2", "listed-1"]);
    expect(await list({ StatusEquals: "Failed" })).toEqual(["listed-2"]);
    await platform.sagemaker.deleteTrainingJob({ TrainingJobName: "listed-1" });
    await expect(describeTraining("listed-1")).rejects.toMatchObject({ name: "ResourceNotFound" });
  });

  test("in an experiment leaves a trial component with its parameters and metrics", async () => {
    await platform.sagemaker.createExperiment({ ExperimentName: "abalone" });
    await platform.sagemaker.createTrial({ TrialName: "run-1", ExperimentName: "abalone" });
    await train("tracked", { factor: "2" }, { ExperimentConfig: { ExperimentName: "abalone", TrialName: "run-1" } });
    const { TrialComponentSummaries } = await platform.sagemaker.listTrialComponents({ TrialName: "run-1" });
    expect(TrialComponentSummaries?.map(({ TrialComponentName }) => TrialComponentName)).toEqual([
      "tracked-aws-training-job",
    ]);
    const component = await platform.sagemaker.describeTrialComponent({
      TrialComponentName: "tracked-aws-training-job",
    });
    expect(component).toMatchObject({
      Status: { PrimaryStatus: "Completed" },
      Source: { SourceType: "SageMakerTrainingJob" },
      Parameters: { factor: { StringValue: "2" } },
    });
    expect(component.Metrics?.map(({ MetricName, Last }) => [MetricName, Last])).toContainEqual(["train:rmse", 1.93]);
  });
});

describe("a processing job", () => {
  async function startProcessing(
    name: string,
    containerArguments?: string[],
    changes: Partial<CreateProcessingJobCommandInput> = {},
  ): Promise<void> {
    await platform.sagemaker.createProcessingJob({
      ProcessingJobName: name,
      AppSpecification: {
        ImageUri: image,
        ContainerEntrypoint: ["process"],
        ContainerArguments: containerArguments,
      },
      RoleArn: role,
      ProcessingInputs: [
        {
          InputName: "dataset",
          S3Input: {
            S3Uri: `s3://${bucket}/runs/1/dataset/train/data.csv`,
            LocalPath: "/opt/ml/processing/input/dataset",
            S3DataType: "S3Prefix",
            S3InputMode: "File",
          },
        },
      ],
      ProcessingOutputConfig: {
        Outputs: [
          {
            OutputName: "dataset",
            S3Output: {
              S3Uri: `s3://${bucket}/out/${name}`,
              LocalPath: "/opt/ml/processing/output/dataset",
              S3UploadMode: "EndOfJob",
            },
          },
        ],
      },
      ProcessingResources: {
        ClusterConfig: { InstanceCount: 1, InstanceType: "ml.m5.large", VolumeSizeInGB: 10 },
      },
      ...changes,
    });
  }
  const describeJob = (name: string): Promise<DescribeProcessingJobCommandOutput> =>
    platform.sagemaker.describeProcessingJob({ ProcessingJobName: name });
  const end = (name: string): Promise<DescribeProcessingJobCommandOutput> =>
    eventually(`processing job ${name} to end`, async () => {
      const job = await describeJob(name);
      return ["Completed", "Failed", "Stopped"].includes(job.ProcessingJobStatus ?? "") && job;
    });

  test("reads its inputs from S3, puts its outputs there, and passes on its message", async () => {
    await startProcessing("copy", ["--message", "/opt/ml/processing/input/dataset"]);
    expect(await end("copy")).toMatchObject({ ProcessingJobStatus: "Completed", ExitMessage: "all rows were used" });
    expect(await platform.text("out/copy/data.csv")).toBe("M,91\n");
    expect(logOf("copy")).toMatch(/arguments: \['--message', '\/.*\/ml\/processing\/input\/dataset'\]/);
  });

  test("that fails passes on its message and its exit code, and puts nothing into S3", async () => {
    await startProcessing("failing", ["--fail"]);
    expect(await end("failing")).toMatchObject({
      ProcessingJobStatus: "Failed",
      ExitMessage: "the query returned no rows",
      FailureReason: "AlgorithmError: the query returned no rows, exit code: 3",
    });
    expect(await platform.keys("out/failing")).toEqual([]);
  });

  test("that is killed before it prints anything says so", async () => {
    await startProcessing("vanishing", ["--vanish"]);
    expect(await end("vanishing")).toMatchObject({
      ProcessingJobStatus: "Failed",
      FailureReason: "AlgorithmError: it printed nothing, stopped by signal SIGKILL",
    });
  });

  test("is stopped when it is asked to be", async () => {
    await startProcessing("stopping", ["--slow"]);
    await eventually("its process", async () =>
      Promise.resolve(childrenOf(platform).some(({ purpose }) => purpose === "processing job stopping")),
    );
    await platform.sagemaker.stopProcessingJob({ ProcessingJobName: "stopping" });
    expect(await end("stopping")).toMatchObject({ ProcessingJobStatus: "Stopped" });
  });

  test("may be stopped at any moment", async () => {
    await startProcessing("stopped-at-once", ["--slow"]);
    await platform.sagemaker.stopProcessingJob({ ProcessingJobName: "stopped-at-once" });
    expect(await end("stopped-at-once")).toMatchObject({ ProcessingJobStatus: "Stopped" });
  });

  test("that was running when the service was killed has failed after the restart", async () => {
    await startProcessing("killed", ["--slow"]);
    await eventually("its process", async () =>
      Promise.resolve(childrenOf(platform).some(({ purpose }) => purpose === "processing job killed")),
    );
    await platform.killAndRestart();
    expect(await end("killed")).toMatchObject({
      ProcessingJobStatus: "Failed",
      FailureReason: expect.stringMatching(/^InternalServerError: .*restarted/),
    });
  });

  test("can't read or write outside of its folder", async () => {
    const config = (LocalPath: string): Partial<CreateProcessingJobCommandInput> => ({
      ProcessingOutputConfig: {
        Outputs: [
          { OutputName: "x", S3Output: { S3Uri: `s3://${bucket}/x`, LocalPath, S3UploadMode: "EndOfJob" as const } },
        ],
      },
    });
    for (const folder of ["/etc", "/opt/ml/processing/../../../etc"]) {
      await expect(startProcessing("outside", undefined, config(folder))).rejects.toMatchObject({
        name: "ValidationException",
        message: expect.stringContaining(`LocalPath '${folder}'`),
      });
    }
    await platform.put("traps/../../../../escaped.csv", "x");
    await startProcessing("trapped", undefined, {
      ProcessingInputs: [
        {
          InputName: "traps",
          S3Input: {
            S3Uri: `s3://${bucket}/traps/`,
            LocalPath: "/opt/ml/processing/input/traps",
            S3DataType: "S3Prefix",
            S3InputMode: "File",
          },
        },
      ],
    });
    expect((await end("trapped")).FailureReason).toContain("outside of its input's folder");
  });
});
