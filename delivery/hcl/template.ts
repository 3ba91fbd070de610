/**
 * Terraform templates: text with `${expressions}` in it.
 *
 *     parts("arn:${aws_s3_bucket.data.arn}/*")   // [{ text: "arn:" }, { expression: "aws_s3_bucket.data.arn" }, { text: "/*" }]
 *
 * Terraform's JSON has only templates. In HCL, a single expression is bare, and text is quoted and escaped (Terraform
 * language documentation, "Strings and Templates" and "JSON Configuration Syntax").
 */

/**
 * A part of a template: literal text as in the template (`$${` and `%%{` are not changed), or an expression without its
 * braces.
 */
export type Part = { readonly text: string } | { readonly expression: string };

/** The position after the quoted string that starts at `start`. */
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

/** The position after the expression whose `${` is at `start`. */
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
 * Parses a template.
 * @throws Error when an expression has no end, or the template has a directive (`%{if}`), which CDKTF never writes
 */
export function parts(template: string): readonly Part[] {
  const found: Part[] = [];
  let text = "";
  for (let index = 0; index < template.length;) {
    if (template.startsWith("$${", index) || template.startsWith("%%{", index)) {
      text += template.slice(index, index + 3);
      index += 3;
    } else if (template.startsWith("%{", index)) {
      throw new Error(
        `The template ${JSON.stringify(template)} has a directive, which this program can't write as HCL.`,
      );
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

/** A template in HCL: bare if it is a single expression, otherwise quoted. */
export function expression(template: string): string {
  const found = parts(template);
  const [only] = found;
  if (found.length === 1 && only && "expression" in only) {
    return only.expression;
  }
  const inner = found.map((part) =>
    "text" in part
      ? // HCL writes control characters without an escape of their own as \u.
        part.text.replace(
          /["\\]|\p{Cc}/gu,
          (character) => escapes[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
        )
      : `\${${part.expression}}`,
  );
  return `"${inner.join("")}"`;
}

/**
 * The JSON in a template, such as a policy with references: each string in it is again a template.
 * @returns undefined if the template is not a JSON object or array, or has an expression outside a string
 */
export function jsonWithin(template: string): object | undefined {
  if (!/^\s*[[{]/.test(template)) {
    return undefined;
  }
  const expressions: string[] = [];
  // Expressions contain quotes that break JSON, so placeholders from Unicode's private use area replace them.
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

/** Maps all strings in a JSON value, including keys. */
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
