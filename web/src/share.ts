/**
 * An animal's measures as text, as they stand in a shared link behind the `#`, in an example and in the history:
 * `sex=M&length=91&…`.
 *
 * Whatever is read from there was written by anybody. Only fields that the form has are looked at, and only values that
 * the form would send are taken.
 */
import { parseNumber } from "./number";

/** A field of the form: what its values are checked against. */
export type Field = { readonly name: string; readonly label: string; readonly optional?: boolean } & (
  { readonly choices: readonly string[] } | { readonly minimum: number; readonly maximum: number }
);

/** What was read: values that can be filled in, and the labels of the fields whose values can't. */
export interface ReadValues {
  readonly values: Readonly<Record<string, string>>;
  readonly refused: readonly string[];
}

/** No link of ours is longer, in characters: what is longer is not read. */
const longest = 1_000;

function usable(field: Field, text: string): string | undefined {
  if ("choices" in field) {
    return field.choices.includes(text) ? text : undefined;
  }
  const value = parseNumber(text.trim());
  return value === undefined || value < field.minimum || value > field.maximum ? undefined : String(value);
}

/** Whether a fragment holds measures: the name of a place on the page doesn't. */
export function holdsValues(fragment: string): boolean {
  return fragment.includes("=");
}

/** Reads the values of `fields` from text. Never throws; a value that stands there twice is refused. */
export function readValues(text: string, fields: readonly Field[]): ReadValues {
  if (text.length > longest) {
    return { values: {}, refused: fields.map(({ label }) => label) };
  }
  const written = new URLSearchParams(text.replace(/^#/, ""));
  const values: Record<string, string> = {};
  const refused: string[] = [];
  for (const field of fields) {
    const found = written.getAll(field.name);
    if (found.length === 0) {
      continue;
    }
    const value = found.length === 1 ? usable(field, found[0] ?? "") : undefined;
    if (value === undefined) {
      refused.push(field.label);
    } else {
      values[field.name] = value;
    }
  }
  return { values, refused };
}

/** Writes values so that {@link readValues} reads them again. */
export function writeValues(values: Readonly<Record<string, string | number>>): string {
  return new URLSearchParams(
    Object.entries(values).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
}
