import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describeError } from "../errors";
import { asText, decodeJson, encodeJson, isList, isMap, isSame, kindOf, type Value, type ValueMap } from "../value";
import type { ExpressionFunction } from "./evaluate";
import { ExpressionError } from "./syntax";

/** Terraform's functions, with the same results; those that read files look from `directory`. */
export function makeFunctions(directory: string): ReadonlyMap<string, ExpressionFunction> {
  const file = (path: Value | undefined): Buffer => {
    try {
      return readFileSync(resolve(directory, text(path)));
    } catch (error) {
      throw new ExpressionError(describeError(error));
    }
  };
  const files: Readonly<Record<string, ExpressionFunction>> = {
    file: (path) => file(path).toString("utf8"),
    fileexists: (path) => existsSync(resolve(directory, text(path))),
    filebase64: (path) => file(path).toString("base64"),
    filemd5: (path) => digest("md5", file(path), "hex"),
    filesha1: (path) => digest("sha1", file(path), "hex"),
    filesha256: (path) => digest("sha256", file(path), "hex"),
    filesha512: (path) => digest("sha512", file(path), "hex"),
    filebase64sha256: (path) => digest("sha256", file(path), "base64"),
    filebase64sha512: (path) => digest("sha512", file(path), "base64"),
  };
  return new Map(Object.entries({ ...numbers, ...texts, ...collections, ...encodings, ...files }));
}

const numbers: Readonly<Record<string, ExpressionFunction>> = {
  abs: (value) => Math.abs(number(value)),
  ceil: (value) => Math.ceil(number(value)),
  floor: (value) => Math.floor(number(value)),
  max: (...values) => Math.max(...values.map(number)),
  min: (...values) => Math.min(...values.map(number)),
  sum: (values) => list(values).reduce<number>((total, value) => total + number(value), 0),
  parseint: (digits, base) => {
    const result = Number.parseInt(text(digits), number(base));
    return Number.isNaN(result) ? fail(`"${text(digits)}" is not a number in base ${number(base)}`) : result;
  },
};

const texts: Readonly<Record<string, ExpressionFunction>> = {
  chomp: (value) => text(value).replace(/[\r\n]+$/, ""),
  endswith: (value, end) => text(value).endsWith(text(end)),
  format: (template, ...values) => format(text(template), values),
  join: (separator, ...lists) => lists.flatMap(list).map(text).join(text(separator)),
  lower: (value) => text(value).toLowerCase(),
  regex: (pattern, value) => {
    const found = new RegExp(text(pattern)).exec(text(value));
    if (!found) {
      return fail(`"${text(value)}" does not match ${text(pattern)}`);
    }
    if (found.groups) {
      return { ...found.groups };
    }
    return found.length > 1 ? found.slice(1) : found[0];
  },
  replace: (value, search, replacement) => {
    const what = text(search);
    const pattern = /^\/(.*)\/$/s.exec(what)?.[1];
    return pattern === undefined
      ? text(value).replaceAll(what, () => text(replacement))
      : text(value).replace(new RegExp(pattern, "g"), text(replacement));
  },
  split: (separator, value) => text(value).split(text(separator)),
  startswith: (value, start) => text(value).startsWith(text(start)),
  strcontains: (value, part) => text(value).includes(text(part)),
  substr: (value, offset, length) => {
    const characters = Array.from(text(value));
    const start = number(offset) < 0 ? Math.max(0, characters.length + number(offset)) : number(offset);
    const count = number(length);
    return characters.slice(start, count < 0 ? undefined : start + count).join("");
  },
  title: (value) => text(value).replace(/(^|\s)\p{L}/gu, (letter) => letter.toUpperCase()),
  trim: (value, characters) => {
    const cut = new Set(text(characters));
    let letters = Array.from(text(value));
    letters = letters.slice(letters.findIndex((letter) => !cut.has(letter)));
    return letters.every((letter) => cut.has(letter))
      ? ""
      : letters.slice(0, letters.findLastIndex((letter) => !cut.has(letter)) + 1).join("");
  },
  trimprefix: (value, prefix) =>
    text(value).startsWith(text(prefix)) ? text(value).slice(text(prefix).length) : text(value),
  trimspace: (value) => text(value).trim(),
  trimsuffix: (value, suffix) =>
    text(suffix) !== "" && text(value).endsWith(text(suffix))
      ? text(value).slice(0, -text(suffix).length)
      : text(value),
  upper: (value) => text(value).toUpperCase(),
};

