import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type * as control from "@aws-sdk/client-sagemaker";
import type {
  DescribeMonitoringScheduleResponse,
  MonitoringExecutionSummary,
  ProcessingInput,
} from "@aws-sdk/client-sagemaker";
import type { Aws } from "../aws";
import { pause } from "../concurrency";
import { joinS3Uri, ObjectStorage } from "../containers/object-storage";
import type { Endpoints } from "../hosting/endpoints";
import type { ProcessingJob, ProcessingJobs } from "../jobs/processing-jobs";
import { log } from "../log";
import { messageOf, resourceInUse, resourceNotFound, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import { listPage } from "../resources/listing";
import { type ResourceContext, Resources } from "../resources/resources";
import { ResourceStore } from "../resources/store";
import { type DataCapture, hourFolder } from "./data-capture";
import type { JobDefinition, JobDefinitions } from "./job-definitions";
import { everySeconds, offsetFrom, parseScheduleExpression, type Timetable } from "./schedule-expression";

/** A monitoring schedule, and when it runs next. */
type Schedule = Validated<DescribeMonitoringScheduleResponse> & { readonly next?: Date | undefined };
type ScheduleConfig = Validated<control.MonitoringScheduleConfig>;

/** One run of a schedule. */
export interface StoredExecution {
  readonly id: string;
  readonly execution: Validated<MonitoringExecutionSummary>;
}

interface Period {
  readonly start: Date;
  readonly end: Date;
}

const hour = 3_600_000;
const lookMilliseconds = 500;
const keptExecutions = 100;
const baselineFolder = "/opt/ml/processing/baseline";
const restartReason = "InternalServerError: the service was restarted while the execution was running.";

/**
 * Monitoring schedules: at each of their times, a processing job compares an endpoint's requests since the time before
 * with a baseline, by the container contract of SageMaker Model Monitor (SageMaker Developer Guide, "Container
 * Contract Inputs").
 */
export class MonitoringSchedules {
  private readonly schedules: Resources<"MonitoringSchedule", Schedule>;
  private readonly executions: ResourceStore<StoredExecution>;
  private readonly running = new Set<string>();
  /** By the schedule's name: since when nothing was compared, because the previous execution has not ended. */
  private readonly missed = new Map<string, Date>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    context: ResourceContext,
    private readonly definitions: JobDefinitions,
    private readonly endpoints: Endpoints,
    private readonly jobs: ProcessingJobs,
    private readonly capture: DataCapture,
    private readonly aws: Aws,
    private readonly region: string,
    /** Runs every schedule so often, whatever its expression says: an hour is too long for trying something. */
    private readonly periodSeconds: number | undefined,
  ) {
    this.schedules = new Resources(context, {
      prefix: "MonitoringSchedule",
      type: "monitoring-schedule",
      folder: "monitoring-schedules",
      members: ["MonitoringScheduleConfig"],
      order: "Descending",
      missing: (name) => resourceNotFound(`Monitoring schedule ${name} not found.`),
      taken: (_, arn) => resourceInUse(`The monitoring schedule ${arn} already exists.`),
    });
    this.executions = new ResourceStore(join(context.folder, "monitoring-executions"), ["id", "execution"]);
  }

  /** After a restart, ends the executions that were running, and continues the schedules. */
  restore(): void {
    for (const stored of this.executions.values()) {
      if (["Pending", "InProgress", "Stopping"].includes(stored.execution.MonitoringExecutionStatus)) {
        this.change(stored, { MonitoringExecutionStatus: "Failed", FailureReason: restartReason });
      }
    }
    for (const schedule of this.schedules.all()) {
      this.plan(schedule);
    }
    this.timer = setInterval(() => {
      this.look(new Date());
    }, lookMilliseconds);
    this.timer.unref();
  }

  /** Starts no more executions; the running ones are jobs, which are stopped elsewhere. */
  close(): void {
    clearInterval(this.timer);
  }

  readonly operations: OperationTable<typeof control> = {
    CreateMonitoringSchedule: (request) => {
      const { MonitoringScheduleName: name, MonitoringScheduleConfig: config, Tags } = request;
      this.schedules.checkNew(name, Tags);
      this.check(config);
      const schedule = this.schedules.create(request, {
        MonitoringScheduleStatus: "Scheduled",
        MonitoringType: "DataQuality",
        EndpointName: this.endpointOf(config),
      });
      this.begin(schedule);
      return schedule;
    },
    DescribeMonitoringSchedule: ({ MonitoringScheduleName }) => {
      const schedule = this.schedules.existing(MonitoringScheduleName);
      return {
        ...schedule,
        LastMonitoringExecutionSummary: this.executionsOf(MonitoringScheduleName).at(-1)?.execution,
      };
    },
    UpdateMonitoringSchedule: ({ MonitoringScheduleName: name, MonitoringScheduleConfig: config }) => {
      const schedule = this.schedules.existing(name);
      this.check(config);
      this.schedules.change(schedule, {
        MonitoringScheduleConfig: config,
        EndpointName: this.endpointOf(config),
        MonitoringScheduleStatus: "Scheduled",
      });
      this.begin(schedule);
      return schedule;
    },
    StartMonitoringSchedule: ({ MonitoringScheduleName }) => this.turn(MonitoringScheduleName, "Scheduled"),
    StopMonitoringSchedule: ({ MonitoringScheduleName }) => this.turn(MonitoringScheduleName, "Stopped"),
    DeleteMonitoringSchedule: ({ MonitoringScheduleName: name }) => {
      this.schedules.existing(name);
      if (this.running.has(name)) {
        throw resourceInUse(
          `The monitoring schedule ${name} has an execution in progress: wait for its end, or stop its job.`,
        );
      }
      for (const { id } of this.executionsOf(name)) {
        this.executions.delete(id);
      }
      this.missed.delete(name);
      return this.schedules.remove(name);
    },
    ListMonitoringSchedules: (request) => {
      const definitionOf = ({ MonitoringScheduleConfig: config }: Schedule): string | undefined =>
        config.MonitoringJobDefinitionName;
      const { EndpointName, MonitoringJobDefinitionName: definition, MonitoringTypeEquals: type } = request;
      const listed = this.schedules.list(request, "MonitoringScheduleSummaries", {
        where: (schedule) =>
          (EndpointName === undefined || schedule.EndpointName === EndpointName) &&
          (definition === undefined || definitionOf(schedule) === definition) &&
          (type === undefined || type === "DataQuality"),
      });
      return {
        MonitoringScheduleSummaries: listed.MonitoringScheduleSummaries.map((schedule) => ({
          ...schedule,
          MonitoringJobDefinitionName: definitionOf(schedule),
        })),
        NextToken: listed.NextToken,
      };
    },
    ListMonitoringExecutions: (request) => {
      const chosen = this.executions
        .values()
        .map(({ execution }) => execution)
        .filter(
          (execution) =>
            (request.MonitoringScheduleName === undefined ||
              execution.MonitoringScheduleName === request.MonitoringScheduleName) &&
            (request.EndpointName === undefined || execution.EndpointName === request.EndpointName) &&
            (request.ScheduledTimeAfter === undefined || execution.ScheduledTime >= request.ScheduledTimeAfter) &&
            (request.ScheduledTimeBefore === undefined || execution.ScheduledTime <= request.ScheduledTimeBefore),
        );
      const page = listPage(
        chosen,
        request,
        (execution) => ({
          name: `${execution.MonitoringScheduleName}/${execution.ScheduledTime.toISOString()}`,
          created: execution.CreationTime,
          modified: execution.LastModifiedTime,
          status: execution.MonitoringExecutionStatus,
          sortKeys: { ScheduledTime: execution.ScheduledTime.toISOString() },
        }),
        "Descending",
      );
      return { MonitoringExecutionSummaries: [...page.items], NextToken: page.nextToken };
    },
  };

  private turn(name: string, status: "Scheduled" | "Stopped"): object {
    const schedule = this.schedules.change(this.schedules.existing(name), { MonitoringScheduleStatus: status });
    this.missed.delete(name);
    this.begin(schedule);
    return {};
  }

  private check({
    MonitoringJobDefinition,
    MonitoringJobDefinitionName,
    MonitoringType,
    ScheduleConfig,
  }: ScheduleConfig): void {
    if (MonitoringJobDefinition !== undefined || MonitoringJobDefinitionName === undefined) {
      throw validationException(
        "MonitoringScheduleConfig.MonitoringJobDefinitionName is required: sagemaker-local has no definitions within schedules.",
      );
    }
    if (MonitoringType !== undefined && MonitoringType !== "DataQuality") {
      throw validationException(`MonitoringType ${MonitoringType} is not part of sagemaker-local: use DataQuality.`);
    }
    this.definitions.existing(MonitoringJobDefinitionName);
    const expression = ScheduleConfig?.ScheduleExpression;
    if (expression === undefined) {
      throw validationException(
        "MonitoringScheduleConfig.ScheduleConfig is required: without it, nothing is compared.",
      );
    }
    if (expression !== "NOW") {
      parseScheduleExpression(expression);
    } else if (
      ScheduleConfig?.DataAnalysisStartTime === undefined ||
      ScheduleConfig.DataAnalysisEndTime === undefined
    ) {
      throw validationException(
        "ScheduleConfig.DataAnalysisStartTime and DataAnalysisEndTime are required with the schedule expression NOW, such as -PT1H and -PT0H.",
      );
    } else {
      this.periodOfNow(ScheduleConfig, new Date());
    }
  }

  private periodOfNow(config: Validated<control.ScheduleConfig>, now: Date): Period {
    return {
      start: offsetFrom(now, config.DataAnalysisStartTime ?? "-PT1H"),
      end: offsetFrom(now, config.DataAnalysisEndTime ?? "-PT0H"),
    };
  }

  private definitionOf(config: ScheduleConfig): JobDefinition {
    return this.definitions.existing(config.MonitoringJobDefinitionName ?? "");
  }

  private endpointOf(config: ScheduleConfig): string {
    return this.definitionOf(config).DataQualityJobInput.EndpointInput?.EndpointName ?? "";
  }

  /** Records a schedule; one with the expression NOW runs once, at once. */
  private begin(schedule: Schedule): void {
    const config = schedule.MonitoringScheduleConfig.ScheduleConfig;
    this.plan(schedule);
    if (config?.ScheduleExpression === "NOW" && schedule.MonitoringScheduleStatus === "Scheduled") {
      const now = new Date();
      void this.execute(schedule, now, this.periodOfNow(config, now));
    }
  }

  private plan(schedule: Schedule): void {
    const timetable = this.timetableOf(schedule);
    const next = schedule.MonitoringScheduleStatus === "Scheduled" ? timetable?.next(new Date()) : undefined;
    this.schedules.write(schedule, { next });
  }

  private timetableOf({ MonitoringScheduleConfig: config }: Schedule): Timetable | undefined {
    const expression = config.ScheduleConfig?.ScheduleExpression ?? "NOW";
    if (expression === "NOW") {
      return undefined;
    }
    return this.periodSeconds === undefined ? parseScheduleExpression(expression) : everySeconds(this.periodSeconds);
  }

  private look(now: Date): void {
    for (const schedule of this.schedules.all()) {
      const { next } = schedule;
      if (next === undefined || next > now) {
        continue;
      }
      this.plan(schedule);
      const timetable = this.timetableOf(schedule);
      if (timetable === undefined) {
        continue;
      }
      const name = schedule.MonitoringScheduleName;
      const start = this.missed.get(name) ?? timetable.previous(next);
      // On a busy machine, a comparison may take longer than a short period: the next one covers both periods.
      if (this.running.has(name)) {
        this.missed.set(name, start);
        continue;
      }
      this.missed.delete(name);
      void this.execute(schedule, next, { start, end: next });
    }
  }

  private async execute(schedule: Schedule, scheduled: Date, period: Period): Promise<void> {
    const name = schedule.MonitoringScheduleName;
    this.running.add(name);
    const now = new Date();
    const stored: StoredExecution = {
      id: `${name}-${randomUUID()}`,
      execution: {
        MonitoringScheduleName: name,
        ScheduledTime: scheduled,
        CreationTime: now,
        LastModifiedTime: now,
        MonitoringExecutionStatus: "Pending",
        MonitoringType: "DataQuality",
        EndpointName: schedule.EndpointName,
        MonitoringJobDefinitionName: schedule.MonitoringScheduleConfig.MonitoringJobDefinitionName,
      },
    };
    this.change(stored, {});
    for (const { id } of this.executionsOf(name).slice(0, -keptExecutions)) {
      this.executions.delete(id);
    }
    try {
      const definition = this.definitionOf(schedule.MonitoringScheduleConfig);
      const inputs = await this.traffic(definition, period);
      if (inputs.length === 0) {
        this.change(stored, { MonitoringExecutionStatus: "Failed", FailureReason: "Job inputs had no data" });
        return;
      }
      const request = processingJob(definition, name, scheduled, period, inputs, this.periodSeconds);
      const { ProcessingJobArn } = this.jobs.start(request);
      this.change(stored, { MonitoringExecutionStatus: "InProgress", ProcessingJobArn });
      this.finish(stored, await this.ended(request.ProcessingJobName));
    } catch (error) {
      this.change(stored, {
        MonitoringExecutionStatus: "Failed",
        FailureReason: messageOf(error).slice(0, 1024),
      });
      log(`Monitoring schedule ${name}: ${messageOf(error)}`);
    } finally {
      this.running.delete(name);
    }
  }

  private async ended(jobName: string): Promise<ProcessingJob> {
    for (;;) {
      const job = this.jobs.find(jobName);
      if (job === undefined) {
        throw new Error(`The processing job ${jobName} was deleted while it ran`);
      }
      if (job.ProcessingJobStatus !== "InProgress" && job.ProcessingJobStatus !== "Stopping") {
        return job;
      }
      await pause(100);
    }
  }

  private finish(stored: StoredExecution, job: ProcessingJob): void {
    const { ProcessingJobStatus: status, ExitMessage, FailureReason } = job;
    // The container reports violations in its exit message (SageMaker Developer Guide, "Interpret results").
    const violated = status === "Completed" && ExitMessage?.startsWith("CompletedWithViolations") === true;
    const reason = violated ? ExitMessage : FailureReason;
    this.change(stored, {
      MonitoringExecutionStatus: violated ? "CompletedWithViolations" : status,
      FailureReason: reason?.slice(0, 1024),
    });
    log(`Monitoring schedule ${stored.execution.MonitoringScheduleName}: ${ExitMessage ?? FailureReason ?? status}`);
  }

  /** The folders, one for each hour and variant, that have captured traffic of a period. */
  private async traffic(definition: JobDefinition, { start, end }: Period): Promise<Validated<ProcessingInput>[]> {
    const input = definition.DataQualityJobInput.EndpointInput;
    const endpoint = input?.EndpointName ?? "";
    const captured = this.endpoints.captureOf(endpoint);
    if (captured === undefined) {
      throw new Error(`The endpoint ${endpoint} captures no data`);
    }
    await this.capture.flush();
    const clients = this.aws.as(definition.RoleArn);
    await clients.check();
    const storage = new ObjectStorage(clients, this.region);
    const inputs: Validated<ProcessingInput>[] = [];
    for (let time = Math.floor(start.getTime() / hour) * hour; time < end.getTime(); time += hour) {
      for (const variant of captured.variants) {
        const parts = [endpoint, variant, ...hourFolder(new Date(time)).split("/")];
        const uri = joinS3Uri(captured.config.DestinationS3Uri, ...parts);
        if (!(await storage.hasObjects(`${uri}/`))) {
          continue;
        }
        inputs.push({
          InputName: `endpoint-input-${inputs.length + 1}`,
          S3Input: {
            S3Uri: uri,
            LocalPath: [input?.LocalPath ?? "", ...parts].join("/"),
            S3DataType: "S3Prefix",
            S3InputMode: "File",
          },
        });
      }
    }
    return inputs;
  }

  private executionsOf(name: string): StoredExecution[] {
    return this.executions
      .values()
      .filter(({ execution }) => execution.MonitoringScheduleName === name)
      .sort((a, b) => a.execution.CreationTime.getTime() - b.execution.CreationTime.getTime());
  }

  private change(stored: StoredExecution, changes: Partial<Validated<MonitoringExecutionSummary>>): void {
    Object.assign(stored.execution, changes, { LastModifiedTime: new Date() });
    this.executions.put(stored.id, stored);
  }
}

