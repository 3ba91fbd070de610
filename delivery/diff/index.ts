/**
 * `make diff ENVIRONMENT=production`: shows what a deployment would change, with all stacks in one summary.
 *
 * It changes and locks nothing. Exit status: 0 for plans with or without changes; 1 for an error, also if one stack
 * could not be planned; 2 for a refusal, because data would be lost (`guard.ts`). `make` itself always ends with 2 on a
 * failure: to tell 1 from 2, run `npx tsx delivery/cli.ts diff`.
 */
import { randomUUID } from "node:crypto";
import { accessSync, constants, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { requireAccount } from "../identity";
import type { Request } from "../request";
import { DeploymentError } from "../terraform";
import { readAllowed, refusedStatus } from "./guard";
import { renderMarkdown } from "./markdown";
import { planEnvironment } from "./plan";
import type { PlanSummary, StackSummary } from "./summary";
import { renderText } from "./text";
import { count } from "./words";

export { enforceGuard, readAllowed, RefusedError, refusalsOf } from "./guard";
export { summarizeStack } from "./summarize";
export { type PlanSummary, planSummarySchema, type StackSummary } from "./summary";
export { renderText } from "./text";

const formats = ["text", "json", "markdown"] as const;

/** Options besides environment and stack. */
interface Options {
  readonly format: (typeof formats)[number];
  /** The file for the summary. */
  readonly output: string | undefined;
  readonly details: boolean;
  readonly allowed: readonly string[];
}

/**
 * Reads `FORMAT`, `OUTPUT`, `DETAILS` and `ALLOW_REPLACE`.
 * @throws DeploymentError that names the variable, its value, and what was expected
 */
export function readOptions(variables: NodeJS.ProcessEnv): Options {
  const given = (name: string): string | undefined => (variables[name] === "" ? undefined : variables[name]);
  const refuse = (name: string, expected: string): never => {
    throw new DeploymentError(
      `${name} is ${JSON.stringify(variables[name])}; expected ${expected}.`,
      "Correct it, and run it again.",
    );
  };
  const format = formats.find((known) => known === (given("FORMAT") ?? "text"));
  const details = given("DETAILS");
  return {
    format: format ?? refuse("FORMAT", `one of ${formats.join(", ")}`),
    output: given("OUTPUT"),
    details: details === undefined ? false : details === "yes" || refuse("DETAILS", '"yes", or nothing'),
    allowed: readAllowed(variables.ALLOW_REPLACE),
  };
}

/** The command's exit status for a summary. */
export function exitStatusOf({ refused, stacks }: PlanSummary): number {
  if (refused.length > 0) {
    return refusedStatus;
  }
  return stacks.some(({ status }) => status === "failed") ? 1 : 0;
}

const unwritable = (file: string, error: unknown): DeploymentError =>
  new DeploymentError(
    `OUTPUT is ${JSON.stringify(file)}, which can't be written (${(error as NodeJS.ErrnoException).code ?? String(error)}).`,
    `Name a file in an existing folder that you may write to; ${JSON.stringify(dirname(resolve(file)))} was tried.`,
  );

/** Fails before planning if the file can't be written afterwards. */
function requireFolder(file: string): void {
  try {
    accessSync(dirname(resolve(file)), constants.W_OK);
  } catch (error) {
    throw unwritable(file, error);
  }
}

/** Writes a file atomically: a reader never sees half of it. */
function writeWhole(file: string, text: string): void {
  const path = resolve(file);
  const half = `${path}.${randomUUID()}`;
  try {
    writeFileSync(half, text);
    renameSync(half, path);
  } catch (error) {
    rmSync(half, { force: true });
    throw unwritable(file, error);
  }
}

const progress = ({ stack, status, resources }: StackSummary, seconds: number): string =>
  `${status === "failed" ? "✖" : "✔"} ${stack.padEnd(20)} ${
    status === "changes" ? count(resources.length, "change") : status === "failed" ? "failed" : "no change"
  } [${seconds.toFixed(1)} s]`;

/** Runs the command, and sets the process's exit status. */
export async function diff({ environment, stack }: Request, say: (text: string) => void): Promise<void> {
  const { format, output, details, allowed } = readOptions(process.env);
  if (output !== undefined) {
    requireFolder(output);
  }
  const tell = (text: string): void => {
    process.stderr.write(`${text}\n`);
  };
  const { account, arn } = await requireAccount(environment);
  tell(
    `Planning ${stack ?? "all stacks"} of ${environment.name} in account ${account}, ${environment.region}, as ${arn}.`,
  );
  const summary = await planEnvironment({
    environment,
    stack,
    allowed,
    onStack: (done, seconds) => {
      tell(progress(done, seconds));
    },
  });
  const command = `make diff ENVIRONMENT=${environment.name}${stack === undefined ? "" : ` STACK=${stack}`}`;
  const toTerminal = output === undefined && process.stdout.isTTY;
  const text = {
    text: () =>
      renderText(summary, { colour: toTerminal && process.env.NO_COLOR === undefined, details, command, allowed }),
    json: () => `${JSON.stringify(summary, null, 2)}\n`,
    markdown: () => renderMarkdown(summary, { command, allowed }),
  }[format]();
  if (output === undefined) {
    say(text.trimEnd());
  } else {
    writeWhole(output, text);
    tell(`Written to ${resolve(output)}`);
  }
  process.exitCode = exitStatusOf(summary);
}
