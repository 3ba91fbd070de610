import { color, ListrLogger, ListrLogLevels, type ListrTask, type LoggerFieldOptions } from "listr2";

import type { Stage } from "../codepipeline/executions";
import { SurveyRefused } from "./ingestion";
import { type Instance, shown } from "./instance";
import { WorkflowFailed } from "./workflow";

/** A stage that failed: what went wrong and where to read more. */
export class StageFailed extends Error {
  /**
   * @param stage Title of the stage.
   * @param cause What it threw.
   * @param log File to read.
   */
  constructor(stage: string, cause: unknown, log: string) {
    // Of a survey that is refused, the reason is all that there is to know.
    super(`${stage}: ${reasonOf(cause)}${cause instanceof SurveyRefused ? "" : `\n\nRead more in ${shown(log)}`}`);
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Prints how far a stage is. */
export type Progress = (text: string) => void;

/** Where nobody watches a line that changes, a long stage prints so often how far it is. */
const secondsBetweenLines = 30;

/** Each stage's time, from a second on: what takes less is noise. */
export const rendering = {
  timer: {
    condition: (milliseconds: number) => milliseconds >= 1000,
    field: (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`,
    format: () => color.dim,
  },
};

const failed: string = ListrLogLevels.FAILED;

/** Off a terminal, names the stage that failed without the reason: whoever runs the stages reports that, once. */
export class StageLogger extends ListrLogger {
  constructor() {
    super({ toStderr: [ListrLogLevels.FAILED] });
  }

  override log(level: string, message: string | unknown[], options?: LoggerFieldOptions): void {
    super.log(level, message, level === failed ? undefined : options);
  }
}

/** Makes the stages of one run, each of which is shown, timed, and reported to whoever called. */
export class Stages {
  /** How many seconds each stage took that has ended well, by its title. */
  readonly seconds: Record<string, number> = {};

  /** @param report Is called with each stage that begins, succeeds or fails. */
  constructor(
    private readonly instance: Instance,
    private readonly report: (stage: Stage) => void,
  ) {}

  /**
   * A stage of the run.
   * @param log File to read when it fails.
   * @param work Does it, and returns a summary in a few words.
   * @returns The task; it throws StageFailed.
   */
  stage(title: string, log: string, work: (progress: Progress) => Promise<string>): ListrTask {
    return {
      title,
      task: async (_, task) => {
        const begin = performance.now();
        let printed = begin;
        this.report({ name: title, status: "InProgress" });
        try {
          const summary = await work((text) => {
            // In a terminal it is one line that changes; in a log it would be hundreds.
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
          throw new StageFailed(title, error, job === undefined ? log : this.instance.path("logs/jobs", `${job}.log`));
        }
      },
    };
  }
}
