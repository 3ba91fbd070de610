import fc from "fast-check";
import { camelCase, features } from "../../survey/feature-contract";
import { type Field, holdsValues, readValues, writeValues } from "../../web/src/share";

const fields = features.map((feature): Field => {
  const { label } = feature;
  const name = camelCase(feature.name);
  return feature.type === "number"
    ? { name, label, minimum: feature.minimum, maximum: feature.maximum }
    : { name, label, choices: Object.keys(feature.categories) };
});
const animal: Readonly<Record<string, string | number>> = Object.fromEntries(
  features.map(({ name, example }) => [camelCase(name), example]),
);
const asText = Object.fromEntries(Object.entries(animal).map(([name, value]) => [name, String(value)]));

test("an animal that is written is read again", () => {
  expect(readValues(`#${writeValues(animal)}`, fields)).toEqual({ values: asText, refused: [] });
});

test("the name of a place on the page holds no measures", () => {
  expect(["", "#", "#contact", "#length"].map(holdsValues)).toEqual([false, false, false, false]);
  expect(holdsValues("#length=91")).toBe(true);
});

test("what is missing is left empty, and a decimal comma is a point", () => {
  expect(readValues("#length=20,5", fields)).toEqual({ values: { length: "20.5" }, refused: [] });
});

test.each([
  "length=9999",
  "length=-5",
  "length=1e2",
  "length=NaN",
  "length=",
  "length=91&length=92",
  "length=%3Cscript%3Ealert(1)%3C%2Fscript%3E",
  "length=%E0%A4%A",
  "length=９１",
])("%s is refused, and named", (text) => {
  expect(readValues(`#${text}`, fields)).toEqual({ values: {}, refused: ["Length"] });
});

test.each(["sex=X", "sex=constructor", "sex=", "sex=f", "sex=F&sex=M"])("%s is refused, and named", (text) => {
  expect(readValues(text, fields)).toEqual({ values: {}, refused: ["Sex"] });
});

test("unknown fields are ignored", () => {
  const text = "__proto__=1&constructor=2&toString=3&website=http%3A%2F%2Fexample.com&email=a%40example.com";
  expect(readValues(text, fields)).toEqual({ values: {}, refused: [] });
});

test("a link above the maximum length is not read", () => {
  const { values, refused } = readValues(`${writeValues(animal)}&${"x".repeat(1_000)}`, fields);
  expect([values, refused.length]).toEqual([{}, fields.length]);
});

test("whatever a link holds, only values that the form would send are taken", () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom("length", "sex", "=", "&", "%", "91", "F", "#", "+"));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const { values } = readValues(`#${pieces.join("")}`, fields);
      for (const [name, value] of Object.entries(values)) {
        const field = fields.find((candidate) => candidate.name === name)!;
        if ("choices" in field) {
          expect(field.choices).toContain(value);
        } else {
          expect(Number(value) >= field.minimum && Number(value) <= field.maximum).toBe(true);
        }
      }
    }),
    { seed: 7, numRuns: 500 },
  );
});
