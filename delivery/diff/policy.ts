/** Compares policy documents of IAM and of resources by statement, to show which permissions are added and removed. */
import type { StatementChange } from "./summary";

type Part = StatementChange["parts"][number]["part"];

const parts: readonly Part[] = [
  "Action",
  "NotAction",
  "Resource",
  "NotResource",
  "Principal",
  "NotPrincipal",
  "Condition",
];

interface Statement {
  readonly name: string;
  readonly effect: "Allow" | "Deny";
  readonly parts: ReadonlyMap<Part, readonly string[]>;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const listed = (value: unknown): readonly unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? (value as readonly unknown[]) : [value];

const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** "AWS arn:…" for each principal; "*" stays. */
const principals = (value: unknown): readonly string[] =>
  isObject(value)
    ? Object.entries(value).flatMap(([kind, names]) => listed(names).map((name) => `${kind} ${text(name)}`))
    : listed(value).map(text);

/** "StringEquals aws:SourceAccount = 1, 2": values of one key are alternatives, so they stay together. */
const conditions = (value: unknown): readonly string[] =>
  Object.entries(isObject(value) ? value : {}).flatMap(([operator, keys]) =>
    Object.entries(isObject(keys) ? keys : {}).map(
      ([key, values]) => `${operator} ${key} = ${listed(values).map(text).sort().join(", ")}`,
    ),
  );

function readStatement(candidate: unknown, index: number): Statement | undefined {
  if (!isObject(candidate) || (candidate.Effect !== "Allow" && candidate.Effect !== "Deny")) {
    return undefined;
  }
  return {
    name: typeof candidate.Sid === "string" && candidate.Sid !== "" ? candidate.Sid : `statement ${index + 1}`,
    effect: candidate.Effect,
    parts: new Map(
      parts.map((part) => [
        part,
        [
          ...new Set(
            part === "Condition"
              ? conditions(candidate[part])
              : part.endsWith("Principal")
                ? principals(candidate[part])
                : listed(candidate[part]).map(text),
          ),
        ].sort(),
      ]),
    ),
  };
}

/** The statements of a policy document; undefined for any other text. */
export function readPolicy(document: string): readonly Statement[] | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(document);
  } catch {
    return undefined;
  }
  if (!isObject(parsed) || !("Statement" in parsed)) {
    return undefined;
  }
  const statements = listed(parsed.Statement).map(readStatement);
  return statements.every((statement) => statement !== undefined) ? statements : undefined;
}

const of = (statement: Statement | undefined, part: Part): readonly string[] => statement?.parts.get(part) ?? [];

const without = (left: readonly string[], right: readonly string[]): string[] =>
  left.filter((one) => !right.includes(one));

const meaning = ({ effect, parts: all }: Statement): string => JSON.stringify([effect, [...all]]);

/**
 * Whether the changes in a statement may allow more. Conditions restrict, but comparing two is too complex: any change
 * counts.
 */
function allowsMore(effect: "Allow" | "Deny", changes: StatementChange["parts"]): boolean {
  return changes.some(({ part, added, removed }) => {
    if (part === "Condition") {
      return true;
    }
    const widened = effect === "Allow" ? added : removed;
    const narrowed = effect === "Allow" ? removed : added;
    return (part.startsWith("Not") ? narrowed : widened).length > 0;
  });
}

function compareStatement(
  before: Statement | undefined,
  after: Statement | undefined,
  statement: string,
  effect: "Allow" | "Deny",
): StatementChange {
  const changes = parts
    .map((part) => ({
      part,
      added: without(of(after, part), of(before, part)),
      removed: without(of(before, part), of(after, part)),
    }))
    .filter(({ added, removed }) => added.length + removed.length > 0);
  return {
    statement,
    effect,
    change: before && after ? "changed" : after ? "added" : "removed",
    mayAllowMore: before && after ? allowsMore(effect, changes) : (after !== undefined) === (effect === "Allow"),
    parts: changes,
  };
}

/**
 * The changes between two policies. Moved or renamed statements don't count. Statements with the same `Sid` and effect
 * are compared part by part; others are added or removed as a whole.
 */
export function comparePolicies(before: readonly Statement[], after: readonly Statement[]): StatementChange[] {
  const old = [...before];
  const fresh: Statement[] = [];
  for (const statement of after) {
    const same = old.findIndex((other) => meaning(other) === meaning(statement));
    if (same === -1) {
      fresh.push(statement);
    } else {
      old.splice(same, 1);
    }
  }
  const changes: StatementChange[] = [];
  for (const statement of fresh) {
    const index = old.findIndex(({ name, effect }) => name === statement.name && effect === statement.effect);
    const [counterpart] = index === -1 ? [] : old.splice(index, 1);
    changes.push(compareStatement(counterpart, statement, statement.name, statement.effect));
  }
  return [
    ...changes,
    ...old.map((statement) => compareStatement(statement, undefined, statement.name, statement.effect)),
  ];
}
