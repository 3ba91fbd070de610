/** Amazon Resource Names: builds the ARNs of all services. */

/** The partition, account and region of an ARN. */
export interface Place {
  /** `aws`, `aws-cn` or `aws-us-gov`. */
  readonly partition: string;
  readonly account: string;
  readonly region: string;
}

/** The services whose ARNs have no region, and those whose ARNs have no account. */
const withoutRegion: ReadonlySet<string> = new Set(["budgets", "cloudfront", "iam", "route53", "s3"]);
const withoutAccount: ReadonlySet<string> = new Set(["apigateway", "route53", "s3"]);

/**
 * The ARN of a resource, or a pattern of ARNs.
 * @param service as in ARNs: `states`, not Step Functions
 * @param resource what follows the account, such as `role/acme-*`
 */
export function arnOf({ partition, account, region }: Place, service: string, resource: string): string {
  const where = withoutRegion.has(service) ? "" : region;
  return `arn:${partition}:${service}:${where}:${withoutAccount.has(service) ? "" : account}:${resource}`;
}
