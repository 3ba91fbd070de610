/** Amazon Resource Names: the one place that knows how each service builds them. */

/** Where something is deployed, as ARNs name it. */
export interface Place {
  /** `aws`, `aws-cn` or `aws-us-gov`. */
  readonly partition: string;
  readonly account: string;
  readonly region: string;
}

/** The services whose ARNs name no region, and those whose ARNs name no account. */
const withoutRegion: ReadonlySet<string> = new Set(["budgets", "cloudfront", "iam", "route53", "s3"]);
const withoutAccount: ReadonlySet<string> = new Set(["apigateway", "route53", "s3"]);

/**
 * The ARN of a resource, or a pattern of ARNs.
 * @param service as ARNs name it: `states`, not Step Functions
 * @param resource what follows the account, such as `role/acme-*`
 */
export function arnOf({ partition, account, region }: Place, service: string, resource: string): string {
  const where = withoutRegion.has(service) ? "" : region;
  return `arn:${partition}:${service}:${where}:${withoutAccount.has(service) ? "" : account}:${resource}`;
}
