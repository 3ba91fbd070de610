import type { HandlerDeclaration } from "../shared/declaration";
import { name } from "../shared/environment";

/** What the stack sets. */
export const variables = { ENDPOINT_NAME: name };

export const route = "/api/predict";

export const declaration = {
  name: "predict",
  purpose: "Tells the age of an abalone from its measures",
  owners: ["front-end", "ml"],
  variables,
  route,
  failure: {
    report: "The function <function> failed: read /aws/lambda/<function>.",
    means:
      "The function that asks the model failed itself; it answers 503, not an exception, when the model is " +
      "at fault.",
    look: "`/aws/lambda/<name>`: the entry with `level: ERROR` names the cause; the trace in X-Ray shows which call.",
    do:
      "[Roll back](#a-release-has-to-go-back) if it began with a release; else correct the function and " +
      "release it.",
  },
} satisfies HandlerDeclaration;
