/** A value of a Terraform expression or in a stack's JSON. */
export type Value = string | number | boolean | null | readonly Value[] | ValueMap;

/** A Terraform object or map. */
export interface ValueMap {
  readonly [key: string]: Value;
}

/** True for objects and maps, false for lists, null and scalars. */
export function isMap(value: Value | undefined): value is ValueMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** True for lists, sets and tuples. */
export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** Deep equality; the order of an object's keys does not matter. */
export function isSame(left: Value | undefined, right: Value | undefined): boolean {
  if (isList(left) && isList(right)) {
    return left.length === right.length && left.every((item, index) => isSame(item, right[index]));
  }
  if (isMap(left) && isMap(right)) {
    const keys = Object.keys(left);
    return (
      keys.length === Object.keys(right).length &&
      keys.every((key) => Object.hasOwn(right, key) && isSame(left[key], right[key]))
    );
  }
  return left === right;
}

/** The value's type in Terraform's words, for error messages. */
export function kindOf(value: Value): string {
  if (value === null) {
    return "null";
  }
  if (isList(value)) {
    return "a list";
  }
  return isMap(value) ? "an object" : `a ${typeof value}`;
}

/** Terraform's conversion to text: only for strings, numbers and booleans; otherwise undefined. */
export function asText(value: Value): string | undefined {
  if (typeof value === "string") {
    return value;
  }
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}
