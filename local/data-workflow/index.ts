import { setTimeout as sleep } from "node:timers/promises";

import {
  CodePipelineServiceException,
  type GetPipelineExecutionCommandOutput,
  type ListPipelineExecutionsCommandOutput,
  type GetPipelineStateCommandOutput,
  type PipelineExecutionStatus,
} from "@aws-sdk/client-codepipeline";

import { type Clients, makeClients, requireContract } from "../platform/clients";
import { type Instance, shown } from "../platform/instance";
import { locked } from "../platform/lock";
import { addressOf, pipelineName, startServices } from "../platform/services";
import { answeringPackage, packageVersion } from "../platform/status";
import { runDag, type TaskOutcome } from "./run";
import { requirePlatform } from "./arriving-survey";

/** Result of the task `release`: what the function release-change started. */
interface Release {
  readonly pipelineExecutionId: string;
}

/** Result of the task `ingest` for one range of a file. */
interface Ingested {
  readonly key: string;
  readonly accepted: number;
  readonly rejected: number;
  /** The lists of rejected rows with their reasons. */
  readonly rejections: readonly string[];
  readonly problem: string | null;
}

/** Result of the task `finish`. */
interface Moved {
  readonly key: string;
  readonly destination: string;
}

const isRelease = (result: unknown): result is Release =>
  typeof (result as Partial<Release> | null | undefined)?.pipelineExecutionId === "string";

const countOf = (rows: number): string => (rows === 1 ? "1 row" : `${rows} rows`);

/** Whether a task found that a file can't be used. */
function isRefusal({ task, result }: TaskOutcome): boolean {
  if (task !== "ingest") {
    return false;
  }
  const { accepted, rejected, problem } = result as Ingested;
  return problem !== null || (accepted === 0 && rejected > 0);
}

/** The number of ingested rows, and the lists of rejected ones. */
function describeIngested({ key, accepted, rejected, rejections: [list, ...others], problem }: Ingested): string {
  if (problem !== null) {
    return `${key} is not a survey: ${problem}`;
  }
  const counts = `${countOf(accepted)} of ${key}, ${rejected} rejected`;
  const more = others.length === 0 ? "" : ` and ${others.length} more beside it`;
  return list === undefined ? counts : `${counts}: reasons in ${list}${more}`;
}

/** A task's result in words; empty if its name says all. */
function describe({ task, result }: TaskOutcome): string {
  switch (task) {
    case "list_surveys":
      return (result as readonly { readonly key: string }[]).map(({ key }) => key).join(", ");
    case "ingest":
      return describeIngested(result as Ingested);
    case "release":
      return isRelease(result) ? `execution ${result.pipelineExecutionId} of ${pipelineName}` : "";
    case "finish": {
      const { key, destination } = result as Moved;
      return `${key} to ${destination}`;
    }
    default:
      return "";
  }
}

const marks = { success: "✔", failed: "✖", skipped: "↓" } as const;

/** A task that rejects a file has succeeded, but the file's sender has not. */
const markOf = (outcome: TaskOutcome): string =>
  outcome.state === "success" && isRefusal(outcome) ? marks.failed : marks[outcome.state];

/** An execution's status; undefined while a crashed service restarts. */
async function look(
  { codePipeline }: Clients,
  pipelineExecutionId: string,
): Promise<(GetPipelineExecutionCommandOutput & GetPipelineStateCommandOutput) | undefined> {
  try {
    return {
      ...(await codePipeline.getPipelineState({ name: pipelineName })),
      ...(await codePipeline.getPipelineExecution({ pipelineName, pipelineExecutionId })),
    };
  } catch (error) {
    if (error instanceof CodePipelineServiceException && error.$fault === "client") {
      throw error;
    }
    await sleep(1000);
    return undefined;
  }
}

