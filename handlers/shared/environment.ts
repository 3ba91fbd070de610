import * as z from "../../survey/zod";

/**
 * Reads a handler's environment variables once, when it starts.
 * @throws Error that names each missing or wrong variable, and what was expected
 */
export function readEnvironment<Shape extends z.core.$ZodShape>(
  shape: Shape,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): z.infer<z.ZodMiniObject<Shape>> {
  const result = z.object(shape).safeParse(environment);
  if (result.success) {
    return result.data;
  }
  const faults = result.error.issues.map(({ path, message }) => {
    const name = path.join(".");
    const value = environment[name];
    return value === undefined ? `${name} is not set` : `${name}: '${value.slice(0, 100)}' is wrong: ${message}`;
  });
  throw new Error(`The function's environment is incomplete: ${faults.join("; ")}. Correct the stack that deploys it.`);
}

/** A name or ARN: any text except an empty one. */
export const name = z.string().check(z.minLength(1));

/** A number in a range, as text. */
export function number(minimum: number, maximum: number): z.ZodMiniType<number, string> {
  return z
    .pipe(z.string().check(z.regex(/^\d+(\.\d+)?$/, "expected a number")), z.transform(Number))
    .check(
      z.refine((value) => value >= minimum && value <= maximum, `expected a number between ${minimum} and ${maximum}`),
    );
}

/** At least one item, separated by commas. */
export const list = z
  .pipe(
    z.string(),
    z.transform((text: string) =>
      text
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== ""),
    ),
  )
  .check(z.refine((items) => items.length > 0, "expected items separated by commas"));

/** A number in a range, or `none`. */
export function numberOrNone(minimum: number, maximum: number): z.ZodMiniType<number | undefined, string> {
  return z.union([
    z.pipe(
      z.literal("none"),
      z.transform(() => undefined),
    ),
    number(minimum, maximum),
  ]);
}
