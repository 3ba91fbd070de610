import * as z from "../../survey/zod";

/**
 * External text for AWS. JSON can contain half a surrogate pair (`"\ud800"`), which UTF-8 cannot: the SDK's clients
 * throw on it, or replace it.
 */
export const text = z.string().check(z.regex(/^\P{Cs}*$/u, "is not well-formed Unicode text"));

/** External text with at least one character. */
export const someText = text.check(z.minLength(1));

/** An S3 URI from outside. */
export const s3Uri = text.check(z.startsWith("s3://"));

/** The event is invalid: repeating the call cannot help. */
export class InvalidEvent extends Error {
  override readonly name = "InvalidEvent";
}

/**
 * Checks a function's event.
 * @throws InvalidEvent with each error and its place
 */
export function parseEvent<Output>(schema: z.ZodMiniType<Output>, event: unknown): Output {
  const result = schema.safeParse(event);
  if (result.success) {
    return result.data;
  }
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "the event"}: ${message}`);
  throw new InvalidEvent(`The event is not what this function takes: ${faults.join("; ")}`);
}
