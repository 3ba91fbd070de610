import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname } from "node:path";

import { root } from "./instance";

/** A command of the platform that ended badly. */
export class CommandFailed extends Error {
  /**
   * @param title What the command was for.
   * @param exit How it ended.
   * @param output The last of what it printed.
   */
  constructor(title: string, exit: string, output: string) {
    super(`${title} ${exit}${output === "" ? "" : `:\n${output}`}`);
  }
}

/** How a command is run to its end. */
export interface CommandOptions {
  /** What the command is for, as the subject of an error message. */
  readonly title: string;
  /** The whole environment: nothing is inherited. */
  readonly environment: Record<string, string>;
  /** File that gets all that it prints. */
  readonly log: string;
  /** Seconds after which it is stopped. */
  readonly seconds: number;
}

/**
 * Runs a command to its end.
 * @returns What it printed on standard output.
 * @throws CommandFailed when it exits with another status than 0, or not in time.
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
