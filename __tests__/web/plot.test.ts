import { farmingVerdict, readAnswer, shortName } from "../../web/src/answer";
import { readFacts } from "../../web/src/facts";
import { bandOf, layOut } from "../../web/src/plot";
import { modelData } from "./model-data";

const document = JSON.parse(modelData("acme-test-model")) as Record<string, Record<string, unknown>>;
const { survey } = readFacts(document)!;
const animal = { length: 91, years: 10.5, low: 8, high: 14 };

/** The numbers of a path in pairs. */
const placesOf = (path: string): [number, number][] =>
  [...path.matchAll(/(-?[\d.]+) (-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);

describe("the picture", () => {
  test.each([220, 320, 480, 700])("%d points wide holds everything within its field", (width) => {
    const plot = layOut(survey, animal, 3.5, width, 16);
    const { left, top, right, bottom } = plot.field;
    expect(placesOf(plot.dots)).toHaveLength(survey.points.length);
    const places = [plot.dots, plot.area, plot.median].flatMap(placesOf);
    for (const [x, y] of places) {
      expect(x >= left && x <= right && y >= top && y <= bottom).toBe(true);
    }
    for (const { at } of plot.lengths) {
      expect(at >= left && at <= right).toBe(true);
    }
    for (const { at } of plot.ages) {
      expect(at >= top && at <= bottom).toBe(true);
    }
    expect(plot.width).toBe(width);
  });

  test.each([
    [220, 16],
    [480, 16],
    [700, 16],
    [480, 32],
  ])("%d points wide, with letters of %d, has room for each number", (width, letters) => {
    const { lengths, ages, field, height } = layOut(survey, { ...animal, length: 240, high: 71 }, 3.5, width, letters);
    const gaps = (places: readonly number[]): number[] =>
      places.slice(1).map((at, index) => Math.abs(at - places[index]!));
    // A digit is some 0.6 of the letters' size wide, three of them less than two letters.
    expect(Math.min(...gaps(lengths.map(({ at }) => at)))).toBeGreaterThan(letters * 2);
    expect(Math.min(...gaps(ages.map(({ at }) => at)))).toBeGreaterThan(letters);
    expect(field.left).toBeGreaterThan(letters * 1.2);
    expect(height - field.bottom).toBeGreaterThan(letters * 2);
  });

  test("stands to scale: numbers at the axes, the animal, its range and the farming age", () => {
    const { ages, lengths, animal: mark, farmingAge, field } = layOut(survey, animal, 5, 480, 16);
    const age = (value: number): number => ages.find((tick) => tick.value === value)!.at;
    const [one, other] = [
      lengths.find(({ value }) => value === 80)!.at,
      lengths.find(({ value }) => value === 100)!.at,
    ];
    expect(mark.x).toBeCloseTo(one + ((other - one) * 11) / 20, 0);
    expect(mark.years).toBeCloseTo(age(10) + (age(15) - age(10)) / 10, 0);
    expect(farmingAge).toBe(age(5));
    expect(age(0)).toBe(field.bottom);
    expect(mark.high).toBeLessThan(mark.years);
    expect(mark.low).toBeGreaterThan(mark.years);
  });

  test("grows with an animal larger and older than any surveyed", () => {
    const { animal: mark, field } = layOut(survey, { length: 250, years: 55, low: 40, high: 71 }, 3.5, 480, 16);
    expect(mark.x).toBeLessThanOrEqual(field.right);
    expect(mark.high).toBeGreaterThanOrEqual(field.top);
  });

  test("has no area where the survey has fewer than two bands", () => {
    const { area, median } = layOut(
      { ...survey, points: [[91, 10]], bands: survey.bands.slice(0, 1) },
      animal,
      3.5,
      480,
      16,
    );
    expect([area, median]).toEqual(["", ""]);
  });

  test("knows the animals of the same length", () => {
    expect(bandOf(survey.bands, 90)).toMatchObject({ from: 90, to: 100 });
    expect(bandOf(survey.bands, 99.9)).toMatchObject({ from: 90, to: 100 });
    expect(bandOf(survey.bands, 249)).toBeUndefined();
  });
});

describe("the model's facts", () => {
  test("are read as they were written", () => {
    const facts = readFacts(document)!;
    expect(facts.model).toEqual({
      name: "acme-test-model",
      run: "794c4654",
      trainedAt: new Date("2026-03-01T09:30:00Z"),
    });
    expect(Object.keys(facts.coverage.bySex)).toEqual(["F", "M", "I"]);
    expect(facts.coverage.byThird).toHaveLength(3);
    expect(facts.survey.points).toHaveLength(600);
    expect(facts.survey).toMatchObject({ rows: 4000, simulated: 1000 });
    expect(facts.origins.map(({ rows }) => rows)).toEqual([3000, 1000]);
    expect(facts.limits).toHaveLength(4);
  });

  test.each([
    undefined,
    null,
    "text",
    [],
    {},
    { ...document, version: 2 },
    { ...document, model: undefined },
    { ...document, model: { ...document.model, trainedAt: "soon" } },
    { ...document, data: { ...document.data, trainingRows: "many" } },
    { ...document, quality: { ...document.quality, rmse: { value: null } } },
    { ...document, survey: { points: [], bands: [] } },
    { ...document, survey: { points: "none", bands: [] } },
  ])("are missing if the document has another format (%#)", (body) => {
    expect(readFacts(body)).toBeUndefined();
  });

  test("leave out what can't be drawn", () => {
    const points = [[91, 10], [1], ["a", 2], [5, null], 7];
    const origins = [{ rows: "many" }, null, { rows: 5, simulated: "no", source: "x", licence: "y" }];
    const facts = readFacts({
      ...document,
      data: { ...document.data, origins },
      survey: { points, bands: [{ from: 1 }, null] },
      limits: [1, "one"],
    })!;
    expect(facts.survey).toEqual({ rows: 0, simulated: 0, points: [[91, 10]], bands: [] });
    expect(facts.origins).toEqual([]);
    expect(facts.limits).toEqual(["one"]);
  });
});

describe("the answer", () => {
  test.each([
    [3.5, 9, "reached"],
    [8, 14, "reached"],
    [3.4, 3.5, "perhaps"],
    [2, 9, "perhaps"],
    [1.5, 3.4, "notYet"],
  ] as const)("between %d and %d years has a farming age of 3.5 years %s", (low, high, verdict) => {
    expect(farmingVerdict(low, high, 3.5)).toBe(verdict);
  });

  test("names a model by its distinctive part", () => {
    const name = "acme-local-up-31741e906490-mws7uca1-794c4654-train";
    expect([name, `${name}-2`, `${name}-r1-2`].map(shortName)).toEqual(["794c4654", "794c4654", "794c4654"]);
    expect(shortName("other")).toBe("other");
  });

  test("is refused if a number is missing or impossible for an age", () => {
    const body = { rings: 9, age: { years: 10.5, low: 8, high: 14, confidence: 0.9 }, model: "m" };
    expect(readAnswer(body)).toEqual(body);
    const aged = (changes: object): object => ({ ...body, age: { ...body.age, ...changes } });
    for (const wrong of [
      ...[undefined, null, {}, { ...body, rings: "9" }, { ...body, rings: 1e9 }],
      ...[aged({ low: null }), aged({ low: -1 }), aged({ high: 3e7 }), aged({ high: 1e300 })],
      ...[aged({ low: 20 }), aged({ confidence: 5 }), { ...body, model: undefined }],
    ]) {
      expect(readAnswer(wrong)).toBeUndefined();
    }
  });
});
