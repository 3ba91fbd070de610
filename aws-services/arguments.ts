/**
 * Reads the arguments of a resource as Terraform's JSON has them.
 *
 *     values(bucket, "rule", "bucket_key_enabled"); // whether a block stands there once or as a list
 */

/** The arguments of a resource or of a block within. */
export type Arguments = Readonly<Record<string, unknown>>;

/** Whether a value is a block or an object: no list, no text, not nothing. */
export function isArguments(value: unknown): value is Arguments {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as a list: a block may stand once or as a list of blocks, an action as a text or as a list of texts. */
export function list(value: unknown): readonly unknown[] {
  return value === undefined || value === null ? [] : Array.isArray(value) ? (value as readonly unknown[]) : [value];
}

/** The texts of a value that is one or a list of them. */
export function texts(value: unknown): readonly string[] {
  return list(value).filter((text) => typeof text === "string");
}

/** A value that is a text; otherwise the empty text. */
export const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** A value that is a number; otherwise the other number. */
export const numberOf = (value: unknown, otherwise: number): number => (typeof value === "number" ? value : otherwise);

/** All values at a path of argument names, through every block on the way. */
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

/** Whether a text that is not empty stands at a path of argument names. */
export const filled = (block: unknown, ...path: readonly string[]): boolean =>
  values(block, ...path).some((value) => textOf(value) !== "");

/** Whether the first value at a path of argument names is true. */
export const isTrue = (block: unknown, ...path: readonly string[]): boolean => values(block, ...path)[0] === true;

/**
 * Calls `visit` with every value within, its key (a list's elements have that of the list) and itself; the deepest
 * last.
 */
export function walk(value: unknown, visit: (value: unknown, key: string) => void, key = ""): void {
  visit(value, key);
  if (Array.isArray(value)) {
    for (const element of value) {
      walk(element, visit, key);
    }
  } else if (isArguments(value)) {
    // The key "//" holds CDKTF's own notes.
    for (const [name, element] of Object.entries(value)) {
      if (name !== "//") {
        walk(element, visit, name);
      }
    }
  }
}

/** The texts within a value whose key matches. */
export function keyed(value: unknown, pattern: RegExp): readonly string[] {
  const found: string[] = [];
  walk(value, (element, key) => {
    if (typeof element === "string" && pattern.test(key)) {
      found.push(element);
    }
  });
  return found;
}

/** A text parsed as a JSON object; undefined when it is not one, as `${data.aws_iam_policy_document.x.json}`. */
export function parseObject(text: string): Arguments | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isArguments(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
