/**
 * A stack that can't be provisioned, for a reason that its author can correct. The message names the stack, the
 * resource, the attribute and the value, if known.
 */
export class ProvisionError extends Error {
  override readonly name = "ProvisionError";
}

/** The text of any error: an AWS error's name comes before its message. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  if (["ProvisionError", "ExpressionError"].includes(error.name)) {
    return error.message;
  }
  // The SDK wraps the connection error, and keeps only its text.
  const connection = /E(?:CONNREFUSED|CONNRESET|PIPE)\b|socket hang up/.exec(error.message)?.[0];
  if (connection !== undefined) {
    return `the AWS emulator does not answer (${connection}); is it running?`;
  }
  return error.name === "Error" ? error.message : `${error.name}: ${error.message}`;
}
