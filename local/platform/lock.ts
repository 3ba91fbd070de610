import { linkSync, rmSync, writeFileSync } from "node:fs";

import { startTimeOf } from "../process-identity";
import { type Instance, readJson } from "./instance";
import { isRunning, type RecordedProcess } from "./processes";

/**
 * Does something that only one command at a time may do with an instance. A lock that a killed command left behind is
 * recognised by its process, which no longer runs, and taken over.
 * @throws Error naming the process that holds the lock.
 */
export async function locked<T>(instance: Instance, work: () => Promise<T>): Promise<T> {
  const file = instance.path("command.lock");
  const own = `${file}.${process.pid}`;
  writeFileSync(own, JSON.stringify({ pid: process.pid, startedAt: startTimeOf(process.pid) }));
  try {
    take(own, file);
    return await work();
  } finally {
    rmSync(own, { force: true });
    if (readJson<RecordedProcess | undefined>(file, undefined)?.pid === process.pid) {
      rmSync(file, { force: true });
    }
  }
}

function take(own: string, file: string): void {
  for (;;) {
    try {
      // A link is made whole or not at all, also when two commands try at the same moment.
      linkSync(own, file);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw error;
      }
    }
    const holder = readJson<RecordedProcess | undefined>(file, undefined);
    if (isRunning(holder)) {
      throw new Error(`Another command works on this platform now (process ${holder.pid}); wait until it has ended.`);
    }
    rmSync(file, { force: true });
  }
}
