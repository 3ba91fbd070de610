/**
 * The rules that every synthesized resource must pass.
 *
 *     enforce([{ id: "data", document: stack.toTerraform() }, …], { protectData, requiredTags }); // throws one Error that lists every breach
 *
 * They check the stacks' Terraform JSON, not constructs: so they see what Terraform reads, including overrides and late
 * values, and can follow a value through parameters from stack to stack.
 */
import { Documents, type StackDocument } from "./documents";
import { type Exception, exceptions } from "./exceptions";
import type { Finding, PolicySettings, Rule } from "./rule";
import { boundedRoles } from "./rules/boundaries";
import { privateBuckets, tlsOnlyBuckets } from "./rules/buckets";
import { encryptedAtRest, ownKey } from "./rules/encryption";
import { imagesByDigest } from "./rules/images";
import { endingLogs } from "./rules/logs";
import {
  managedPolicies,
  namedActions,
  namedPrincipals,
  namedResources,
  passedRoles,
  readablePolicies,
} from "./rules/permissions";
import { protectedData } from "./rules/protection";
import { recordedAccess } from "./rules/records";
import { watchedReleases } from "./rules/releases";
import { defaultTags } from "./rules/tags";
import { knownTypes } from "./rules/types";

export type { StackDocument } from "./documents";
export type { PolicySettings } from "./rule";

export const rules: readonly Rule[] = [
  knownTypes,
  readablePolicies,
  managedPolicies,
  namedActions,
  namedResources,
  passedRoles,
  boundedRoles,
  namedPrincipals,
  encryptedAtRest,
  ownKey,
  tlsOnlyBuckets,
  privateBuckets,
  endingLogs,
  imagesByDigest,
  defaultTags,
  protectedData,
  recordedAccess,
  watchedReleases,
];

/** A rule that a resource breaks. */
export interface Breach extends Finding {
  readonly rule: Rule;
}

/** Stack and address, as in an exception. */
const nameOf = ({ place: { stack, address } }: Finding): string => `${stack}/${address}`;

/** Whether an exception excuses a breach. */
export function excuses(exception: Exception, breach: Breach): boolean {
  return (
    exception.rule === breach.rule.id &&
    exception.resource === nameOf(breach) &&
    (exception.found ?? breach.found) === breach.found
  );
}

/** All breaches of all rules, including excused ones. */
export function allBreaches(stacks: readonly StackDocument[], settings: PolicySettings): readonly Breach[] {
  const documents = new Documents(stacks);
  return rules.flatMap((rule) => [...rule.check(documents, settings)].map((finding) => ({ ...finding, rule })));
}

/** All breaches that are not excused, in the order of the rules. */
export function breaches(stacks: readonly StackDocument[], settings: PolicySettings): readonly Breach[] {
  return allBreaches(stacks, settings).filter((breach) => !exceptions.some((exception) => excuses(exception, breach)));
}

/**
 * Checks the stacks of a platform.
 * @throws Error that lists all breaches by rule: the resources, the problem, and what to do
 */
export function enforce(stacks: readonly StackDocument[], settings: PolicySettings): void {
  const found = breaches(stacks, settings);
  if (found.length === 0) {
    return;
  }
  const paragraphs = rules.flatMap((rule) => {
    const broken = found.filter((breach) => breach.rule === rule);
    if (broken.length === 0) {
      return [];
    }
    return [
      [
        `${rule.promise} [${rule.id}; ${rule.source}]`,
        ...broken.map((breach) => `  ${nameOf(breach)} ${breach.found}`),
        `  → ${rule.remedy}`,
      ].join("\n"),
    ];
  });
  const count = found.length === 1 ? "One breach of a rule" : `${found.length} breaches of the rules`;
  throw new Error(`${count} in policies/; nothing was written.\n\n${paragraphs.join("\n\n")}`);
}
