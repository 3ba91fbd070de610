/** Releases that are rolled back automatically. */
import { type Documents, type Resource, texts, values } from "../documents";
import type { Rule } from "../rule";

/** The names that mean a stack's alarms in that stack. */
function alarmNames(documents: Documents, stack: string): ReadonlySet<string> {
  return new Set(
    documents
      .resources("aws_cloudwatch_metric_alarm")
      .filter((alarm) => alarm.stack === stack)
      .flatMap(({ address, arguments: { alarm_name: name } }) => [
        `\${${address}.alarm_name}`,
        `\${${address}.id}`,
        ...texts(name),
      ]),
  );
}

function* faults({ stack, arguments: block }: Resource, documents: Documents): Iterable<string> {
  const policies = ["blue_green_update_policy", "rolling_update_policy"];
  if (!policies.some((policy) => values(block, "deployment_config", policy).length > 0)) {
    yield "moves all traffic at once and deletes the old instances";
  }
  const alarms = values(block, "deployment_config", "auto_rollback_configuration", "alarms", "alarm_name");
  if (alarms.length === 0) {
    yield "has no alarm that stops a bad release";
  }
  const known = alarmNames(documents, stack);
  for (const alarm of alarms) {
    if (typeof alarm !== "string" || !known.has(alarm)) {
      yield `watches the alarm ${JSON.stringify(alarm)}, which its stack does not make`;
    }
  }
}

/** A model that passed every test can still fail for real requests. */
export const watchedReleases: Rule = {
  id: "watched-releases",
  promise: "Alarms watch every release of an endpoint and roll a bad one back.",
  source: 'SageMaker Developer Guide, "Auto-Rollback Configuration and Monitoring"',
  remedy:
    "Make it a ModelEndpoint (modules/model-endpoint.ts), or give it a deployment_config with alarms of its stack.",
  *check(documents) {
    for (const endpoint of documents.resources("aws_sagemaker_endpoint")) {
      for (const found of faults(endpoint, documents)) {
        yield { place: endpoint, found };
      }
    }
  },
};
