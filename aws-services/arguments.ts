/**
 * Reads the arguments of a resource in Terraform's JSON.
 *
 *     values(bucket, "rule", "bucket_key_enabled"); // for a single block and for a list of blocks
 */

/** The arguments of a resource or of a block in it. */
export type Arguments = Readonly<Record<string, unknown>>;

/** Whether a value is a block or an object: not a list, string, null or undefined. */
export function isArguments(value: unknown): value is Arguments {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as a list. Terraform writes one block or a list of blocks, one action or a list of actions. */
export function list(value: unknown): readonly unknown[] {
  return value === undefined || value === null ? [] : Array.isArray(value) ? (value as readonly unknown[]) : [value];
}

/** The strings of a value that is one string or a list. */
export function texts(value: unknown): readonly string[] {
  return list(value).filter((text) => typeof text === "string");
}

/** The value if it is a string, otherwise an empty string. */
export const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** The value if it is a number, otherwise the default. */
export const numberOf = (value: unknown, otherwise: number): number => (typeof value === "number" ? value : otherwise);

/** All values at a path of argument names, in all blocks on the path. */
export function values(block: unknown, ...path: readonly string[]): readonly unknown[] {
  const [key, ...rest] = path;
  if (key === undefined) {
    return list(block);
  }
  return list(block).flatMap((element) => (isArguments(element) ? values(element[key], ...rest) : []));
}

/** The blocks at a path of argument names. */
export const blocks = (block: unknown, ...path: readonly string[]): readonly Arguments[] =>
  values(block, ...path).filter(isArguments);

/** Whether there is a non-empty string at a path of argument names. */
export const filled = (block: unknown, ...path: readonly string[]): boolean =>
  values(block, ...path).some((value) => textOf(value) !== "");

/** Whether the first value at a path of argument names is true. */
export const isTrue = (block: unknown, ...path: readonly string[]): boolean => values(block, ...path)[0] === true;

/** Calls `visit` with each nested value and its key (a list's elements have the key of the list), the deepest last. */
export function walk(value: unknown, visit: (value: unknown, key: string) => void, key = ""): void {
  visit(value, key);
  if (Array.isArray(value)) {
    for (const element of value) {
      walk(element, visit, key);
    }
  } else if (isArguments(value)) {
    // The key "//" contains CDKTF's metadata.
    for (const [name, element] of Object.entries(value)) {
      if (name !== "//") {
        walk(element, visit, name);
      }
    }
  }
}

/** The strings in a value whose key matches. */
export function keyed(value: unknown, pattern: RegExp): readonly string[] {
  const found: string[] = [];
  walk(value, (element, key) => {
    if (typeof element === "string" && pattern.test(key)) {
      found.push(element);
    }
  });
  return found;
}

/** Parses a JSON object; undefined for other texts, such as `${data.aws_iam_policy_document.x.json}`. */
export function parseObject(text: string): Arguments | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isArguments(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
