/** What holds data stays, whatever a plan says. */
import { type Arguments, values } from "../documents";
import type { Rule } from "../rule";

const isTrue = (block: Arguments, ...path: readonly string[]): boolean => values(block, ...path)[0] === true;

/** The types that hold what can't be made again, and what of each would let it go. */
const stateful: Readonly<Record<string, (block: Arguments) => readonly string[]>> = {
  aws_dynamodb_table: (block) =>
    isTrue(block, "deletion_protection_enabled") ? [] : ["no deletion_protection_enabled"],
  aws_ecr_repository: (block) => (isTrue(block, "force_delete") ? ["force_delete"] : []),
  aws_kms_key: () => [],
  aws_s3_bucket: (block) => (isTrue(block, "force_destroy") ? ["force_destroy"] : []),
  aws_sagemaker_feature_group: () => [],
};

/** The types that the rule looks at. */
export const statefulTypes = Object.keys(stateful);

/** Terraform refuses a plan that destroys or replaces what is protected. */
export const protectedData: Rule = {
  id: "protected",
  promise: "Where the environment protects its data, Terraform refuses to destroy what holds it.",
  source: 'Terraform language, "The lifecycle meta-argument": prevent_destroy; setting protectData of environments/',
  remedy:
    "Hand protectData on to the module, or write in policies/exceptions.ts why it holds nothing that can be lost.",
  *check(documents, { protectData }) {
    if (!protectData) return;
    for (const [type, faultsOf] of Object.entries(stateful)) {
      for (const resource of documents.resources(type)) {
        const block = resource.arguments;
        const faults = [
          ...(isTrue(block, "lifecycle", "prevent_destroy") ? [] : ["no prevent_destroy"]),
          ...faultsOf(block),
        ];
        if (faults.length > 0) yield { place: resource, found: `has ${faults.join(" and ")}` };
      }
    }
  },
};
