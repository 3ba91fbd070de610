import { describeError, ProvisionError } from "./errors";
import { attributeOf, ExpressionError, parseTemplate, type Reference } from "./expression";
import { type StackDocument, targetOf } from "./stack-document";
import { isList, isMap, type Value, type ValueMap } from "./value";

/** The values of a stack: resources and data sources are added while it is provisioned. */
export class StackScope {
  private readonly values = new Map<string, ValueMap>();

  constructor(private readonly document: StackDocument) {}

  /** Adds a resource or data source by its address. */
  define(address: string, value: ValueMap): void {
    this.values.set(address, value);
  }

  /**
   * Evaluates all expressions in a value.
   * @param where Address of the resource, or another owner of the value, for the message.
   * @param self The value of `self` in a postcondition.
   * @throws ProvisionError that names the stack, the owner, the attribute and the expression.
   */
  evaluate(value: Value, where: string, self?: ValueMap): Value {
    const visit = (inner: Value, path: string): Value => {
      if (typeof inner === "string") {
        return this.text(inner, path === "" ? where : `${where}, attribute "${path}"`, self);
      }
      if (isList(inner)) {
        return inner.map((item, index) => visit(item, `${path}[${index}]`));
      }
      if (isMap(inner)) {
        const entries = Object.entries(inner);
        return Object.fromEntries(
          entries.map(([key, item]) => [key, visit(item, path === "" ? key : `${path}.${key}`)]),
        );
      }
      return inner;
    };
    return visit(value, "");
  }

  private text(source: string, where: string, self: ValueMap | undefined): Value {
    try {
      return parseTemplate(source).evaluate((reference) => this.resolve(reference, self));
    } catch (error) {
      if (!(error instanceof ExpressionError)) {
        throw error;
      }
      throw new ProvisionError(
        `Stack ${this.document.name}, ${where}: ${JSON.stringify(source)}: ${describeError(error)}`,
      );
    }
  }

  private resolve(reference: Reference, self: ValueMap | undefined): Value {
    const [root = "", name = ""] = reference;
    if (root === "self") {
      if (!self) {
        throw new ExpressionError('"self" has a meaning in postconditions only');
      }
      return reference.slice(1).reduce<Value>(attributeOf, self);
    }
    const target = targetOf(reference);
    const value =
      root === "local" ? this.evaluate(this.document.locals[name] ?? null, target) : this.values.get(target);
    if (value === undefined) {
      throw new ExpressionError(`${target} is not known here`);
    }
    return reference.slice(target.split(".").length).reduce(attributeOf, value);
  }
}
