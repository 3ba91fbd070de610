import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { execFileSync } from "node:child_process";
import type { DataCaptureConfig, MonitoringExecutionSummary } from "@aws-sdk/client-sagemaker";
import { bucket, eventually, image, Platform, role } from "./support/service";

/** What the container leaves behind when it has not been told otherwise: its own surroundings. */
const looking = `
import json, os, pathlib, time
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
place = lambda name: base / os.environ[name].removeprefix("/opt/ml/")
output = place("output_path")
report = {
    "environment": dict(os.environ),
    "traffic": {str(f.relative_to(place("dataset_source"))): f.read_text() for f in place("dataset_source").rglob("*.jsonl")},
    "statistics": place("baseline_statistics").read_text(),
    "constraints": place("baseline_constraints").read_text(),
}
(output / "report.json").write_text(json.dumps(report))
if os.environ["sagemaker_monitoring_schedule_name"] == "slow":
    time.sleep(5)
if "unusual" in json.dumps(report["traffic"]):
    (base / "output/message").write_text("CompletedWithViolations: Job completed successfully with 1 violations.")
`;

let platform: Platform;
let imageDirectory: string;

beforeAll(async () => {
  platform = await Platform.start({ SAGEMAKER_MONITORING_SECONDS: "4", ...withMonitor() });
  const folder = mkdtempSync(join(platform.folder, "model-"));
  writeFileSync(join(folder, "model.json"), JSON.stringify({ factor: 2 }));
  execFileSync("tar", ["-czf", `${folder}.tar.gz`, "-C", folder, "."]);
  await platform.put("models/model.tar.gz", readFileSync(`${folder}.tar.gz`));
  for (const file of ["statistics", "constraints"]) {
    await platform.put(`runs/first/baseline/${file}.json`, Buffer.from(JSON.stringify({ file })));
  }
  await platform.sagemaker.createModel({
    ModelName: "double",
    PrimaryContainer: { Image: image, ModelDataUrl: `s3://${bucket}/models/model.tar.gz` },
    ExecutionRoleArn: role,
  });
  await endpoint("watched", {
    InitialSamplingPercentage: 100,
    DestinationS3Uri: `s3://${bucket}/data-capture`,
    CaptureOptions: [{ CaptureMode: "Input" }, { CaptureMode: "Output" }],
    CaptureContentTypeHeader: { CsvContentTypes: ["text/csv"] },
  });
  await endpoint("unwatched");
}, 180_000);
afterAll(async () => {
  await platform.stop();
  rmSync(imageDirectory, { recursive: true, force: true });
}, 60_000);
jest.setTimeout(120_000);

/** The fixture's image with a command for monitoring jobs, which its Dockerfile names. */
function withMonitor(): Record<string, string> {
  const fixture = resolve(__dirname, "fixtures/image");
  imageDirectory = mkdtempSync("/tmp/monitoring-image-");
  cpSync(fixture, imageDirectory, { recursive: true });
  writeFileSync(join(imageDirectory, "bin/look"), looking);
  writeFileSync(join(imageDirectory, "Dockerfile"), 'FROM scratch\nCMD ["look"]\n');
  return { MODEL_IMAGE_DIRECTORY: imageDirectory };
}

async function endpoint(name: string, DataCaptureConfig?: Partial<DataCaptureConfig>): Promise<void> {
  await platform.sagemaker.createEndpointConfig({
    EndpointConfigName: name,
    ProductionVariants: [
      { VariantName: "champion", ModelName: "double", InitialInstanceCount: 1, InstanceType: "ml.t2.medium" },
    ],
    ...(DataCaptureConfig && { DataCaptureConfig: DataCaptureConfig as DataCaptureConfig }),
  });
  await platform.sagemaker.createEndpoint({ EndpointName: name, EndpointConfigName: name });
  await eventually(`${name} to be in service`, async () => {
    const { EndpointStatus } = await platform.sagemaker.describeEndpoint({ EndpointName: name });
    return EndpointStatus === "InService";
  });
}

const invoke = (EndpointName: string, Body: string, ContentType = "text/csv"): Promise<unknown> =>
  platform.runtime.invokeEndpoint({ EndpointName, Body, ContentType });

