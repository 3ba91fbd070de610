/**
 * The feature contract: the measures of an abalone, with unit, range, name and order.
 *
 * Everything that uses a column reads it from here: the feature group, the survey file, the simulator, UCI's loader,
 * the API, the website's form and its examples. The model image reads the same `features.json` in Python. Lengths are
 * in mm, weights in g. A new measure is one entry in that file; `__tests__/survey/measure-lists.test.ts` finds the
 * texts that list or count the measures.
 */
import document from "./features.json";
import * as z from "./zod";

const columnName = z.string().check(z.regex(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/, "is not snake_case"));
const text = z.string().check(z.minLength(1));

/** The number of the column in UCI's abalone file, from 1. */
const uciColumn = z.int().check(z.positive());
/** Values of the website's example animals, besides the adult in `example`. */
const otherExamples = <Value extends z.ZodMiniType>(value: Value) => z.strictObject({ young: value, old: value });

const categoryFeature = z.strictObject({
  name: columnName,
  type: z.literal("category"),
  /** Display name by value. */
  categories: z.record(z.string().check(z.regex(/^[A-Za-z0-9_-]+$/)), text),
  label: text,
  description: text,
  /** Of a grown animal. */
  example: text,
  otherExamples: otherExamples(text),
  uci: z.strictObject({ column: uciColumn }),
});

/**
 * How the simulator draws a measure. `growth` is the length, which follows the animal's growth curve. For the others,
 * log(measure) = intercept + the sum of power * log(other measure or `rings`) + noise; `infant` adds its power for
 * animals without a sex.
 */
const simulation = z.union(
  [
    z.literal("growth"),
    z.strictObject({
      intercept: z.number(),
      /** Standard deviation of the logarithm. */
      noise: z.number().check(z.nonnegative()),
      powers: z.record(columnName, z.number()),
      /** Share of the animals that have an optional measure. @default 1 */
      measuredShare: z.optional(z.number().check(z.gte(0), z.lte(1))),
    }),
  ],
  'is neither "growth" nor {"intercept", "noise", "powers"}, from which the simulator draws the measure',
);

interface Range {
  readonly minimum: number;
  readonly maximum: number;
  readonly example?: number;
  readonly otherExamples?: Readonly<Record<string, number>>;
}

const inRange = ({ minimum, maximum, example = minimum, otherExamples: others = {} }: Range): boolean =>
  minimum < maximum && [example, ...Object.values(others)].every((value) => value >= minimum && value <= maximum);

const numberFeature = z
  .strictObject({
    name: columnName,
    type: z.literal("number"),
    unit: z.enum(["mm", "g"]),
    /** Smallest and largest value of a living abalone, inclusive. */
    minimum: z.number(),
    maximum: z.number(),
    /** Precision of the measurement: the step of the website's input field. */
    step: z.number().check(z.positive()),
    label: text,
    description: text,
    /** Whether a survey row, a request and the form may lack it. @default false */
    optional: z.optional(z.boolean()),
    /** Of a grown animal. */
    example: z.number(),
    otherExamples: otherExamples(z.number()),
    /** Column in UCI's file and factor for its values; null if UCI's file lacks the measure. */
    uci: z.nullable(z.strictObject({ column: uciColumn, factor: z.number().check(z.positive()) })),
    simulation,
  })
  .check(
    z.refine(inRange, "has a minimum that is not below its maximum, or an example outside of them"),
    z.refine(
      ({ optional, simulation: drawn }) => optional === true || drawn === "growth" || drawn.measuredShare === undefined,
      "has a measuredShare, but is not optional",
    ),
  );