/** The processing job of an execution, with the environment and the folders that Model Monitor gives a container. */
function processingJob(
  definition: JobDefinition,
  schedule: string,
  scheduled: Date,
  { start, end }: Period,
  traffic: Validated<ProcessingInput>[],
  periodSeconds: number | undefined,
): Validated<control.CreateProcessingJobRequest> {
  const { DataQualityAppSpecification: application, DataQualityBaselineConfig: baseline } = definition;
  const input = definition.DataQualityJobInput.EndpointInput;
  const output = definition.DataQualityJobOutputConfig.MonitoringOutputs[0]?.S3Output;
  const fileOf = (uri: string): string => uri.slice(uri.lastIndexOf("/") + 1);
  const baselines = (
    [
      ["baseline_constraints", "constraints", baseline?.ConstraintsResource?.S3Uri],
      ["baseline_statistics", "stats", baseline?.StatisticsResource?.S3Uri],
    ] as const
  ).flatMap(([variable, folder, uri]) => (uri === undefined ? [] : [{ variable, folder, uri }]));
  // Reports have a folder for each hour, so those of a shorter period would overwrite one another.
  const shorter = periodSeconds !== undefined && periodSeconds < 3600;
  const folder = [
    ...hourFolder(scheduled).split("/"),
    ...(shorter ? [scheduled.toISOString().slice(14, 19).replace(":", "-")] : []),
  ];
  const withoutFraction = (time: Date): string => time.toISOString().replace(/\.\d+Z$/, "Z");
  return {
    ProcessingJobName: `model-monitoring-${scheduled.toISOString().replaceAll(/\D/g, "").slice(0, 14)}-${randomUUID().replaceAll("-", "").slice(0, 24)}`,
    RoleArn: definition.RoleArn,
    AppSpecification: {
      ImageUri: application.ImageUri,
      ContainerEntrypoint: application.ContainerEntrypoint,
      ContainerArguments: application.ContainerArguments,
    },
    Environment: {
      ...application.Environment,
      dataset_format: JSON.stringify({
        sagemakerCaptureJson: { captureIndexNames: ["endpointInput", "endpointOutput"] },
      }),
      dataset_source: input?.LocalPath ?? "",
      output_path: output?.LocalPath ?? "",
      publish_cloudwatch_metrics: application.Environment?.publish_cloudwatch_metrics ?? "Disabled",
      sagemaker_endpoint_name: input?.EndpointName ?? "",
      sagemaker_monitoring_schedule_name: schedule,
      start_time: withoutFraction(start),
      end_time: withoutFraction(end),
      ...Object.fromEntries(
        baselines.map(({ variable, folder: place, uri }) => [variable, `${baselineFolder}/${place}/${fileOf(uri)}`]),
      ),
    },
    ProcessingInputs: [
      ...traffic,
      ...baselines.map(({ folder: place, uri }) => ({
        InputName: place,
        S3Input: {
          S3Uri: uri,
          LocalPath: `${baselineFolder}/${place}`,
          S3DataType: "S3Prefix" as const,
          S3InputMode: "File" as const,
        },
      })),
    ],
    ProcessingOutputConfig: {
      Outputs: [
        {
          OutputName: "result",
          S3Output: {
            S3Uri: joinS3Uri(output?.S3Uri ?? "", input?.EndpointName ?? "", schedule, ...folder),
            LocalPath: output?.LocalPath ?? "",
            S3UploadMode: output?.S3UploadMode ?? "EndOfJob",
          },
        },
      ],
    },
    ProcessingResources: {
      ClusterConfig: {
        InstanceCount: 1,
        InstanceType: definition.JobResources.ClusterConfig.InstanceType,
        VolumeSizeInGB: definition.JobResources.ClusterConfig.VolumeSizeInGB,
      },
    },
    StoppingCondition: { MaxRuntimeInSeconds: definition.StoppingCondition?.MaxRuntimeInSeconds ?? 3_600 },
  };
}
