/** The model card of a package: the evaluation job's card, completed with what is known only at registration. */
import * as z from "../../survey/zod";
import type { Judgement } from "../shared/evaluation";
import { under } from "../shared/s3-uri";

/** The evaluation job's files of the card: for SageMaker, and as a page. */
export const cardFile = "model-card.json";
export const pageFile = "model-card.html";

/** Maximum characters of a card (API reference, ModelPackageModelCard). */
const longestCard = 100_000;
/** Maximum characters of one text in a card (Developer Guide, "Model package model card schema"). */
const longestText = 1024;

/** The parts to complete; the rest stays unchanged. SageMaker checks the whole card. */
const cardSchema = z.looseObject({
  model_overview: z.looseObject({}),
  training_details: z.looseObject({ training_job_details: z.looseObject({}) }),
  evaluation_details: z.tuple([z.looseObject({})]),
  additional_information: z.looseObject({ custom_details: z.record(z.string(), z.string()) }),
});

/** A run whose model is registered. */
export interface RegisteredRun {
  readonly runName: string;
  readonly trainingJobName: string;
  readonly modelDataUrl: string;
  readonly imageUri: string;
  readonly datasetUri: string;
  readonly evaluationUri: string;
  readonly judgement: Judgement;
}

/** The model card is missing or invalid. */
export class InvalidModelCard extends Error {
  override readonly name = "InvalidModelCard";
}

/** The gate's decision and its numbers, as strings, as SageMaker requires. */
function describeJudgement({ outcome, rmse, threshold, comparison }: Judgement): Record<string, string> {
  const decision = {
    gate: outcome.slice(0, longestText),
    rmse: String(rmse),
    "highest rmse allowed": String(threshold),
  };
  if (comparison === null) {
    return decision;
  }
  const { metric, challenger, champion, confidence, worseByAtMost, margin, tolerance, newerData } = comparison;
  return {
    ...decision,
    "compared by": metric,
    "this model": String(challenger),
    champion: String(champion),
    "worse by at most": `${worseByAtMost} with ${confidence} confidence; better is below ${margin === 0 ? 0 : -margin}`,
    "newer data":
      tolerance === null ? `${newerData}, which counts for nothing` : `${newerData}, tolerance ${tolerance}`,
  };
}

/**
 * Completes the card.
 * @param text content of the job's file
 * @throws InvalidModelCard when it is invalid, or becomes too long
 */
export function completeModelCard(text: string, run: RegisteredRun): string {
  const { runName, trainingJobName, modelDataUrl, imageUri, datasetUri, evaluationUri, judgement } = run;
  const file = under(evaluationUri, cardFile);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new InvalidModelCard(`${file} is not JSON: ${String(error)}`);
  }
  const result = cardSchema.safeParse(document);
  if (!result.success) {
    const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "the card"}: ${message}`);
    throw new InvalidModelCard(`${file} is not a model card: ${faults.join("; ")}`);
  }
  const { model_overview, training_details, evaluation_details, additional_information, ...others } = result.data;
  const [evaluation] = evaluation_details;
  const content = JSON.stringify({
    ...others,
    model_overview: { ...model_overview, model_artifact: [modelDataUrl] },
    training_details: {
      ...training_details,
      training_job_details: {
        ...training_details.training_job_details,
        training_datasets: [under(datasetUri, "train/"), under(datasetUri, "validation/")],
        training_environment: { container_image: [imageUri] },
      },
    },
    evaluation_details: [
      { ...evaluation, datasets: [under(datasetUri, "test/")], metadata: describeJudgement(judgement) },
    ],
    additional_information: {
      ...additional_information,
      custom_details: {
        ...additional_information.custom_details,
        run: runName,
        "training job": trainingJobName,
        page: under(evaluationUri, pageFile),
      },
    },
  });
  if (content.length > longestCard) {
    throw new InvalidModelCard(`${file} has become ${content.length} characters long; SageMaker takes ${longestCard}`);
  }
  return content;
}
