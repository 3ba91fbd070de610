import { setTimeout as sleep } from "node:timers/promises";

import type { ModelPackageStatus } from "@aws-sdk/client-sagemaker";
import { type DescribeExecutionOutput, ExecutionDoesNotExist } from "@aws-sdk/client-sfn";

import { type Clients, readContract, requireContract } from "./clients";

/** What the ML workflow says when it has ended well. */
export interface WorkflowOutcome {
  readonly outcome: string;
  /** The champion's model package, be it new or kept. */
  readonly modelPackageArn: string;
  readonly evaluation: {
    /** Root mean squared error on the held-out rows, in rings. */
    readonly rmse: number;
    /** RMSE that no registered model exceeds, in rings. */
    readonly threshold: number;
    /** How many held-out rows the models were scored on. */
    readonly rows: number;
    /** The champion before it, if any; its RMSE is null when it could not be scored. */
    readonly champion: { readonly modelPackageArn: string; readonly rmse: number | null } | null;
    /** What decided between the two, in the metric's unit; null when there was no champion that could be scored. */
    readonly comparison: {
      readonly metric: string;
      readonly lowerIsBetter: boolean;
      readonly challenger: number;
      readonly champion: number;
      readonly confidence: number;
      readonly margin: number;
      readonly tolerance: number | null;
      readonly verdict: "better" | "newer" | "not better";
    } | null;
  };
}

/** An execution of the ML workflow that has ended well. */
export interface WorkflowRun extends WorkflowOutcome {
  readonly executionArn: string;
}

/** What people call the metrics, and in which unit they are; R² has none. */
const metricWords: Readonly<Record<string, readonly [name: string, unit: string]>> = {
  rmse: ["RMSE", " rings"],
  mae: ["mean error", " rings"],
  mse: ["squared error", " rings²"],
  r2: ["R²", ""],
};

/** How the workflow ended, with the scores that decided it. */
export function describeOutcome({ outcome, evaluation }: WorkflowOutcome): string {
  const { rmse, threshold, rows, comparison } = evaluation;
  if (comparison === null) {
    return `${outcome}, RMSE ${rmse.toFixed(2)} rings on ${rows} held-out rows (limit ${threshold})`;
  }
  const { metric, challenger, champion } = comparison;
  const [name, unit] = metricWords[metric] ?? [metric, ""];
  // As many digits as it takes to see which is lower.
  const digits = [2, 3, 4, 5, 6, 7, 8].find((count) => challenger.toFixed(count) !== champion.toFixed(count)) ?? 2;
  const limit = metric === "rmse" ? `limit ${threshold}` : `RMSE ${rmse.toFixed(2)}, limit ${threshold}`;
  return (
    `${outcome}, the challenger's ${name} ${challenger.toFixed(digits)}${unit} is ` +
    `${describeVerdict(comparison, `the champion's ${champion.toFixed(digits)}`)} on the same ${rows} held-out rows (${limit})`
  );
}

/** Where the challenger stands, and how surely. */
function describeVerdict(comparison: NonNullable<WorkflowOutcome["evaluation"]["comparison"]>, than: string): string {
  const { lowerIsBetter, challenger, champion, confidence, margin, tolerance, verdict } = comparison;
  const [better, worse] = lowerIsBetter ? ["below", "above"] : ["above", "below"];
  const surely = `with ${+(100 * confidence).toFixed(1)} % confidence`;
  const by = margin === 0 ? "" : `more than ${margin} `;
  switch (verdict) {
    case "better":
      return `${surely} ${by}${better} ${than}`;
    case "newer":
      return `from newer data and ${surely} at most ${tolerance} ${worse} ${than}`;
    case "not better":
      if (challenger === champion) {
        return `equal to ${than}`;
      }
      return challenger < champion === lowerIsBetter
        ? `${better} ${than}, but not ${surely}${margin === 0 ? "" : ` by more than ${margin}`},`
        : `${worse} ${than}`;
  }
}

/** An execution that ended in a failed state, said for the person at the terminal. */
export class WorkflowFailed extends Error {
  /** Name of the job that failed, where it was a job: its log bears the same name. */
  readonly job: string | undefined;
  /** The error's name and why it came, without what to do about it. */
  readonly reason: string;

