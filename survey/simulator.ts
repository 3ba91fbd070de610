/**
 * Simulates surveys with animals that grow like abalones, so that the platform can be tried, tested and measured
 * without real data.
 *
 * Each animal gets an age and its own growth curve. Its other measures follow from length and age by allometry
 * (products of powers, so sums of logarithms) with noise. The constants were fitted to the abalone data of Nash,
 * Sellers, Talbot, Cawthorn and Ford (1994; UCI Machine Learning Repository, CC BY 4.0) in mm and g: a model trained on
 * 4,000 simulated animals has an RMSE of 2.15 rings on the real ones; one trained on the real ones has 2.18 (tree
 * ensembles, cross-validated).
 */
import {
  accepts,
  eventTime,
  features,
  isOptional,
  label,
  type Measure,
  measures,
  recordIdentifier,
  yearsBeyondRings,
} from "./feature-contract";
import { type SurveyRecord, surveyHeader, surveyLine } from "./survey-file";

/** What to simulate. */
export interface SimulateOptions {
  /** How many animals. */
  readonly rows: number;
  /** The same seed gives the same animals; fewer rows give the first ones. An integer from 0. @default 1 */
  readonly seed?: number;
  /**
   * How much longer animals are at the same age: 0.1 means 10 %. It creates drift for a monitor; from -0.5 to 0.5.
   * @default 0
   */
  readonly shift?: number;
  /** Time of the first animal; each further one is a second later. @default 2025-03-01T08:00:00Z */
  readonly start?: Date;
}

/**
 * Uniform numbers in [0, 1) from a seed (sfc32 by Doty-Humphrey, which passes PractRand): fast, and equal on every
 * machine. Another `stream` of the same seed gives independent numbers.
 */
