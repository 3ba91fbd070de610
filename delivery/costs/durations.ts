/** How long deployments take: measured times, and known times of slow resources. */

/** One stack, or one resource that makes it slow. */
export interface Duration {
  readonly what: string;
  /** As text, because AWS's times vary too much for a number. */
  readonly time: string;
  /** Source of the number. */
  readonly source: string;
}

const measured = "measured with Terraform 1.11 and the AWS provider 6.25 on the emulator, 2026-11-22";
const limit = (resource: string): string =>
  `Terraform AWS provider, ${resource}, "Timeouts": the longest that it waits`;

/** Times of first deployments. A deployment without changes takes as long as its plan: a few seconds per stack. */
export const durations: readonly Duration[] = [
  {
    what: "`data`",
    time: "61 s, 55 of them until S3 shows the lifecycle rules as settled",
    source: measured,
  },
  { what: "`model-image`, without building the image", time: "4 s", source: measured },
  { what: "`ml-workflow`", time: "24 s", source: measured },
  { what: "`network`: each NAT gateway, side by side", time: "up to 10 min", source: limit("aws_nat_gateway") },
  { what: "`network`: each endpoint, side by side", time: "up to 10 min", source: limit("aws_vpc_endpoint") },
  {
    what: "`website-test`, `website-production`: the distribution",
    time: "up to 15 min",
    source:
      'CloudFront Developer Guide, "Listing, viewing, and updating distributions" (its edition of 2013; newer ones give no time)',
  },
  {
    what: "`website-test`, `website-production`: the endpoint",
    time: "some minutes",
    source: "from memory, unverified: AWS gives no time",
  },
  {
    what: "`data-workflow`: the Airflow environment",
    time: "20 to 30 min, and up to 2 h before Terraform gives up",
    source: `20 to 30 min from memory, unverified; the limit: ${limit("aws_mwaa_environment")}`,
  },
];
