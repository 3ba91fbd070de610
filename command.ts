import { inspect } from "node:util";

/** Errors of these kinds are bugs in the program; a user cannot correct them. */
const faults = [TypeError, RangeError, ReferenceError, SyntaxError];

/**
 * Runs a command line. An error that the user can correct is printed as a sentence, a bug with its stack trace. A
 * reader that stops early (`make logs | head`) causes no error, and the work continues.
 *
 * The exit status is 0, or the number that `work` returns, or after an error its `exitStatus` (by default 1).
 * @param work Gets the environment variables.
 */
export function runCommand(work: (variables: NodeJS.ProcessEnv) => unknown): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error) => {
      // An error without a system call comes from the code that writes to the stream, and also makes `work` fail.
      if ("syscall" in error && !isClosedPipe(error)) {
        throw error;
      }
    });
  }
  const done = (async () => await work(process.env))();
  done.then(
    (status) => {
      if (typeof status === "number") {
        process.exitCode = status;
      }
    },
    (error: unknown) => {
      if (!isClosedPipe(error)) {
        process.stderr.write(`${describe(error)}\n`);
        process.exitCode = error instanceof Error && "exitStatus" in error ? Number(error.exitStatus) : 1;
      }
    },
  );
}

function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

function describe(error: unknown): string {
  if (!(error instanceof Error) || faults.some((fault) => error instanceof fault)) {
    return inspect(error);
  }
  // AWS errors have their reason in the name.
  return "$fault" in error ? `${error.name}: ${error.message}` : error.message;
}
