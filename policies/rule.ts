import type { Documents, Place } from "./documents";

/** The settings of the rules. */
export interface PolicySettings {
  /** Whether resources with data must be protected from deletion. */
  readonly protectData: boolean;
  /** The tags that a provider must set on every resource. */
  readonly requiredTags: readonly string[];
  /** Whether every role must have a permissions boundary. False for an emulator, which enforces no policies. */
  readonly boundedRoles: boolean;
}

/** Where a rule is broken, and why. */
export interface Finding {
  readonly place: Place;
  /** The problem, as the end of a sentence that begins with the place. */
  readonly found: string;
}

/** One rule. */
export interface Rule {
  /** Exceptions refer to it. */
  readonly id: string;
  /** What the rule guarantees. */
  readonly promise: string;
  /** Its source: an AWS page, or a decision of ours. */
  readonly source: string;
  /** What to do about a breach. */
  readonly remedy: string;
  /** All breaches, including excused ones. */
  check(documents: Documents, settings: PolicySettings): Iterable<Finding>;
}
