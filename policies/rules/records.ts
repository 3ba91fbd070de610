/** Records of who read and wrote: every access to data is recorded. */
import { type Documents, isArguments, type Resource, texts, values } from "../documents";
import type { Rule } from "../rule";

/** The ARN prefixes that one selector of a trail includes and excludes. */
interface Selection {
  readonly from: readonly string[];
  readonly except: readonly string[];
}

/** The selectors for objects in buckets, of the trails of all stacks. */
function objectSelections(documents: Documents): readonly Selection[] {
  return documents.resources("aws_cloudtrail").flatMap(({ arguments: block }) =>
    values(block, "advanced_event_selector").flatMap((selector) => {
      const fields = values(selector, "field_selector").filter(isArguments);
      const of = (field: string) => fields.filter((candidate) => candidate.field === field);
      const objects = of("resources.type").some((field) => values(field, "equals").includes("AWS::S3::Object"));
      // A selector for only some events (`readOnly`, or by event) is not a complete record.
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
 * Whether CloudFront delivers access logs: by standard logging v1, or by a delivery source, a destination and a
 * delivery.
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

/** What each type needs so that its use is recorded. */
const records: Readonly<Record<string, (resource: Resource, documents: Documents) => boolean>> = {
  aws_apigatewayv2_stage: ({ arguments: block }) => values(block, "access_log_settings", "destination_arn").length > 0,
  aws_cloudfront_distribution: isDelivered,
  aws_s3_bucket: (bucket, documents) => isLogged(bucket, documents) || isRecordedByTrail(bucket, documents),
};

/** Without a record, nobody can find out later who read what. */
export const recordedAccess: Rule = {
  id: "recorded-access",
  promise: "Every request to a bucket, an API or a site is recorded.",
  source: 'AWS Well-Architected Security Pillar, SEC04-BP01 "Configure service and application logging"',
  remedy:
    "Give a bucket an accessLogBucket, or a name that the trail of stacks/governance.ts records. Give an API and a distribution access logs.",
  *check(documents) {
    for (const [type, isRecorded] of Object.entries(records)) {
      for (const resource of documents.resources(type)) {
        if (!isRecorded(resource, documents)) {
          yield { place: resource, found: "does not record who uses it" };
        }
      }
    }
  },
};
