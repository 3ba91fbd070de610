import { inspect } from "node:util";

/** Errors of these kinds are faults of a program; nobody can correct them by using it in another way. */
const faults = [TypeError, RangeError, ReferenceError, SyntaxError];

/**
 * Runs a command line: an error that somebody can correct is printed as a sentence, a fault of the program with its
 * stack. Whoever stops reading (`make logs | head`) gets no error, and what is being done goes on.
 *
 * The exit status is 0; what `work` returns, where that is a number; or, after an error, the error's `exitStatus`, by
 * default 1.
 *
 * @param work Gets the environment variables.
 */
export function runCommand(work: (variables: NodeJS.ProcessEnv) => unknown): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error) => {
      // What the system didn't report comes from whatever writes to the stream, and ends `work` too.
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
  // AWS's errors have their reason in the name.
  return "$fault" in error ? `${error.name}: ${error.message}` : error.message;
}
