import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a command and all its descendants have used. */
export interface Usage {
  /** Seconds on the clock. */
  readonly wall: number;
  /** User and system seconds of all processes together. */
  readonly cpu: number;
  /** Memory of the largest process at its peak, in MB. */
  readonly peak: number;
}

// Node tells only of its own process; the operating system adds up a whole tree of ended ones. On Linux those count too
// that their parent did not wait for, as Node does not for esbuild's service: they become children of the accountant
// (prctl(2), PR_SET_CHILD_SUBREAPER). Services that are meant to go on are given a second, and not waited for.
const accountant = `
import ctypes, json, os, resource, subprocess, sys, time
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
begin = time.monotonic()
status = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL).returncode
wall = time.monotonic() - begin
deadline = time.monotonic() + 1
try:
    while time.monotonic() < deadline:
        if os.waitpid(-1, os.WNOHANG)[0] == 0:
            time.sleep(0.01)
except ChildProcessError:
    pass
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
unit = 1 if sys.platform == "darwin" else 1024
json.dump({"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * unit / 1e6}, open(sys.argv[1], "w"))
sys.exit(status)
`;

/** Ends the group of a process that was started `detached`, unless it has ended. */
export function stop({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null && signalCode === null) {
    process.kill(-pid, "SIGKILL");
  }
}

/**
 * Runs a command to its end and says what it used.
 * @throws Error with all that it printed when it fails.
 */
export async function measure(
  command: readonly string[],
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
): Promise<Usage> {
  const folder = mkdtempSync(join(tmpdir(), "measure-"));
  const report = join(folder, "usage.json");
  try {
    const child = spawn("python3", ["-c", accountant, report, ...command], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const stopChild = (): void => {
      stop(child);
    };
    process.prependOnceListener("exit", stopChild); // when the benchmark is broken off, so is what it measures
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const status = await new Promise((settle) => child.once("close", settle));
    process.off("exit", stopChild);
    if (status !== 0) {
      throw new Error(`${command.join(" ")} ended with status ${String(status)}:\n${output}`);
    }
    return JSON.parse(readFileSync(report, "utf8")) as Usage;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The value below which the share `quantile` of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** The middle value. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);

/**
 * A whole number that whoever measures may set in the environment.
 * @throws Error that names the variable, what it says and what was expected
 */
export function setting(variable: string, fallback: number, least: number, most: number): number {
  const text = process.env[variable];
  if (text === undefined || text === "") {
    return fallback;
  }
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) {
    return value;
  }
  throw new Error(`${variable} is '${text}': expected a whole number from ${least} to ${most}.`);
}

/** A new folder that goes with this process, however that ends (but by SIGKILL). */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  process.once("exit", () => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return folder;
}

/** Seconds of one piece of work on the clock. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

/** A table in Markdown. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, header.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}
