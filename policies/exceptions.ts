/** The resources that need not keep a rule, each with the reason. A row that excuses nothing fails the tests: remove it. */

/** One resource that need not keep one rule. */
export interface Exception {
  /** The rule's id. */
  readonly rule: string;
  /** Stack and address: `data/aws_s3_bucket.logs_bucket`. */
  readonly resource: string;
  readonly reason: string;
}

const publicPages =
  "The pages are public: S3's own key encrypts them, and CloudFront needs no right to use a key of ours.";
const pagesAreMadeAgain = "The pages come from web/ at every deployment; nothing is lost with the bucket.";

/** All exceptions. */
export const exceptions: readonly Exception[] = [
  {
    rule: "own-key",
    resource: "data/aws_s3_bucket.logs_bucket",
    reason:
      'S3 delivers server access logs only to buckets with S3\'s own key (S3 User Guide, "Enabling Amazon S3 server access logging").',
  },
  {
    rule: "own-key",
    resource: "model-image/aws_ecr_repository.abalone_repository",
    reason: "KMS with the key that AWS manages for ECR: an image holds code, no data.",
  },
  { rule: "own-key", resource: "website-test/aws_s3_bucket.website_site_bucket", reason: publicPages },
  { rule: "own-key", resource: "website-production/aws_s3_bucket.website_site_bucket", reason: publicPages },
  { rule: "protected", resource: "website-test/aws_s3_bucket.website_site_bucket", reason: pagesAreMadeAgain },
  { rule: "protected", resource: "website-production/aws_s3_bucket.website_site_bucket", reason: pagesAreMadeAgain },
];
