import { color, ListrLogger, ListrLogLevels, type ListrTask, type LoggerFieldOptions } from "listr2";

import type { ExecutionStage } from "../codepipeline/executions";
import { SurveyRefused } from "./ingestion";
import { type Instance, shown } from "./instance";
import { WorkflowFailed } from "./workflow";

/** A failed step: the reason and the log to read. */
export class StepFailed extends Error {
  /**
   * @param step Title of the step.
   * @param cause Its error.
   * @param log File to read.
   */
  constructor(step: string, cause: unknown, log: string) {
    // For a refused survey, the reason is enough.
    super(`${step}: ${reasonOf(cause)}${cause instanceof SurveyRefused ? "" : `\n\nRead more in ${shown(log)}`}`);
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Prints a step's progress. */
export type Progress = (text: string) => void;

/** Seconds between progress lines of a long step outside a terminal. */
const secondsBetweenLines = 30;

/** Shows each step's time if it is at least a second. */
export const rendering = {
  timer: {
    condition: (milliseconds: number) => milliseconds >= 1000,
    field: (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`,
    format: () => color.dim,
  },
};

const failed: string = ListrLogLevels.FAILED;

/** Outside a terminal, prints only the name of a failed step: the caller reports the reason once. */
export class StepLogger extends ListrLogger {
  constructor() {
    super({ toStderr: [ListrLogLevels.FAILED] });
  }

  override log(level: string, message: string | unknown[], options?: LoggerFieldOptions): void {
    super.log(level, message, level === failed ? undefined : options);
  }
}

/** Makes the steps of one run. Each is shown, timed, and reported to the caller. */
export class Steps {
  /** Duration of each successful step in seconds, by title. */
  readonly seconds: Record<string, number> = {};

  /** @param report Called when a step starts, succeeds or fails. */
  constructor(
    private readonly instance: Instance,
    private readonly report: (step: ExecutionStage) => void,
  ) {}

  /**
   * Makes a step of the run.
   * @param log File to read when it fails.
   * @param work Does the step, and returns a short summary.
   * @returns The task; it throws StepFailed.
   */
  step(title: string, log: string, work: (progress: Progress) => Promise<string>): ListrTask {
    return {
      title,
      task: async (_, task) => {
        const begin = performance.now();
        let printed = begin;
        this.report({ name: title, status: "InProgress" });
        try {
          const summary = await work((text) => {
            // In a terminal one line is updated; in a log it would be hundreds of lines.
            if (process.stdout.isTTY || performance.now() - printed > 1000 * secondsBetweenLines) {
              printed = performance.now();
              task.output = text;
            }
          });
          task.title = `${title}: ${summary}`;
          this.seconds[title] = (performance.now() - begin) / 1000;
          this.report({ name: title, status: "Succeeded", summary });
        } catch (error) {
          this.report({ name: title, status: "Failed", summary: reasonOf(error) });
          const job = error instanceof WorkflowFailed ? error.job : undefined;
          throw new StepFailed(title, error, job === undefined ? log : this.instance.path("logs/jobs", `${job}.log`));
        }
      },
    };
  }
}
