/** Folders for what nobody may keep: plan files hold secrets in plain text. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const prefix = "acme-plan-";

function isRunning(process_: number): boolean {
  try {
    process.kill(process_, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Removes the folders of processes that were killed before they could do it. Those of other users stay: the system lets
 * nobody but them.
 */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const owner = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (owner === undefined || isRunning(Number(owner))) {
      continue;
    }
    try {
      rmSync(join(parent, name), { recursive: true, force: true });
    } catch {
      continue;
    }
  }
}

/** How a piece of work hears that somebody interrupted it. */
export interface Interruption {
  readonly signal: NodeJS.Signals | undefined;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Works in a folder that nobody else may read, and removes it afterwards: also when the work fails, and when somebody
 * interrupts it. A signal ends nothing here; the programs that the work runs get it, and the work has to look whether
 * there was one.
 * @param parent where the folder is made. @default the system's folder for temporary files
 */
export async function inTemporaryFolder<Result>(
  work: (folder: string, interruption: Interruption) => Promise<Result>,
  parent: string = tmpdir(),
): Promise<Result> {
  sweep(parent);
  const interruption: { signal: NodeJS.Signals | undefined } = { signal: undefined };
  const listen = (signal: NodeJS.Signals): void => {
    interruption.signal ??= signal;
  };
  for (const signal of signals) {
    process.on(signal, listen);
  }
  // Only its owner may read what mkdtemp makes.
  const folder = mkdtempSync(join(parent, `${prefix}${process.pid}-`));
  try {
    return await work(folder, interruption);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    for (const signal of signals) {
      process.off(signal, listen);
    }
  }
}
