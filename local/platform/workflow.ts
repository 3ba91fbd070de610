import { setTimeout as sleep } from "node:timers/promises";

import type { ModelPackageStatus } from "@aws-sdk/client-sagemaker";
import { type DescribeExecutionOutput, ExecutionDoesNotExist } from "@aws-sdk/client-sfn";

import { type Clients, readContract, requireContract } from "./clients";

/** The output of a successful ML workflow. */
export interface WorkflowOutcome {
  readonly outcome: string;
  /** The champion's model package, new or kept. */
  readonly modelPackageArn: string;
  readonly evaluation: {
    /** RMSE on the held-out rows, in rings. */
    readonly rmse: number;
    /** Highest RMSE of a model that may be registered, in rings. */
    readonly threshold: number;
    /** Number of held-out rows. */
    readonly rows: number;
    /** The previous champion, if any; its RMSE is null if it could not be scored. */
    readonly champion: { readonly modelPackageArn: string; readonly rmse: number | null } | null;
    /** The comparison of the two, in the metric's unit; null without a scored champion. */
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

/** A successful execution of the ML workflow. */
export interface WorkflowRun extends WorkflowOutcome {
  readonly executionArn: string;
}

/** Names and units of the metrics for people; R² has no unit. */
const metricWords: Readonly<Record<string, readonly [name: string, unit: string]>> = {
  rmse: ["RMSE", " rings"],
  mae: ["mean error", " rings"],
  mse: ["squared error", " rings²"],
  r2: ["R²", ""],
};

/** The workflow's result, with the scores that decided it. */
export function describeOutcome({ outcome, evaluation }: WorkflowOutcome): string {
  const { rmse, threshold, rows, comparison } = evaluation;
  if (comparison === null) {
    return `${outcome}, RMSE ${rmse.toFixed(2)} rings on ${rows} held-out rows (limit ${threshold})`;
  }
  const { metric, challenger, champion } = comparison;
  const [name, unit] = metricWords[metric] ?? [metric, ""];
  // As many digits as needed to show a difference.
  const digits = [2, 3, 4, 5, 6, 7, 8].find((count) => challenger.toFixed(count) !== champion.toFixed(count)) ?? 2;
  const limit = metric === "rmse" ? `limit ${threshold}` : `RMSE ${rmse.toFixed(2)}, limit ${threshold}`;
  return (
    `${outcome}, the challenger's ${name} ${challenger.toFixed(digits)}${unit} is ` +
    `${describeVerdict(comparison, `the champion's ${champion.toFixed(digits)}`)} on the same ${rows} held-out rows (${limit})`
  );
}

/** The challenger's comparison with the champion, and its confidence. */
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

/** A failed execution, described for the user. */
export class WorkflowFailed extends Error {
  /** Name of the failed job, if it was a job: its log has the same name. */
  readonly job: string | undefined;
  /** The error's name and reason, without the next step. */
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

/** What to do about an error that the workflow can't solve itself. */
const remedies: Readonly<Record<string, string>> = {
  BelowQualityThreshold: " More good rows help: make up SURVEY=file.",
  "States.ServiceRestart": " Type `make up` again: the workflow starts again.",
};

/** A failed job's cause is its complete description; extract the reason. */
function readCause(cause: string): { text: string; job?: string } {
  try {
    const description = JSON.parse(cause) as Record<string, unknown>;
    const job = description.TrainingJobName ?? description.ProcessingJobName;
    const reason = description.FailureReason ?? description.ExitMessage ?? description.errorMessage;
    if (typeof reason === "string") {
      return typeof job === "string" ? { text: `${job}: ${reason}`, job } : { text: reason };
    }
  } catch {
    // A cause that is not JSON is already a sentence.
  }
  return { text: cause };
}

/**
 * Runs the ML workflow to its end. If an interrupted command started one for the same input, it waits for that one.
 * @param fingerprint Fingerprint of all inputs; prefix of the execution's name.
 * @param progress Called with the name of the execution's current state.
 * @param keepRunning Restarts crashed services: a task continues if its service is back within a minute.
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

/** The ARN of the champion's model package; undefined if no model is registered or it was deleted. */
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
