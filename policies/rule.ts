import type { Documents, Place } from "./documents";

/** What decides, besides the documents, whether a rule is kept. */
export interface PolicySettings {
  /** Whether what holds data must be protected from being destroyed. */
  readonly protectData: boolean;
  /** The tags that a provider must set on whatever it makes. */
  readonly requiredTags: readonly string[];
  /** Whether every role must have a permissions boundary: not where an emulator holds nobody to any policy. */
  readonly boundedRoles: boolean;
}

/** Where a rule is broken, and by what. */
export interface Finding {
  readonly place: Place;
  /** What stands there, as the end of the sentence that begins with the place. */
  readonly found: string;
}

/** One rule. */
export interface Rule {
  /** By which exceptions name it. */
  readonly id: string;
  /** What holds where the rule is kept. */
  readonly promise: string;
  /** Who asks for it: AWS's page, or the decision of ours. */
  readonly source: string;
  /** What to do where it is broken. */
  readonly remedy: string;
  /** Everything that breaks the rule, exceptions not yet taken out. */
  check(documents: Documents, settings: PolicySettings): Iterable<Finding>;
}
