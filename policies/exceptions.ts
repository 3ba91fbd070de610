/**
 * The resources that need not keep a rule, each with the reason. A row that excuses nothing fails the tests: remove it.
 */

/** One resource that need not keep one rule, or not in one point. */
export interface Exception {
  /** The rule's id. */
  readonly rule: string;
  /** Stack and address: `data/aws_s3_bucket.logs_bucket`. */
  readonly resource: string;
  /**
   * What the breach says, word for word, where no other breach of the rule by the resource is excused. @default every
   * breach of it
   */
  readonly found?: string;
  readonly reason: string;
}

const publicPages =
  "The pages are public: S3's own key encrypts them, and CloudFront needs no right to use a key of ours.";
const pagesAreMadeAgain = "The pages come from web/ at every deployment; nothing is lost with the bucket.";

const countsOfAnHour =
  "It counts the messages of an hour, by codes that mean nothing after a day; without it, counting begins again.";

const accessLogsKey =
  'S3 delivers server access logs only to buckets with S3\'s own key (S3 User Guide, "Enabling Amazon S3 server access logging").';

const logOfLogs =
  'It takes the access logs. Logged into itself, each log would make another (S3 User Guide, "Logging requests with server access logging").';

const imagesOfAws =
  "AWS's own services pull their images into the VPC with roles of other accounts; an endpoint grants nothing, so that the repository's policy still " +
  'decides (ECR User Guide, "Amazon ECR interface VPC endpoints").';

/** The statement by which ECR's endpoints let images through: it only reads, and names each action. */
const imagePulls: readonly Exception[] = ["ecr-api", "ecr-dkr"].flatMap((endpoint) => {
  const resource = `network/aws_vpc_endpoint.endpoints_${endpoint}`;
  return [
    {
      rule: "named-principals",
      resource,
      found: "allows anyone in (statement PullImages)",
      reason: imagesOfAws,
    },
    ...["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"].map((action) => ({
      rule: "named-resources",
      resource,
      found: `allows ${action} on * (statement PullImages)`,
      reason: imagesOfAws,
    })),
  ];
});

/** All exceptions. */
export const exceptions: readonly Exception[] = [
  {
    rule: "own-key",
    resource: "data/aws_s3_bucket.logs_bucket",
    reason: accessLogsKey,
  },
  { rule: "own-key", resource: "governance/aws_s3_bucket.access-logs_bucket", reason: accessLogsKey },
  {
    rule: "own-key",
    resource: "model-image/aws_ecr_repository.abalone_repository",
    reason: "KMS with the key that AWS manages for ECR: an image holds code, no data.",
  },
  { rule: "recorded-access", resource: "data/aws_s3_bucket.logs_bucket", reason: logOfLogs },
  { rule: "recorded-access", resource: "governance/aws_s3_bucket.access-logs_bucket", reason: logOfLogs },
  ...imagePulls,
  {
    rule: "named-principals",
    resource: "network/aws_vpc_endpoint.endpoints_s3",
    found: "allows anyone in (statement ReadImageLayers)",
    reason:
      'ECR hands out image layers from a bucket of AWS\'s, signed by ECR itself (ECR User Guide, "Minimum Amazon S3 bucket permissions for Amazon ECR").',
  },
  { rule: "own-key", resource: "state/aws_s3_bucket.logs_bucket", reason: accessLogsKey },
  { rule: "protected", resource: "website-test/aws_dynamodb_table.visitors", reason: countsOfAnHour },
  { rule: "protected", resource: "website-production/aws_dynamodb_table.visitors", reason: countsOfAnHour },
  { rule: "own-key", resource: "website-test/aws_s3_bucket.website_site_bucket", reason: publicPages },
  { rule: "own-key", resource: "website-production/aws_s3_bucket.website_site_bucket", reason: publicPages },
  { rule: "protected", resource: "website-test/aws_s3_bucket.website_site_bucket", reason: pagesAreMadeAgain },
  { rule: "protected", resource: "website-production/aws_s3_bucket.website_site_bucket", reason: pagesAreMadeAgain },
];
