import document from "../../survey/features.json";
import {
  accepts,
  camelCase,
  expectation,
  featureDefinitions,
  featureNames,
  features,
  label,
  measures,
  parseContract,
  proportions,
  recordIdentifierPattern,
  surveyColumns,
  uciColumns,
  yearsBeyondRings,
} from "../../survey/feature-contract";
import { simulate } from "../../survey/simulator";

test("a survey file has the columns that everything else relies on: the features in their order between them", () => {
  expect(surveyColumns).toEqual(["record_id", "surveyed_at", ...featureNames, "rings"]);
});

test("the model takes the sex, and measures", () => {
  expect(featureNames).toEqual(["sex", ...measures.map(({ name }) => name)]);
});

test("UCI's file has the columns that its authors describe", () => {
  expect(uciColumns.map(({ name }) => name).join(",")).toBe(
    "sex,length,diameter,height,whole_weight,shucked_weight,viscera_weight,shell_weight,rings",
  );
});

test("the feature group has a string identifier and time, and an integral label", () => {
  expect(
    Object.fromEntries(featureDefinitions.map(({ featureName, featureType }) => [featureName, featureType])),
  ).toEqual({
    record_id: "String",
    surveyed_at: "String",
    sex: "String",
    ...Object.fromEntries(measures.map(({ name }) => [name, "Fractional"])),
    rings: "Integral",
  });
});

test("an age is the rings plus one and a half years", () => {
  expect(yearsBeyondRings).toBe(1.5);
});

test("names are camel case in the API", () => {
  expect(["sex", "whole_weight", "a_2nd_one"].map(camelCase)).toEqual(["sex", "wholeWeight", "a2ndOne"]);
});

test("every measure accepts its own limits and example, and nothing beside them", () => {
  for (const measure of measures) {
    expect(accepts(measure, measure.minimum)).toBe(true);
    expect(accepts(measure, measure.maximum)).toBe(true);
    expect(accepts(measure, measure.example)).toBe(true);
    for (const value of [
      measure.minimum - 0.01,
      measure.maximum + 0.01,
      NaN,
      Infinity,
      -Infinity,
      "12",
      null,
      undefined,
      [20],
    ]) {
      expect(accepts(measure, value)).toBe(false);
    }
  }
});

test("the examples keep the proportions, and so do all but a few in a thousand animals", () => {
  const example = Object.fromEntries(measures.map(({ name, example: value }) => [name, value]));
  const breaks = (animal: Readonly<Record<string, string | number>>): boolean =>
    proportions.some(({ lesser, greater }) => Number(animal[lesser]) > Number(animal[greater]));
  expect(breaks(example)).toBe(false);
  for (const { lesser, greater } of proportions) {
    expect(breaks({ ...example, [lesser]: Number(example[greater]) + 0.1 })).toBe(true);
  }
  const animals = [...simulate({ rows: 2000, seed: 5 })];
  expect(animals.filter(breaks).length).toBeLessThan(10);
});

test("the sex is one of three letters, and no property that every object has", () => {
  const [sex] = features;
  expect(["F", "M", "I"].every((value) => accepts(sex!, value))).toBe(true);
  expect(["f", "", "X", "constructor", "__proto__", 1, null].some((value) => accepts(sex!, value))).toBe(false);
  expect(expectation(sex!)).toBe("one of F, M, I");
});

test("rings are whole", () => {
  expect(accepts(label, 9)).toBe(true);
  expect(accepts(label, 9.5)).toBe(false);
  expect(expectation(label)).toBe("a whole number between 1 and 60 rings");
});

test("an identifier is short and safe in a path, a log line and a URL", () => {
  expect(["uci-0123456789abcdef", "sim-7-12", "a", "A.b_c:d-9"].every((id) => recordIdentifierPattern.test(id))).toBe(
    true,
  );
  expect(["", "-a", "a b", "a/b", "ä", "a".repeat(65), "a\n"].some((id) => recordIdentifierPattern.test(id))).toBe(
    false,
  );
});

describe("a contract is refused with every fault and its place", () => {
  const broken = (change: (contract: typeof document) => void): (() => unknown) => {
    const contract = structuredClone(document);
    change(contract);
    return () => parseContract(contract);
  };

  test.each<[string, (contract: typeof document) => void, RegExp]>([
    [
      "a range the wrong way round",
      (contract) => (contract.features[1]!.minimum = 900),
      /features\.1 \(length\): has a minimum that is not below/,
    ],
    [
      "an example out of range",
      (contract) => (contract.features[3]!.example = 101),
      /features\.3 \(height\): .*an example outside/,
    ],
    ["a name used twice", (contract) => (contract.label.name = "length"), /uses a column name twice/],
    ["a name that is not snake_case", (contract) => (contract.label.name = "Rings"), /label\.name: is not snake_case/],
    [
      "a pattern that does not compile",
      (contract) => (contract.recordIdentifier.pattern = "["),
      /pattern: is not a regular expression/,
    ],
    ["an unknown unit", (contract) => (contract.features[1]!.unit = "cm"), /features\.1 \(length\)\.unit/],
    [
      "a proportion of an unknown column",
      (contract) => (contract.proportions[0]!.greater = "width"),
      /has a proportion of what are not two measures in one unit/,
    ],
    [
      "a proportion of a length and a weight",
      (contract) => (contract.proportions[0]!.greater = "whole_weight"),
      /not two measures in one unit/,
    ],
    [
      "a proportion of a measure and itself",
      (contract) => (contract.proportions[0]!.greater = contract.proportions[0]!.lesser),
      /not two measures in one unit/,
    ],
    [
      "no word about UCI's file",
      (contract) => Reflect.deleteProperty(contract.features[2]!, "uci"),
      /features\.2 \(diameter\)\.uci: /,
    ],
    [
      "a simulation that can't be drawn",
      (contract) => Object.assign(contract.features[2]!, { simulation: {} }),
      /features\.2 \(diameter\)\.simulation: is neither "growth" nor/,
    ],
    [
      "a column of UCI's file twice",
      (contract) => Object.assign(contract.features[2]!, { uci: { ...contract.features[2]!.uci, column: 4 } }),
      /has uci columns that are not 1, 2, 3 and so on/,
    ],
    [
      "a share of the animals for a measure that each must have",
      (contract) =>
        Object.assign(contract.features[2]!, {
          simulation: { intercept: 0, noise: 0, powers: {}, measuredShare: 0.5 },
        }),
      /features\.2 \(diameter\): has a measuredShare, but is not optional/,
    ],
    ["a misspelt property", (contract) => Object.assign(contract.label, { minimun: 1 }), /label: .*minimun/],
  ])("%s", (_name, change, message) => {
    expect(broken(change)).toThrow(message);
  });
});
