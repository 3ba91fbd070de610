import type { HandlerDeclaration } from "../shared/declaration";
import { name } from "../shared/environment";

/** What the stack sets. */
export const variables = { PIPELINE: name };

export const declaration = {
  name: "release-change",
  purpose: "Starts the pipeline for new surveys, once for the same contents",
  owners: ["data"],
  variables,
  // Four attempts of ten seconds, and the waits between them.
  timeoutSeconds: 60,
  failure: {
    report: "The function <function> failed, so new surveys are not released: read /aws/lambda/<function>.",
    means: "New surveys are ingested, but the pipeline could not be started. They stay under `surveys/`.",
    look: "`/aws/lambda/<function>`: does the pipeline exist? Does it run too often?",
    do:
      "Clear the DAG's task `release` and its downstream tasks, or wait for tomorrow's run: the same surveys " +
      "start at most one execution.",
  },
} satisfies HandlerDeclaration;
