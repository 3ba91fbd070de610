/** Resources with data are never deleted. */
import { awsServices } from "../../aws-services";
import { isTrue } from "../../aws-services/arguments";
import type { Rule } from "../rule";

/** Terraform refuses a plan that destroys or replaces a protected resource. */
export const protectedData: Rule = {
  id: "protected",
  promise: "If the environment protects its data, Terraform refuses to destroy resources with data.",
  source: 'Terraform language, "The lifecycle meta-argument": prevent_destroy; setting protectData of environments/',
  remedy: "Pass protectData to the module, or write in policies/exceptions.ts why no data can be lost.",
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
