/** `/model.json`: facts about the model in use and the surveyed animals. The page works without it. */
import { isRecord } from "./http";

/** A measured value with its range, in years. */
export interface Measured {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly confidence: number;
}

/** The share of a group's animals whose true age is within the range. */
export interface GroupCoverage {
  readonly rows: number;
  /** From 0 to 1. */
  readonly coverage: number;
}

/** Ages of the surveyed animals in a range of lengths (mm): nine in ten between `low` and `high`, in years. */
export interface Band {
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** Where some of the animals come from. */
export interface Origin {
  readonly rows: number;
  readonly simulated: boolean;
  readonly source: string;
  readonly licence: string;
}

/** All animals of the data, for training or testing. */
export interface Survey {
  /** How many there are in total, and how many of them are simulated. */
  readonly rows: number;
  readonly simulated: number;
  /** Length in mm and age in years. */
  readonly points: readonly (readonly [number, number])[];
  readonly bands: readonly Band[];
}

/** The lengths of the surveyed animals, from the shortest to the longest, in mm. */
export function lengthsOf({ points, bands }: Survey): readonly [shortest: number, longest: number] {
  const all = [...points.map(([length]) => length), ...bands.flatMap(({ from, to }) => [from, to])];
  return [Math.min(...all), Math.max(...all)];
}

/** The model in use. */
export interface Facts {
  readonly model: { readonly name: string; readonly run: string; readonly trainedAt: Date };
  /** How many animals the model learnt from, how many it was tested on, and how many the data has in total. */
  readonly rows: { readonly training: number; readonly heldOut: number; readonly all: number };
  /** Empty where it is not known. */
  readonly origins: readonly Origin[];
  readonly rmse: Measured;
  readonly meanAbsoluteError: Measured;
  readonly coverage: {
    readonly confidence: number;
    readonly overall: number;
    readonly bySex: Readonly<Record<string, GroupCoverage>>;
    readonly byThird: readonly (GroupCoverage & { readonly from: number; readonly to: number })[];
  };
  readonly limits: readonly string[];
  readonly survey: Survey;
}

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

/** Whether an object has a finite number under each of these names. */
function hasNumbers<Name extends string>(value: unknown, ...names: Name[]): value is Record<Name, number> {
  return isRecord(value) && names.every((name) => isNumber(value[name]));
}

const isMeasured = (value: unknown): value is Measured => hasNumbers(value, "value", "low", "high", "confidence");

function readOrigins(data: unknown): Origin[] {
  if (!isRecord(data) || !Array.isArray(data.origins)) {
    return [];
  }
  return data.origins.filter(
    (origin): origin is Origin =>
      isRecord(origin) &&
      isNumber(origin.rows) &&
      typeof origin.simulated === "boolean" &&
      typeof origin.source === "string" &&
      typeof origin.licence === "string",
  );
}

const rowsOf = (origins: readonly Origin[]): number => origins.reduce((sum, { rows }) => sum + rows, 0);

function readSurvey(survey: unknown, origins: readonly Origin[]): Survey | undefined {
  if (!isRecord(survey) || !Array.isArray(survey.points) || !Array.isArray(survey.bands)) {
    return undefined;
  }
  const points = survey.points.filter(
    (point): point is [number, number] => Array.isArray(point) && isNumber(point[0]) && isNumber(point[1]),
  );
  const bands = survey.bands.filter((band): band is Band =>
    hasNumbers(band, "from", "to", "rows", "low", "median", "high"),
  );
  const simulated = origins.filter((origin) => origin.simulated);
  return points.length > 0 ? { rows: rowsOf(origins), simulated: rowsOf(simulated), points, bands } : undefined;
}

/** Reads the document; undefined when this page does not know its format. */
export function readFacts(body: unknown): Facts | undefined {
  if (!isRecord(body) || body.version !== 1) {
    return undefined;
  }
  const { model, data, quality, limits } = body;
  const origins = readOrigins(data);
  const survey = readSurvey(body.survey, origins);
  if (!survey || !isRecord(model) || !isRecord(quality) || !isRecord(quality.coverage)) {
    return undefined;
  }
  const { name, run } = model;
  const trainedAt = new Date(String(model.trainedAt));
  const { rmse, meanAbsoluteError, coverage } = quality;
  if (typeof name !== "string" || typeof run !== "string" || Number.isNaN(trainedAt.getTime())) {
    return undefined;
  }
  if (!hasNumbers(data, "rows", "trainingRows", "heldOutRows") || !isMeasured(rmse) || !isMeasured(meanAbsoluteError)) {
    return undefined;
  }
  if (!hasNumbers(coverage, "confidence", "overall")) {
    return undefined;
  }
  const { bySex, byThird } = coverage as Record<string, unknown>;
  const sexes = isRecord(bySex)
    ? Object.entries(bySex).filter((entry): entry is [string, GroupCoverage] =>
        hasNumbers(entry[1], "rows", "coverage"),
      )
    : [];
  const thirds = Array.isArray(byThird)
    ? byThird.filter((third): third is Facts["coverage"]["byThird"][number] =>
        hasNumbers(third, "from", "to", "rows", "coverage"),
      )
    : [];
  return {
    model: { name, run, trainedAt },
    rows: { training: data.trainingRows, heldOut: data.heldOutRows, all: data.rows },
    origins,
    rmse,
    meanAbsoluteError,
    coverage: {
      confidence: coverage.confidence,
      overall: coverage.overall,
      bySex: Object.fromEntries(sexes),
      byThird: thirds,
    },
    limits: Array.isArray(limits) ? limits.filter((limit): limit is string => typeof limit === "string") : [],
    survey,
  };
}

/** How long to wait for the picture's data, in milliseconds. */
const patienceMilliseconds = 15_000;

let loading: Promise<Facts | undefined> | undefined;

async function load(): Promise<Facts | undefined> {
  try {
    const response = await fetch("/model.json", { signal: AbortSignal.timeout(patienceMilliseconds) });
    return response.ok ? readFacts(await response.json()) : undefined;
  } catch {
    return undefined;
  }
}

/** The model's facts, loaded once; after a failure, the next call tries again. */
export function facts(): Promise<Facts | undefined> {
  loading ??= load().then((found) => {
    if (!found) {
      loading = undefined;
    }
    return found;
  });
  return loading;
}
