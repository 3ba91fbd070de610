/** Tags: the owner and the stack of a resource. */
import { isArguments, list, values } from "../documents";
import type { Rule } from "../rule";

/** The provider tags every resource, so that none is forgotten. */
export const defaultTags: Rule = {
  id: "default-tags",
  promise: "Every AWS provider sets the platform's tags on every resource.",
  source: 'AWS whitepaper "Best Practices for Tagging AWS Resources"; the provider\'s default_tags',
  remedy: "Derive the stack from PlatformStack, and give each additional provider the same defaultTags.",
  *check({ stacks }, { requiredTags }) {
    for (const { id, document } of stacks) {
      const providers = isArguments(document.provider) ? list(document.provider.aws) : [];
      for (const provider of providers) {
        const [alias] = values(provider, "alias");
        const missing = requiredTags.filter(
          (tag) =>
            !values(provider, "default_tags", "tags", tag).some((value) => typeof value === "string" && value !== ""),
        );
        const address = typeof alias === "string" ? `provider.aws.${alias}` : "provider.aws";
        if (missing.length > 0) {
          yield { place: { stack: id, address }, found: `does not set the default tags ${missing.join(", ")}` };
        }
      }
    }
  },
};
