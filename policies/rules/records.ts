/** Who read and who wrote: every way to the data leaves a record. */
import { type Documents, isArguments, type Resource, texts, values } from "../documents";
import type { Rule } from "../rule";

/** The beginnings of ARNs that one selector of a trail names, and those that it leaves out. */
interface Selection {
  readonly from: readonly string[];
  readonly except: readonly string[];
}

/** What the trails of all stacks record of objects in buckets. */
function objectSelections(documents: Documents): readonly Selection[] {
  return documents.resources("aws_cloudtrail").flatMap(({ arguments: block }) =>
    values(block, "advanced_event_selector").flatMap((selector) => {
      const fields = values(selector, "field_selector").filter(isArguments);
      const of = (field: string) => fields.filter((candidate) => candidate.field === field);
      const objects = of("resources.type").some((field) => values(field, "equals").includes("AWS::S3::Object"));
      // Half of what is done, by `readOnly` or by event, is no record of who read.
      const known = ["eventCategory", "resources.type", "resources.ARN"];
      if (!objects || fields.some(({ field }) => typeof field !== "string" || !known.includes(field))) {
        return [];
      }
      const arns = of("resources.ARN");
      return [
        {
          from: arns.flatMap((field) => texts(field.starts_with)),
          except: arns.flatMap((field) => texts(field.not_starts_with)),
        },
      ];
    }),
  );
}

function isRecordedByTrail({ arguments: { bucket } }: Resource, documents: Documents): boolean {
  if (typeof bucket !== "string") {
    return false;
  }
  const objects = ["aws", "aws-cn", "aws-us-gov"].map((partition) => `arn:${partition}:s3:::${bucket}/`);
  return objectSelections(documents).some(({ from, except }) =>
    objects.some(
      (arn) => from.some((prefix) => arn.startsWith(prefix)) && !except.some((prefix) => arn.startsWith(prefix)),
    ),
  );
}

/** A bucket that logs into itself makes a log of each log. */
function isLogged(bucket: Resource, documents: Documents): boolean {
  const targets = documents
    .belongingTo(bucket, "aws_s3_bucket_logging", "bucket", ["bucket", "id"])
    .flatMap(({ arguments: { target_bucket: target } }) => texts(target));
  const itself = new Set([
    `\${${bucket.address}.bucket}`,
    `\${${bucket.address}.id}`,
    ...texts(bucket.arguments.bucket),
  ]);
  return targets.some((target) => !itself.has(target));
}

/**
 * Whether CloudFront delivers the access logs, by the older way or by a source, a destination and a delivery between
 * them.
 */
function isDelivered({ stack, address, arguments: block }: Resource, documents: Documents): boolean {
  if (values(block, "logging_config", "bucket").length > 0) {
    return true;
  }
  return documents
    .resources("aws_cloudwatch_log_delivery_source")
    .some(
      (source) =>
        source.stack === stack &&
        source.arguments.resource_arn === `\${${address}.arn}` &&
        source.arguments.log_type === "ACCESS_LOGS" &&
        documents
          .belongingTo(source, "aws_cloudwatch_log_delivery", "delivery_source_name", ["name"])
          .some(({ arguments: { delivery_destination_arn: destination } }) => typeof destination === "string"),
    );
}

/** What each type must have for somebody to see later who used it. */
const records: Readonly<Record<string, (resource: Resource, documents: Documents) => boolean>> = {
  aws_apigatewayv2_stage: ({ arguments: block }) => values(block, "access_log_settings", "destination_arn").length > 0,
  aws_cloudfront_distribution: isDelivered,
  aws_s3_bucket: (bucket, documents) => isLogged(bucket, documents) || isRecordedByTrail(bucket, documents),
};

/** Without a record nobody can tell later what was read, and by whom. */
export const recordedAccess: Rule = {
  id: "recorded-access",
  promise: "Whoever reads or writes a bucket, asks an API or a site leaves a record.",
  source: 'AWS Well-Architected Security Pillar, SEC04-BP01 "Configure service and application logging"',
  remedy:
    "Give a bucket an accessLogBucket, or a name that the trail of stacks/governance.ts records; give an API and a distribution their access logs.",
  *check(documents) {
    for (const [type, isRecorded] of Object.entries(records)) {
      for (const resource of documents.resources(type)) {
        if (!isRecorded(resource, documents)) {
          yield { place: resource, found: "has no record of who uses it" };
        }
      }
    }
  },
};
