/** Finds the smallest changes in a resource: one argument, one element of a list, one statement of a policy. */
import { isDeepStrictEqual } from "node:util";
import type { ResourceChange } from "../terraform";
import { comparePolicies, readPolicy } from "./policy";
import type { AttributeChange, Value } from "./summary";

/** A path: keys and indices. */
export type Path = readonly (string | number)[];

/** A path as text: `rule[0].prefix`, `tags["my tag"]`. */
export function pathText(path: Path): string {
  return path
    .map((step, index) =>
      typeof step === "number"
        ? `[${step}]`
        : /^[\w-]+$/.test(step)
          ? `${index === 0 ? "" : "."}${step}`
          : `[${JSON.stringify(step)}]`,
    )
    .join("");
}

/** A value in the plan before and after, and the provider's marks on it. */
interface Place {
  readonly path: Path;
  readonly before: unknown;
  readonly after: unknown;
  readonly unknown: unknown;
  readonly secretBefore: unknown;
  readonly secretAfter: unknown;
}

/** A change before it is described. */
interface Found {
  readonly path: Path;
  readonly before: Value;
  readonly after: Value;
  readonly policy?: AttributeChange["policy"];
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Terraform has null, "" and empty lists for missing values, and providers mix them. */
const isAbsent = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === "" ||
  (Array.isArray(value) && value.length === 0) ||
  (isObject(value) && Object.keys(value).length === 0);

const at = (value: unknown, step: string | number): unknown =>
  Array.isArray(value) ? (value as readonly unknown[])[Number(step)] : isObject(value) ? value[step] : undefined;

const under = (place: Place, step: string | number): Place => ({
  path: [...place.path, step],
  before: at(place.before, step),
  after: at(place.after, step),
  // True for a value also applies to all nested values.
  unknown: place.unknown === true || at(place.unknown, step),
  secretBefore: place.secretBefore === true || at(place.secretBefore, step),
  secretAfter: place.secretAfter === true || at(place.secretAfter, step),
});

/** Names of secrets that no provider marks: a variable of a function, a header, a tag. */
const secretName = /(pass(word|wd|phrase)?|secret|token|credentials?|private_?key|api_?key|access_?key)$/i;

const isSecret = ({ path, secretBefore, secretAfter }: Place): boolean =>
  secretBefore === true ||
  secretAfter === true ||
  path.some((step) => typeof step === "string" && secretName.test(step));

/** Whether a nested value is secret, so that the whole can't be shown. */
const holdsSecret = (value: unknown): boolean =>
  value === true || (Array.isArray(value) || isObject(value) ? Object.values(value).some(holdsSecret) : false);

/** The value without secrets. */
function shown(place: Place, side: "before" | "after"): unknown {
  const value = place[side];
  if (isSecret(place)) {
    return "(hidden)";
  }
  if (side === "after" && place.unknown === true) {
    return "(known after the deployment)";
  }
  if (Array.isArray(value)) {
    return value.map((_, index) => shown(under(place, index), side));
  }
  if (isObject(value)) {
    const kept = Object.keys(value).filter((key) => !isAbsent(value[key]) || at(place.unknown, key) === true);
    return Object.fromEntries(kept.map((key) => [key, shown(under(place, key), side)]));
  }
  return value;
}

function valueOf(place: Place, side: "before" | "after"): Value {
  if (side === "after" && place.unknown === true) {
    return { kind: "unknown", from: [] };
  }
  if (isAbsent(place[side])) {
    return { kind: "absent" };
  }
  if (isSecret(place)) {
    return { kind: "hidden" };
  }
  return { kind: "known", value: shown(place, side) as Extract<Value, { kind: "known" }>["value"] };
}

/** Parses text with a JSON object or list. */
function parseStructure(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) {
    return undefined;
  }
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return undefined;
  }
}

function* compareLists(place: Place, before: readonly unknown[], after: readonly unknown[]): Generator<Found> {
  // Ignore elements on both sides, at any position: Terraform writes sets as lists.
  const gone = [...before.keys()];
  const fresh: number[] = [];
  for (const index of after.keys()) {
    const match = at(place.unknown, index);
    const same = holdsTrue(match) ? -1 : gone.findIndex((other) => isDeepStrictEqual(before[other], after[index]));
    if (same === -1) {
      fresh.push(index);
    } else {
      gone.splice(same, 1);
    }
  }
  if (gone.length === 0 && fresh.length === 0) {
    if (!isDeepStrictEqual(before, after)) {
      yield { path: place.path, before: valueOf(place, "before"), after: valueOf(place, "after") };
    }
    return;
  }
  // Different elements at the same index are one changed element.
  for (const index of fresh) {
    const whole = under(place, index);
    const pair = gone.indexOf(index);
    if (pair === -1) {
      yield { path: whole.path, before: { kind: "absent" }, after: valueOf(whole, "after") };
    } else {
      gone.splice(pair, 1);
      yield* compare(whole);
    }
  }
  for (const index of gone) {
    const whole = under(place, index);
    yield { path: whole.path, before: valueOf(whole, "before"), after: { kind: "absent" } };
  }
}

const holdsTrue = holdsSecret;

