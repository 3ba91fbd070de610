import {
  type BinaryOperator,
  type Expression,
  ExpressionError,
  precedence,
  type SplatStep,
  type Template,
} from "./syntax";
import { type TemplatePart, type Token, tokenizeTemplate } from "./tokenize";

const parsed = new Map<string, Template>();

/**
 * Parses a string of a stack's JSON: its texts, and the expressions within `${…}`.
 *
 * @throws ExpressionError when it is not well-formed.
 */
export function parseTemplate(source: string): Template {
  let template = parsed.get(source);
  if (template === undefined) {
    template = parseParts(tokenizeTemplate(source));
    parsed.set(source, template);
  }
  return template;
}

/** Every chain of names in a template, such as `["aws_s3_bucket", "data", "arn"]`: what it depends on. */
export function namesIn(template: Template): readonly (readonly string[])[] {
  const found: string[][] = [];
  const chainOf = (expression: Expression): string[] | undefined => {
    if (expression.kind === "name") {
      return [expression.name];
    }
    if (expression.kind === "attribute") {
      const chain = chainOf(expression.target);
      return chain && [...chain, expression.name];
    }
    return undefined;
  };
  const visit = (expression: Expression): void => {
    const chain = chainOf(expression);
    if (chain) {
      found.push(chain);
    } else {
      childrenOf(expression).forEach(visit);
    }
  };
  template.forEach((part) => {
    if (typeof part !== "string") {
      visit(part);
    }
  });
  return found;
}

function childrenOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "literal":
    case "name":
      return [];
    case "template":
      return expression.parts.filter((part) => typeof part !== "string");
    case "attribute":
      return [expression.target];
    case "index":
      return [expression.target, expression.key];
    case "splat":
      return [expression.target, ...expression.steps.flatMap((step) => (step.kind === "index" ? [step.key] : []))];
    case "call":
      return expression.arguments;
    case "unary":
      return [expression.operand];
    case "binary":
      return [expression.left, expression.right];
    case "conditional":
      return [expression.condition, expression.whenTrue, expression.whenFalse];
    case "list":
      return expression.items;
    case "object":
      return expression.fields.flat();
  }
}

function parseParts(parts: readonly TemplatePart[]): Template {
  return parts.map((part) => (typeof part === "string" ? part : new Parser(part).whole()));
}

/** Recursive descent over the tokens of one expression. */
class Parser {
  private next = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  whole(): Expression {
    const expression = this.expression();
    const left = this.tokens[this.next];
    if (left) {
      throw new ExpressionError(`unexpected "${left.text}" at character ${left.position}`);
    }
    return expression;
  }

  private expression(): Expression {
    const condition = this.binary(0);
    if (!this.take("?")) {
      return condition;
    }
    const whenTrue = this.expression();
    this.expect(":");
    return { kind: "conditional", condition, whenTrue, whenFalse: this.expression() };
  }

  private binary(level: number): Expression {
    const operators: readonly BinaryOperator[] | undefined = precedence[level];
    if (operators === undefined) {
      return this.unary();
    }
    let left = this.binary(level + 1);
    for (;;) {
      const operator = operators.find((candidate) => this.take(candidate));
      if (operator === undefined) {
        return left;
      }
      left = { kind: "binary", operator, left, right: this.binary(level + 1) };
    }
  }

  private unary(): Expression {
    if (this.take("!")) {
      return { kind: "unary", operator: "!", operand: this.unary() };
    }
    if (this.take("-")) {
      return { kind: "unary", operator: "-", operand: this.unary() };
    }
    return this.traversal(this.primary());
  }

  private traversal(start: Expression): Expression {
    let target = start;
    for (;;) {
      if (this.take(".")) {
        target = this.take("*") ? this.splat(target, false) : this.attribute(target);
      } else if (this.take("[")) {
        if (this.take("*")) {
          this.expect("]");
          target = this.splat(target, true);
        } else {
          target = { kind: "index", target, key: this.index() };
        }
      } else {
        return target;
      }
    }
  }

  /** After a dot: a name, or, in the old way of writing, an index (`list.0`). */
  private attribute(target: Expression): Expression {
    const token = this.advance("an attribute's name");
    if (token.kind === "identifier") {
      return { kind: "attribute", target, name: token.text };
    }
    if (token.kind === "number") {
      return token.text
        .split(".")
        .reduce<Expression>(
          (inner, text) => ({ kind: "index", target: inner, key: { kind: "literal", value: Number(text) } }),
          target,
        );
    }
    throw unexpected(token, "an attribute's name");
  }

