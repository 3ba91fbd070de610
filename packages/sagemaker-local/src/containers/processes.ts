import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { startTimeOf } from "../process-identity";
import { pause } from "../concurrency";
import { log } from "../log";
import { writeAtomically } from "../resources/store";

interface Recorded {
  readonly pid: number;
  readonly startedAt: string;
  readonly purpose: string;
}

/** How to start a child. */
export interface ChildOptions {
  /** Describes the child, for example "training job abalone-1". */
  readonly purpose: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** Receives stdout and stderr, so that the child never waits for us to read them. */
  readonly logFile: string;
  /** Whether the log is emptied first. @default false */
  readonly truncateLog?: boolean;
}

/** How a child ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child with its own process group. */
export interface Child {
  readonly pid: number;
  /** Resolves when it has ended and the rest of its group is stopped. */
  readonly ended: Promise<Exit>;
  readonly running: () => boolean;
  /** Asks the whole group to stop; kills it when `graceMilliseconds` are over. Resolves when it has ended. */
  readonly stop: (graceMilliseconds: number) => Promise<Exit>;
}

/** Sends a signal to a process group; a group that is gone is not an error. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended in the meantime.
  }
}

/** Starts children and records each on the disk, so that after a kill of the service its next start finds them. */
export class Children {
  private readonly running = new Set<Child>();
  private stopping = false;

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
  }

  /**
   * Starts a child.
   * @throws Error when its command can't be started, or everything is being stopped
   */
  async start(options: ChildOptions): Promise<Child> {
    if (this.stopping) {
      throw new Error("the service is being stopped");
    }
    mkdirSync(dirname(options.logFile), { recursive: true });
    const output = openSync(options.logFile, options.truncateLog === true ? "w" : "a");
    let child: ChildProcess;
    try {
      child = spawn(options.command, options.arguments, {
        cwd: options.workingDirectory,
        env: { ...options.environment },
        stdio: ["ignore", output, output],
        detached: true,
      });
    } finally {
      closeSync(output);
    }
    const { pid } = child;
    if (pid === undefined) {
      const reason = await new Promise<Error>((resolve) => child.once("error", resolve));
      throw new Error(`${options.command} could not be started: ${reason.message}`);
    }
    const record = join(this.folder, `${pid}.json`);
    const recorded: Recorded = { pid, startedAt: startTimeOf(pid) ?? "", purpose: options.purpose };
    writeAtomically(record, JSON.stringify(recorded));

    let ended: Exit | undefined;
    const end = new Promise<Exit>((resolve) => {
      child.once("exit", (code, signal) => {
        ended = { code, signal };
        signalGroup(pid, "SIGKILL");
        rmSync(record, { force: true });
        this.running.delete(started);
        resolve(ended);
      });
    });
    const started: Child = {
      pid,
      ended: end,
      running: () => ended === undefined,
      stop: async (graceMilliseconds) => {
        if (ended !== undefined) {
          return ended;
        }
        signalGroup(pid, "SIGTERM");
        const kill = setTimeout(() => {
          signalGroup(pid, "SIGKILL");
        }, graceMilliseconds);
        const exit = await end;
        clearTimeout(kill);
        return exit;
      },
    };
    this.running.add(started);
    return started;
  }

  /** Whether everything is being stopped. */
  get areStopping(): boolean {
    return this.stopping;
  }

  /** Stops all children, and starts no more. */
  async stopAll(graceMilliseconds: number): Promise<void> {
    this.stopping = true;
    await Promise.all([...this.running].map((child) => child.stop(graceMilliseconds)));
  }
}

/** Where a service records its children; `stopOrphans` stops those in it that a killed service left running. */
export function childrenFolder(stateDirectory: string): string {
  return join(stateDirectory, "children");
}

function readRecord(file: string): Recorded | undefined {
  try {
    const { pid, startedAt, purpose } = JSON.parse(readFileSync(file, "utf8")) as Partial<Recorded>;
    return pid === undefined || startedAt === undefined || purpose === undefined
      ? undefined
      : { pid, startedAt, purpose };
  } catch {
    return undefined;
  }
}

/**
 * Stops the children that a killed service left running. A process is stopped only if both its id and its start time
 * are the recorded ones.
 * @param folder the records of the killed service's `Children`
 * @returns what was stopped, for a message
 */
export async function stopOrphans(folder: string): Promise<string[]> {
  if (!existsSync(folder)) {
    return [];
  }
  const stopped = await Promise.all(
    readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .map(async (name) => {
        const file = join(folder, name);
        const recorded = readRecord(file);
        if (recorded === undefined) {
          log(`${file} is damaged, so the process that it recorded is unknown and is not stopped.`);
          rmSync(file, { force: true });
          return [];
        }
        const { pid, startedAt, purpose } = recorded;
        const alive = (): boolean => startTimeOf(pid) === startedAt;
        const found = alive();
        if (found) {
          signalGroup(pid, "SIGTERM");
          for (let waited = 0; alive() && waited < 2000; waited += 50) {
            await pause(50);
          }
          if (alive()) {
            signalGroup(pid, "SIGKILL");
          }
          for (let waited = 0; alive() && waited < 2000; waited += 20) {
            await pause(20);
          }
          log(`Stopped ${purpose} (process ${pid}), which a killed service left running.`);
        }
        rmSync(file, { force: true });
        return found ? [purpose] : [];
      }),
  );
  return stopped.flat();
}
