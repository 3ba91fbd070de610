/**
 * The feature contract: what is measured of an abalone, in which unit and range, under which name and in which order.
 *
 * Everything that knows a column reads it here: the feature group, the survey file, the simulator, the API and the
 * website's form. The model image reads the same `features.json` in Python. Lengths are in mm, weights in g.
 */
import document from "./features.json";
import * as z from "./zod";

const columnName = z.string().check(z.regex(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/, "is not snake_case"));
const text = z.string().check(z.minLength(1));

const categoryFeature = z.strictObject({
  name: columnName,
  type: z.literal("category"),
  /** From the value in a file to what people call it. */
  categories: z.record(z.string().check(z.regex(/^[A-Za-z0-9_-]+$/)), text),
  label: text,
  description: text,
});

const inRange = (feature: { minimum: number; maximum: number; example?: number | undefined }): boolean =>
  feature.minimum < feature.maximum &&
  (feature.example === undefined || (feature.example >= feature.minimum && feature.example <= feature.maximum));

const numberFeature = z
  .strictObject({
    name: columnName,
    type: z.literal("number"),
    unit: z.enum(["mm", "g"]),
    /** Least and greatest value that a living abalone can have, both included. */
    minimum: z.number(),
    maximum: z.number(),
    /** How finely people measure it: the step of the website's input field. */
    step: z.number().check(z.positive()),
    label: text,
    description: text,
    example: z.number(),
  })
  .check(z.refine(inRange, "has a minimum that is not below its maximum, or an example outside of them"));

const labelColumn = z
  .strictObject({
    name: columnName,
    type: z.literal("integer"),
    unit: z.literal("rings"),
    minimum: z.int().check(z.nonnegative()),
    maximum: z.int().check(z.positive()),
    label: text,
    description: text,
  })
  .check(z.refine(inRange, "has a minimum that is not below its maximum"));

const compiles = (pattern: string): boolean => {
  try {
    new RegExp(pattern);
    return true;
  } catch {
    return false;
  }
};

const contractSchema = z
  .strictObject({
    recordIdentifier: z.strictObject({
      name: columnName,
      description: text,
      pattern: z.string().check(z.refine(compiles, "is not a regular expression")),
    }),
    eventTime: z.strictObject({ name: columnName, description: text }),
    features: z.array(z.discriminatedUnion("type", [categoryFeature, numberFeature])).check(z.minLength(1)),
    /**
     * Of each two measures, the lesser is never above the greater in a living abalone: who says otherwise has measured
     * or typed wrong.
     */
    proportions: z.array(z.strictObject({ lesser: columnName, greater: columnName })),
    label: labelColumn,
    yearsBeyondRings: z.number().check(z.nonnegative()),
  })
  .check(
    z.refine((contract) => {
      const names = [
        contract.recordIdentifier.name,
        contract.eventTime.name,
        contract.label.name,
        ...contract.features.map(({ name }) => name),
      ];
      return new Set(names).size === names.length;
    }, "uses a column name twice"),
    z.refine(({ features, proportions }) => {
      const units = new Map(
        features.map((feature) => [feature.name, feature.type === "number" ? feature.unit : undefined]),
      );
      return proportions.every(
        ({ lesser, greater }) =>
          lesser !== greater && units.get(lesser) !== undefined && units.get(lesser) === units.get(greater),
      );
    }, "has a proportion of what are not two measures in one unit"),
  );

/** A feature with a fixed set of values, for example the sex. */
export type CategoryFeature = Readonly<z.infer<typeof categoryFeature>>;
/** A measure in mm or g. */
export type Measure = Readonly<z.infer<typeof numberFeature>>;
/** One input of the model. */
export type Feature = CategoryFeature | Measure;
/** What the model learns: the rings. */
export type Label = Readonly<z.infer<typeof labelColumn>>;
/** The whole contract, as `features.json` holds it. */
export type Contract = Readonly<z.infer<typeof contractSchema>>;
/** The types of SageMaker's feature store. */
export type FeatureType = "String" | "Fractional" | "Integral";

/**
 * Checks a contract document.
 * @throws Error that lists every fault with its place in the document
 */
export function parseContract(candidate: unknown): Contract {
  const result = contractSchema.safeParse(candidate);
  if (result.success) {
    return result.data;
  }
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "the document"}: ${message}`);
  throw new Error(`survey/features.json is not a valid feature contract: ${faults.join("; ")}`);
}

const contract = parseContract(document);

/** The model's inputs, in the order in which the model takes them. */
export const features: readonly Feature[] = contract.features;
/** The features that are numbers, in the same order. */
export const measures: readonly Measure[] = contract.features.filter((feature) => feature.type === "number");
/**
 * Pairs of measures of which the lesser is at most the greater. Not a rule that refuses: real surveys break it in some
 * rows out of thousands. It is a reason to ask whether the measures are right.
 */
export const proportions: Contract["proportions"] = contract.proportions;
/** The column that the model learns. */
export const label: Label = contract.label;
/** The column that identifies an animal. */
export const recordIdentifier = contract.recordIdentifier;
/** The column that says when an animal was measured (ISO 8601, UTC). */
export const eventTime = contract.eventTime;
/** Age in years = rings + this (Nash et al. 1994, the source of UCI's abalone data). */
export const yearsBeyondRings = contract.yearsBeyondRings;
/** The names of the model's inputs, snake_case. */
export const featureNames: readonly string[] = features.map(({ name }) => name);
/** The columns of a survey file, in the order in which we write them. */
export const surveyColumns: readonly string[] = [recordIdentifier.name, eventTime.name, ...featureNames, label.name];
/** What a record identifier looks like. */
export const recordIdentifierPattern = new RegExp(contract.recordIdentifier.pattern);

/** The columns as the feature store defines them, in the survey file's order. */
export const featureDefinitions: readonly { readonly featureName: string; readonly featureType: FeatureType }[] = [
  { featureName: recordIdentifier.name, featureType: "String" },
  { featureName: eventTime.name, featureType: "String" },
  ...features.map(({ name, type }) => ({
    featureName: name,
    featureType: type === "category" ? ("String" as const) : ("Fractional" as const),
  })),
  { featureName: label.name, featureType: "Integral" },
];

/** The API's spelling of a column: `whole_weight` becomes `wholeWeight`. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** What a column accepts, in words that finish "is not …": `between 1 and 100 mm`, `one of F, M, I`. */
export function expectation(column: Feature | Label): string {
  return column.type === "category"
    ? `one of ${Object.keys(column.categories).join(", ")}`
    : `${column.type === "integer" ? "a whole number " : ""}between ${column.minimum} and ${column.maximum} ${column.unit}`;
}

/** Whether a column accepts a value. */
export function accepts(column: Feature | Label, value: unknown): boolean {
  if (column.type === "category") {
    return typeof value === "string" && Object.hasOwn(column.categories, value);
  }
  return (
    typeof value === "number" &&
    value >= column.minimum &&
    value <= column.maximum &&
    (column.type !== "integer" || Number.isInteger(value))
  );
}
