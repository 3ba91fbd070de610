/**
 * What can't be made again: the one list for the rule `protected`, which asks for `prevent_destroy`, and for the plan's
 * guard, which refuses to replace or delete what is on it.
 *
 *     statefulTypes.includes("aws_s3_bucket"); // true
 *     stateful.aws_s3_bucket;                  // "objects, old versions included": what would be lost
 *
 * Left out, though something goes with them: log groups, whose entries end by themselves after `logRetentionDays`, and
 * which go with the function or the job that wrote them (what the trail records lies in its bucket besides);
 * parameters, for models and stacks tell their values anew; topics, whose subscribers confirm once more; queues, which
 * keep for a while what a table or a bucket has; distributions and APIs, which have an address and no data.
 */

/** Terraform's type, and what is lost with a resource of it. */
export const stateful = {
  aws_cloudtrail: "the record of what is done until there is a trail again",
  aws_codecommit_repository: "the source and its history",
  aws_dynamodb_table: "items",
  aws_ecr_repository: "images, which model packages name by digest",
  aws_kms_key: "all that the key encrypted",
  aws_mwaa_environment: "Airflow's history, connections and variables",
  aws_s3_bucket: "objects, old versions included",
  aws_sagemaker_feature_group: "records, until every survey has gone through a new group",
  aws_sagemaker_model_package_group: "registered models, with the evaluation by which each was let in",
} as const satisfies Readonly<Record<string, string>>;

/** A type that holds what can't be made again. */
export type StatefulType = keyof typeof stateful;

/** Those types. */
export const statefulTypes = Object.keys(stateful) as readonly StatefulType[];
