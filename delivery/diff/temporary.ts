/** Temporary folders for plan files, which contain secrets in plain text. */
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
 * Removes the folders of processes that were killed before they could do it. Other users' folders stay, because only
 * they may remove them.
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

/** Tells the work whether somebody interrupted it. */
export interface Interruption {
  readonly signal: NodeJS.Signals | undefined;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Works in a private folder, and removes it afterwards, also after an error or an interrupt. A signal does not end this
 * process: the programs that it runs get the signal, and the work must check for it.
 * @param parent the parent folder. @default the system's folder for temporary files
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
  // mkdtemp creates folders that only the owner can read.
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
