import type { HandlerDeclaration } from "../shared/declaration";
import { list, name } from "../shared/environment";

/** What the stack sets. */
export const variables = {
  MODEL_PACKAGE_GROUP: name,
  MODEL_IMAGE_URI: name,
  MODEL_PACKAGE_PARAMETER: name,
  BASELINE_DATA_PARAMETER: name,
  MONITORING_BASELINE_PARAMETER: name,
  FIGURES_PARAMETER: name,
  FIGURES_PREFIX: name,
  INFERENCE_INSTANCE_TYPES: list,
};

export const declaration = {
  name: "register-model",
  purpose: "Registers a model that passed the gate, and names it champion",
  owners: ["ml"],
  variables,
  timeoutSeconds: 60,
  // It contains the clients of three services, S3's among them (docs/measurements.md). Its cold start hardly matters:
  // it is called once per run.
  archiveBytes: 180_000,
  failure: {
    means: "A model passed the gate and could not be registered. Step Functions has retried.",
    look: "`/aws/lambda/<function>`: a refusal by SageMaker names the field.",
    do: "Start the workflow again: registration is idempotent per run.",
  },
} satisfies HandlerDeclaration;
