/** What holds data stays, whatever a plan says. */
import { type Arguments, values } from "../documents";
import type { Rule } from "../rule";
import { stateful, type StatefulType, statefulTypes } from "../stateful";

const isTrue = (block: Arguments, ...path: readonly string[]): boolean => values(block, ...path)[0] === true;

/**
 * What of each type would let it go in spite of `prevent_destroy`: by another's hand, or as soon as the line is gone.
 */
const faults: Partial<Readonly<Record<StatefulType, (block: Arguments) => readonly string[]>>> = {
  aws_dynamodb_table: (block) =>
    isTrue(block, "deletion_protection_enabled") ? [] : ["no deletion_protection_enabled"],
  aws_ecr_repository: (block) => (isTrue(block, "force_delete") ? ["force_delete"] : []),
  aws_s3_bucket: (block) => (isTrue(block, "force_destroy") ? ["force_destroy"] : []),
};

/** Terraform refuses a plan that destroys or replaces what is protected. */
export const protectedData: Rule = {
  id: "protected",
  promise: "Where the environment protects its data, Terraform refuses to destroy what holds it.",
  source: 'Terraform language, "The lifecycle meta-argument": prevent_destroy; setting protectData of environments/',
  remedy:
    "Hand protectData on to the module, or write in policies/exceptions.ts why it holds nothing that can be lost.",
  *check(documents, { protectData }) {
    if (!protectData) {
      return;
    }
    for (const type of statefulTypes) {
      for (const resource of documents.resources(type)) {
        const block = resource.arguments;
        const found = [
          ...(isTrue(block, "lifecycle", "prevent_destroy") ? [] : ["no prevent_destroy"]),
          ...(faults[type]?.(block) ?? []),
        ];
        if (found.length > 0) {
          yield { place: resource, found: `has ${found.join(" and ")}, and holds ${stateful[type]}` };
        }
      }
    }
  },
};
