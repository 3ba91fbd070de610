/**
 * A copy of the checkout, as another engineer or a build server has it: what is typed there writes nothing into this
 * one.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { root } from "../../../local/platform/instance";

/** What is installed is shared by all copies; what a checkout has produced isn't copied. */
const installed = [
  "node_modules",
  ".venv",
  ...["exit-door", "mutation"].map((name) => join("__tests__", name, "node_modules")),
];
const produced = [".git", ".local", "cdktf.out", "dist", "hcl"];

/** How a command ended. */
export interface Ended {
  readonly status: number | null;
  /** What it printed, on either stream. */
  readonly output: string;
}

/** A command that is still running. */
export interface Running {
  readonly ended: Promise<Ended>;
  /** What it has printed so far. */
  readonly output: () => string;
  /** Ends it by force: its process group, as when somebody's terminal dies. */
  killGroup(): void;
  /** Ends it and everything that it has started by force, as when the machine dies. */
  killAll(): void;
}

/** A copy of the checkout in a temporary folder. */
export class Checkout {
  readonly folder = mkdtempSync(join(tmpdir(), "checkout-"));
  private readonly started: ChildProcess[] = [];

  constructor() {
    const left = new Set([...installed, ...produced]);
    cpSync(root, this.folder, {
      recursive: true,
      preserveTimestamps: true,
      filter: (path) => !left.has(relative(root, path)) && !path.endsWith("__pycache__"),
    });
    for (const folder of installed.filter((each) => existsSync(join(root, each)))) {
      symlinkSync(join(root, folder), join(this.folder, folder));
    }
  }

  /**
   * Starts `make TARGET`.
   * @param variables make's variables, such as `STACK`
   * @param environment the whole environment of the command
   */
  start(target: string, variables: Record<string, string>, environment: Record<string, string>): Running {
    const child = spawn(
      "make",
      // What is installed is another checkout's: nothing may be installed again from here.
      [
        "--no-print-directory",
        "--assume-old=install",
        target,
        ...Object.entries(variables).map((pair) => pair.join("=")),
      ],
      { cwd: this.folder, detached: true, env: environment, stdio: ["ignore", "pipe", "pipe"] },
    );
    this.started.push(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (part: Buffer) => {
        output += part.toString();
      });
    }
    return {
      output: () => output,
      ended: new Promise((settle) => {
        child.once("close", (status) => {
          settle({ status, output });
        });
      }),
      killGroup: () => {
        kill(-(child.pid ?? 0));
      },
      killAll: () => {
        // The youngest last: none may notice that another has gone, and act upon it.
        const all = [child.pid ?? 0, ...descendants(child.pid ?? 0)];
        for (const id of all) {
          stop(id);
        }
        for (const id of all) {
          kill(id);
        }
      },
    };
  }

  /** Runs `make TARGET` to its end. */
  make(target: string, variables: Record<string, string>, environment: Record<string, string>): Promise<Ended> {
    return this.start(target, variables, environment).ended;
  }

  /**
   * Runs `make TARGET`, which has to end well.
   * @returns what it printed
   * @throws Error with the end of that when it doesn't
   */
  async succeed(
    target: string,
    variables: Record<string, string>,
    environment: Record<string, string>,
  ): Promise<string> {
    const { status, output } = await this.make(target, variables, environment);
    if (status !== 0) {
      const said = output.trimEnd().split("\n").slice(-40).join("\n");
      throw new Error(`make ${target} ${JSON.stringify(variables)} ended with status ${status}:\n${said}`);
    }
    return output;
  }

  /** Stops what still runs, and removes the copy. */
  remove(): void {
    for (const { pid = 0, exitCode } of this.started) {
      if (exitCode === null) {
        for (const id of [pid, ...descendants(pid)]) {
          kill(id);
        }
      }
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function signal(id: number, name: NodeJS.Signals): void {
  if (id === 0) {
    return;
  }
  try {
    process.kill(id, name);
  } catch {
    // It has ended by itself.
  }
}

const stop = (id: number): void => {
  signal(id, "SIGSTOP");
};
const kill = (id: number): void => {
  signal(id, "SIGKILL");
};

/** The processes that a process has started, and those that these have. */
function descendants(id: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${entry}/stat`, "utf8");
      const parent = Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // It ended while the list was read.
    }
  }
  const below = (parent: number): readonly number[] =>
    (children.get(parent) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(id);
}
