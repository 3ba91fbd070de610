/** Judges a challenger by the evaluation job's scores: against the quality threshold, and against the champion on the same rows. */
import { MetricUnit } from "@aws-lambda-powertools/metrics";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import * as z from "zod";
import { clientOptions, errorMessage } from "../shared/clients";
import { number, readEnvironment } from "../shared/environment";
import { evaluationFile, type Judgement } from "../shared/evaluation";
import { parseEvent, s3Uri } from "../shared/input";
import { logger, metrics, observed } from "../shared/observability";
import { traced, tracer } from "../shared/tracing";
import { parseS3Uri, under } from "../shared/s3-uri";

const environment = readEnvironment({ QUALITY_THRESHOLD: number(0.01, 100) });
const client = tracer.captureAWSv3Client(new S3Client(clientOptions));

const eventSchema = z.object({ evaluationUri: s3Uri });

const metricsSchema = z.object({ rmse: z.object({ value: z.number().nonnegative() }) });

/** The part of SageMaker's model-quality report that is judged. Its numbers are finite: JSON has no others. */
const evaluationSchema = z.object({
  regression_metrics: metricsSchema,
  rows: z.int().positive(),
  champion: z
    .union([
      z.object({ model_package: z.string().min(1), regression_metrics: metricsSchema }),
      // Gone or damaged for good. One that could not be read for another reason has failed the job, and there is nothing to judge.
      z.object({ model_package: z.string().min(1), error: z.string() }),
    ])
    .nullable(),
});

/** The evaluation job left no report that can be judged. */
export class InvalidEvaluation extends Error {
  override readonly name = "InvalidEvaluation";
}

async function readEvaluation(evaluationUri: string): Promise<z.infer<typeof evaluationSchema>> {
  const uri = under(evaluationUri, evaluationFile);
  const { bucket, key } = parseS3Uri(uri);
  let text: string;
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    text = (await Body?.transformToString()) ?? "";
  } catch (error) {
    if ((error as Error).name !== "NoSuchKey") throw error;
    throw new InvalidEvaluation(`${uri} is missing: look at the evaluation job's log`, { cause: error });
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new InvalidEvaluation(`${uri} is not valid JSON, which has no NaN and no Infinity: ${errorMessage(error)}`);
  }
  const result = evaluationSchema.safeParse(document);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "the document"}: ${message}`);
  throw new InvalidEvaluation(`${uri} is not an evaluation: ${faults.join("; ")}`);
}

function judge({ regression_metrics, rows, champion }: z.infer<typeof evaluationSchema>): Judgement {
  const rmse = regression_metrics.rmse.value;
  const threshold = environment.QUALITY_THRESHOLD;
  const championRmse = champion && "regression_metrics" in champion ? champion.regression_metrics.rmse.value : null;
  const goodEnough = rmse <= threshold;
  const better = championRmse === null || rmse < championRmse;
  const comparison =
    champion === null
      ? "no champion yet"
      : "error" in champion
        ? `challenger judged alone, for the champion could not be scored: ${champion.error}`
        : better
          ? "challenger better"
          : "champion better";
  return {
    outcome: goodEnough ? comparison : "above the threshold",
    rmse,
    threshold,
    rows,
    goodEnough,
    better,
    champion: champion && { modelPackageArn: champion.model_package, rmse: championRmse },
  };
}

/** Reads the evaluation below `evaluationUri` and judges it. */
export const handler = observed(
  traced(async (event: unknown): Promise<Judgement> => {
    const { evaluationUri } = parseEvent(eventSchema, event);
    const judgement = judge(await readEvaluation(evaluationUri));
    logger.info("The challenger is judged", { evaluationUri, judgement });
    metrics.addMetric("ChallengerRmse", MetricUnit.NoUnit, judgement.rmse);
    if (judgement.champion?.rmse != null) metrics.addMetric("ChampionRmse", MetricUnit.NoUnit, judgement.champion.rmse);
    return judgement;
  }),
);
