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
    report: "The function <function> failed, so that new surveys are not released. Its log says why.",
    means: "New surveys are in, and the pipeline could not be started. They stay under `surveys/`.",
    look: "`/aws/lambda/<name>`: is the pipeline there, does it run too often?",
    do:
      "Clear the DAG's task `release`, with those behind it, or wait for tomorrow's run: the same surveys " +
      "start at most one execution.",
  },
} satisfies HandlerDeclaration;
