import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { startTimeOf } from "sagemaker-local/process-identity";
import { type Instance, readJson, writeJson } from "./instance";
import { isRunning, type RecordedProcess, recordedProcess } from "./processes";

/** Another command works on the platform, or its pipeline releases. */
export class PlatformBusy extends Error {
  /**
   * @param pid The command's process, or the pipeline's.
   * @param isPipeline Which of the two it is.
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

/** What stands in the file of a turn that is over: no process. */
const nobody: RecordedProcess = { pid: 0, startedAt: "over" };

/**
 * Does something that only one command at a time may do with an instance. A lock that a killed command left behind is
 * recognised by its process, which no longer runs, and taken over.
 * @param lock Folder of the lock: commands with different ones may work at the same time. @default "lock"
 * @throws PlatformBusy naming the process that holds the lock.
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
 * Takes the next turn: each is a file with a number, which holds the process whose turn it is, and the highest number
 * counts. A file is made once and never taken away from its process, so that of several commands that find the same
 * lock left behind, one makes the next file and the others meet it.
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
      // A later turn is over or being had, and whoever has it may have cleared away the one that was just made again.
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

/** Makes a file whole or not at all. False when there is one already. */
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
