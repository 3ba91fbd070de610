/** Runs programs. What is still running at the end dies with the namespaces in which the whole proof runs. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** How a program ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  /** Both streams, as a person sees them. */
  readonly output: string;
}

export interface RunOptions {
  /** The whole environment. @default this process's */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly folder?: string;
  /** After so long the program is killed. @default 240 */
  readonly seconds?: number;
}

/** Runs a program to its end, whatever that is. */
export async function run(command: string, words: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = spawn(command, words, {
    cwd: options.folder,
    env: options.environment ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: (options.seconds ?? 240) * 1000,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { status, stdout, output };
}

/**
 * Runs a program and returns what it printed to its standard output, without the last line's end.
 * @throws Error with the end of its output when it fails
 */
export async function succeed(command: string, words: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, stdout, output } = await run(command, words, options);
  if (status !== 0) {
    throw new Error(`${command} ${words.join(" ")}\nended with status ${String(status)}:\n${output.slice(-4000)}`);
  }
  return stdout.trimEnd();
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A program that answers requests until it is stopped. */
export interface Server {
  readonly child: ChildProcess;
  /** Asks it to end, and waits for that. */
  stop(): Promise<number | null>;
}

/**
 * Starts a program and waits until it is ready.
 * @throws Error with the end of its log when it ends before, or isn't ready in a minute
 */
export async function startServer(
  command: string,
  words: readonly string[],
  options: RunOptions & { readonly log: string; readonly isReady: () => Promise<boolean> },
): Promise<Server> {
  const log = openSync(options.log, "w");
  const child = spawn(command, words, {
    cwd: options.folder,
    env: options.environment ?? process.env,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const ended = once(child, "close") as Promise<[number | null]>;
  const deadline = Date.now() + 60_000;
  while (!(await options.isReady().catch(() => false))) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(
        `${command} ${words.join(" ")}\nis not ready:\n${readFileSync(options.log, "utf8").slice(-4000)}`,
      );
    }
    await sleep(50);
  }
  return {
    child,
    stop: async () => {
      child.kill("SIGTERM");
      return (await ended)[0];
    },
  };
}
