import { camelCase, measures, proportions } from "../../survey/feature-contract";
import { simulate } from "../../survey/simulator";
import { script } from "../../web/messages/en";
import { doubtsAbout, type TypedMeasure } from "../../web/src/doubts";

/** The contract's example as it is typed, but for what is changed. */
function typed(changes: Readonly<Record<string, string>> = {}): TypedMeasure[] {
  return measures.map(({ name, label, unit, minimum, maximum, example }) => ({
    name: camelCase(name),
    label,
    unit,
    minimum,
    maximum,
    atMost: proportions.filter(({ lesser }) => lesser === name).map(({ greater }) => camelCase(greater)),
    optional: false,
    text: changes[camelCase(name)] ?? String(example),
  }));
}

const doubts = (changes?: Readonly<Record<string, string>>): string[] => doubtsAbout(typed(changes), script);

test("there are none about the example", () => {
  expect(doubts()).toEqual([]);
});

test.each(proportions)("$lesser above $greater is doubted, an equal value is not", ({ lesser, greater }) => {
  const most = measures.find(({ name }) => name === greater)!.example;
  expect(doubts({ [camelCase(lesser)]: String(most) }).filter((text) => text.includes("is above"))).toEqual([]);
  expect(doubts({ [camelCase(lesser)]: String(most + 0.5) })[0]).toContain(`(${most + 0.5}\u00a0`);
});

test("values are shown as they were typed, also with a comma", () => {
  expect(doubts({ diameter: "120,5" })).toEqual(["The diameter (120,5\u00a0mm) is above the length (91\u00a0mm)."]);
});

test.each(["", "9", "9999", "a lot", "-91", "NaN"])(
  "a length of “%s” can't be sent, so that nothing is compared with it",
  (length) => {
    expect(doubts({ length, diameter: "120" })).toEqual([]);
  },
);

describe("weights", () => {
  test("of parts may be slightly above the whole, because scales have errors, but not far above", () => {
    const parts = (meat: string): string[] =>
      doubts({ length: "100", wholeWeight: "200", shuckedWeight: meat, visceraWeight: "40", shellWeight: "60" });
    expect(parts("129.9")).toEqual([]);
    expect(parts("130,1")).toEqual([
      "Shucked weight, viscera weight and shell weight together (230.1\u00a0g) are above the whole weight (200\u00a0g).",
    ]);
  });

  test("of parts are not doubted twice where one alone is above the whole", () => {
    expect(doubts({ shuckedWeight: "110" })).toEqual([
      "The shucked weight (110\u00a0g) is above the whole weight (102.8\u00a0g).",
    ]);
  });

  test.each([
    ["20", "2000", "0.5\u00a0to\u00a02\u00a0g"],
    ["100", "5", "60\u00a0to\u00a0250\u00a0g"],
  ])(
    "of an animal of %s mm that weighs %s g are doubted, with the usual weight of such animals",
    (length, weight, usual) => {
      expect(doubts({ length, wholeWeight: weight })).toContain(
        `A whole weight of ${weight}\u00a0g does not fit a length of ${length}\u00a0mm: animals of this length weigh ${usual}.`,
      );
    },
  );

  test.each(["", "a lot", "99999"])("are not compared with one of “%s”, which can't be sent", (wholeWeight) => {
    expect(doubts({ length: "20", diameter: "15", height: "5", wholeWeight })).toEqual([]);
  });
});

test("of usual animals, less than one in a hundred is doubted", () => {
  const animals = [...simulate({ rows: 2_000, seed: 5 })].map((animal) => animal as unknown as Record<string, unknown>);
  const doubted = animals.filter((animal) => {
    const changes = measures.map(({ name }): [string, string] => [camelCase(name), String(animal[name])]);
    return doubts(Object.fromEntries(changes)).length > 0;
  });
  expect(animals).toHaveLength(2_000);
  expect(doubted.length).toBeLessThan(20);
});
