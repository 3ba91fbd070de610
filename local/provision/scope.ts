import { describeError, ProvisionError } from "./errors";
import { evaluateTemplate, type ExpressionFunction, type Scope } from "./expression/evaluate";
import { makeFunctions } from "./expression/functions";
import { parseTemplate } from "./expression/parse";
import { ExpressionError } from "./expression/syntax";
import { type StackDocument, targetOf } from "./stack-document";
import { isList, isMap, type Value, type ValueMap } from "./value";

/** The values of a stack: those of resources and data sources come in while it is provisioned. */
export class StackScope implements Scope {
  readonly functions: ReadonlyMap<string, ExpressionFunction>;
  private readonly values = new Map<string, ValueMap>();
  private self: ValueMap | undefined;

  constructor(private readonly document: StackDocument) {
    this.functions = makeFunctions(document.directory);
  }

  /** Makes a resource or data source known by its address. */
  define(address: string, value: ValueMap): void {
    this.values.set(address, value);
  }

  resolve(chain: readonly string[]): { readonly value: Value; readonly names: number } {
    const [root = "", name = ""] = chain;
    switch (root) {
      case "path":
        return { value: { module: ".", root: ".", cwd: "." }, names: 1 };
      case "terraform":
        return { value: { workspace: "default" }, names: 1 };
      case "self":
        if (this.self) {
          return { value: this.self, names: 1 };
        }
        throw new ExpressionError('"self" has a meaning in postconditions only');
      case "local":
        return { value: this.evaluate(this.document.locals[name] ?? null, `local.${name}`), names: 2 };
      case "var": {
        const value = this.document.variables.get(name);
        if (value === undefined) {
          throw new ExpressionError(`the variable ${name} has no default, and there is nobody to ask for its value`);
        }
        return { value, names: 2 };
      }
    }
    const address = targetOf(chain) ?? root;
    const value = this.values.get(address);
    if (!value) {
      throw new ExpressionError(`${address} is not known here`);
    }
    return { value, names: address.split(".").length };
  }

  /**
   * Evaluates every expression within a value.
   *
   * @param where Address of the resource, or whatever else owns the value, for the message.
   * @throws ProvisionError that names the stack, the owner, the attribute and the expression.
   */
  evaluate(value: Value, where: string, self?: ValueMap): Value {
    const visit = (inner: Value, path: string): Value => {
      if (typeof inner === "string") {
        return this.text(inner, where, path, self);
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

  private text(source: string, where: string, path: string, self: ValueMap | undefined): Value {
    this.self = self;
    try {
      return evaluateTemplate(parseTemplate(source), this);
    } catch (error) {
      if (!(error instanceof ExpressionError)) {
        throw error;
      }
      const attribute = path === "" ? "" : `, attribute "${path}"`;
      throw new ProvisionError(
        `Stack ${this.document.name}, ${where}${attribute}: ${JSON.stringify(source)}: ${describeError(error)}`,
      );
    }
  }
}