/** The running execution of the pipeline, if there is one; undefined also if the pipeline is down. */
async function runningRelease({ codePipeline }: Clients): Promise<string | undefined> {
  const { pipelineExecutionSummaries: executions = [] } = await codePipeline
    .listPipelineExecutions({ pipelineName })
    .catch((): ListPipelineExecutionsCommandOutput => ({ $metadata: {} }));
  return executions.find(({ status }) => status === "InProgress")?.pipelineExecutionId;
}

/**
 * Waits until an execution of the pipeline has ended.
 * @param tell Called for each stage that ended.
 */
async function followRelease(
  clients: Clients,
  id: string,
  tell: (text: string) => void,
): Promise<PipelineExecutionStatus> {
  const told = new Set<string>();
  for (;;) {
    const seen = await look(clients, id);
    if (seen === undefined) {
      continue;
    }
    const { pipelineExecution, stageStates = [] } = seen;
    for (const { stageName = "", latestExecution, actionStates } of stageStates) {
      const status = latestExecution?.status;
      if (latestExecution?.pipelineExecutionId === id && status !== "InProgress" && !told.has(stageName)) {
        told.add(stageName);
        const summary = actionStates?.[0]?.latestExecution?.summary ?? "";
        tell(`${status === "Succeeded" ? marks.success : marks.failed} ${stageName}: ${summary}`);
      }
    }
    const status = pipelineExecution?.status;
    if (status !== "InProgress" && status !== undefined) {
      return status;
    }
    await sleep(250);
  }
}

/**
 * Restarts crashed services until it is stopped: on AWS, too, a failed service comes back by itself.
 * @returns A function that stops it.
 */
function keepRunning(instance: Instance): () => Promise<void> {
  const stop = new AbortController();
  const watching = (async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        await requirePlatform(instance);
      } catch {
        // If another command holds the lock, it starts them, or the next check does.
        await locked(instance, () => startServices(instance)).catch(() => undefined);
      }
      await sleep(1000, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  return async () => {
    stop.abort();
    await watching;
  };
}

/**
 * Runs the data workflow once and reports its tasks, then the release that it started.
 * @param say Prints a line.
 * @returns Whether all of it succeeded.
 * @throws Error when the platform doesn't run, or Airflow fails.
 */
export async function dataWorkflow(instance: Instance, say: (text: string) => void): Promise<boolean> {
  await requirePlatform(instance);
  const stop = keepRunning(instance);
  try {
    return await runAndFollow(instance, say);
  } finally {
    await stop();
  }
}

async function runAndFollow(instance: Instance, say: (text: string) => void): Promise<boolean> {
  const clients = makeClients(addressOf(instance, "emulator"));
  let releaseId: string | undefined;
  say("The data workflow, in Airflow:");
  const { state, tasks } = await runDag(instance, (outcome) => {
    if (outcome.task === "release" && isRelease(outcome.result)) {
      releaseId = outcome.result.pipelineExecutionId;
    }
    const text = outcome.state === "success" ? describe(outcome) : (outcome.reason ?? "");
    say(`${markOf(outcome)} ${outcome.task}${text === "" ? "" : `: ${text}`}`);
  });
  const succeeded = state === "success";
  if (!succeeded) {
    say(`\nThe run failed. Airflow's own words: ${shown(instance.path("logs/data-workflow.log"))}`);
  } else if (tasks.list_surveys?.every((task) => task.state === "skipped") === true) {
    say("\nNo survey has arrived. make survey writes one.");
  }
  // A release of an interrupted command continues by itself; show how it ends.
  const running = releaseId ?? (await runningRelease(clients));
  if (running === undefined) {
    return succeeded;
  }
  say(
    releaseId === undefined
      ? "\nA release is running, by the platform's own steps:"
      : "\nThe release, by the platform's own steps:",
  );
  const status = await followRelease(clients, running, say);
  if (status === "Superseded") {
    say("A later release has replaced it.");
  }
  const endpoint = await requireContract(clients, "ProductionEndpoint");
  const model = packageVersion(await answeringPackage(clients.sagemaker, endpoint));
  say(`\nThe website answers with the model ${model}.`);
  return succeeded && (status === "Succeeded" || status === "Superseded");
}