async function define(JobDefinitionName: string, EndpointName = "watched"): Promise<void> {
  await platform.sagemaker.createDataQualityJobDefinition({
    JobDefinitionName,
    DataQualityAppSpecification: { ImageUri: image, Environment: { minimum_rows: "7" } },
    DataQualityBaselineConfig: {
      StatisticsResource: { S3Uri: `s3://${bucket}/runs/first/baseline/statistics.json` },
      ConstraintsResource: { S3Uri: `s3://${bucket}/runs/first/baseline/constraints.json` },
    },
    DataQualityJobInput: { EndpointInput: { EndpointName, LocalPath: "/opt/ml/processing/input/traffic" } },
    DataQualityJobOutputConfig: {
      MonitoringOutputs: [
        { S3Output: { S3Uri: `s3://${bucket}/monitoring`, LocalPath: "/opt/ml/processing/output/monitoring" } },
      ],
    },
    JobResources: { ClusterConfig: { InstanceCount: 1, InstanceType: "ml.t3.medium", VolumeSizeInGB: 1 } },
    RoleArn: role,
  });
}

const configOf = (MonitoringJobDefinitionName: string, ScheduleExpression = "cron(0 * ? * * *)") => ({
  MonitoringJobDefinitionName,
  MonitoringType: "DataQuality" as const,
  ScheduleConfig: {
    ScheduleExpression,
    ...(ScheduleExpression === "NOW" && { DataAnalysisStartTime: "-PT1H", DataAnalysisEndTime: "-PT0H" }),
  },
});

async function schedule(name: string, definition: string, expression?: string): Promise<void> {
  await platform.sagemaker.createMonitoringSchedule({
    MonitoringScheduleName: name,
    MonitoringScheduleConfig: configOf(definition, expression),
  });
}

async function executions(MonitoringScheduleName: string): Promise<MonitoringExecutionSummary[]> {
  const { MonitoringExecutionSummaries = [] } = await platform.sagemaker.listMonitoringExecutions({
    MonitoringScheduleName,
    SortOrder: "Ascending",
    MaxResults: 100,
  });
  return MonitoringExecutionSummaries;
}

async function executionAs(name: string, status: string): Promise<MonitoringExecutionSummary> {
  return eventually(`an execution of ${name} that is ${status}`, async () =>
    (await executions(name)).find(({ MonitoringExecutionStatus }) => MonitoringExecutionStatus === status),
  );
}

async function keys(prefix: string): Promise<string[]> {
  const { Contents = [] } = await platform.s3.listObjectsV2({ Bucket: bucket, Prefix: prefix });
  return Contents.map(({ Key = "" }) => Key);
}

async function read(key: string): Promise<string> {
  const { Body } = await platform.s3.getObject({ Bucket: bucket, Key: key });
  return (await Body?.transformToString()) ?? "";
}

