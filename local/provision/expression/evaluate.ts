import { asText, isList, isMap, isSame, kindOf, type Value } from "../value";
import { type BinaryOperator, type Expression, ExpressionError, type SplatStep, type Template } from "./syntax";

/** A function of the expression language: takes values, throws an ExpressionError when it can't work with them. */
export type ExpressionFunction = (...parameters: Value[]) => Value;

/** What an expression can refer to. */
export interface Scope {
  /**
   * The value of a root such as `aws_s3_bucket.data`, `data.aws_region.current`, `local.name` or `var.name`, and how
   * many names of the chain it took.
   *
   * @throws ExpressionError when there is no such thing.
   */
  resolve(chain: readonly string[]): { readonly value: Value; readonly names: number };
  /** By name. */
  readonly functions: ReadonlyMap<string, ExpressionFunction>;
}

/**
 * The value of a template: that of its expression, of whatever kind, when it is nothing else; text otherwise.
 *
 * @throws ExpressionError when a name, an attribute or a function is not known, or a value has the wrong kind.
 */
export function evaluateTemplate(template: Template, scope: Scope): Value {
  const [first, ...others] = template;
  if (first === undefined) {
    return "";
  }
  if (others.length === 0 && typeof first !== "string") {
    return evaluate(first, scope);
  }
  return template
    .map((part) => {
      if (typeof part === "string") {
        return part;
      }
      const value = evaluate(part, scope);
      const text = asText(value);
      if (text === undefined) {
        throw new ExpressionError(`${kindOf(value)} can't be part of a text`);
      }
      return text;
    })
    .join("");
}

function evaluate(expression: Expression, scope: Scope): Value {
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "template":
      return evaluateTemplate(expression.parts, scope);
    case "name":
    case "attribute":
      return evaluateChain(expression, scope);
    case "index":
      return indexOf(evaluate(expression.target, scope), evaluate(expression.key, scope));
    case "splat":
      return splat(evaluate(expression.target, scope), expression.steps, scope);
    case "call":
      return call(expression, scope);
    case "unary": {
      const operand = evaluate(expression.operand, scope);
      return expression.operator === "!" ? !asBoolean(operand, "!") : -asNumber(operand, "-");
    }
    case "binary":
      return binary(expression.operator, expression.left, expression.right, scope);
    case "conditional":
      return asBoolean(evaluate(expression.condition, scope), "?")
        ? evaluate(expression.whenTrue, scope)
        : evaluate(expression.whenFalse, scope);
    case "list":
      return expression.items.map((item) => evaluate(item, scope));
    case "object":
      return Object.fromEntries(
        expression.fields.map(([key, value]) => {
          const name = asText(evaluate(key, scope));
          if (name === undefined) {
            throw new ExpressionError("an object's key must be text");
          }
          return [name, evaluate(value, scope)];
        }),
      );
  }
}

function evaluateChain(expression: Expression & { kind: "name" | "attribute" }, scope: Scope): Value {
  const names: string[] = [];
  let root: Expression = expression;
  while (root.kind === "attribute") {
    names.unshift(root.name);
    root = root.target;
  }
  if (root.kind !== "name") {
    return names.reduce(attributeOf, evaluate(root, scope));
  }
  const chain = [root.name, ...names];
  const resolved = scope.resolve(chain);
  return chain.slice(resolved.names).reduce(attributeOf, resolved.value);
}

/** `target.name`; `target.0` has been read as an index already. */
function attributeOf(target: Value, name: string): Value {
  if (!isMap(target)) {
    throw new ExpressionError(`${kindOf(target)} has no attribute "${name}"`);
  }
  return field(target, name);
}

function field(target: Readonly<Record<string, Value>>, name: string): Value {
  if (!Object.hasOwn(target, name)) {
    const known = Object.keys(target).sort().join(", ");
    throw new ExpressionError(`there is no attribute "${name}"; there is ${known === "" ? "none" : known}`);
  }
  return target[name] ?? null;
}

function indexOf(target: Value, key: Value): Value {
  if (isList(target)) {
    const index = Number(key);
    const item = target[index];
    if (!Number.isInteger(index) || item === undefined) {
      throw new ExpressionError(`there is no item ${asText(key) ?? kindOf(key)} in a list of ${target.length}`);
    }
    return item;
  }
  if (isMap(target)) {
    // CDKTF writes a block that occurs once as an object, while Terraform's attributes call it a list of one.
    return key === 0 && !Object.hasOwn(target, "0") ? target : field(target, asText(key) ?? kindOf(key));
  }
  throw new ExpressionError(`${kindOf(target)} has no items`);
}

function splat(target: Value, steps: readonly SplatStep[], scope: Scope): Value {
  const items = isList(target) ? target : target === null ? [] : [target];
  return items.map((item) =>
    steps.reduce<Value>(
      (value, step) =>
        step.kind === "attribute" ? attributeOf(value, step.name) : indexOf(value, evaluate(step.key, scope)),
      item,
    ),
  );
}

function call(expression: Expression & { kind: "call" }, scope: Scope): Value {
  const { name } = expression;
  // These two take expressions that may fail.
  if (name === "try" || name === "can") {
    return attempt(name, expression.arguments, scope);
  }
  const work = scope.functions.get(name);
  if (!work) {
    const known = [...scope.functions.keys(), "can", "try"].sort().join(", ");
    throw new ExpressionError(`the function "${name}" is not known; known are ${known}`);
  }
  const parameters = expression.arguments.map((item) => evaluate(item, scope));
  const last = expression.spread ? parameters.pop() : [];
  if (!isList(last)) {
    throw new ExpressionError(`"..." after the last argument of ${name}() needs a list`);
  }
  return work(...parameters, ...last);
}

function attempt(name: "try" | "can", candidates: readonly Expression[], scope: Scope): Value {
  for (const candidate of candidates) {
    try {
      const value = evaluate(candidate, scope);
      return name === "can" ? true : value;
    } catch (error) {
      if (!(error instanceof ExpressionError)) {
        throw error;
      }
    }
  }
  if (name === "can") {
    return false;
  }
  throw new ExpressionError("none of the arguments of try() has a value");
}

function binary(operator: BinaryOperator, left: Expression, right: Expression, scope: Scope): Value {
  const first = evaluate(left, scope);
  if (operator === "&&" || operator === "||") {
    const stop = operator === "||";
    return asBoolean(first, operator) === stop ? stop : asBoolean(evaluate(right, scope), operator);
  }
  const second = evaluate(right, scope);
  if (operator === "==" || operator === "!=") {
    return isSame(first, second) === (operator === "==");
  }
  const a = asNumber(first, operator);
  const b = asNumber(second, operator);
  switch (operator) {
    case "<":
      return a < b;
    case ">":
      return a > b;
    case "<=":
      return a <= b;
    case ">=":
      return a >= b;
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
    case "%":
      if (b === 0) {
        throw new ExpressionError("division by zero");
      }
      return operator === "/" ? a / b : a % b;
  }
}

function asNumber(value: Value, operator: string): number {
  const result = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof result !== "number" || Number.isNaN(result)) {
    throw new ExpressionError(`"${operator}" needs a number, found ${kindOf(value)}`);
  }
  return result;
}

function asBoolean(value: Value, operator: string): boolean {
  if (value === true || value === "true") {
    return true;
  }
  if (value === false || value === "false") {
    return false;
  }
  throw new ExpressionError(`"${operator}" needs true or false, found ${kindOf(value)}`);
}
