import type * as z from "zod";

/** A function was called with an event that it doesn't understand: repeating the call cannot help. */
export class InvalidEvent extends Error {
  override readonly name = "InvalidEvent";
}

/**
 * Checks what a function was called with.
 * @throws InvalidEvent with every fault and its place
 */
export function parseEvent<Output>(schema: z.ZodType<Output>, event: unknown): Output {
  const result = schema.safeParse(event);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "the event"}: ${message}`);
  throw new InvalidEvent(`The event is not what this function takes: ${faults.join("; ")}`);
}
