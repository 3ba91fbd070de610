/** The record of a resource type, and what several records share. */
import { type Arguments, filled } from "./arguments";
import type { Place } from "./arn";
import type { Permissions } from "./permissions";

/** The monthly use of one resource, assumed by `delivery/costs/usage.ts`. */
export interface MonthlyUse {
  /** Requests to a website's API, and to its distribution. */
  readonly apiRequests: number;
  readonly websiteRequests: number;
  /** GB that a distribution sends. */
  readonly websiteGigabytes: number;
  /** Mails of a website. */
  readonly mails: number;
  /** Calls of a function, and seconds of each. */
  readonly functionCalls: number;
  readonly functionSeconds: number;
  /** Hours of each job of a state machine. */
  readonly workflowJobHours: number;
  readonly stateTransitions: number;
  /** Hours of a monitor's job, and its metrics, over the whole month. */
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
  /** GB written to a log group. */
  readonly logGigabytes: number;
  /** GB through a NAT gateway, the part of them to the internet, and GB through an interface endpoint. */
  readonly natGigabytes: number;
  readonly internetGigabytes: number;
  readonly endpointGigabytes: number;
  readonly keyRequests: number;
  /** Events that a trail records. */
  readonly trailEvents: number;
  /** Minutes of a build, and of a pipeline's actions. */
  readonly buildMinutes: number;
  readonly pipelineMinutes: number;
  /** Total hours of Airflow's workers beyond the first, and GB of its database. */
  readonly furtherWorkerHours: number;
  readonly airflowDatabaseGigabytes: number;
}

/** A part of a resource's monthly cost. */
export interface Charge {
  /** The id of a price in `delivery/costs/prices.json`. */
  readonly price: string;
  /** Units in a month. */
  readonly quantity: number;
  /** `fixed`: independent of use; `use`: by the assumed use. */
  readonly kind: "fixed" | "use";
}

/** Free, not counted (with the reason), or charges. */
export type Price =
  | { readonly free: string }
  | { readonly notPriced: string }
  | { readonly charges: (block: Arguments, use: MonthlyUse) => readonly Charge[] };

/** A charge that is independent of use. */
export const fixedCharge = (price: string, quantity: number): Charge => ({ price, quantity, kind: "fixed" });

/** A charge for the assumed use. */
export const usageCharge = (price: string, quantity: number): Charge => ({ price, quantity, kind: "use" });

/** The price of a setting that is billed with another resource. */
export const partOfAnother: Price = { free: "a setting of another resource" };

/** The price of roles, policies and users. */
export const identity: Price = { free: "AWS Identity and Access Management is free" };

/** The hours of a month, as in AWS's own examples. */
export const hoursOfMonth = 730;

/** The days of a month: 365 / 12. */
export const daysOfMonth = hoursOfMonth / 24;

/** The part of a resource that encryption rules need. */
export interface EncryptedResource {
  readonly stack: string;
  readonly address: string;
  readonly arguments: Arguments;
}

/** The other resources of its stack. */
export interface Neighbours {
  /** The resources of a type, in the same stack, whose argument refers to the owner by one of its attributes. */
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
   * Our key, an AWS key, the instance's hardware, or nothing. `refused`: it has a key although AWS accepts none, so its
   * creation would fail.
   */
  readonly by: "own key" | "key of AWS" | "hardware" | "none" | "refused";
  /** The encrypted part, if a resource has several. @default the resource */
  readonly part?: string;
}

/**
 * How to read a type's encryption; or, for a type with a key argument that we don't use, the reason. The security
 * chapter of each service's guide, section "Encryption at rest", says what AWS does without a key.
 */
export type EncryptionRule =
  ((resource: EncryptedResource, neighbours: Neighbours) => readonly Encryption[]) | { readonly elsewhere: string };

/** Our key if the condition holds. */
export const ownKeyIf = (
  condition: boolean,
  part?: string,
  otherwise: Encryption["by"] = "key of AWS",
): Encryption => ({ by: condition ? "own key" : otherwise, part });

/** The rule for a type with one argument for the key. */
export const keyArgument =
  (argument: string, otherwise?: Encryption["by"]): EncryptionRule =>
  (resource) => [ownKeyIf(filled(resource.arguments, argument), undefined, otherwise)];

/** The place of a resource that may already exist. */
export interface ImportPlace extends Place {
  /** Its address in Terraform, such as `aws_s3_bucket.data`. */
  readonly address: string;
}

/** What can't be made again. */
export interface Held {
  /** What is lost with a resource of this type. */
  readonly what: string;
  /** The actions that lose it: no role of the platform may use them. */
  readonly lostBy: readonly string[];
  /** The arguments that allow its deletion in spite of `prevent_destroy`. @default none */
  readonly unguarded?: (block: Arguments) => readonly string[];
}

/** The record of a type of resource. */
export interface ResourceType {
  /**
   * The rights that a role needs to deploy it: for the calls of Terraform's provider, as in its source, and for those
   * that AWS checks additionally. `engineers`: only people deploy it, by hand.
   */
  readonly permissions: Permissions | readonly Permissions[] | "engineers";
  readonly price: Price;
  /**
   * The id for `terraform import` ("Import" in the provider's documentation), if AWS refuses a second resource of the
   * same name: an argument, or a value made of several.
   * @default none: AWS allows several with one name, or it has no name
   */
  readonly importId?: string | ((block: Arguments, place: ImportPlace) => string);
  /** The arguments with which a data source of the same type finds it, if the import id needs that. */
  readonly lookUpBy?: readonly string[];
  /** Whether a separate call tags it, so that an interrupt can leave it without tags. @default false */
  readonly taggedLater?: boolean;
  /**
   * Whether one call creates all of it. After an interrupt, Terraform marks the resource as tainted and wants to
   * replace it, but only settings are missing, which a plan finds and sets.
   * @default false
   */
  readonly madeByOneCall?: boolean;
  /**
   * Data that can't be made again. Not for log groups, whose entries expire; parameters, which models and stacks write
   * again; topics, whose subscribers confirm again; queues, which only repeat data of a table or a bucket; or resources
   * with an address and no data.
   * @default nothing
   */
  readonly holds?: Held;
  /** @default it stores nothing */
  readonly encryption?: EncryptionRule;
  /** The log group for its logs; undefined if only Terraform knows the name. @default no logs */
  readonly logGroup?: (block: Arguments) => string | undefined;
  /** The container images that it runs or passes on. @default none */
  readonly images?: (block: Arguments) => readonly unknown[];
}

/** The record of a data source type. */
export type DataSourceType = Pick<ResourceType, "permissions">;

/** The types of one service: a file. */
export type Service = Readonly<
  Record<`aws_${string}` | `docker_${string}`, ResourceType> & Record<`data.${string}`, DataSourceType>
>;
