/**
 * Decides what a policy document allows, as IAM would: an explicit refusal wins, and what nothing allows is refused.
 */

interface RenderedStatement {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  readonly Principal?: "*" | Readonly<Record<string, string | readonly string[]>>;
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/** What a request brings along, by condition key. */
export type RequestContext = Readonly<Record<string, string>>;

const list = (values: string | readonly string[]): readonly string[] =>
  typeof values === "string" ? [values] : values;

function matches(pattern: string, value: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${expression}$`).test(value);
}

const operators: Readonly<Record<string, (expected: string, actual: string) => boolean>> = {
  ArnLike: matches,
  Bool: (expected, actual) => expected === actual,
  NumericLessThan: (expected, actual) => Number(actual) < Number(expected),
  StringEquals: (expected, actual) => expected === actual,
  StringLike: matches,
  // With one value only: of several, all would have to differ.
  StringNotEquals: (expected, actual) => expected !== actual,
};

/** A policy document, as it stands in a synthesized stack. */
export class Policy {
  readonly statements: readonly RenderedStatement[];

  constructor(document: string) {
    this.statements = (JSON.parse(document) as { Statement: RenderedStatement[] }).Statement;
  }

  /** Whether a request is allowed. A principal is looked at where the policy names some. */
  allows(action: string, resource: string, context: RequestContext = {}, principal = ""): boolean {
    const applying = this.statements.filter((statement) =>
      this.applies(statement, action, resource, context, principal),
    );
    return applying.some(({ Effect }) => Effect === "Allow") && applying.every(({ Effect }) => Effect === "Allow");
  }

  /** Whether a request is refused even if another policy allows it. */
  denies(action: string, resource: string, context: RequestContext = {}): boolean {
    return this.statements.some(
      (statement) => statement.Effect === "Deny" && this.applies(statement, action, resource, context, ""),
    );
  }

  private applies(
    { Action, Resource, Condition, Principal }: RenderedStatement,
    action: string,
    resource: string,
    context: RequestContext,
    principal: string,
  ): boolean {
    const conditions = Object.entries(Condition ?? {}).every(([operator, keys]) => {
      if (operator === "Null") {
        return Object.entries(keys).every(([key, expected]) => expected === String(context[key] === undefined));
      }
      // A request here brings one value of each key, so that all its values are the one; one that brings none passes.
      const optional = operator.endsWith("IfExists") || operator.startsWith("ForAllValues:");
      const holds = operators[operator.replace(/^ForAllValues:|IfExists$/g, "")];
      if (!holds) {
        throw new Error(`The test's policy evaluation has no ${operator}: add it to __tests__/support/policy.ts.`);
      }
      return Object.entries(keys).every(([key, expected]) => {
        const actual = context[key];
        return actual === undefined
          ? optional || operator.startsWith("StringNot")
          : list(expected).some((value) => holds(value, actual));
      });
    });
    const concerned =
      Principal === undefined || Principal === "*" || Object.values(Principal).flatMap(list).includes(principal);
    return (
      conditions &&
      concerned &&
      list(Action).some((pattern) => matches(pattern, action)) &&
      list(Resource).some((pattern) => matches(pattern, resource))
    );
  }
}
