import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { startTimeOf } from "sagemaker-local/process-identity";
import { type Instance, readJson, writeJson } from "./instance";
import { isRunning, type RecordedProcess, recordedProcess } from "./processes";

/** Another command works on the platform, or its pipeline runs a release. */
export class PlatformBusy extends Error {
  /**
   * @param pid The command's process, or the pipeline's.
   * @param isPipeline Whether it is the pipeline.
   */
  constructor(
    pid: number,
    readonly isPipeline: boolean,
  ) {
    super(
      isPipeline
        ? `The pipeline releases on this platform now (process ${pid}); wait until it has ended, or follow it: make data-workflow.`
        : `Another command works on this platform now (process ${pid}); wait until it has ended.`,
    );
  }
}

/** The content of a finished turn's file: no process. */
const nobody: RecordedProcess = { pid: 0, startedAt: "over" };

/**
 * Runs work that only one command at a time may do with an instance. A lock left by a killed command is detected,
 * because its process no longer runs, and taken over.
 * @param lock Folder of the lock: commands with different locks may run at the same time. @default "lock"
 * @throws PlatformBusy that names the process with the lock.
 */
export async function locked<T>(instance: Instance, work: () => Promise<T>, lock = "lock"): Promise<T> {
  const turn = takeTurn(instance, instance.path(lock));
  try {
    return await work();
  } finally {
    writeJson(turn, nobody);
  }
}

/**
 * Takes the next turn. A turn is a numbered file that names its process; the highest number counts. A file is created
 * once and never taken over. So if several commands find the same abandoned lock, one creates the next file and the
 * others find it.
 * @returns The path of the turn's file.
 */
function takeTurn(instance: Instance, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const own = join(folder, `${randomUUID()}.part`);
  writeFileSync(own, JSON.stringify({ pid: process.pid, startedAt: startTimeOf(process.pid) }));
  try {
    for (;;) {
      const last = Math.max(0, ...turns(folder));
      const holder = readJson<RecordedProcess | undefined>(join(folder, String(last)), undefined);
      if (isRunning(holder)) {
        throw new PlatformBusy(holder.pid, holder.pid === recordedProcess(instance, "pipeline")?.pid);
      }
      const turn = join(folder, String(last + 1));
      if (!link(own, turn)) {
        continue;
      }
      // A later turn exists or has ended, and its process may have removed the file that was just created again.
      if (turns(folder).some((number) => number > last + 1)) {
        rmSync(turn, { force: true });
        continue;
      }
      for (const number of turns(folder).filter((earlier) => earlier <= last)) {
        rmSync(join(folder, String(number)), { force: true });
      }
      return turn;
    }
  } finally {
    rmSync(own, { force: true });
  }
}

function turns(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Creates a file atomically. False if it exists. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      return false;
    }
    throw error;
  }
}
