import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { PortError, portTakenStatus } from "sagemaker-local/loopback";
import { startTimeOf } from "sagemaker-local/process-identity";
import { type Instance, readJson, root, writeJson } from "./instance";

/** A process that continues after its command has ended. */
export interface RecordedProcess {
  readonly pid: number;
  /** When the process started, from the operating system: a reused process id has another time. */
  readonly startedAt: string;
}

/** Options for starting a service. */
export interface ServiceCommand {
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
  /** The process's complete environment: nothing is inherited. */
  readonly environment: Record<string, string>;
  /** Returns true when the service is ready. */
  readonly isHealthy: () => Promise<boolean>;
  /** Time limit in seconds until it is healthy. @default 30 */
  readonly startSeconds?: number;
}

const largestLogBytes = 20_000_000;

/** Whether the recorded process still runs under its id. */
export function isRunning(recorded: RecordedProcess | undefined): recorded is RecordedProcess {
  return recorded !== undefined && startTimeOf(recorded.pid) === recorded.startedAt;
}

const recordOf = (instance: Instance, name: string): string => instance.path("processes", `${name}.json`);

/** The service's process recorded at its start, running or not. */
export function recordedProcess(instance: Instance, name: string): RecordedProcess | undefined {
  return readJson<RecordedProcess | undefined>(recordOf(instance, name), undefined);
}

/** The file with the service's output. */
export const logFile = (instance: Instance, name: string): string => instance.path("logs", `${name}.log`);

/** The last lines of a service's log, for an error message. */
export function lastLines(instance: Instance, name: string, count = 5): string {
  try {
    return readFileSync(logFile(instance, name), "utf8").trimEnd().split("\n").slice(-count).join("\n");
  } catch {
    return "";
  }
}

/**
 * Starts a service in the background and waits until it is healthy. Does nothing if it is already healthy.
 * @returns Whether it was started.
 * @throws Error with the last lines of its log when it ends or is not healthy in time; a PortError when it ended
 * because its port is taken.
 */
export async function startService(instance: Instance, service: ServiceCommand): Promise<boolean> {
  const { name } = service;
  if (isRunning(recordedProcess(instance, name)) && (await service.isHealthy())) {
    return false;
  }
  await stopService(instance, name);
  const log = logFile(instance, name);
  if (existsSync(log) && statSync(log).size > largestLogBytes) {
    renameSync(log, `${log}.old`);
  }
  const output = openSync(log, "a");
  const child = spawn(service.command, service.arguments, {
    cwd: root,
    detached: true,
    env: service.environment,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  const failure = new Promise<Error>((settle) => child.once("error", settle));
  const ended = new Promise<number | null>((settle) => child.once("exit", settle));
  child.unref();
  const startedAt = child.pid === undefined ? undefined : startTimeOf(child.pid);
  if (child.pid === undefined || startedAt === undefined) {
    const reason = await Promise.race([failure, sleep(1000)]);
    throw new Error(`${name} did not start: ${reason?.message ?? "it ended at once"}\n${lastLines(instance, name)}`);
  }
  const recorded: RecordedProcess = { pid: child.pid, startedAt };
  writeJson(recordOf(instance, name), recorded);
  const deadline = Date.now() + 1000 * (service.startSeconds ?? 30);
  while (Date.now() < deadline) {
    if (await service.isHealthy()) {
      return true;
    }
    if (!isRunning(recorded)) {
      // The operating system may report the end before Node does.
      const status = await Promise.race([ended, sleep(1000)]);
      const message = `${name} ended before it was ready:\n${lastLines(instance, name)}`;
      throw status === portTakenStatus ? new PortError(message, portTakenStatus) : new Error(message);
    }
    await sleep(50);
  }
  await stopService(instance, name);
  throw new Error(`${name} was not ready after ${service.startSeconds ?? 30} seconds:\n${lastLines(instance, name)}`);
}

/**
 * Stops a service that this instance started, by its recorded id: first with SIGTERM, so that it saves its state, then,
 * after `graceSeconds`, with SIGKILL.
 * @returns Whether it was running.
 */
export async function stopService(instance: Instance, name: string, graceSeconds = 40): Promise<boolean> {
  const recorded = recordedProcess(instance, name);
  const running = isRunning(recorded);
  if (running) {
    signal(recorded.pid, "SIGTERM");
    const deadline = Date.now() + 1000 * graceSeconds;
    while (isRunning(recorded) && Date.now() < deadline) {
      await sleep(25);
    }
    // Its children are in its process group and are stopped too, however it ended.
    const groupDeadline = Date.now() + 1000;
    while (signal(-recorded.pid, "SIGKILL") && Date.now() < groupDeadline) {
      await sleep(25);
    }
  }
  // Another command may have restarted it meanwhile: keep that record.
  if (recordedProcess(instance, name)?.pid === recorded?.pid) {
    rmSync(recordOf(instance, name), { force: true });
  }
  return running;
}

/** Sends a signal; returns whether the process exists. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}
