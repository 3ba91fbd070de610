import * as z from "../../survey/zod";
import type { HandlerDeclaration } from "../shared/declaration";
import { name } from "../shared/environment";

/** What the stack sets. */
export const variables = {
  DATA_BUCKET: name,
  EXPERIMENT_NAME: name,
  MODEL_PACKAGE_PARAMETER: name,
  /** At most 30 characters, so that a name has room for eight characters of the execution's. */
  RESOURCE_PREFIX: z
    .string()
    .check(z.regex(/^[a-zA-Z0-9](-?[a-zA-Z0-9])*$/, "expected letters, digits and single hyphens"), z.maxLength(30)),
};

export const declaration = {
  name: "prepare-run",
  purpose: "Names a workflow run, creates its experiment and trial, and finds the champion",
  owners: ["ml"],
  variables,
  timeoutSeconds: 60,
  failure: {
    means: "A run could not be prepared: the experiment, the champion's parameter or its package was not readable.",
    look: "`/aws/lambda/<function>`.",
    do:
      "Restore the parameter `ModelPackageName` from its history (`aws ssm get-parameter-history`). It " +
      "must be the ARN of an existing package, or `PLACEHOLDER`.",
  },
} satisfies HandlerDeclaration;
