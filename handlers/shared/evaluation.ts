/** The evaluation data that the workflow's handlers share. */
import * as z from "../../survey/zod";

/** The evaluation job's files, below its output. */
export const evaluationFile = "evaluation.json";
export const baselineFile = "baseline.csv";

const championSchema = z.object({
  modelPackageArn: z.string().check(z.minLength(1)),
  /** Rings; null when the champion could not be scored. */
  rmse: z.nullable(z.number().check(z.nonnegative())),
});

/** The metrics by which models are compared; all but R² are errors, in rings or (`mse`) rings squared. */
export const metricNames = ["rmse", "mae", "mse", "r2"] as const;

/** The comparison of champion and challenger, in the metric's unit. */
const comparisonSchema = z.object({
  metric: z.literal(metricNames),
  lowerIsBetter: z.boolean(),
  challenger: z.number(),
  champion: z.number(),
  /** Confidence of the bound, from 0 to 1. */
  confidence: z.number(),
  /**
   * The most by which the challenger is worse than the champion, with this confidence. Below zero, it is better by at
   * least this much.
   */
  worseByAtMost: z.number(),
  /** The least by which it must be better. */
  margin: z.number().check(z.nonnegative()),
  /** How much worse it may be if it was trained on newer data; null if newer data do not count. */
  tolerance: z.nullable(z.number().check(z.nonnegative())),
  /** Whether the challenger's newest training animal was measured later than the champion's. */
  newerData: z.boolean(),
  verdict: z.literal(["better", "newer", "not better"]),
});

/** How a challenger was judged. */
export const judgementSchema = z.object({
  /** In words, for people. */
  outcome: z.string().check(z.minLength(1)),
  /** Rings, on held-out rows. */
  rmse: z.number().check(z.nonnegative()),
  /** Rings: the highest RMSE that is good enough. */
  threshold: z.number().check(z.positive()),
  /** Number of held-out rows. */
  rows: z.int().check(z.positive()),
  /** Whether the RMSE is at or below the threshold. */
  goodEnough: z.boolean(),
  /** Whether it replaces the champion: no champion can be scored, or the comparison favours the challenger. */
  better: z.boolean(),
  champion: z.nullable(championSchema),
  /** Null when there is no champion that can be scored. */
  comparison: z.nullable(comparisonSchema),
});

/** The comparison of champion and challenger. */
export type Comparison = Readonly<z.infer<typeof comparisonSchema>>;

/** How a challenger was judged. */
export type Judgement = Readonly<z.infer<typeof judgementSchema>>;
