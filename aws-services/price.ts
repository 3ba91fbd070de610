/** What AWS asks for a type of resource. */
import type { Arguments } from "./arguments";

/** How much one resource is used in a month: assumptions of whoever counts costs (`delivery/costs/usage.ts`). */
export interface MonthlyUse {
  /** Requests to the API of a website, and to its distribution. */
  readonly apiRequests: number;
  readonly websiteRequests: number;
  /** GB that a distribution sends. */
  readonly websiteGigabytes: number;
  /** Mails of a website. */
  readonly mails: number;
  /** Calls of a function, and seconds of each. */
  readonly functionCalls: number;
  readonly functionSeconds: number;
  /** Hours of each of a state machine's jobs. */
  readonly workflowJobHours: number;
  readonly stateTransitions: number;
  /** Hours of a monitor's job, and metrics that it puts, counted over the whole month. */
  readonly comparisonJobHours: number;
  readonly comparisonMetrics: number;
  /** Records into a feature group. */
  readonly featureWrites: number;
  /** TB that queries scan. */
  readonly queryTerabytes: number;
  /** Write and read units of a table, and its GB. */
  readonly tableWrites: number;
  readonly tableReads: number;
  readonly tableGigabytes: number;
  /** GB of a bucket, and requests to it. */
  readonly bucketGigabytes: number;
  readonly bucketWrites: number;
  readonly bucketReads: number;
  /** GB of a repository's images. */
  readonly imageGigabytes: number;
  /** GB that a log group takes in. */
  readonly logGigabytes: number;
  /** GB through a NAT gateway, GB of those to the internet, and GB through an interface endpoint. */
  readonly natGigabytes: number;
  readonly internetGigabytes: number;
  readonly endpointGigabytes: number;
  readonly keyRequests: number;
  /** Events that a trail records. */
  readonly trailEvents: number;
  /** Minutes of a build, and of a pipeline's actions. */
  readonly buildMinutes: number;
  readonly pipelineMinutes: number;
  /** Hours of Airflow's workers beyond the first, added up over workers, and GB of its database. */
  readonly furtherWorkerHours: number;
  readonly airflowDatabaseGigabytes: number;
}

/** A part of what a resource costs in a month. */
export interface Charge {
  /** The id of a price in `delivery/costs/prices.json`. */
  readonly price: string;
  /** Units in a month. */
  readonly quantity: number;
  /** `fixed`: for being there; `use`: by the assumptions. */
  readonly kind: "fixed" | "use";
}

/** Nothing, something that isn't counted (and why), or charges. */
export type Price =
  | { readonly free: string }
  | { readonly notPriced: string }
  | { readonly charges: (block: Arguments, use: MonthlyUse) => readonly Charge[] };

/** A charge for being there. */
export const fixed = (price: string, quantity: number): Charge => ({ price, quantity, kind: "fixed" });

/** A charge for being used. */
export const use = (price: string, quantity: number): Charge => ({ price, quantity, kind: "use" });

/** The price of what is billed with another resource. */
export const partOfAnother: Price = { free: "a setting of another resource" };

/** The price of roles, policies and whoever is let in. */
export const identity: Price = { free: "AWS Identity and Access Management costs nothing" };

/** The hours of a month, as AWS counts it in its own examples. */
export const hoursOfMonth = 730;

/** The days of a month: 365 / 12. */
export const daysOfMonth = hoursOfMonth / 24;
