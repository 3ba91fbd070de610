/**
 * How the names of a stack's resources begin, known to whatever is made below the stack.
 *
 *     nameResources(this, "acme-local-website-test");              // in a stack
 *     ownPart(this, "acme-local-website-test-endpoint-errors");    // "endpoint-errors", in a module below it
 */
import type { IConstruct } from "constructs";

const prefixes = new WeakMap<IConstruct, string>();

/** Notes how the names of everything below a stack begin. */
export function nameResources(scope: IConstruct, prefix: string): void {
  prefixes.set(scope, prefix);
}

/** What is a resource's own in its name: all of it where nothing above it begins its names in one way. */
export function ownPart(scope: IConstruct, name: string): string {
  const prefix = scope.node.scopes.map((each) => prefixes.get(each)).find((each) => each !== undefined);
  return prefix !== undefined && name.startsWith(`${prefix}-`) ? name.slice(prefix.length + 1) : name;
}