/** Everything captured so far, line by line. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the shape is what the test finds out
async function captured(endpointName: string): Promise<any[]> {
  const files = await Promise.all((await keys(`data-capture/${endpointName}/`)).map(read));
  return files.flatMap((file) => file.trim().split("\n")).map((line) => JSON.parse(line));
}

test("an endpoint's requests and answers are captured in SageMaker's format and folders, text as text", async () => {
  await invoke("watched", "2");
  await invoke("watched", "3", "application/octet-stream");
  const lines = await eventually("both invocations to be captured", async () => {
    const found = await captured("watched");
    return found.length >= 2 && found;
  });
  expect((await keys("data-capture/"))[0]).toMatch(
    /^data-capture\/watched\/champion\/\d{4}\/\d\d\/\d\d\/\d\d\/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl$/,
  );
  const csv = lines.find(({ captureData }) => captureData.endpointInput.encoding === "CSV");
  expect(csv).toEqual({
    captureData: {
      endpointInput: { observedContentType: "text/csv", mode: "INPUT", data: "2", encoding: "CSV" },
      endpointOutput: expect.objectContaining({ mode: "OUTPUT" }),
    },
    eventMetadata: {
      eventId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      inferenceTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    },
    eventVersion: "0",
  });
  const binary = lines.find(({ captureData }) => captureData.endpointInput.encoding === "BASE64");
  expect(Buffer.from(binary.captureData.endpointInput.data, "base64").toString()).toBe("3");
  const { DataCaptureConfig: described } = await platform.sagemaker.describeEndpoint({ EndpointName: "watched" });
  expect(described).toMatchObject({ EnableCapture: true, CaptureStatus: "Started", CurrentSamplingPercentage: 100 });
});

test("nothing is captured without a configuration, and such an endpoint can't be monitored", async () => {
  await invoke("unwatched", "2");
  await expect(define("impossible", "unwatched")).rejects.toThrow("The endpoint unwatched captures no data");
  await expect(define("impossible", "nowhere")).rejects.toThrow("The endpoint nowhere captures no data");
  expect(await keys("data-capture/unwatched/")).toEqual([]);
});

test("a schedule compares repeatedly, by Model Monitor's container contract", async () => {
  await define("data");
  await schedule("often", "data");
  await invoke("watched", "4");
  const { ProcessingJobArn = "", ScheduledTime, EndpointName } = await executionAs("often", "Completed");
  expect(EndpointName).toBe("watched");
  const job = await platform.sagemaker.describeProcessingJob({
    ProcessingJobName: ProcessingJobArn.split("/").at(-1) ?? "",
  });
  expect(job.ProcessingJobStatus).toBe("Completed");
  const output = job.ProcessingOutputConfig?.Outputs?.[0]?.S3Output?.S3Uri ?? "";
  expect(output).toMatch(/\/monitoring\/watched\/often\/\d{4}\/\d\d\/\d\d\/\d\d\/\d\d-\d\d$/);
  const report = JSON.parse(await read(`${output.replace(`s3://${bucket}/`, "")}/report.json`));
  expect(report.environment).toMatchObject({
    minimum_rows: "7",
    dataset_format: JSON.stringify({
      sagemakerCaptureJson: { captureIndexNames: ["endpointInput", "endpointOutput"] },
    }),
    publish_cloudwatch_metrics: "Disabled",
    sagemaker_endpoint_name: "watched",
    sagemaker_monitoring_schedule_name: "often",
  });
  const [start, end] = [report.environment.start_time, report.environment.end_time].map((time: string) =>
    Date.parse(time),
  );
  expect(end! - start!).toBe(4_000);
  expect(end).toBe(ScheduledTime?.getTime());
  expect(Object.keys(report.traffic)[0]).toMatch(/^watched\/champion\/\d{4}\/\d\d\/\d\d\/\d\d\/.*\.jsonl$/);
  expect([report.statistics, report.constraints]).toEqual(['{"file":"statistics"}', '{"file":"constraints"}']);
});

test("a comparison that takes longer than its period leaves none out: the next one begins where it ended", async () => {
  await define("long");
  await schedule("slow", "long");
  await invoke("watched", "6");
  const jobs = await eventually("two slow comparisons", async () => {
    const ended = (await executions("slow")).filter(({ MonitoringExecutionStatus: status }) => status === "Completed");
    return ended.length >= 2 && ended.map(({ ProcessingJobArn = "" }) => ProcessingJobArn.split("/").at(-1));
  });
  const [first, second] = await Promise.all(
    jobs.map(async (ProcessingJobName) => {
      const { Environment = {} } = await platform.sagemaker.describeProcessingJob({ ProcessingJobName });
      return { start: Date.parse(Environment.start_time ?? ""), end: Date.parse(Environment.end_time ?? "") };
    }),
  );
  expect(first!.end - first!.start).toBe(4_000);
  expect(second!.start).toBe(first!.end);
  expect(second!.end - second!.start).toBeGreaterThan(4_000);
  await platform.sagemaker.stopMonitoringSchedule({ MonitoringScheduleName: "slow" });
});

test("a schedule for now runs once, and violations show in its status", async () => {
  await define("once");
  await invoke("watched", "5");
  // The fixture's container takes this word in the traffic for a violation.
  await platform.put(
    `data-capture/watched/champion/${new Date().toISOString().slice(0, 13).replaceAll("-", "/").replace("T", "/")}/00-00-000-test.jsonl`,
    Buffer.from('{"unusual": true}\n'),
  );
  await schedule("now", "once", "NOW");
  const { FailureReason } = await executionAs("now", "CompletedWithViolations");
  expect(FailureReason).toMatch(/^CompletedWithViolations: /);
  expect(await executions("now")).toHaveLength(1);
  const { LastMonitoringExecutionSummary: last } = await platform.sagemaker.describeMonitoringSchedule({
    MonitoringScheduleName: "now",
  });
  expect(last?.MonitoringExecutionStatus).toBe("CompletedWithViolations");
});

test("a stopped schedule does not compare until it is started; its deletion deletes its executions", async () => {
  await define("stopping");
  await schedule("stoppable", "stopping");
  const name = { MonitoringScheduleName: "stoppable" };
  const statusOf = async (): Promise<string | undefined> =>
    (await platform.sagemaker.describeMonitoringSchedule(name)).MonitoringScheduleStatus;
  await platform.sagemaker.stopMonitoringSchedule(name);
  expect(await statusOf()).toBe("Stopped");
  await platform.sagemaker.startMonitoringSchedule(name);
  expect(await statusOf()).toBe("Scheduled");
  await eventually("an execution", async () => (await executions("stoppable")).length > 0);
  await eventually("the schedule to be deleted", () =>
    platform.sagemaker.deleteMonitoringSchedule(name).then(
      () => true,
      () => false,
    ),
  );
  await expect(statusOf()).rejects.toThrow("Monitoring schedule stoppable not found");
  expect(await executions("stoppable")).toEqual([]);
});

test("invalid requests are refused with SageMaker's names, and lists refer to each other", async () => {
  await define("listed");
  const create = (config: object): Promise<unknown> =>
    platform.sagemaker.createMonitoringSchedule({ MonitoringScheduleName: "wrong", MonitoringScheduleConfig: config });
  await expect(create(configOf("gone"))).rejects.toMatchObject({ name: "ResourceNotFound" });
  await expect(create(configOf("listed", "cron(5 * ? * * *)"))).rejects.toThrow("is not one that SageMaker accepts");
  await expect(create(configOf("listed", "rate(1 minute)"))).rejects.toMatchObject({ name: "ValidationException" });
  await expect(create({ MonitoringJobDefinitionName: "listed", MonitoringType: "ModelBias" })).rejects.toThrow(
    "use DataQuality",
  );
  await expect(define("listed")).rejects.toMatchObject({ name: "ResourceInUse" });
  await schedule("kept", "listed", "cron(0 3 ? * * *)");
  await expect(schedule("kept", "listed")).rejects.toMatchObject({ name: "ResourceInUse" });
  const { MonitoringScheduleSummaries: schedules } = await platform.sagemaker.listMonitoringSchedules({
    EndpointName: "watched",
    MonitoringJobDefinitionName: "listed",
  });
  expect(schedules?.map(({ MonitoringScheduleName }) => MonitoringScheduleName)).toEqual(["kept"]);
  const { JobDefinitionSummaries } = await platform.sagemaker.listDataQualityJobDefinitions({
    EndpointName: "watched",
    NameContains: "list",
  });
  expect(JobDefinitionSummaries?.map(({ MonitoringJobDefinitionName }) => MonitoringJobDefinitionName)).toEqual([
    "listed",
  ]);
  await define("better");
  await platform.sagemaker.updateMonitoringSchedule({
    MonitoringScheduleName: "kept",
    MonitoringScheduleConfig: configOf("better"),
  });
  await platform.sagemaker.deleteDataQualityJobDefinition({ JobDefinitionName: "listed" });
  await expect(
    platform.sagemaker.describeDataQualityJobDefinition({ JobDefinitionName: "listed" }),
  ).rejects.toMatchObject({ name: "ResourceNotFound" });
});

test("after a kill, schedules continue, and running executions have failed", async () => {
  await platform.service.stop("SIGKILL");
  await platform.service.start();
  const before = (await executions("often")).length;
  expect((await executions("often")).map(({ MonitoringExecutionStatus }) => MonitoringExecutionStatus)).not.toContain(
    "Pending",
  );
  await eventually("one more execution", async () => (await executions("often")).length > before);
});
