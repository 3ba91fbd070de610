/**
 * Judges a challenger by the evaluation job's scores: against the quality threshold, and against the champion on the
 * same rows.
 *
 * Every decision is made here. The job only measures and has no settings: it reports the distribution of the difference
 * between the two models. So the decision can be checked from its file, or repeated with other settings, without
 * scoring again.
 */
import { MetricUnit } from "@aws-lambda-powertools/metrics";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import * as z from "../../survey/zod";
import { clientOptions, errorMessage } from "../shared/clients";
import { readEnvironment } from "../shared/environment";
import { type Comparison, evaluationFile, type Judgement } from "../shared/evaluation";
import { parseEvent, s3Uri } from "../shared/input";
import { logger, metrics, observed } from "../shared/observability";
import { traced, tracer } from "../shared/tracing";
import { parseS3Uri, under } from "../shared/s3-uri";
import { variables } from "./declaration";

const environment = readEnvironment(variables);
const client = tracer.captureAWSv3Client(new S3Client(clientOptions));

const eventSchema = z.object({ evaluationUri: s3Uri });

const error = z.object({ value: z.number().check(z.nonnegative()) });
const metricsSchema = z.object({ rmse: error, mae: error, mse: error, r2: z.object({ value: z.number() }) });

/**
 * When the newest animal in a model's training data was measured; missing in older artefacts. Always with milliseconds,
 * so that strings sort by time.
 */
const trainingSchema = z.object({
  newest_event: z.nullable(
    z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, "expected a time in UTC with milliseconds")),
  ),
});

/** Challenger minus champion: the value, and its distribution over resamples of the rows. */
const differenceSchema = z.object({
  lower_is_better: z.boolean(),
  value: z.number(),
  quantiles: z.record(z.string().check(z.regex(/^0\.\d+$/)), z.number()).check(
    z.refine(
      (quantiles) =>
        Object.entries(quantiles)
          .sort(([one], [other]) => Number(one) - Number(other))
          .every(([, value], index, all) => index === 0 || value >= (all[index - 1]?.[1] ?? 0)),
      "expected values that grow with their level",
    ),
  ),
});

const scoredChampionSchema = z.object({
  model_package: z.string().check(z.minLength(1)),
  training: trainingSchema,
  regression_metrics: metricsSchema,
  differences: z.object({
    rmse: differenceSchema,
    mae: differenceSchema,
    mse: differenceSchema,
    r2: differenceSchema,
  }),
});

/** The part of SageMaker's model quality report that is judged. Its numbers are finite, because JSON has no others. */
const evaluationSchema = z.object({
  training: trainingSchema,
  regression_metrics: metricsSchema,
  rows: z.int().check(z.positive()),
  champion: z.nullable(
    z.union([
      scoredChampionSchema,
      // Permanently missing or damaged. A champion that could not be read for another reason makes the job fail.
      z.strictObject({ model_package: z.string().check(z.minLength(1)), error: z.string() }),
    ]),
  ),
});

type Evaluation = z.infer<typeof evaluationSchema>;

/** The evaluation report is missing or invalid. */
export class InvalidEvaluation extends Error {
  override readonly name = "InvalidEvaluation";
}

