/**
 * A stack that cannot be provisioned, for a reason that its author can act upon. The message names the stack, the
 * resource, the attribute and the value wherever they are known.
 */
export class ProvisionError extends Error {
  override readonly name = "ProvisionError";
}

/** The text of anything thrown: an AWS error's name comes before its message. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  if (["ProvisionError", "ExpressionError"].includes(error.name)) {
    return error.message;
  }
  // The SDK wraps the connection's error, and keeps its text only.
  const connection = /E(?:CONNREFUSED|CONNRESET|PIPE)\b|socket hang up/.exec(error.message)?.[0];
  if (connection !== undefined) {
    return `the AWS emulator does not answer (${connection}); is it running?`;
  }
  return error.name === "Error" ? error.message : `${error.name}: ${error.message}`;
}
