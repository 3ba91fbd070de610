/**
 * Compares HCL with the stack's JSON: parses the HCL with HashiCorp's own parser (hcl2json), and normalizes both.
 *
 *     await differences(document, files);   // [] when they are equal
 */
import { parse } from "@cdktf/hcl2json";
import { jsonWithin } from "./template";
import { emptyLists } from "./write";

/** Lists for which empty has a meaning. */
const ordered = new Set([...emptyLists].map((list) => list.split(".")[1] ?? ""));

/** References that are plain text in JSON, and bare in HCL. */
const bare = new Set(["depends_on", "ignore_changes", "replace_triggered_by", "provider"]);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Parses the HCL argument of `jsonencode(…)` to JSON; other values are not changed. */
async function decoded(value: unknown): Promise<unknown> {
  if (Array.isArray(value)) {
    return await Promise.all(value.map(decoded));
  }
  if (isObject(value)) {
    const entries = Object.entries(value).map(async ([key, entry]) => [key, await decoded(entry)] as const);
    return Object.fromEntries(await Promise.all(entries));
  }
  const encoded = typeof value === "string" ? /^\$\{jsonencode\((.*)\)\}$/s.exec(value)?.[1] : undefined;
  if (encoded === undefined) {
    return value;
  }
  const { locals } = (await parse("document.tf", `locals {\n  document = ${encoded}\n}\n`)) as {
    locals: [{ document: unknown }];
  };
  return { jsonencode: locals[0].document };
}

/**
 * Normalizes both: a single block is a list in HCL and an object in JSON; a document is text in JSON and `jsonencode`
 * in HCL. Nulls are ignored, and so are empty lists, except those that have a meaning for a provider.
 */
function normal(value: unknown, key = ""): unknown {
  if (typeof value === "string") {
    if (bare.has(key)) {
      return value.replace(/^\$\{(.*)\}$/s, "$1");
    }
    const json = jsonWithin(value);
    return json === undefined ? value : normal({ jsonencode: json });
  }
  if (Array.isArray(value)) {
    const items = value.map((item) => normal(item, key)).filter((item) => item !== undefined);
    if (items.length === 0) {
      return ordered.has(key) ? items : undefined;
    }
    return items.length === 1 && isObject(items[0]) ? items[0] : items;
  }
  if (isObject(value)) {
    const entries = Object.entries(value)
      .filter(([name]) => name !== "//")
      .map(([name, entry]) => [name, normal(entry, name)] as const)
      .filter(([, entry]) => entry !== undefined);
    return Object.fromEntries(entries);
  }
  return value ?? undefined;
}

function compare(expected: unknown, found: unknown, place: string): readonly string[] {
  if (isObject(expected) && isObject(found)) {
    return [...new Set([...Object.keys(expected), ...Object.keys(found)])].flatMap((name) =>
      compare(expected[name], found[name], place === "" ? name : `${place}.${name}`),
    );
  }
  if (Array.isArray(expected) && Array.isArray(found) && expected.length === found.length) {
    return expected.flatMap((entry, index) => compare(entry, found[index], `${place}[${index}]`));
  }
  return JSON.stringify(expected) === JSON.stringify(found)
    ? []
    : [`${place} is ${JSON.stringify(expected)} in the JSON and ${JSON.stringify(found)} in the HCL`];
}

/**
 * The differences between the files and the stack's JSON.
 * @param files HCL by file name
 * @throws the parser's error when a file is not HCL
 */
export async function differences(
  document: Readonly<Record<string, unknown>>,
  files: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const whole = await parse("stack.tf", Object.values(files).join("\n"));
  return compare(normal(document), normal(await decoded(whole)), "");
}
