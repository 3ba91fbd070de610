/**
 * Where a construct is deployed: the account, region and partition of its stack. A stack sets its place once;
 * constructs below read it instead of getting each part as a property.
 *
 *     setPlace(this, new Place({ account: "123456789012", region: "eu-west-1" })); // in a stack
 *     const { account, region } = placeOf(this);                                   // in a module below it
 *     placeOf(this).arn("sqs", "acme-local-ml-workflow-failed");
 *     placeOf(this).bucketArn("acme-local-data-123456789012");
 */
import type { IConstruct } from "constructs";
import { arnOf } from "../aws-services/arn";

/** An AWS account and region, and ARNs in it. */
export class Place {
  /** Twelve digits. */
  readonly account: string;
  /** For example `eu-west-1`. */
  readonly region: string;
  /** AWS partition: `aws`, `aws-cn` or `aws-us-gov`. */
  readonly partition: string;

  constructor({ account, region }: { readonly account: string; readonly region: string }) {
    this.account = account;
    this.region = region;
    this.partition = region.startsWith("cn-") ? "aws-cn" : region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
  }

  /** An ARN in this place, unless another region or account is given. */
  arn(service: string, resource: string, { region, account }: { region?: string; account?: string } = {}): string {
    const { partition } = this;
    return arnOf({ partition, region: region ?? this.region, account: account ?? this.account }, service, resource);
  }

  /** The ARN of a bucket, or of its objects if `name` includes a path. */
  bucketArn(name: string): string {
    return this.arn("s3", name);
  }
}

const places = new WeakMap<IConstruct, Place>();

/** Sets the place of a construct and of everything below it. */
export function setPlace(scope: IConstruct, place: Place): void {
  places.set(scope, place);
}

/**
 * The place of a construct.
 * @throws Error when neither it nor a parent has one
 */
export function placeOf(scope: IConstruct): Place {
  for (const each of scope.node.scopes.toReversed()) {
    const place = places.get(each);
    if (place) {
      return place;
    }
  }
  throw new Error(
    `${scope.node.path} has no place: its stack must call setPlace of modules/place.ts, as PlatformStack does.`,
  );
}
