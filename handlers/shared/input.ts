import * as z from "../../survey/zod";

/**
 * Text from outside that AWS is sent. JSON can spell half a surrogate pair (`"\ud800"`), which UTF-8 cannot: the SDK's
 * clients throw at it, or send something else in its place.
 */
export const text = z.string().check(z.regex(/^\P{Cs}*$/u, "is not well-formed Unicode text"));

/** The same, of one character at least. */
export const someText = text.check(z.minLength(1));

/** A place in S3 from outside. */
export const s3Uri = text.check(z.startsWith("s3://"));

/** A function was called with an event that it doesn't understand: repeating the call cannot help. */
export class InvalidEvent extends Error {
  override readonly name = "InvalidEvent";
}

/**
 * Checks what a function was called with.
 * @throws InvalidEvent with every fault and its place
 */
export function parseEvent<Output>(schema: z.ZodMiniType<Output>, event: unknown): Output {
  const result = schema.safeParse(event);
  if (result.success) {
    return result.data;
  }
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "the event"}: ${message}`);
  throw new InvalidEvent(`The event is not what this function takes: ${faults.join("; ")}`);
}
