/** A problem in a Terraform expression: what was found, what was expected, and where. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";
}

/** A string with its expressions: `${a}-${b}` is two expressions and one text. */
export type Template = readonly (string | Expression)[];

/** The part of HCL's expression language that CDKTF emits. */
export type Expression =
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  | { readonly kind: "template"; readonly parts: Template }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "attribute"; readonly target: Expression; readonly name: string }
  | { readonly kind: "index"; readonly target: Expression; readonly key: Expression }
  | { readonly kind: "splat"; readonly target: Expression; readonly steps: readonly SplatStep[] }
  | {
      readonly kind: "call";
      readonly name: string;
      readonly arguments: readonly Expression[];
      /** The last argument is a list that is spread: `merge(local.maps...)`. */
      readonly spread: boolean;
    }
  | { readonly kind: "unary"; readonly operator: "!" | "-"; readonly operand: Expression }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: "conditional";
      readonly condition: Expression;
      readonly whenTrue: Expression;
      readonly whenFalse: Expression;
    }
  | { readonly kind: "list"; readonly items: readonly Expression[] }
  | { readonly kind: "object"; readonly fields: readonly (readonly [key: Expression, value: Expression])[] };

/** What follows a splat: `[*].attribute` or `[*][0]`. */
export type SplatStep =
  { readonly kind: "attribute"; readonly name: string } | { readonly kind: "index"; readonly key: Expression };

/** Two-sided operators, weakest first; operators on one line bind equally. */
export const precedence = [["||"], ["&&"], ["==", "!="], ["<", ">", "<=", ">="], ["+", "-"], ["*", "/", "%"]] as const;

/** Any operator between two operands. */
export type BinaryOperator = (typeof precedence)[number][number];
