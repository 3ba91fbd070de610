import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname } from "node:path";

import { root } from "./instance";

/** A command of the platform that failed. */
export class CommandFailed extends Error {
  /**
   * @param title The command's purpose.
   * @param exit How it ended.
   * @param output The end of its output.
   */
  constructor(title: string, exit: string, output: string) {
    super(`${title} ${exit}${output === "" ? "" : `:\n${output}`}`);
  }
}

/** Options for running a command. */
export interface CommandOptions {
  /** The command's purpose, as the subject of an error message. */
  readonly title: string;
  /** The whole environment: nothing is inherited. */
  readonly environment: Record<string, string>;
  /** File for its output. */
  readonly log: string;
  /** Seconds after which it is stopped. */
  readonly seconds: number;
}

/**
 * Runs a command to its end.
 * @returns Its standard output.
 * @throws CommandFailed when its exit status is not 0, or it exceeds its time limit.
 */
export async function run(command: string, parameters: readonly string[], options: CommandOptions): Promise<string> {
  mkdirSync(dirname(options.log), { recursive: true });
  const log = createWriteStream(options.log);
  const child = spawn(command, parameters, {
    cwd: root,
    env: options.environment,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 1000 * options.seconds,
    killSignal: "SIGKILL",
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    log.write(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
    log.write(chunk);
  });
  const exit = await new Promise<string>((settle) => {
    child.once("error", (error) => {
      settle(`could not be started (${error.message})`);
    });
    child.once("close", (status, signal) => {
      settle(signal === "SIGKILL" ? `took more than ${options.seconds} seconds` : `ended with status ${status}`);
    });
  });
  log.end();
  if (exit !== "ended with status 0") {
    const text = (errors.trim() === "" ? output : errors).trimEnd();
    throw new CommandFailed(options.title, exit, text.split("\n").slice(-20).join("\n"));
  }
  return output;
}