  private splat(target: Expression, full: boolean): Expression {
    const steps: SplatStep[] = [];
    for (;;) {
      if (this.take(".")) {
        const token = this.advance("an attribute's name");
        if (token.kind !== "identifier") {
          throw unexpected(token, "an attribute's name");
        }
        steps.push({ kind: "attribute", name: token.text });
      } else if (full && this.take("[")) {
        steps.push({ kind: "index", key: this.index() });
      } else {
        return { kind: "splat", target, steps };
      }
    }
  }

  private index(): Expression {
    const key = this.expression();
    this.expect("]");
    return key;
  }

  private primary(): Expression {
    const token = this.advance("a value");
    switch (token.kind) {
      case "number":
        return { kind: "literal", value: Number(token.text) };
      case "string": {
        const parts = parseParts(token.parts);
        const [only, ...others] = parts;
        return others.length === 0 && (only === undefined || typeof only === "string")
          ? { kind: "literal", value: only ?? "" }
          : { kind: "template", parts };
      }
      case "identifier":
        return this.named(token.text);
      case "symbol":
        return this.bracketed(token);
    }
  }

  private named(name: string): Expression {
    if (name === "true" || name === "false") {
      return { kind: "literal", value: name === "true" };
    }
    if (name === "null") {
      return { kind: "literal", value: null };
    }
    if (!this.take("(")) {
      return { kind: "name", name };
    }
    const list: Expression[] = [];
    let spread = false;
    while (!this.take(")")) {
      if (spread) {
        throw new ExpressionError(`"..." must follow the last argument of ${name}()`);
      }
      list.push(this.expression());
      spread = this.take("...");
      if (!this.take(",") && !this.sees(")")) {
        throw unexpected(this.tokens[this.next], `"," or ")" in the arguments of ${name}()`);
      }
    }
    return { kind: "call", name, arguments: list, spread };
  }

  private bracketed(token: Token): Expression {
    if (token.text === "(") {
      const inner = this.expression();
      this.expect(")");
      return inner;
    }
    if (token.text === "[") {
      this.refuseFor();
      const items: Expression[] = [];
      while (!this.take("]")) {
        items.push(this.expression());
        if (!this.take(",") && !this.sees("]")) {
          throw unexpected(this.tokens[this.next], '"," or "]" in a list');
        }
      }
      return { kind: "list", items };
    }
    if (token.text === "{") {
      return this.object();
    }
    throw unexpected(token, "a value");
  }

  private object(): Expression {
    this.refuseFor();
    const fields: [Expression, Expression][] = [];
    while (!this.take("}")) {
      const key = this.expression();
      if (!this.take("=") && !this.take(":")) {
        throw unexpected(this.tokens[this.next], '"=" after a key');
      }
      // A bare word before "=" is the key itself, not a reference.
      fields.push([key.kind === "name" ? { kind: "literal", value: key.name } : key, this.expression()]);
      this.take(",");
    }
    return { kind: "object", fields };
  }

  private refuseFor(): void {
    const token = this.tokens[this.next];
    if (token?.kind === "identifier" && token.text === "for") {
      throw new ExpressionError(
        `"for" expressions (at character ${token.position}) are not understood; write the items out`,
      );
    }
  }

  private sees(text: string): boolean {
    const token = this.tokens[this.next];
    return token?.kind === "symbol" && token.text === text;
  }

  private take(text: string): boolean {
    const found = this.sees(text);
    if (found) {
      this.next += 1;
    }
    return found;
  }

  private expect(text: string): void {
    if (!this.take(text)) {
      throw unexpected(this.tokens[this.next], `"${text}"`);
    }
  }

  private advance(expected: string): Token {
    const token = this.tokens[this.next];
    if (!token) {
      throw unexpected(undefined, expected);
    }
    this.next += 1;
    return token;
  }
}

function unexpected(token: Token | undefined, expected: string): ExpressionError {
  return new ExpressionError(
    token
      ? `expected ${expected} at character ${token.position}, found "${token.text}"`
      : `expected ${expected}, found the expression's end`,
  );
}
