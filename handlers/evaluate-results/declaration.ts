import * as z from "../../survey/zod";
import type { HandlerDeclaration } from "../shared/declaration";
import { number, numberOrNone } from "../shared/environment";
import { metricNames } from "../shared/evaluation";

/** What the stack sets. */
export const variables = {
  QUALITY_THRESHOLD: number(0.01, 100),
  GATE_METRIC: z.literal(metricNames),
  GATE_CONFIDENCE: number(0.5, 0.999),
  GATE_MARGIN: number(0, 100),
  GATE_NEWER_TOLERANCE: numberOrNone(0, 100),
};

export const declaration = {
  name: "evaluate-results",
  purpose: "Judges a model by its evaluation: against the threshold and against the champion",
  owners: ["ml"],
  variables,
  timeoutSeconds: 60,
  failure: {
    means: "The evaluation report is missing or invalid.",
    look: "`runs/<run>/evaluation/evaluation.json`; the processing job's log.",
    do: "Correct the model image and release it. Nothing was registered.",
  },
} satisfies HandlerDeclaration;
