/** How many measures of which kind the feature contract has, for the texts that count them. */
import { measures, proportions } from "../survey/feature-contract";

/** What the texts count. */
export interface MeasureCounts {
  /** The sex and all measures. */
  readonly values: number;
  /** Measures in mm. */
  readonly lengths: number;
  /** Measures in g. */
  readonly weights: number;
  /** Weights of parts of the animal. */
  readonly parts: number;
}

const lengths = measures.filter(({ unit }) => unit === "mm").length;
const weights = measures.length - lengths;

/** The counts of the feature contract. */
export const counts: MeasureCounts = {
  values: measures.length + 1,
  lengths,
  weights,
  parts: proportions.filter(({ greater }) => greater === "whole_weight").length,
};