function* compare(place: Place): Generator<Found> {
  const { path, before, after, unknown, secretBefore, secretAfter } = place;
  if (unknown !== true && isAbsent(before) && isAbsent(after) && !holdsTrue(unknown)) {
    return;
  }
  if (unknown === true || isSecret(place)) {
    if (unknown === true || !isDeepStrictEqual(before, after)) {
      yield { path, before: valueOf(place, "before"), after: valueOf(place, "after") };
    }
    return;
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    yield* compareLists(place, before, after);
    return;
  }
  if (isObject(before) || isObject(after)) {
    // A whole block that is added or removed is one change, but in a map each key is one.
    if (isAbsent(before) !== isAbsent(after) && path.length > 1 && !holdsSecret([secretBefore, secretAfter])) {
      yield { path, before: valueOf(place, "before"), after: valueOf(place, "after") };
      return;
    }
    const keys = new Set([before, after, unknown].flatMap((side) => (isObject(side) ? Object.keys(side) : [])));
    for (const key of keys) {
      yield* compare(under(place, key));
    }
    return;
  }
  if (isDeepStrictEqual(before, after)) {
    return;
  }
  if (typeof before === "string" && typeof after === "string") {
    const [oldPolicy, newPolicy] = [readPolicy(before), readPolicy(after)];
    if (oldPolicy && newPolicy) {
      const whole = { before: valueOf(place, "before"), after: valueOf(place, "after") };
      yield { path, ...whole, policy: comparePolicies(oldPolicy, newPolicy) };
      return;
    }
    const [oldStructure, newStructure] = [parseStructure(before), parseStructure(after)];
    if (oldStructure !== undefined && newStructure !== undefined) {
      yield* compare({ ...place, before: oldStructure, after: newStructure });
      return;
    }
  }
  yield { path, before: valueOf(place, "before"), after: valueOf(place, "after") };
}

const startsWith = (path: Path, start: Path): boolean => start.every((step, index) => path[index] === step);

/** An argument's expression in the configuration. */
interface Expression {
  readonly constant_value?: unknown;
  readonly references?: readonly string[];
}

const isExpression = (value: unknown): value is Expression =>
  isObject(value) && ("constant_value" in value || Array.isArray(value.references));

/** The expression for the value at a path; undefined if the provider sets it. */
function expressionAt(expressions: unknown, path: Path): Expression | undefined {
  let found = expressions;
  for (const step of path) {
    if (isExpression(found)) {
      break;
    }
    // A single block has no index in the configuration.
    if (typeof step === "string" || Array.isArray(found)) {
      found = at(found, step);
    }
  }
  return isExpression(found) ? found : undefined;
}

/**
 * The resource in a reference: `aws_kms_key.encryption_key` in `aws_kms_key.encryption_key.arn`; data sources with the
 * prefix `data.`.
 */
const resourceOf = (reference: string): string =>
  reference
    .split(".")
    .slice(0, reference.startsWith("data.") ? 3 : 2)
    .join(".");

/** The changes in a resource, and the number of values that AWS chooses. */
export interface Attributes {
  readonly changes: AttributeChange[];
  /** Number of values that AWS sets later for arguments that are not in the configuration. */
  readonly knownLater: number;
}

/**
 * Compares a resource before and after.
 * @param expressions the resource's arguments in the plan's configuration; values that are not set there, but by AWS,
 * are only counted
 */
export function compareResource(
  { change }: ResourceChange,
  expressions: Readonly<Record<string, unknown>>,
): Attributes {
  const { before, after, after_unknown, before_sensitive, after_sensitive, replace_paths = [] } = change;
  const root: Place = {
    path: [],
    before,
    after,
    unknown: after_unknown,
    secretBefore: before_sensitive,
    secretAfter: after_sensitive,
  };
  const changes: AttributeChange[] = [];
  let knownLater = 0;
  const all = [...compare(root)];
  const chosenTags = new Set(
    all.filter(({ path }) => path[0] === "tags").map(({ path }) => JSON.stringify(path.slice(1))),
  );
  for (const { path, before: old, after: later, policy } of all) {
    const forces = replace_paths.some((forcing) => startsWith(path, forcing) || startsWith(forcing, path));
    const argument = String(path[0]);
    const expression = expressionAt(expressions, path);
    if (later.kind === "unknown" && !forces && expression === undefined) {
      knownLater += 1;
      continue;
    }
    // Not set by anybody: AWS gives a new resource its default, and providers write false and 0 into the state but null
    // into the plan.
    const untold = later.kind === "absent" && old.kind === "known" && expression === undefined && !forces;
    if (untold && (change.actions.includes("delete") || [false, 0].includes(old.value as 0))) {
      continue;
    }
    // The provider repeats a resource's own tags in `tags_all`.
    if (argument === "tags_all" && chosenTags.has(JSON.stringify(path.slice(1)))) {
      continue;
    }
    const sources = [...new Set((expression?.references ?? []).map(resourceOf))];
    changes.push({
      path: pathText(path),
      before: old,
      after: later.kind === "unknown" ? { kind: "unknown", from: sources } : later,
      forcesReplacement: forces,
      policy,
    });
  }
  // Changes that force a replacement come first.
  changes.sort((one, other) => Number(other.forcesReplacement) - Number(one.forcesReplacement));
  return { changes, knownLater };
}
