/** The public figures of a model, for the website: the evaluation job's figures, with the model's name. */
import * as z from "../../survey/zod";
import { under } from "../shared/s3-uri";

/** The evaluation job's file, below its output. */
export const figuresFile = "public-figures.json";

/** Maximum bytes that the website downloads for a picture and a table. */
const largestDocument = 40 * 1024;
/** Maximum points: more are not distinguishable on a small screen. */
const mostPoints = 600;

const count = z.int().check(z.nonnegative());
const share = z.number().check(z.minimum(0), z.maximum(1));
const words = z.string().check(z.minLength(1), z.maxLength(2_000));

/** An error in years with its interval. */
const measuredSchema = z
  .strictObject({ value: z.number(), low: z.number(), high: z.number(), confidence: share })
  .check(z.refine(({ low, high }) => low <= high, "the interval's low end is above its high end"));

const coveredSchema = z.strictObject({ rows: count, coverage: share });

/** A range of estimates (years) or of lengths (mm). */
const span = { from: z.number(), to: z.number() };

/** `/model.json` of the website. In zod, numbers are finite. */
export const publicFiguresSchema = z.strictObject({
  version: z.literal(1),
  model: z.strictObject({ name: words, run: words, trainedAt: z.iso.datetime() }),
  data: z.strictObject({
    rows: count,
    trainingRows: count,
    heldOutRows: count,
    origins: z
      .array(z.strictObject({ rows: count, simulated: z.boolean(), source: words, licence: words }))
      .check(z.minLength(1)),
  }),
  quality: z.strictObject({
    rmse: measuredSchema,
    meanAbsoluteError: measuredSchema,
    coverage: z.strictObject({
      confidence: share,
      overall: share,
      bySex: z.record(z.string(), coveredSchema),
      byThird: z.array(z.strictObject({ ...span, ...coveredSchema.shape })),
    }),
  }),
  limits: z.array(words),
  survey: z.strictObject({
    lengths: z.strictObject({ unit: z.literal("mm") }),
    /** Length in mm and age in years. */
    points: z
      .array(z.tuple([z.number().check(z.positive()), z.number().check(z.positive())]))
      .check(z.maxLength(mostPoints)),
    bands: z.array(
      z
        .strictObject({ ...span, rows: count, low: z.number(), median: z.number(), high: z.number() })
        .check(z.refine(({ low, median, high }) => low <= median && median <= high, "the ages are not in order")),
    ),
  }),
});

/** The public figures are missing or invalid. */
export class InvalidPublicFigures extends Error {
  override readonly name = "InvalidPublicFigures";
}

/** The public figures of a model. */
export type PublicFigures = Readonly<z.infer<typeof publicFiguresSchema>>;

/**
 * Checks the figures.
 * @param text content of the job's file
 * @throws InvalidPublicFigures when they are invalid, or larger than the website allows
 */
export function readPublicFigures(text: string, evaluationUri: string): PublicFigures {
  const file = under(evaluationUri, figuresFile);
  const bytes = Buffer.byteLength(text);
  if (bytes > largestDocument) {
    throw new InvalidPublicFigures(`${file} has ${bytes} bytes; the website takes ${largestDocument}`);
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new InvalidPublicFigures(`${file} is not JSON: ${String(error)}`);
  }
  const result = publicFiguresSchema.safeParse(document);
  if (!result.success) {
    const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "the document"}: ${message}`);
    throw new InvalidPublicFigures(`${file} has no public figures: ${faults.slice(0, 10).join("; ")}`);
  }
  return result.data;
}

/** The website's document: the figures, with the model's public name and its run. */
export function namePublicFigures(figures: PublicFigures, version: number, runName: string): string {
  const model = { ...figures.model, name: `version ${version}`, run: runName };
  return `${JSON.stringify({ ...figures, model })}\n`;
}