const collections: Readonly<Record<string, ExpressionFunction>> = {
  coalesce: (...values) =>
    values.find((value) => value !== null && value !== "") ?? fail("all arguments of coalesce() are empty"),
  compact: (values) => list(values).filter((value) => value !== null && value !== ""),
  concat: (...lists) => lists.flatMap(list),
  contains: (values, value = null) => list(values).some((item) => isSame(item, value)),
  distinct: (values) => unique(list(values)),
  element: (values, index) => {
    const items = list(values);
    if (items.length === 0) {
      return fail("element() of an empty list");
    }
    return items[((number(index) % items.length) + items.length) % items.length] ?? null;
  },
  flatten: (values) => flatten(list(values)),
  index: (values, value = null) => {
    const found = list(values).findIndex((item) => isSame(item, value));
    return found < 0 ? fail("the value is not in the list") : found;
  },
  keys: (value) => Object.keys(map(value)).sort(),
  length: (value = null) => {
    if (isList(value)) {
      return value.length;
    }
    return isMap(value) ? Object.keys(value).length : Array.from(text(value)).length;
  },
  lookup: (values, key, otherwise) => {
    const entries = map(values);
    return Object.hasOwn(entries, text(key))
      ? (entries[text(key)] ?? null)
      : (otherwise ?? fail(`there is no key "${text(key)}" and no default`));
  },
  merge: (...maps) => Object.assign({}, ...maps.filter((value) => value !== null).map(map)) as ValueMap,
  one: (values) =>
    list(values).length > 1 ? fail("one() of a list with more than one item") : (list(values)[0] ?? null),
  range: (...values) => {
    const [first = 0, second, step] = values.map(number);
    const [from, to] = second === undefined ? [0, first] : [first, second];
    const by = step ?? (to < from ? -1 : 1);
    if (by === 0) {
      return fail("range() with a step of zero");
    }
    return Array.from({ length: Math.max(0, Math.ceil((to - from) / by)) }, (_, index) => from + index * by);
  },
  reverse: (values) => [...list(values)].reverse(),
  slice: (values, from, to) => list(values).slice(number(from), number(to)),
  sort: (values) => list(values).map(text).sort(),
  tobool: (value = null) => {
    if (value === null || typeof value === "boolean") {
      return value;
    }
    return value === "true" || value === "false"
      ? value === "true"
      : fail(`${kindOf(value)} is neither true nor false`);
  },
  tolist: (values) => list(values),
  tomap: (values) => map(values),
  tonumber: (value = null) => (value === null ? null : number(value)),
  toset: (values) => unique(list(values)).sort((a, b) => (encodeJson(a) < encodeJson(b) ? -1 : 1)),
  tostring: (value = null) => (value === null ? null : text(value)),
  values: (value) => {
    const entries = map(value);
    return Object.keys(entries)
      .sort()
      .map((key) => entries[key] ?? null);
  },
  zipmap: (keys, values) => {
    const items = list(values);
    return Object.fromEntries(list(keys).map((key, index) => [text(key), items[index] ?? null]));
  },
};

const encodings: Readonly<Record<string, ExpressionFunction>> = {
  base64decode: (value) => Buffer.from(text(value), "base64").toString("utf8"),
  base64encode: (value) => Buffer.from(text(value)).toString("base64"),
  base64sha256: (value) => digest("sha256", text(value), "base64"),
  base64sha512: (value) => digest("sha512", text(value), "base64"),
  jsondecode: (value) => {
    try {
      return decodeJson(text(value));
    } catch (error) {
      return fail(describeError(error));
    }
  },
  jsonencode: (value = null) => encodeJson(value),
  md5: (value) => digest("md5", text(value), "hex"),
  sensitive: (value = null) => value,
  nonsensitive: (value = null) => value,
  sha1: (value) => digest("sha1", text(value), "hex"),
  sha256: (value) => digest("sha256", text(value), "hex"),
  sha512: (value) => digest("sha512", text(value), "hex"),
  urlencode: (value) =>
    encodeURIComponent(text(value))
      .replaceAll("%20", "+")
      .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`),
};

function digest(algorithm: string, content: string | Buffer, encoding: "hex" | "base64"): string {
  return createHash(algorithm).update(content).digest(encoding);
}

function fail(message: string): never {
  throw new ExpressionError(message);
}

function text(value: Value = null): string {
  return asText(value) ?? fail(`text was expected, found ${kindOf(value)}`);
}

function number(value: Value = null): number {
  const result = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof result === "number" && !Number.isNaN(result)
    ? result
    : fail(`a number was expected, found ${typeof value === "string" ? JSON.stringify(value) : kindOf(value)}`);
}

function list(value: Value = null): readonly Value[] {
  return isList(value) ? value : fail(`a list was expected, found ${kindOf(value)}`);
}

function map(value: Value = null): ValueMap {
  return isMap(value) ? value : fail(`an object was expected, found ${kindOf(value)}`);
}

function unique(values: readonly Value[]): Value[] {
  return values.filter((value, index) => values.findIndex((other) => isSame(other, value)) === index);
}

function flatten(values: readonly Value[]): readonly Value[] {
  return values.flatMap((value) => (isList(value) ? flatten(value) : [value]));
}

/** The verbs %s, %v, %d, %f, %x, %q and %%, with flags, width and precision. */
function format(template: string, values: readonly Value[]): string {
  let next = 0;
  const result = template.replace(
    /%([-0+]*)(\d*)(?:\.(\d+))?(.?)/gsu,
    (_, flags: string, width: string, precision: string | undefined, verb: string) => {
      if (verb === "%") {
        return "%";
      }
      if (next >= values.length) {
        fail(`format() has no value for %${verb}`);
      }
      const value = values[next++] ?? null;
      const formatted = formatValue(verb, value, precision);
      const signed = flags.includes("+") && /^\d/.test(formatted) && verb !== "s" ? `+${formatted}` : formatted;
      if (flags.includes("-")) {
        return signed.padEnd(Number(width));
      }
      if (flags.includes("0") && /^[+-]?\d/.test(signed)) {
        const sign = /^[+-]/.exec(signed)?.[0] ?? "";
        return sign + signed.slice(sign.length).padStart(Number(width) - sign.length, "0");
      }
      return signed.padStart(Number(width));
    },
  );
  return next < values.length ? fail(`format() has ${values.length} values for ${next} verbs`) : result;
}

function formatValue(verb: string, value: Value, precision: string | undefined): string {
  switch (verb) {
    case "s":
      return text(value);
    case "v":
      return asText(value) ?? encodeJson(value);
    case "d":
      return String(Math.trunc(number(value)));
    case "f":
      return number(value).toFixed(precision === undefined ? 6 : Number(precision));
    case "x":
      return Math.trunc(number(value)).toString(16);
    case "q":
      return JSON.stringify(text(value));
    default:
      return fail(`format() does not understand %${verb}`);
  }
}
