import { createHash } from "node:crypto";

import { type Instance, readJson, writeJson } from "./instance";

/** What a stage was last done for, and what came of it. */
interface Done<Result> {
  readonly fingerprint: string;
  readonly result: Result;
}

/** One fingerprint of several values: equal values, equal fingerprint. */
export function fingerprintOf(...values: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(values)).digest("hex");
}

/**
 * The result of a stage that was done for exactly this input before, undefined otherwise.
 * A stage is remembered only after it has ended well, so one that was killed is done again.
 */
export function doneBefore(instance: Instance, stage: string, fingerprint: string): unknown {
  const done = readJson<Done<unknown> | undefined>(instance.path("progress", `${stage}.json`), undefined);
  return done?.fingerprint === fingerprint ? done.result : undefined;
}

/** The last result of a stage, whatever its input was. */
export function lastResult(instance: Instance, stage: string): unknown {
  return readJson<Done<unknown> | undefined>(instance.path("progress", `${stage}.json`), undefined)?.result;
}

/** Why the last run of the ML workflow failed; there is no such file when it ended well. */
export interface WorkflowFailure {
  readonly reason: string;
}

/** Where a {@link WorkflowFailure} is kept. */
export const workflowFailureFile = (instance: Instance): string => instance.path("progress/workflow-failure.json");

/** Remembers that a stage has ended well. */
export function remember(instance: Instance, stage: string, fingerprint: string, result: unknown): void {
  writeJson(instance.path("progress", `${stage}.json`), { fingerprint, result } satisfies Done<unknown>);
}
