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
  const code = (error as { code?: unknown }).code;
  if (code === "ECONNREFUSED" || code === "ECONNRESET") {
    return `the AWS emulator does not answer (${error.message || code}); is it running?`;
  }
  return ["Error", "ProvisionError", "ExpressionError"].includes(error.name)
    ? error.message
    : `${error.name}: ${error.message}`;
}
