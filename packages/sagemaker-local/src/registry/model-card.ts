/**
 * The content of a model package's card, as SageMaker's "Model package model card schema" allows it (Developer Guide,
 * "View the details of a model version"): JSON text whose members and lengths are limited. SageMaker refuses a package
 * whose card breaks the schema.
 */
import { z } from "zod";

import { validationException } from "../protocol/errors";

const text = (longest: number): z.ZodString => z.string().max(longest);
const long = text(2048);
const short = text(1024);
const axisName = text(63);
/**
 * The schema's patterns `.{1,63}` and `.{1,255}` may match anywhere, so they only ask for at least one character.
 */
const filled = z.string().regex(/./);
const locations = (most: number): z.ZodArray<z.ZodString> => z.array(short).max(most);

const metric = { name: filled, notes: short.optional() };
const simpleMetric = z.strictObject({
  ...metric,
  type: z.enum(["number", "string", "boolean"]),
  value: z.union([z.number(), text(63), z.boolean()]),
  x_axis_name: axisName.optional(),
  y_axis_name: axisName.optional(),
});
const linearGraph = z.strictObject({
  ...metric,
  type: z.literal("linear_graph"),
  value: z.array(z.array(z.number()).length(2)).min(1),
  x_axis_name: axisName.optional(),
  y_axis_name: axisName.optional(),
});
const barChart = z.strictObject({
  ...metric,
  type: z.literal("bar_chart"),
  value: z.array(z.number()).min(1),
  x_axis_name: z.array(axisName).optional(),
  y_axis_name: axisName.optional(),
});
const matrix = z.strictObject({
  ...metric,
  type: z.literal("matrix"),
  value: z.array(z.array(z.number()).min(1).max(20)).min(1).max(20),
  x_axis_name: z.array(axisName).optional(),
  y_axis_name: z.array(axisName).optional(),
});

const trainingMetric = z.strictObject({ ...metric, value: z.number() });
const hyperParameter = z.strictObject({ name: filled, value: filled });

const trainingJob = z.strictObject({
  training_arn: short.optional(),
  training_datasets: locations(15).optional(),
  training_environment: z.strictObject({ container_image: locations(15).optional() }).optional(),
  training_metrics: z.array(trainingMetric).max(50).optional(),
  user_provided_training_metrics: z.array(trainingMetric).max(50).optional(),
  hyper_parameters: z.array(hyperParameter).max(100).optional(),
  user_provided_hyper_parameters: z.array(hyperParameter).max(100).optional(),
});

const evaluation = z.strictObject({
  name: filled,
  evaluation_observation: text(2096).optional(),
  evaluation_job_arn: text(256).optional(),
  datasets: locations(10).optional(),
  metadata: z.record(z.string(), short).optional(),
  metric_groups: z
    .array(z.object({ name: filled, metric_data: z.array(z.union([simpleMetric, linearGraph, barChart, matrix])) }))
    .optional(),
});

/** The card of a model package. */
export const modelCardContent = z.strictObject({
  model_overview: z
    .strictObject({ model_creator: short.optional(), model_artifact: locations(15).optional() })
    .optional(),
  intended_uses: z
    .strictObject({
      purpose_of_model: long.optional(),
      intended_uses: long.optional(),
      factors_affecting_model_efficiency: long.optional(),
      risk_rating: z.enum(["High", "Medium", "Low", "Unknown"]).optional(),
      explanations_for_risk_rating: long.optional(),
    })
    .optional(),
  business_details: z
    .strictObject({
      business_problem: long.optional(),
      business_stakeholders: long.optional(),
      line_of_business: long.optional(),
    })
    .optional(),
  training_details: z
    .strictObject({
      /** The published schema leaves it open. This is what SageMaker's Python SDK writes, and the console reads. */
      objective_function: z
        .strictObject({
          function: z
            .strictObject({
              function: z.enum(["Maximize", "Minimize"]).optional(),
              facet: axisName.optional(),
              condition: axisName.optional(),
            })
            .optional(),
          notes: short.optional(),
        })
        .optional(),
      training_observations: short.optional(),
      training_job_details: trainingJob.optional(),
    })
    .optional(),
  evaluation_details: z.array(evaluation).optional(),
  additional_information: z
    .strictObject({
      ethical_considerations: long.optional(),
      caveats_and_recommendations: long.optional(),
      custom_details: z.record(z.string(), short).optional(),
    })
    .optional(),
});

/**
 * Checks a card as SageMaker does when a package is created or changed.
 * @throws ServiceError that names each member that breaks the schema
 */
export function checkModelCard(content: string | undefined): void {
  if (content === undefined) {
    return;
  }
  let document: unknown;
  try {
    document = JSON.parse(content);
  } catch (error) {
    throw validationException(`ModelCard.ModelCardContent is not JSON: ${String(error)}`);
  }
  const result = modelCardContent.safeParse(document);
  if (result.success) {
    return;
  }
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "the card"}: ${message}`);
  throw validationException(
    `ModelCard.ModelCardContent breaks the model package model card schema: ${faults.join("; ")}`,
  );
}
