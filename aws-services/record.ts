/** What is known of one type of resource, its record; and what several records share. */
import { type Arguments, filled } from "./arguments";
import type { Place } from "./arn";
import type { Permissions } from "./permissions";

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

/** A resource, as far as the question needs it. */
export interface EncryptedResource {
  readonly stack: string;
  readonly address: string;
  readonly arguments: Arguments;
}

/** The resources beside it. */
export interface Neighbours {
  /** The resources of a type, in the same stack, whose argument names the owner by one of its attributes. */
  belongingTo(
    owner: EncryptedResource,
    type: string,
    argument: string,
    attributes: readonly string[],
  ): readonly EncryptedResource[];
}

/** How something is encrypted. */
export interface Encryption {
  /**
   * A key of ours, a key of AWS's, the hardware of the instance, or nobody. `refused`: it has a key where AWS takes
   * none, so that making it would fail.
   */
  readonly by: "own key" | "key of AWS" | "hardware" | "none" | "refused";
  /** What is encrypted, where a resource has several such things. @default the resource */
  readonly part?: string;
}

/**
 * How the encryption of a type is read, or, where it has an argument for a key of which we make no use, why not. What
 * AWS does without a key is in the security chapter of each service's guide, section "Encryption at rest".
 */
export type EncryptionRule =
  ((resource: EncryptedResource, neighbours: Neighbours) => readonly Encryption[]) | { readonly elsewhere: string };

/** A key of ours where the condition holds. */
export const ownKeyIf = (
  condition: boolean,
  part?: string,
  otherwise: Encryption["by"] = "key of AWS",
): Encryption => ({ by: condition ? "own key" : otherwise, part });

/** The rule of a type that has one argument for the key. */
export const keyArgument =
  (argument: string, otherwise?: Encryption["by"]): EncryptionRule =>
  (resource) => [ownKeyIf(filled(resource.arguments, argument), undefined, otherwise)];

/** Where a resource that may be there already stands. */
export interface ImportPlace extends Place {
  /** Its address in Terraform, such as `aws_s3_bucket.data`. */
  readonly address: string;
}

/** What can't be made again. */
export interface Held {
  /** What is lost with a resource of the type. */
  readonly what: string;
  /** The actions by which it is lost: no role of the platform is allowed them. */
  readonly lostBy: readonly string[];
  /** What of its arguments would let it go in spite of `prevent_destroy`. @default nothing */
  readonly unguarded?: (block: Arguments) => readonly string[];
}

/** The record of a type of resource. */
export interface ResourceType {
  /**
   * What a role needs to deploy it: the calls that Terraform's provider makes for it, as its source shows, and those
   * that AWS checks besides. `engineers`: only people deploy it, by hand.
   */
  readonly permissions: Permissions | readonly Permissions[] | "engineers";
  readonly price: Price;
  /**
   * The id by which Terraform imports it ("Import" in the provider's documentation), where AWS refuses a second one of
   * its name: an argument, or what is made of several.
   * @default none: AWS lets it be made twice under one name, or it has no name of its own
   */
  readonly importId?: string | ((block: Arguments, place: ImportPlace) => string);
  /** The arguments by which a data source of the same type and name finds it, where the id needs one. */
  readonly lookUpBy?: readonly string[];
  /** Whether it gets its tags by a call of their own, so that an interrupt can leave it without. @default false */
  readonly taggedLater?: boolean;
  /**
   * Whether one call makes it whole. When an interrupt comes after it, Terraform takes the resource for half made and
   * wants to replace it; but what is missing are settings, which a plan finds and sets.
   * @default false
   */
  readonly madeByOneCall?: boolean;
  /**
   * What can't be made again. Log groups have none, though something goes with them: their entries end by themselves.
   * Neither have parameters (models and stacks write their values again), topics (subscribers confirm once more),
   * queues (they keep for a while what a table or a bucket has) and what has an address and no data.
   * @default nothing
   */
  readonly holds?: Held;
  /** @default it keeps nothing */
  readonly encryption?: EncryptionRule;
  /**
   * The log group into which AWS writes for it; undefined when only Terraform knows its name. @default it writes none
   */
  readonly logGroup?: (block: Arguments) => string | undefined;
  /** The container images that it runs or hands on. @default none */
  readonly images?: (block: Arguments) => readonly unknown[];
}

/** What is known of a type of data source. */
export type DataSourceType = Pick<ResourceType, "permissions">;

/** The types of one service: a file. */
export type Service = Readonly<
  Record<`aws_${string}` | `docker_${string}`, ResourceType> & Record<`data.${string}`, DataSourceType>
>;