const labelColumn = z
  .strictObject({
    name: columnName,
    type: z.literal("integer"),
    unit: z.literal("rings"),
    minimum: z.int().check(z.nonnegative()),
    maximum: z.int().check(z.positive()),
    label: text,
    description: text,
    uci: z.strictObject({ column: uciColumn }),
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
     * Pairs of measures whose `lesser` is never above its `greater` in a living abalone: a row that breaks this was
     * probably measured or typed wrong.
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
    z.refine(({ features, label }) => {
      const taken = [...features, label].flatMap(({ uci }) => uci?.column ?? []).sort((one, other) => one - other);
      return taken.every((column, index) => column === index + 1);
    }, "has uci columns that are not 1, 2, 3 and so on, each once"),
  );

/** A feature with a fixed set of values, for example the sex. */
export type CategoryFeature = Readonly<z.infer<typeof categoryFeature>>;
/** A measure in mm or g. */
export type Measure = Readonly<z.infer<typeof numberFeature>>;
/** One input of the model. */
export type Feature = CategoryFeature | Measure;
/** The model's target: the rings. */
export type Label = Readonly<z.infer<typeof labelColumn>>;
/** The whole contract, as `features.json` holds it. */
export type Contract = Readonly<z.infer<typeof contractSchema>>;
/** The types of SageMaker's feature store. */
export type FeatureType = "String" | "Fractional" | "Integral";

/** A place in the document, with its feature's name: `features.7 (shell_weight).unit`. */
function placeOf(path: readonly PropertyKey[], candidate: unknown): string {
  const [first, index, ...rest] = path.map(String);
  if (first === "features" && index !== undefined) {
    const entries = (candidate as { readonly features: readonly ({ readonly name?: unknown } | null)[] }).features;
    return [`features.${index} (${String(entries[Number(index)]?.name)})`, ...rest].join(".");
  }
  return path.map(String).join(".") || "the document";
}

/**
 * Checks a contract document.
 * @throws Error that lists all errors with their place in the document
 */
export function parseContract(candidate: unknown): Contract {
  const result = contractSchema.safeParse(candidate);
  if (result.success) {
    return result.data;
  }
  const faults = result.error.issues.map(({ path, message }) => `${placeOf(path, candidate)}: ${message}`);
  throw new Error(`survey/features.json is not a valid feature contract: ${faults.join("; ")}`);
}

const contract = parseContract(document);

/** The model's inputs, in the model's order. */
export const features: readonly Feature[] = contract.features;
/** The numeric features, in the same order. */
export const measures: readonly Measure[] = contract.features.filter((feature) => feature.type === "number");
/**
 * Pairs of measures whose `lesser` is at most `greater`. A row that breaks this is not refused, because real surveys
 * have some such rows in thousands; it is a reason to ask whether the measures are right.
 */
export const proportions: Contract["proportions"] = contract.proportions;
/** The model's target column. */
export const label: Label = contract.label;
/** The column that identifies an animal. */
export const recordIdentifier = contract.recordIdentifier;
/** The column with the time of measurement (ISO 8601, UTC). */
export const eventTime = contract.eventTime;
/** Age in years = rings + this (Nash et al. 1994, the source of UCI's abalone data). */
export const yearsBeyondRings = contract.yearsBeyondRings;
/** The names of the model's inputs, in snake_case. */
export const featureNames: readonly string[] = features.map(({ name }) => name);

/** Whether a row may lack a column. */
export function isOptional(column: Feature | Label): boolean {
  return column.type === "number" && column.optional === true;
}

/** The columns of a survey file, in the order that we write. */
export const surveyColumns: readonly string[] = [recordIdentifier.name, eventTime.name, ...featureNames, label.name];
const optionalColumns: readonly string[] = features.filter(isOptional).map(({ name }) => name);
/** The columns that every survey file has. */
export const requiredColumns: readonly string[] = surveyColumns.filter((name) => !optionalColumns.includes(name));
/** The columns of UCI's file, in its order. */
export const uciColumns: readonly (Feature | Label)[] = [...features, label]
  .filter(({ uci }) => uci !== null)
  .sort((one, other) => (one.uci?.column ?? 0) - (other.uci?.column ?? 0));
/** What a record identifier looks like. */
export const recordIdentifierPattern = new RegExp(contract.recordIdentifier.pattern);

/** The columns as definitions for the feature store, in the survey file's order. */
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