function uniformSource(seed: number, stream = 0): () => number {
  // SplitMix64's finaliser spreads neighbouring seeds over all bits.
  const mask = (1n << 64n) - 1n;
  let spread = (BigInt(seed) + 0x9e3779b97f4a7c15n) & mask;
  spread = ((spread ^ (spread >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
  spread = ((spread ^ (spread >> 27n)) * 0x94d049bb133111ebn) & mask;
  let a = Number(spread & 0xffffffffn);
  let b = Number(spread >> 32n);
  let c = 0x2545f491 + stream;
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 0x100000000;
  };
  for (let warmUp = 0; warmUp < 12; warmUp += 1) {
    next();
  }
  return next;
}

/** Standard normal numbers (Box and Muller 1958). */
function normalSource(uniform: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Rings of the animals in a survey: log-normal, mean 9.9, standard deviation 3.2. */
const rings = { mean: 2.246, deviation: 0.315 };

/** Generalised von Bertalanffy growth: length = asymptote * (1 - exp(-rate * (age - start)))^shape, in mm and years. */
const growth = { asymptote: 123, asymptoteDeviation: 0.14, rate: 0.34, rateDeviation: 0.13, start: 1.6, shape: 3 };

/**
 * The probability of being too young for a sex, and of an adult being female: logistic functions of the logarithms of
 * rings and length.
 */
const infant = { intercept: 23.03, rings: -2.589, length: -3.926 };
const female = { intercept: -6.185, rings: 0.285, length: 1.132 };

/** A measure that follows from others by allometry. */
interface Allometry {
  readonly name: string;
  readonly intercept: number;
  readonly noise: number;
  /** Whether UCI's file lacks it: such measures share a random stream of their own, so UCI's measures never change. */
  readonly added: boolean;
  /** By another measure's name, `rings` or `infant`. */
  readonly powers: readonly (readonly [string, number])[];
}

/**
 * The measures without the length, each after those that it depends on.
 * @throws Error that names the measure which can't be simulated
 */
export function allometryOf(contract: readonly Measure[]): Allometry[] {
  const waiting = contract.flatMap(({ name, simulation, uci }) =>
    simulation === "growth"
      ? []
      : [{ name, ...simulation, added: uci === null, powers: Object.entries(simulation.powers) }],
  );
  const grown = contract.filter(({ simulation }) => simulation === "growth").map(({ name }) => name);
  if (grown.join() !== "length") {
    throw new Error(
      `survey/features.json: the simulation of length is "growth", and of no other measure; found it of ${grown.join(", ") || "none"}`,
    );
  }
  const known = new Set(["rings", "infant", "length"]);
  const ordered: Allometry[] = [];
  while (waiting.length > 0) {
    const next = waiting.findIndex(({ powers }) => powers.every(([other]) => known.has(other)));
    const [measure] = waiting.splice(Math.max(next, 0), 1);
    if (next < 0 || !measure) {
      const unknown = measure?.powers.filter(([other]) => !known.has(other)).map(([other]) => other);
      throw new Error(
        `survey/features.json: the simulation of ${measure?.name ?? ""} has powers of ${unknown?.join(", ") ?? ""}; expected length, rings, infant, or measures that don't follow from it`,
      );
    }
    known.add(measure.name);
    ordered.push(measure);
  }
  return ordered;
}

const allometry = allometryOf(measures);

/** Optional measures that not every animal has, with their share. */
const shares = measures.flatMap(({ name, simulation }) =>
  simulation !== "growth" && simulation.measuredShare !== undefined ? [[name, simulation.measuredShare] as const] : [],
);

/** Rounds to the contract's step, as people read an instrument. */
const readings = new Map(
  measures.map(({ name, step }) => {
    const decimals = (step.toString().split(".")[1] ?? "").length;
    return [name, (value: number): number => Number((Math.round(value / step) * step).toFixed(decimals))];
  }),
);

const logistic = (value: number): number => 1 / (1 + Math.exp(-value));

/** The random numbers for animals: for UCI's measures, and for the contract's other measures. */
interface Sources {
  readonly uniform: () => number;
  readonly normal: () => number;
  readonly addedUniform: () => number;
  readonly addedNormal: () => number;
}

function drawAnimal(sources: Sources, shift: number): Record<string, string | number> {
  const { uniform, normal, addedUniform, addedNormal } = sources;
  const count = Math.max(Math.round(Math.exp(rings.mean + rings.deviation * normal())), label.minimum);
  const asymptote = growth.asymptote * (1 + shift) * Math.exp(growth.asymptoteDeviation * normal());
  const rate = growth.rate * Math.exp(growth.rateDeviation * normal());
  const grown = Math.max(1 - Math.exp(-rate * (count + yearsBeyondRings - growth.start)), 0.05);
  const logs = new Map([
    ["rings", Math.log(count)],
    ["length", Math.log(asymptote) + growth.shape * Math.log(grown)],
  ]);
  const of = (name: string): number => logs.get(name) ?? NaN;
  // Larger animals don't mature earlier: the probabilities depend on the length without the shift.
  const usualLength = of("length") - Math.log(1 + shift);
  const young = uniform() < logistic(infant.intercept + infant.rings * of("rings") + infant.length * usualLength);
  logs.set("infant", young ? 1 : 0);
  const isFemale = uniform() < logistic(female.intercept + female.rings * of("rings") + female.length * usualLength);
  for (const { name, intercept, noise, added, powers } of allometry) {
    const deviation = noise * (added ? addedNormal() : normal());
    logs.set(name, intercept + deviation + powers.reduce((sum, [other, power]) => sum + power * of(other), 0));
  }
  const left = new Set(shares.filter(([, share]) => addedUniform() >= share).map(([name]) => name));
  return {
    sex: young ? "I" : isFemale ? "F" : "M",
    ...Object.fromEntries(
      [...readings].filter(([name]) => !left.has(name)).map(([name, read]) => [name, read(Math.exp(of(name)))]),
    ),
    rings: count,
  };
}

function requireRange(name: string, value: number, minimum: number, maximum: number, whole: boolean): void {
  if (value >= minimum && value <= maximum && (!whole || Number.isInteger(value))) {
    return;
  }
  throw new RangeError(`${name}: ${value} is not a ${whole ? "whole " : ""}number between ${minimum} and ${maximum}`);
}

/**
 * Simulated animals, every value inside the contract's range; identifiers are `sim-<seed>-<n>`, n from 1.
 * @throws RangeError that names the option that is out of range
 */
export function* simulate(options: SimulateOptions): Generator<SurveyRecord> {
  const { rows, seed = 1, shift = 0, start = new Date("2025-03-01T08:00:00Z") } = options;
  requireRange("rows", rows, 1, 100_000_000, true);
  requireRange("seed", seed, 0, Number.MAX_SAFE_INTEGER, true);
  requireRange("shift", shift, -0.5, 0.5, false);
  if (Number.isNaN(start.getTime())) {
    throw new RangeError("start: is not a date");
  }
  const uniform = uniformSource(seed);
  const addedUniform = uniformSource(seed, 1);
  const sources = {
    uniform,
    normal: normalSource(uniform),
    addedUniform,
    addedNormal: normalSource(addedUniform),
  };
  const columns = [...features, label];
  for (let number = 1; number <= rows; number += 1) {
    let animal = drawAnimal(sources, shift);
    const isGood = (column: (typeof columns)[number]): boolean => {
      const value = animal[column.name];
      return accepts(column, value) || (value === undefined && isOptional(column));
    };
    while (!columns.every(isGood)) {
      animal = drawAnimal(sources, shift);
    }
    const time = new Date(start.getTime() + (number - 1) * 1000).toISOString().replace(/\.\d+Z$/, "Z");
    // A shifted population has other animals, which must not overwrite those of the same seed.
    const population = shift === 0 ? `${seed}` : `${seed}-${shift < 0 ? "minus" : "plus"}${Math.abs(shift)}`;
    yield { [recordIdentifier.name]: `sim-${population}-${number}`, [eventTime.name]: time, ...animal };
  }
}

/** Simulated animals as a survey file, in chunks of some hundred lines. */
export function* simulateSurvey(options: SimulateOptions): Generator<string> {
  let piece = `${surveyHeader}\n`;
  for (const record of simulate(options)) {
    piece += `${surveyLine(record)}\n`;
    if (piece.length > 32_768) {
      yield piece;
      piece = "";
    }
  }
  if (piece !== "") {
    yield piece;
  }
}
