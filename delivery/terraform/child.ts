/** Runs a program with a time limit, captures its output, and passes signals on once. */
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

/** Options for running a program. */
export interface ChildOptions {
  readonly folder: string;
  /** The program's complete environment. */
  readonly variables: NodeJS.ProcessEnv;
  /** Seconds until it is asked to stop; a minute later it is killed. */
  readonly seconds: number;
  /** Receives the output of both streams as it is printed. @default none: it is only captured */
  readonly onOutput?: (text: string) => void;
  /** The process to interrupt instead of the program, at that moment. @default the program itself */
  readonly interruptible?: () => number | undefined;
}

/** The result of a program. */
export interface Ended {
  /** Its exit status; 128 plus the signal's number if a signal ended it, as in a shell. */
  readonly status: number;
  /** Its standard output. */
  readonly output: string;
  /** Its standard error; with `onOutput` that is part of `output`. */
  readonly errors: string;
  /** Whether it exceeded its time limit. */
  readonly late: boolean;
  /** Whether somebody interrupted it. */
  readonly interrupted: boolean;
}

/**
 * Seconds between the request to stop and the kill: Terraform first waits for started operations, and saves its state.
 */
const graceSeconds = 60;

/** One ^C may arrive several times within these milliseconds, from the terminal and from programs in between. */
const sameInterrupt = 1_000;

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs a program.
 *
 * It gets its own process group. A terminal sends ^C to the whole foreground group, and a Terraform that gets it twice
 * (from the terminal and from us) stops without saving its state; so only this process gets it, and passes it on once.
 * If this process is killed, the program runs to its end. Its output goes to files, because a broken pipe would end a
 * Terraform that holds a lock.
 * @throws Error when the program can't be started
 */
export async function runChild(program: string, parameters: readonly string[], options: ChildOptions): Promise<Ended> {
  const { onOutput } = options;
  const records = mkdtempSync(join(tmpdir(), "acme-deployment-"));
  const [output, errors] = [join(records, "output"), join(records, "errors")] as const;
  const files = onOutput ? [] : [openSync(output, "w"), openSync(errors, "w")];
  const [outputFile = "pipe", errorsFile = "pipe"] = files;
  const timers: NodeJS.Timeout[] = [];
  let late = false;
  let interrupted = false;
  let lastInterrupt = -Infinity;
  let interrupt: (name: NodeJS.Signals) => void = () => undefined;
  const passOn = (): void => {
    if (performance.now() - lastInterrupt < sameInterrupt) {
      return;
    }
    lastInterrupt = performance.now();
    interrupted = true;
    interrupt("SIGINT");
  };
  for (const name of signals) {
    process.on(name, passOn);
  }
  try {
    const child = spawn(program, parameters, {
      cwd: options.folder,
      env: options.variables,
      detached: true,
      stdio: ["ignore", outputFile, errorsFile],
    });
    interrupt = (name) => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
        return;
      }
      const other = name === "SIGINT" ? options.interruptible?.() : undefined;
      if (other === undefined || !send(other, name)) {
        child.kill(name);
      }
    };
    timers.push(
      setTimeout(() => {
        late = true;
        interrupt("SIGINT");
        timers.push(
          setTimeout(() => {
            interrupt("SIGKILL");
          }, 1_000 * graceSeconds),
        );
      }, 1_000 * options.seconds),
    );
    const printed: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (part: Buffer) => {
        printed.push(part);
        onOutput?.(part.toString());
      });
    }
    const status = await new Promise<number>((settle, refuse) => {
      child.once("error", refuse);
      child.once("close", (code, name) => {
        settle(code ?? 128 + (name === null ? 0 : constants.signals[name]));
      });
    });
    return {
      status,
      output: onOutput ? Buffer.concat(printed).toString() : readFileSync(output, "utf8"),
      errors: onOutput ? "" : readFileSync(errors, "utf8"),
      late,
      interrupted,
    };
  } finally {
    timers.forEach(clearTimeout);
    for (const name of signals) {
      process.off(name, passOn);
    }
    files.forEach(closeSync);
    rmSync(records, { recursive: true, force: true });
  }
}

/** Sends a signal; returns whether the process exists. */
function send(id: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(id, name);
  } catch {
    return false;
  }
}
