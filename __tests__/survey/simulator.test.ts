import { accepts, features, isOptional, label, type Measure, measures } from "../../survey/feature-contract";
import { readSurvey, type SurveyRecord, surveyLine } from "../../survey/survey-file";
import { allometryOf, simulate, type SimulateOptions, simulateSurvey } from "../../survey/simulator";

const isGood = (column: (typeof features)[number] | typeof label, value: unknown): boolean =>
  accepts(column, value) || (value === undefined && isOptional(column));
const draw = (options: SimulateOptions): SurveyRecord[] => [...simulate(options)];
const column = (records: readonly SurveyRecord[], name: string): number[] =>
  records.map((record) => Number(record[name]));
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: readonly number[]): number =>
  Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
const correlation = (a: readonly number[], b: readonly number[]): number =>
  mean(a.map((value, index) => (value - mean(a)) * ((b[index] ?? NaN) - mean(b)))) / deviation(a) / deviation(b);

const population = draw({ rows: 4000, seed: 7 });

test("the same seed gives the same animals, another seed gives others", () => {
  expect(draw({ rows: 100, seed: 7 })).toEqual(population.slice(0, 100));
  const values = (records: SurveyRecord[]): string[] =>
    records.map((record) => surveyLine({ ...record, record_id: "x" }));
  const others = new Set(values(draw({ rows: 100, seed: 8 })));
  expect(values(population.slice(0, 100)).filter((line) => others.has(line))).toEqual([]);
});

test("the first animal of a seed never changes: stored surveys and their identifiers stay comparable", () => {
  expect(draw({ rows: 1, seed: 7 })).toMatchObject([
    {
      record_id: "sim-7-1",
      surveyed_at: "2025-03-01T08:00:00Z",
      sex: "I",
      length: 76,
      diameter: 56,
      height: 18,
      whole_weight: 53.6,
      shucked_weight: 27.7,
      viscera_weight: 10.7,
      shell_weight: 14.1,
      rings: 6,
    },
  ]);
});

test("every row is a good row of a survey file, and a different animal", async () => {
  const lines: string[] = [];
  for await (const row of readSurvey(simulateSurvey({ rows: 4000, seed: 7 }), {
    now: new Date("2025-03-02T00:00:00Z"),
  })) {
    expect(row).toHaveProperty("record");
    if ("record" in row) {
      lines.push(surveyLine(row.record));
    }
  }
  expect(lines).toEqual(population.map(surveyLine));
});

test("a survey comes in pieces of whole lines, of some hundred each", () => {
  const pieces = [...simulateSurvey({ rows: 1000, seed: 7 })];
  expect(pieces.join("").trimEnd().split("\n")).toHaveLength(1001);
  const lines = pieces.map((piece) => piece.split("\n").length - 1);
  expect(lines.length).toBeGreaterThan(1);
  for (const [index, count] of lines.entries()) {
    expect(pieces[index]).toMatch(/\n$/);
    expect(count).toBeLessThan(1000);
    expect(index === lines.length - 1 || count > 100).toBe(true);
  }
});

test("the last piece of a survey is not empty, however the survey is cut", () => {
  const [first = ""] = simulateSurvey({ rows: 1000, seed: 7 });
  const rows = first.split("\n").length - 2;
  expect([...simulateSurvey({ rows, seed: 7 })]).toEqual([first]);
});

test("the values stay in the contract's ranges even where a shift drives them to the limits", () => {
  for (const shift of [-0.5, 0.5]) {
    for (const record of draw({ rows: 2000, shift })) {
      expect([...features, label].filter((column) => !isGood(column, record[column.name]))).toEqual([]);
    }
  }
});

// Moments of UCI's abalone data (Nash et al. 1994), in mm, g and rings.
test.each([
  ["rings", 9.9, 3.2],
  ["length", 104.8, 24],
  ["diameter", 81.6, 19.8],
  ["height", 27.9, 8.4],
  ["whole_weight", 165.7, 98.1],
  ["shucked_weight", 71.9, 44.4],
  ["viscera_weight", 36.1, 21.9],
  ["shell_weight", 47.8, 27.8],
])("%s are distributed as in the real survey: mean %d, standard deviation %d", (name, realMean, realDeviation) => {
  const values = column(population, name);
  expect(Math.abs(mean(values) / realMean - 1)).toBeLessThan(0.05);
  expect(Math.abs(deviation(values) / realDeviation - 1)).toBeLessThan(0.2);
});

