/**
 * The geometry of the picture of the survey: length against age. Nothing here uses a document.
 */
import type { Band, Survey } from "./facts";

/** The visitor's animal. */
export interface Animal {
  /** In mm. */
  readonly length: number;
  /** In years, like the ends of its range. */
  readonly years: number;
  readonly low: number;
  readonly high: number;
}

/** A line of the grid with its number. */
export interface Tick {
  readonly at: number;
  readonly value: number;
}

/** The picture, in pixels from its upper left corner. */
export interface Plot {
  readonly width: number;
  readonly height: number;
  /** The field within the axes. */
  readonly field: { readonly left: number; readonly top: number; readonly right: number; readonly bottom: number };
  /** All surveyed animals as one path of points. */
  readonly dots: string;
  /** The area with nine in ten of them, and the line above which half of them are. */
  readonly area: string;
  readonly median: string;
  readonly lengths: readonly Tick[];
  readonly ages: readonly Tick[];
  /** Height of the farming age. */
  readonly farmingAge: number;
  readonly animal: { readonly x: number; readonly years: number; readonly low: number; readonly high: number };
}

const rounded = (value: number): number => Math.round(value * 10) / 10;

/**
 * The first of the steps between an axis's numbers that gives each number so many pixels; if none does, the last.
 */
function stepOf(steps: readonly number[], pixelsOfOne: number, room: number): number {
  return steps.find((step) => step * pixelsOfOne >= room) ?? Math.max(...steps);
}

/** The multiples of `step` around `value`, which is below the upper one, so that an axis's ends always differ. */
const downTo = (value: number, step: number): number => Math.floor(value / step) * step;
const upTo = (value: number, step: number): number => downTo(value, step) + step;

function ticks(start: number, end: number, step: number, place: (value: number) => number): Tick[] {
  const values: number[] = [];
  for (let value = Math.ceil(start / step) * step; value <= end; value += step) {
    values.push(value);
  }
  return values.map((value) => ({ at: place(value), value }));
}

/** The band of lengths that an animal belongs to. */
export function bandOf(bands: readonly Band[], length: number): Band | undefined {
  return bands.find(({ from, to }) => length >= from && length < to);
}

/**
 * Computes the picture's layout.
 * @param farmingAge in years
 * @param width of the picture in pixels
 * @param letters font size in pixels
 */
export function layOut(
  { points, bands }: Survey,
  animal: Animal,
  farmingAge: number,
  width: number,
  letters: number,
): Plot {
  const height = Math.round(Math.min(460, Math.max(240, width * 0.85)));
  const field = {
    left: Math.round(8 + letters * 1.3),
    top: 12,
    right: Math.round(width - letters),
    bottom: Math.round(height - letters * 2.8),
  };
  const oldest = points.reduce((most, [, years]) => Math.max(most, years), Math.max(animal.high, farmingAge));
  const longest = points.reduce((most, [length]) => Math.max(most, length), animal.length);
  const firstLength = downTo(
    points.reduce((least, [length]) => Math.min(least, length), animal.length),
    20,
  );
  const lastYear = upTo(oldest, 5);
  const lastLength = upTo(longest, 20);
  const ofMillimetre = (field.right - field.left) / (lastLength - firstLength);
  const ofYear = (field.bottom - field.top) / lastYear;
  const x = (length: number): number => rounded(field.left + (length - firstLength) * ofMillimetre);
  const y = (years: number): number => rounded(field.bottom - years * ofYear);
  const ordered = [...bands].sort((one, other) => one.from - other.from);
  const along = (edge: "low" | "median" | "high"): string[] =>
    ordered.map((band) => `${x((band.from + band.to) / 2)} ${y(band[edge])}`);
  const drawn = ordered.length > 1;
  return {
    width,
    height,
    field,
    dots: points.map(([length, years]) => `M${x(length)} ${y(years)}h0`).join(""),
    area: drawn ? `M${[...along("low"), ...along("high").reverse()].join("L")}Z` : "",
    median: drawn ? `M${along("median").join("L")}` : "",
    lengths: ticks(firstLength, lastLength, stepOf([20, 40, 80], ofMillimetre, letters * 2.4), x),
    ages: ticks(0, lastYear, stepOf([5, 10, 20], ofYear, letters * 1.6), y),
    farmingAge: y(farmingAge),
    animal: { x: x(animal.length), years: y(animal.years), low: y(animal.low), high: y(animal.high) },
  };
}
