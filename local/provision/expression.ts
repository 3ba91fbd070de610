import { asText, isMap, isSame, kindOf, type Value } from "./value";

/** An expression that can't be parsed or has no value; the message names the part and the reason. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";
}

/** The names of a reference, for example `data`, `aws_ssm_parameter`, `DataBucket`, `insecure_value`. */
export type Reference = readonly string[];

/** Returns the value of a reference, or throws an ExpressionError. */
export type Resolve = (reference: Reference) => Value;

/** A text of a stack's JSON, with its expressions. */
export interface Template {
  readonly references: readonly Reference[];
  /** A text; or a value of any type, if the template is a single expression. */
  evaluate(resolve: Resolve): Value;
}

type Evaluate = Template["evaluate"];

const notKnown =
  "is not known to the local provisioning: extend `functions` or `Parser` in local/provision/expression.ts";

/** Terraform's functions that the stacks call. */
const functions = new Map<string, (...parameters: Value[]) => Value>([
  [
    "replace",
    (value = null, search = null, replacement = null) => {
      const text = textOf(search);
      if (/^\/.*\/$/s.test(text)) {
        throw new ExpressionError(`replace() with a regular expression (${text}) ${notKnown}`);
      }
      return textOf(value).replaceAll(text, () => textOf(replacement));
    },
  ],
]);

/**
 * Parses the expressions of a text: references, texts, `==`, `!=`, parentheses and calls of `functions`. The stacks of
 * the local environment need no more.
 * @throws ExpressionError on any other part of Terraform's language; it names what to extend.
 */
export function parseTemplate(source: string): Template {
  return new Parser(source).template();
}

/**
 * An attribute of an object, by its name.
 * @throws ExpressionError when the value is not an object or has no such attribute.
 */
export function attributeOf(target: Value, name: string): Value {
  if (!isMap(target)) {
    throw new ExpressionError(`${kindOf(target)} has no attribute "${name}"`);
  }
  if (!Object.hasOwn(target, name)) {
    const known = Object.keys(target).sort().join(", ");
    throw new ExpressionError(`there is no attribute "${name}"; the attributes are ${known === "" ? "none" : known}`);
  }
  return target[name] ?? null;
}

function textOf(value: Value): string {
  const text = asText(value);
  if (text === undefined) {
    throw new ExpressionError(`${kindOf(value)} can't be part of a text`);
  }
  return text;
}

class Parser {
  private readonly references: Reference[] = [];
  private position = 0;

  constructor(private readonly source: string) {}

  template(): Template {
    const parts: Evaluate[] = [];
    while (this.position < this.source.length) {
      const text = this.match(/(?:(?!\$\$?\{|%%?\{)[^])+/y);
      if (text !== undefined) {
        parts.push(() => text);
      } else if (this.match(/\$\{/y) !== undefined) {
        parts.push(this.expression("}"));
      } else {
        this.refuse();
      }
    }
    const [first = () => "", another] = parts;
    const evaluate = another ? (resolve: Resolve) => parts.map((part) => textOf(part(resolve))).join("") : first;
    return { references: this.references, evaluate };
  }

  /** An operand or a comparison of two, and the end token. */
  private expression(end: string): Evaluate {
    const left = this.operand();
    const operator = this.token(/[=!]=/y);
    const right = operator === undefined ? undefined : this.operand();
    this.expect(end);
    return right ? (resolve) => isSame(left(resolve), right(resolve)) === (operator === "==") : left;
  }

  private operand(): Evaluate {
    if (this.token(/\(/y) !== undefined) {
      return this.expression(")");
    }
    const quoted = this.token(/"[^"\\$%]*"/y);
    if (quoted !== undefined) {
      return () => quoted.slice(1, -1);
    }
    const name = this.token(/(?!(?:true|false|null)\b)[a-z]\w*/y) ?? this.refuse();
    if (this.token(/\(/y) !== undefined) {
      return this.call(name);
    }
    const reference = [name];
    while (this.token(/\./y) !== undefined) {
      reference.push(this.token(/[a-zA-Z_][\w-]*/y) ?? this.refuse());
    }
    this.references.push(reference);
    return (resolve) => resolve(reference);
  }

  private call(name: string): Evaluate {
    const work = functions.get(name);
    if (!work) {
      throw new ExpressionError(`the function ${name}() ${notKnown}`);
    }
    const parameters = [this.operand()];
    while (this.token(/,/y) !== undefined) {
      parameters.push(this.operand());
    }
    this.expect(")");
    return (resolve) => work(...parameters.map((parameter) => parameter(resolve)));
  }

  private expect(symbol: string): void {
    if (this.token(/[)}]/y) !== symbol) {
      this.refuse();
    }
  }

  private refuse(): never {
    const rest = this.source.slice(this.position, this.position + 20);
    throw new ExpressionError(
      rest === ""
        ? "the expression ends too early"
        : `${JSON.stringify(rest)} at character ${this.position} ${notKnown}`,
    );
  }

  /** The next token in an expression, ignoring spaces. */
  private token(pattern: RegExp): string | undefined {
    this.match(/\s+/y);
    return this.match(pattern);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.source)?.[0];
    this.position += found?.length ?? 0;
    return found;
  }
}
