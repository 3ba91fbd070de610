import type { HandlerDeclaration } from "../shared/declaration";
import { name } from "../shared/environment";

/** What the stack sets. */
export const variables = { ENDPOINT_NAME: name };

export const route = "/api/predict";

export const declaration = {
  name: "predict",
  purpose: "Estimates the age of an abalone from its measures",
  owners: ["front-end", "ml"],
  variables,
  route,
  failure: {
    means: "The function itself failed. When the model fails, the function answers 503 and raises no error.",
    look: "`/aws/lambda/<function>`: the entry with `level: ERROR` names the cause; the trace in X-Ray shows which call.",
    do:
      "[Roll back](#a-release-has-to-go-back) if it began with a release; otherwise correct the function and " +
      "release it.",
  },
} satisfies HandlerDeclaration;