async function readEvaluation(evaluationUri: string): Promise<Evaluation> {
  const uri = under(evaluationUri, evaluationFile);
  const { bucket, key } = parseS3Uri(uri);
  let text: string;
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    text = (await Body?.transformToString()) ?? "";
  } catch (error) {
    if ((error as Error).name !== "NoSuchKey") {
      throw error;
    }
    throw new InvalidEvaluation(`${uri} is missing: look at the evaluation job's log`, { cause: error });
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new InvalidEvaluation(`${uri} is not valid JSON, which has no NaN and no Infinity: ${errorMessage(error)}`);
  }
  const result = evaluationSchema.safeParse(document);
  if (result.success) {
    return result.data;
  }
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "the document"}: ${message}`);
  throw new InvalidEvaluation(`${uri} is not an evaluation: ${faults.join("; ")}`);
}

/** Compares a challenger with a champion scored on the same rows. */
function compare(evaluation: Evaluation, champion: z.infer<typeof scoredChampionSchema>): Comparison {
  const { GATE_METRIC: metric, GATE_CONFIDENCE: confidence, GATE_MARGIN: margin } = environment;
  const tolerance = environment.GATE_NEWER_TOLERANCE ?? null;
  const { lower_is_better: lowerIsBetter, quantiles, value } = champion.differences[metric];
  const scores = {
    challenger: evaluation.regression_metrics[metric].value,
    champion: champion.regression_metrics[metric].value,
  };
  // Scores and difference come from the same predictions. If they disagree, one of them belongs to another model or
  // other rows.
  const expected = scores.challenger - scores.champion;
  if (Math.abs(value - expected) > 1e-9 * Math.max(1, Math.abs(scores.challenger), Math.abs(scores.champion))) {
    throw new InvalidEvaluation(
      `champion.differences.${metric}.value is ${value}, but challenger and champion differ by ${expected}: the report contradicts itself`,
    );
  }
  // One-sided: an upper limit of how much better the challenger is doesn't matter.
  const level = String(Number((lowerIsBetter ? confidence : 1 - confidence).toFixed(4)));
  const bound = quantiles[level];
  if (bound === undefined) {
    throw new InvalidEvaluation(
      `champion.differences.${metric}.quantiles has no ${level}, which a confidence of ${confidence} needs; there are ${Object.keys(quantiles).join(", ")}`,
    );
  }
  const worseByAtMost = lowerIsBetter ? bound : 0 - bound;
  const [ours, theirs] = [evaluation.training.newest_event, champion.training.newest_event];
  const newerData = ours !== null && theirs !== null && ours > theirs;
  const verdict =
    worseByAtMost < -margin
      ? "better"
      : newerData && tolerance !== null && worseByAtMost <= tolerance
        ? "newer"
        : "not better";
  return { metric, lowerIsBetter, ...scores, confidence, worseByAtMost, margin, tolerance, newerData, verdict };
}

const outcomes: Readonly<Record<Comparison["verdict"], string>> = {
  better: "challenger better",
  newer: "challenger not worse, and trained on newer data",
  "not better": "challenger not shown to be better",
};

function judge(evaluation: Evaluation): Judgement {
  const { champion, regression_metrics, rows } = evaluation;
  const rmse = regression_metrics.rmse.value;
  const threshold = environment.QUALITY_THRESHOLD;
  const goodEnough = rmse <= threshold;
  const comparison = champion === null || "error" in champion ? null : compare(evaluation, champion);
  const alone =
    champion !== null && "error" in champion
      ? `challenger judged alone, for the champion could not be scored: ${champion.error}`
      : "no champion yet";
  const outcome = comparison === null ? alone : outcomes[comparison.verdict];
  return {
    outcome: goodEnough ? outcome : "above the threshold",
    rmse,
    threshold,
    rows,
    goodEnough,
    better: comparison?.verdict !== "not better",
    champion: champion && {
      modelPackageArn: champion.model_package,
      rmse: "error" in champion ? null : champion.regression_metrics.rmse.value,
    },
    comparison,
  };
}

/** Reads the evaluation below `evaluationUri` and judges it. */
export const handler = observed(
  traced(async (event: unknown): Promise<Judgement> => {
    const { evaluationUri } = parseEvent(eventSchema, event);
    const judgement = judge(await readEvaluation(evaluationUri));
    logger.info("The challenger is judged", { evaluationUri, judgement });
    metrics.addMetric("ChallengerRmse", MetricUnit.NoUnit, judgement.rmse);
    if (judgement.champion?.rmse != null) {
      metrics.addMetric("ChampionRmse", MetricUnit.NoUnit, judgement.champion.rmse);
    }
    return judgement;
  }),
);
