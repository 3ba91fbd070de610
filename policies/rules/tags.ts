/** Tags: whose it is, and what made it. */
import { isArguments, list, values } from "../documents";
import type { Rule } from "../rule";

/** The provider tags whatever it makes, so that no resource can be forgotten. */
export const defaultTags: Rule = {
  id: "default-tags",
  promise: "Every AWS provider tags whatever it makes with the platform's tags.",
  source: 'AWS whitepaper "Best Practices for Tagging AWS Resources"; the provider\'s default_tags',
  remedy: "Derive the stack from PlatformStack, and give a provider beside its own the same defaultTags.",
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
          yield { place: { stack: id, address }, found: `leaves out the default tags ${missing.join(", ")}` };
        }
      }
    }
  },
};
