/** Runs a program to its end: with a time limit, its output captured, and signals passed on exactly once. */
import { spawn } from "node:child_process";
import { constants } from "node:os";

/** How a program is run. */
export interface ChildOptions {
  readonly folder: string;
  /** The whole environment of the program. */
  readonly variables: NodeJS.ProcessEnv;
  /** Seconds after which it is asked to stop; a minute later it is killed. */
  readonly seconds: number;
  /** Gets what it prints, on either stream, as it comes. @default nobody: it is only captured */
  readonly onOutput?: (text: string) => void;
  /** What it reads from its standard input. @default nothing */
  readonly input?: string;
}

/** How a program ended. */
export interface Ended {
  /** Its exit status; a signal's number plus 128, as in a shell, when one ended it. */
  readonly status: number;
  /** What it printed on its standard output. */
  readonly output: string;
  /** What it printed on its standard error. */
  readonly errors: string;
  /** Whether it took longer than it may. */
  readonly late: boolean;
  /** Whether somebody interrupted it. */
  readonly interrupted: boolean;
}

/** Seconds between the request to stop and the end by force: Terraform first waits for what it has begun, and saves its state. */
const graceSeconds = 60;

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs a program.
 *
 * It gets a process group of its own. A terminal sends ^C to the whole foreground group, and a Terraform that gets it twice (from the terminal and from
 * us) stops without saving its state; so only this process gets it, and passes it on once.
 * @throws Error when the program can't be started
 */
export async function runChild(program: string, parameters: readonly string[], options: ChildOptions): Promise<Ended> {
  const child = spawn(program, parameters, {
    cwd: options.folder,
    env: options.variables,
    detached: true,
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  let late = false;
  let interrupted = false;
  const signal = (name: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) child.kill(name);
  };
  const passOn = (name: NodeJS.Signals): void => {
    interrupted = true;
    signal(name);
  };
  let force: NodeJS.Timeout | undefined;
  const limit = setTimeout(() => {
    late = true;
    signal("SIGINT");
    force = setTimeout(() => {
      signal("SIGKILL");
    }, 1_000 * graceSeconds);
  }, 1_000 * options.seconds);
  for (const name of signals) process.on(name, passOn);
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  const collect = (parts: Buffer[]) => (part: Buffer) => {
    parts.push(part);
    options.onOutput?.(part.toString());
  };
  child.stdout?.on("data", collect(output));
  child.stderr?.on("data", collect(errors));
  // A program that doesn't read its input closes the pipe.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(options.input);
  try {
    const status = await new Promise<number>((settle, refuse) => {
      child.once("error", refuse);
      child.once("close", (code, name) => {
        settle(code ?? 128 + (name === null ? 0 : constants.signals[name]));
      });
    });
    return {
      status,
      output: Buffer.concat(output).toString(),
      errors: Buffer.concat(errors).toString(),
      late,
      interrupted,
    };
  } finally {
    clearTimeout(limit);
    clearTimeout(force);
    for (const name of signals) process.off(name, passOn);
  }
}
