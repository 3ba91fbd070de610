/** What is known of one type of resource: its record. */
import type { Arguments } from "./arguments";
import type { Place } from "./arn";
import type { EncryptionRule } from "./encryption";
import type { Permissions } from "./permissions";
import type { Price } from "./price";

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
  readonly permissions: readonly Permissions[] | "engineers";
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
  /** The log group into which AWS writes for it; undefined when only Terraform knows its name. @default it writes none */
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
