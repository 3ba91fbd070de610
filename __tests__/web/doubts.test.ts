import { camelCase, measures, proportions } from "../../survey/contract";
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
    text: changes[camelCase(name)] ?? String(example),
  }));
}

const doubts = (changes?: Readonly<Record<string, string>>): string[] => doubtsAbout(typed(changes), script.form);

test("there are none about the example", () => {
  expect(doubts()).toEqual([]);
});

test.each(proportions)("$lesser above $greater is doubted, as much is not", ({ lesser, greater }) => {
  const most = measures.find(({ name }) => name === greater)!.example;
  expect(doubts({ [camelCase(lesser)]: String(most) }).filter((text) => text.includes(`${most}\u00a0`))).toEqual([]);
  expect(doubts({ [camelCase(lesser)]: String(most + 0.5) })[0]).toContain(`(${most + 0.5}\u00a0`);
});

test("what was typed is said as it was typed, a comma too", () => {
  expect(doubts({ diameter: "120,5" })).toEqual(["The diameter (120,5\u00a0mm) is above the length (91\u00a0mm)."]);
});

test.each(["", "9", "9999", "a lot", "-91", "NaN"])(
  "a length of “%s” can't be sent, so that nothing is compared with it",
  (length) => {
    expect(doubts({ length, diameter: "120" })).toEqual([]);
  },
);