  /** @param execution As Step Functions describes it. */
  constructor(execution: DescribeExecutionOutput) {
    const cause = readCause(execution.cause ?? "");
    const reason = `${execution.error ?? "no error name"}: ${cause.text.replace(/\.?$/, ".")}`;
    super(`The ML workflow ended as ${execution.status}: ${reason}${remedies[execution.error ?? ""] ?? ""}`);
    this.job = cause.job;
    this.reason = reason;
  }
}

/** What to do about an error that the workflow itself can do nothing about. */
const remedies: Readonly<Record<string, string>> = {
  BelowQualityThreshold: " More good rows help: make up SURVEY=file.",
  "States.ServiceRestart": " Type `make up` again: the workflow starts again.",
};

/** A failed job's cause is its whole description; people need its reason. */
function readCause(cause: string): { text: string; job?: string } {
  try {
    const description = JSON.parse(cause) as Record<string, unknown>;
    const job = description.TrainingJobName ?? description.ProcessingJobName;
    const reason = description.FailureReason ?? description.ExitMessage ?? description.errorMessage;
    if (typeof reason === "string") {
      return typeof job === "string" ? { text: `${job}: ${reason}`, job } : { text: reason };
    }
  } catch {
    // A cause that is not JSON is a sentence already.
  }
  return { text: cause };
}

/**
 * Runs the ML workflow to its end. One that an interrupted command started for the same input is waited for instead of
 * started again.
 * @param fingerprint Of all that the run depends on; the execution's name begins with it.
 * @param progress Told the name of the state that the execution is in.
 * @param keepRunning Starts again what has died: a task whose service is back within a minute goes on.
 * @throws WorkflowFailed when the execution fails.
 */
export async function runWorkflow(
  clients: Clients,
  fingerprint: string,
  progress: (state: string) => void,
  keepRunning: () => Promise<unknown>,
): Promise<WorkflowRun> {
  const stateMachineArn = await requireContract(clients, "StateMachine");
  const prefix = `up-${fingerprint.slice(0, 12)}`;
  const { executions = [] } = await clients.stepFunctions.listExecutions({ stateMachineArn, statusFilter: "RUNNING" });
  const executionArn =
    executions.find(({ name }) => name?.startsWith(prefix))?.executionArn ??
    (
      await clients.stepFunctions.startExecution({
        stateMachineArn,
        name: `${prefix}-${Date.now().toString(36)}`,
        input: "{}",
      })
    ).executionArn;
  if (executionArn === undefined) {
    throw new Error(`Step Functions started no execution of ${stateMachineArn}.`);
  }
  for (;;) {
    await keepRunning();
    const execution = await describe(clients, executionArn);
    if (execution.status === "SUCCEEDED") {
      return { executionArn, ...(JSON.parse(execution.output ?? "{}") as WorkflowOutcome) };
    }
    if (execution.status !== "RUNNING") {
      throw new WorkflowFailed(execution);
    }
    progress(await currentState(clients, executionArn));
    await sleep(250);
  }
}

async function describe(clients: Clients, executionArn: string): Promise<DescribeExecutionOutput> {
  try {
    return await clients.stepFunctions.describeExecution({ executionArn });
  } catch (error) {
    if (error instanceof ExecutionDoesNotExist) {
      throw new Error("The emulator was stopped during the execution and has lost it; type `make up` again.", {
        cause: error,
      });
    }
    throw error;
  }
}

async function currentState(clients: Clients, executionArn: string): Promise<string> {
  const { events = [] } = await clients.stepFunctions.getExecutionHistory({
    executionArn,
    reverseOrder: true,
    maxResults: 20,
  });
  return events.find(({ stateEnteredEventDetails }) => stateEnteredEventDetails)?.stateEnteredEventDetails?.name ?? "";
}

/** The ARN of the champion's model package, undefined while no model has been registered or when it was deleted. */
export async function championPackage(clients: Clients): Promise<string | undefined> {
  const arn = await readContract(clients, "ModelPackageName");
  if (!arn?.startsWith("arn:")) {
    return undefined;
  }
  try {
    const { ModelPackageStatus: status } = await clients.sagemaker.describeModelPackage({ ModelPackageName: arn });
    return status === ("Completed" satisfies ModelPackageStatus) ? arn : undefined;
  } catch {
    return undefined;
  }
}
