/**
 * An animal's measures as text, as in a shared link after the `#`, in an example and in the history:
 * `sex=M&length=91&…`.
 *
 * Anybody may have written such a text. Only fields of the form are read, and only values that the form would send are
 * accepted.
 */
import { parseNumber } from "./number";

/** A field of the form: what its values are checked against. */
export type Field = { readonly name: string; readonly label: string; readonly optional?: boolean } & (
  { readonly choices: readonly string[] } | { readonly minimum: number; readonly maximum: number }
);

/** What was read: values that can be filled in, and the labels of fields with unusable values. */
export interface ReadValues {
  readonly values: Readonly<Record<string, string>>;
  readonly refused: readonly string[];
}

/** Maximum length in characters; a longer text is not read. */
const longest = 1_000;

function usable(field: Field, text: string): string | undefined {
  if ("choices" in field) {
    return field.choices.includes(text) ? text : undefined;
  }
  const value = parseNumber(text.trim());
  return value === undefined || value < field.minimum || value > field.maximum ? undefined : String(value);
}

/** Whether a fragment contains measures, and not the name of a place on the page. */
export function holdsValues(fragment: string): boolean {
  return fragment.includes("=");
}

/** Reads the values of `fields` from text. Never throws; a value that is given twice is refused. */
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

/** Writes values in the format that {@link readValues} reads. */
export function writeValues(values: Readonly<Record<string, string | number>>): string {
  return new URLSearchParams(
    Object.entries(values).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
}
