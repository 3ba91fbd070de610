import { ExpressionError } from "./syntax";

/** One piece of an expression; a string token carries its pieces, for it may hold expressions of its own. */
export type Token =
  | { readonly kind: "number"; readonly text: string; readonly position: number }
  | { readonly kind: "identifier"; readonly text: string; readonly position: number }
  | { readonly kind: "symbol"; readonly text: string; readonly position: number }
  | {
      readonly kind: "string";
      readonly text: string;
      readonly parts: readonly TemplatePart[];
      readonly position: number;
    };

/** A template's text, or the tokens of one `${…}` in it. */
export type TemplatePart = string | readonly Token[];

const symbols = [
  ...["...", "==", "!=", "<=", ">=", "&&", "||", "=>"],
  ...["(", ")", "[", "]", "{", "}", ",", ".", "?", ":", "=", "!", "<", ">", "+", "-", "*", "/", "%"],
];
const whitespace = /\s+/y;
const number = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const identifier = /[\p{L}_][\p{L}\p{N}_-]*/uy;
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

/** Splits a whole template, such as a string in a stack's JSON, into its texts and the tokens of its expressions. */
export function tokenizeTemplate(source: string): readonly TemplatePart[] {
  return new Tokenizer(source).template(false);
}

class Tokenizer {
  private position = 0;

  constructor(private readonly source: string) {}

  /** Reads text and `${…}` up to the end of the source, or, inside an expression, up to the closing quote. */
  template(quoted: boolean): readonly TemplatePart[] {
    const parts: TemplatePart[] = [];
    let text = "";
    const start = this.position;
    for (;;) {
      const character = this.source[this.position];
      if (character === undefined) {
        if (quoted) {
          throw new ExpressionError(`the string that begins at character ${start} is not closed`);
        }
        break;
      }
      if (quoted && character === '"') {
        this.position += 1;
        break;
      }
      if (this.take("$${")) {
        text += "${";
      } else if (this.take("%%{")) {
        text += "%{";
      } else if (this.take("${")) {
        if (text !== "") {
          parts.push(text);
          text = "";
        }
        parts.push(this.expression());
      } else if (this.source.startsWith("%{", this.position)) {
        throw new ExpressionError(
          `template directives such as "%{if}" are not understood; use a conditional expression`,
        );
      } else if (quoted && character === "\\") {
        text += this.escape();
      } else {
        text += character;
        this.position += 1;
      }
    }
    if (text !== "") {
      parts.push(text);
    }
    return parts;
  }

  /** Reads tokens up to the brace that closes `${`. */
  private expression(): readonly Token[] {
    const start = this.position;
    const tokens: Token[] = [];
    let depth = 0;
    for (;;) {
      this.match(whitespace);
      const position = this.position;
      if (position >= this.source.length) {
        throw new ExpressionError(`"\${" at character ${start - 2} is not closed`);
      }
      if (this.take('"')) {
        tokens.push({ kind: "string", parts: this.template(true), text: "a string", position });
        continue;
      }
      const digits = this.match(number);
      if (digits !== undefined) {
        tokens.push({ kind: "number", text: digits, position });
        continue;
      }
      const word = this.match(identifier);
      if (word !== undefined) {
        tokens.push({ kind: "identifier", text: word, position });
        continue;
      }
      const symbol = symbols.find((candidate) => this.take(candidate));
      if (symbol === undefined) {
        throw new ExpressionError(`unexpected "${this.source[position] ?? ""}" at character ${position}`);
      }
      if (symbol === "{") {
        depth += 1;
      } else if (symbol === "}") {
        if (depth === 0) {
          return tokens;
        }
        depth -= 1;
      }
      tokens.push({ kind: "symbol", text: symbol, position });
    }
  }

  private escape(): string {
    const hexadecimal = this.match(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/y);
    if (hexadecimal !== undefined) {
      return String.fromCodePoint(Number.parseInt(hexadecimal.slice(2), 16));
    }
    const character = this.source[this.position + 1] ?? "";
    const replacement = escapes[character];
    if (replacement === undefined) {
      throw new ExpressionError(`unknown escape "\\${character}" at character ${this.position}`);
    }
    this.position += 2;
    return replacement;
  }

  private take(text: string): boolean {
    const found = this.source.startsWith(text, this.position);
    if (found) {
      this.position += text.length;
    }
    return found;
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.source)?.[0];
    this.position += found?.length ?? 0;
    return found;
  }
}
