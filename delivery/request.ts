/** The command line's options, read and checked before anything is done. */
import { createInterface } from "node:readline/promises";
import { type Environment, loadEnvironment } from "../environments";
import { type StackId, stackIds } from "../stacks/contract";
import { DeploymentError, type Manifest, type SynthesizedStack } from "./terraform";

/** A command's options: `make` passes its variables as environment variables. */
export interface Request {
  /** `ENVIRONMENT`. */
  readonly environment: Environment;
  /** `STACK`. */
  readonly stack: StackId | undefined;
  /** `LOCK`: the id of a lock. */
  readonly lock: string | undefined;
  /** `APPROVE=yes`. */
  readonly saidYes: boolean;
  /** `APPROVE=yes`, or a build server, where nobody can answer. */
  readonly approved: boolean;
  /** `LOCK_TIMEOUT`: seconds to wait for another user's lock. */
  readonly lockSeconds: number;
}

const given = (variables: NodeJS.ProcessEnv, name: string): string | undefined =>
  variables[name] === "" ? undefined : variables[name];

/**
 * Reads the options.
 * @throws Error or DeploymentError that names the variable, its value, and what was expected
 */
export function readRequest(variables: NodeJS.ProcessEnv): Request {
  const environment = loadEnvironment(given(variables, "ENVIRONMENT"));
  const stack = given(variables, "STACK");
  if (stack !== undefined && !(stackIds as readonly string[]).includes(stack)) {
    throw new DeploymentError(
      `STACK is ${JSON.stringify(stack)}; expected one of ${stackIds.join(", ")}.`,
      "Choose one of these, and run it again.",
    );
  }
  const approve = given(variables, "APPROVE");
  if (approve !== undefined && approve !== "yes") {
    throw new DeploymentError(
      `APPROVE is ${JSON.stringify(approve)}; expected "yes", or nothing to be asked.`,
      "Correct it, and run it again.",
    );
  }
  const timeout = given(variables, "LOCK_TIMEOUT") ?? "0";
  if (!/^\d{1,5}$/.test(timeout)) {
    throw new DeploymentError(
      `LOCK_TIMEOUT is ${JSON.stringify(timeout)}; expected the seconds to wait for a locked state, from 0 to 99999.`,
      "Correct it, and run it again.",
    );
  }
  return {
    environment,
    stack: stack as StackId | undefined,
    lock: given(variables, "LOCK"),
    saidYes: approve === "yes",
    approved: approve === "yes" || onBuildServer(variables),
    lockSeconds: Number(timeout),
  };
}

/** Build servers set `CI`; CodeBuild sets its own variable ("Environment variables in build environments"). */
function onBuildServer(variables: NodeJS.ProcessEnv): boolean {
  const ci = given(variables, "CI");
  return (ci !== undefined && ci !== "false" && ci !== "0") || given(variables, "CODEBUILD_BUILD_ID") !== undefined;
}

/**
 * Returns a stack of an environment.
 * @throws DeploymentError when the environment does not have it
 */
export function stackOf({ stacks }: Manifest, { name }: Environment, id: StackId): SynthesizedStack {
  const found = stacks.find((stack) => stack.id === id);
  if (!found) {
    throw new DeploymentError(
      `The environment ${name} has no stack ${id}; it has ${stacks.map((stack) => stack.id).join(", ")}.`,
      "Choose one of these, or another ENVIRONMENT.",
    );
  }
  return found;
}

/**
 * Asks whether to continue, unless that is already approved.
 * @param question says at its end what will happen
 * @param command approves it in advance
 * @throws DeploymentError when the answer is no, or nobody can answer
 */
export async function confirm(
  { approved }: Pick<Request, "approved">,
  question: string,
  command: string,
): Promise<void> {
  if (approved) {
    return;
  }
  if (!process.stdin.isTTY) {
    throw new DeploymentError(
      `${question} This is not a terminal, so nobody can answer.`,
      `Read the above; then: ${command} APPROVE=yes`,
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const leave = new AbortController();
  terminal.once("SIGINT", () => {
    leave.abort();
  });
  terminal.once("close", () => {
    leave.abort();
  });
  let answer: string;
  try {
    answer = await terminal.question(`${question} Only "yes" is accepted: `, { signal: leave.signal });
  } catch {
    answer = "";
  } finally {
    terminal.close();
  }
  if (answer.trim() !== "yes") {
    throw new DeploymentError("Nothing was done: the answer was not yes.", command);
  }
}
