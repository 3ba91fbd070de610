/** Resources that may break a rule, each with the reason. Tests fail on a row that excuses nothing: remove it. */

/** A resource that may break one rule, or one point of it. */
export interface Exception {
  /** The rule's id. */
  readonly rule: string;
  /** Stack and address: `data/aws_s3_bucket.logs_bucket`. */
  readonly resource: string;
  /** The exact text of the breach, to excuse only this one. @default every breach of the rule */
  readonly found?: string;
  readonly reason: string;
}

const publicPages = "The pages are public: S3's own key encrypts them, and CloudFront needs no right to use our key.";
const pagesAreMadeAgain = "Every deployment puts the pages there from web/; nothing is lost with the bucket.";

const countsOfAnHour =
  "It counts messages per hour, by codes that mean nothing after a day; without it, the count starts again.";

const accessLogsKey =
  'S3 delivers server access logs only to buckets with S3\'s own key (S3 User Guide, "Enabling Amazon S3 server access logging").';

const logOfLogs =
  'It holds the access logs. If it logged into itself, each log would cause another one (S3 User Guide, "Logging requests with server access logging").';

const imagesOfAws =
  "AWS services pull their images into the VPC with roles of other accounts. An endpoint grants nothing: the repository's policy still " +
  'decides (ECR User Guide, "Amazon ECR interface VPC endpoints").';

/** The statement of ECR's endpoints that allows image pulls: it is read-only, and lists each action. */
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
      'ECR serves image layers from an AWS bucket, with signed URLs (ECR User Guide, "Minimum Amazon S3 bucket permissions for Amazon ECR").',
  },
  { rule: "own-key", resource: "state/aws_s3_bucket.logs_bucket", reason: accessLogsKey },
  { rule: "protected", resource: "website-test/aws_dynamodb_table.visitors", reason: countsOfAnHour },
  { rule: "protected", resource: "website-production/aws_dynamodb_table.visitors", reason: countsOfAnHour },
  { rule: "own-key", resource: "website-test/aws_s3_bucket.website_site_bucket", reason: publicPages },
  { rule: "own-key", resource: "website-production/aws_s3_bucket.website_site_bucket", reason: publicPages },
  { rule: "protected", resource: "website-test/aws_s3_bucket.website_site_bucket", reason: pagesAreMadeAgain },
  { rule: "protected", resource: "website-production/aws_s3_bucket.website_site_bucket", reason: pagesAreMadeAgain },
];
