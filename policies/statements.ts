/**
 * The statements of all IAM policies in the synthesized stacks: of roles, keys, buckets, topics, and in inline blocks.
 */
import {
  type Arguments,
  type Documents,
  isArguments,
  list,
  parseObject,
  type Resource,
  texts,
  walk,
} from "./documents";

/** One statement of a policy. */
export interface Statement {
  readonly resource: Resource;
  /** Its Sid, or its position in the policy, from 1. */
  readonly name: string;
  readonly allows: boolean;
  /** The principal; undefined in an identity policy, where it is the holder. */
  readonly principal: unknown;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** Operator, key, values. */
  readonly conditions: Arguments;
  /** `NotAction`, `NotResource` or `NotPrincipal`, if present. */
  readonly inverted: readonly string[];
}

/** The arguments that contain an IAM policy. */
const policyArguments: ReadonlySet<string> = new Set([
  "access_policies",
  "access_policy",
  "assume_role_policy",
  "policy",
  "policy_document",
  "resource_policy",
]);

function statement(resource: Resource, block: Arguments, index: number): Statement {
  return {
    resource,
    name: typeof block.Sid === "string" ? block.Sid : String(index + 1),
    allows: block.Effect === "Allow",
    principal: block.Principal,
    actions: texts(block.Action),
    resources: texts(block.Resource),
    conditions: isArguments(block.Condition) ? block.Condition : {},
    inverted: ["NotAction", "NotResource", "NotPrincipal"].filter((key) => key in block),
  };
}

const read = new WeakMap<Documents, readonly Statement[]>();

/** All statements of policies that are plain JSON; `unreadablePolicies` returns the other policies. */
export function statements(documents: Documents): readonly Statement[] {
  const known = read.get(documents);
  if (known) {
    return known;
  }
  const found: Statement[] = [];
  for (const resource of documents.all) {
    walk(resource.arguments, (value) => {
      if (typeof value !== "string" || !value.includes('"Statement"')) {
        return;
      }
      const blocks = list(parseObject(value)?.Statement).filter(isArguments);
      found.push(...blocks.map((block, index) => statement(resource, block, index)));
    });
  }
  read.set(documents, found);
  return found;
}

/** The policies that are not plain JSON, so no rule can read them: resource and argument. */
export function unreadablePolicies(documents: Documents): readonly (readonly [resource: Resource, argument: string])[] {
  return documents.all
    .filter(({ type }) => type.startsWith("aws_"))
    .flatMap((resource) => {
      const found: [Resource, string][] = [];
      walk(resource.arguments, (value, key) => {
        if (policyArguments.has(key) && typeof value === "string" && !parseObject(value)) {
          found.push([resource, key]);
        }
      });
      return found;
    });
}

/** Whether anyone is meant: `"*"`, or `{"AWS": "*"}`. */
export function isAnyone(principal: unknown): boolean {
  return principal === "*" || (isArguments(principal) && texts(principal.AWS).includes("*"));
}

/** Cache of patterns as regular expressions: a few patterns are tested with every action. */
const expressions = new Map<string, RegExp>();

/** @param flags `i` where IAM ignores case. */
function expressionOf(pattern: string, flags: "" | "i"): RegExp {
  const key = `${flags} ${pattern}`;
  const known = expressions.get(key);
  if (known) {
    return known;
  }
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const expression = new RegExp(`^${escaped}$`, `s${flags}`);
  expressions.set(key, expression);
  return expression;
}

/** Whether an IAM pattern, with `*` and `?`, matches an action. IAM ignores case here. */
export function covers(pattern: string, action: string): boolean {
  if (!/[*?]/.test(pattern)) {
    return pattern.toLowerCase() === action.toLowerCase();
  }
  return expressionOf(pattern, "i").test(action);
}

/** Whether an IAM pattern, with `*` and `?`, matches a resource. Case counts here. */
export function coversResource(pattern: string, resource: string): boolean {
  return expressionOf(pattern, "").test(resource);
}
