import { createHash } from "node:crypto";

import { type Instance, readJson, writeJson } from "./instance";

/** The input and result of a step's last run. */
interface Done<Result> {
  readonly fingerprint: string;
  readonly result: Result;
}

/** A fingerprint of several values: equal values have equal fingerprints. */
export function fingerprintOf(...values: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(values)).digest("hex");
}

/**
 * The result of a step that already ran with exactly this input, otherwise undefined. Only successful steps are
 * recorded, so an interrupted one runs again.
 */
export function doneBefore(instance: Instance, step: string, fingerprint: string): unknown {
  const done = readJson<Done<unknown> | undefined>(instance.path("progress", `${step}.json`), undefined);
  return done?.fingerprint === fingerprint ? done.result : undefined;
}

/** The last result of a step, for any input. */
export function lastResult(instance: Instance, step: string): unknown {
  return readJson<Done<unknown> | undefined>(instance.path("progress", `${step}.json`), undefined)?.result;
}

/** Why the last run of the ML workflow failed; the file is missing after a success. */
export interface WorkflowFailure {
  readonly reason: string;
}

/** Path of the {@link WorkflowFailure}. */
export const workflowFailureFile = (instance: Instance): string => instance.path("progress/workflow-failure.json");

/** Records a successful step. */
export function remember(instance: Instance, step: string, fingerprint: string, result: unknown): void {
  writeJson(instance.path("progress", `${step}.json`), { fingerprint, result } satisfies Done<unknown>);
}