// Correlations with the rings in UCI's abalone data.
test.each([
  ["length", 0.56],
  ["height", 0.56],
  ["whole_weight", 0.54],
  ["shucked_weight", 0.42],
  ["shell_weight", 0.63],
])("%s depends on the age as in the real survey: correlation %d", (name, real) => {
  expect(Math.abs(correlation(column(population, name), column(population, "rings")) - real)).toBeLessThan(0.1);
});

test("a third of the animals each is female, male and infant, and infants are younger and smaller", () => {
  const of = (sex: string): SurveyRecord[] => population.filter((record) => record.sex === sex);
  for (const sex of ["F", "M", "I"]) {
    expect(Math.abs(of(sex).length / population.length - 1 / 3)).toBeLessThan(0.06);
  }
  for (const name of ["rings", "length"]) {
    expect(mean(column(of("I"), name))).toBeLessThan(0.85 * mean(column([...of("F"), ...of("M")], name)));
  }
});

test("rings go up to about thirty", () => {
  const oldest = Math.max(...column(population, "rings"));
  expect(oldest).toBeGreaterThan(22);
  expect(oldest).toBeLessThan(40);
});

test("a shift makes animals longer at the same age, and they are other animals", () => {
  const shifted = draw({ rows: 4000, seed: 7, shift: 0.1 });
  expect(mean(column(shifted, "length")) / mean(column(population, "length"))).toBeCloseTo(1.1, 2);
  expect(mean(column(shifted, "rings"))).toBeCloseTo(mean(column(population, "rings")), 1);
  const identifiers = new Set(
    [...population, ...shifted, ...draw({ rows: 10, seed: 7, shift: -0.1 })].map(({ record_id }) => record_id),
  );
  expect(identifiers.size).toBe(8010);
});

test("animals are measured one second after another from the start date", () => {
  const start = new Date("2026-02-28T23:59:59Z");
  expect(draw({ rows: 2, start }).map(({ surveyed_at }) => surveyed_at)).toEqual([
    "2026-02-28T23:59:59Z",
    "2026-03-01T00:00:00Z",
  ]);
});

test.each<[string, SimulateOptions, RegExp]>([
  ["no rows", { rows: 0 }, /^rows: 0 is not a whole number between 1 and/],
  ["half a row", { rows: 1.5 }, /^rows: 1.5 is not a whole number/],
  ["a negative seed", { rows: 1, seed: -1 }, /^seed: -1 is not a whole number between 0 and/],
  ["a shift beyond the contract", { rows: 1, shift: 0.6 }, /^shift: 0.6 is not a number between -0.5 and 0.5/],
  ["no number", { rows: NaN }, /^rows: NaN/],
  ["no date", { rows: 1, start: new Date("x") }, /^start: is not a date/],
])("%s is refused", (_name, options, message) => {
  expect(() => draw(options)).toThrow(message);
});

describe("a measure that can't be simulated is named", () => {
  const changed = (name: string, simulation: Measure["simulation"]): Measure[] =>
    measures.map((measure) => (measure.name === name ? { ...measure, simulation } : measure));
  const following = (other: string): Measure["simulation"] => ({ intercept: 0, noise: 0, powers: { [other]: 1 } });

  test.each<[string, Measure[], RegExp]>([
    ["that follows from itself", changed("height", following("height")), /simulation of height has powers of height;/],
    [
      "that follows from one that follows from it",
      changed("diameter", following("height")),
      /simulation of diameter has powers of height;/,
    ],
    ["that follows from nothing known", changed("height", following("age")), /simulation of height has powers of age;/],
    ["that grows beside the length", changed("height", "growth"), /found it of length, height$/],
  ])("%s", (_name, contract, message) => {
    expect(() => allometryOf(contract)).toThrow(message);
  });
});
