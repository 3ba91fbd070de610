/** Logs that expire. */
import { awsServices } from "../../aws-services";
import type { Documents, Resource } from "../documents";
import type { Rule } from "../rule";

function groupExists(documents: Documents, writer: Resource, group: string): boolean {
  return documents
    .resources("aws_cloudwatch_log_group")
    .some(
      ({ stack, address, arguments: { name } }) =>
        stack === writer.stack && (name === group || group === `\${${address}.name}`),
    );
}

/** A group without retention keeps its events for ever. So does a group that AWS creates because it is missing. */
export const endingLogs: Rule = {
  id: "ending-logs",
  promise: "The events of every log group expire.",
  source:
    'CloudWatch Logs User Guide, "Working with log groups and log streams": without retention, events are kept for ever',
  remedy: "Set retention_in_days to the environment's logRetentionDays, on a log group in the writer's stack.",
  *check(documents) {
    for (const group of documents.resources("aws_cloudwatch_log_group")) {
      const days = group.arguments.retention_in_days;
      if (typeof days !== "number" || days < 1) {
        yield { place: group, found: "keeps its events for ever" };
      }
    }
    for (const [type, groupOf] of awsServices.having("logGroup")) {
      for (const writer of documents.resources(type)) {
        const group = groupOf(writer.arguments);
        if (group === undefined || !groupExists(documents, writer, group)) {
          yield { place: writer, found: `writes to ${group ?? "a log group"} that its stack does not make` };
        }
      }
    }
  },
};
