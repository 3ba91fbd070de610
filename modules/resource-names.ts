/**
 * The name prefix of a stack's resources, available to all constructs below the stack.
 *
 *     nameResources(this, "acme-local-website-test");              // in a stack
 *     ownPart(this, "acme-local-website-test-endpoint-errors");    // "endpoint-errors", in a module below it
 */
import type { IConstruct } from "constructs";

const prefixes = new WeakMap<IConstruct, string>();

/** Sets the name prefix for everything below a stack. */
export function nameResources(scope: IConstruct, prefix: string): void {
  prefixes.set(scope, prefix);
}

/** A resource's name without the prefix; the whole name if no prefix is set. */
export function ownPart(scope: IConstruct, name: string): string {
  const prefix = scope.node.scopes.map((each) => prefixes.get(each)).find((each) => each !== undefined);
  return prefix !== undefined && name.startsWith(`${prefix}-`) ? name.slice(prefix.length + 1) : name;
}
