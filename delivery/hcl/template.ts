/**
 * Terraform's templates: text with `${expressions}` in it.
 *
 *     parts("arn:${aws_s3_bucket.data.arn}/*")   // [{ text: "arn:" }, { expression: "aws_s3_bucket.data.arn" }, { text: "/*" }]
 *
 * The JSON syntax of Terraform has nothing but templates; in HCL a whole expression stands bare, and text is quoted and
 * escaped (Terraform language documentation, "Strings and Templates" and "JSON Configuration Syntax").
 */

/**
 * A part of a template: literal text as the template has it (`$${` and `%%{` stay as they are), or an expression
 * without its braces.
 */
export type Part = { readonly text: string } | { readonly expression: string };

/** The end of the quoted string that begins at `start`: behind its closing quote. */
function endOfString(template: string, start: number): number {
  for (let index = start + 1; index < template.length; index += 1) {
    if (template[index] === "\\") {
      index += 1;
    } else if (template.startsWith("$${", index)) {
      index += 2;
    } else if (template.startsWith("${", index)) {
      index = endOfExpression(template, index) - 1;
    } else if (template[index] === '"') {
      return index + 1;
    }
  }
  throw new Error(`A quoted string of the template ${JSON.stringify(template)} has no end.`);
}

/** The end of the expression whose `${` begins at `start`: behind its closing brace. */
function endOfExpression(template: string, start: number): number {
  let depth = 0;
  for (let index = start + 1; index < template.length; index += 1) {
    const character = template[index];
    if (character === '"') {
      index = endOfString(template, index) - 1;
    } else if (character === "{") {
      depth += 1;
    } else if (character === "}") {
      depth -= 1;
      if (depth === 0) {
        return index + 1;
      }
    }
  }
  throw new Error(`An expression of the template ${JSON.stringify(template)} has no end.`);
}

/**
 * Takes a template apart.
 * @throws Error when an expression has no end, or when it has a directive (`%{if}`), which CDKTF never writes
 */
export function parts(template: string): readonly Part[] {
  const found: Part[] = [];
  let text = "";
  for (let index = 0; index < template.length;) {
    if (template.startsWith("$${", index) || template.startsWith("%%{", index)) {
      text += template.slice(index, index + 3);
      index += 3;
    } else if (template.startsWith("%{", index)) {
      throw new Error(`The template ${JSON.stringify(template)} has a directive, which nothing here writes as HCL.`);
    } else if (template.startsWith("${", index)) {
      const end = endOfExpression(template, index);
      if (text !== "") {
        found.push({ text });
      }
      text = "";
      found.push({ expression: template.slice(index + 2, end - 1).trim() });
      index = end;
    } else {
      text += template[index] ?? "";
      index += 1;
    }
  }
  if (text !== "") {
    found.push({ text });
  }
  return found;
}

const escapes: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** A template in HCL: bare where it is one whole expression, quoted otherwise. */
export function expression(template: string): string {
  const found = parts(template);
  const [only] = found;
  if (found.length === 1 && only && "expression" in only) {
    return only.expression;
  }
  const inner = found.map((part) =>
    "text" in part
      ? // HCL knows \u for a control character that has no escape of its own.
        part.text.replace(
          /["\\]|\p{Cc}/gu,
          (character) => escapes[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
        )
      : `\${${part.expression}}`,
  );
  return `"${inner.join("")}"`;
}

/**
 * The JSON within a template, such as a policy that names resources: each text in it is a template again.
 * @returns nothing when the template is not a JSON object or array, or when an expression stands outside of its texts
 */
export function jsonWithin(template: string): object | undefined {
  if (!/^\s*[[{]/.test(template)) {
    return undefined;
  }
  const expressions: string[] = [];
  // Expressions have quotes of their own, which JSON could not read: marks from Unicode's private use area stand in for
  // them.
  const marked = parts(template)
    .map((part) => ("text" in part ? part.text : `\uE000${expressions.push(part.expression) - 1}\uE001`))
    .join("");
  const restore = (text: string): string =>
    text.replace(/\uE000(\d+)\uE001/g, (_, index: string) => `\${${expressions[Number(index)] ?? ""}}`);
  try {
    const value = mapTexts(JSON.parse(marked), restore);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A JSON value with each text in it changed, keys included. */
function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") {
    return change(value);
  }
  if (Array.isArray(value)) {
    return value.map((entry) => mapTexts(entry, change));
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [change(key), mapTexts(entry, change)]));
  }
  return value;
}
