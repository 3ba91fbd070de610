/** What the workflow's handlers say to one another of an evaluation. */
import * as z from "zod";

/** The files that the evaluation job writes below its output. */
export const evaluationFile = "evaluation.json";
export const baselineFile = "baseline.csv";

const championSchema = z.object({
  modelPackageArn: z.string().min(1),
  /** Rings; null when the champion could not be scored. */
  rmse: z.number().nonnegative().nullable(),
});

/** How a challenger was judged. */
export const judgementSchema = z.object({
  /** In words, for people. */
  outcome: z.string().min(1),
  /** Rings, on held-out rows. */
  rmse: z.number().nonnegative(),
  /** Rings: the highest RMSE that is good enough. */
  threshold: z.number().positive(),
  /** How many held-out rows. */
  rows: z.int().positive(),
  /** Whether the RMSE is at or below the threshold. */
  goodEnough: z.boolean(),
  /** Whether there is no champion to beat, or it has a higher RMSE on the same rows. */
  better: z.boolean(),
  champion: championSchema.nullable(),
});

/** How a challenger was judged. */
export type Judgement = Readonly<z.infer<typeof judgementSchema>>;
