/**
 * Runs a command: what somebody can correct is said in a sentence, only a fault of the program itself needs a stack.
 * Exit status 1 in both cases.
 * @param work gets the environment variables
 */
export function runCommand(work: (variables: NodeJS.ProcessEnv) => Promise<void>): void {
  work(process.env).catch((error: unknown) => {
    const expected = error instanceof Error && (error.constructor === Error || error.name === "DeploymentError");
    process.stderr.write(
      `${expected ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exitCode = 1;
  });
}
