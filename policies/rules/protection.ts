/** What holds data stays, whatever a plan says. */
import { awsServices } from "../../aws-services";
import { isTrue } from "../../aws-services/arguments";
import type { Rule } from "../rule";

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
    for (const [type, { what, unguarded }] of awsServices.having("holds")) {
      for (const resource of documents.resources(type)) {
        const block = resource.arguments;
        const found = [
          ...(isTrue(block, "lifecycle", "prevent_destroy") ? [] : ["no prevent_destroy"]),
          ...(unguarded?.(block) ?? []),
        ];
        if (found.length > 0) {
          yield { place: resource, found: `has ${found.join(" and ")}, and holds ${what}` };
        }
      }
    }
  },
};
