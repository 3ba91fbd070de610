/**
 * Warns about measures that don't fit together, such as a diameter above the length, before they are sent. It does not
 * block anything.
 */
import type { ScriptMessages } from "../messages/en";
import { controlsOf, element } from "./form";
import { parseNumber } from "./number";

/**
 * Meat, gut and shell together may weigh this share of the whole animal. Truly they weigh less than it, but scales have
 * errors, and small animals weigh a gram. Of the 3,342 rows of UCI's abalone data (Nash and others 1994), 116 are above
 * the whole weight, 25 above this limit.
 */
const mostOfWhole = 1.15;

/**
 * Whole weight divided by the cube of the length, in g per cubic millimetre: an abalone keeps its shape as it grows. Of
 * the same 3,342 rows, nine in ten are between 0.000100 and 0.000154, and seven are outside of these limits.
 */
const densities = { least: 60e-6, most: 250e-6 };

/** Doubts wait until the typing pauses, because half of a number is usually wrong. */
const pauseMilliseconds = 400;

/** A measure in the form. */
export interface TypedMeasure {
  readonly name: string;
  readonly label: string;
  readonly unit: string;
  readonly minimum: number;
  readonly maximum: number;
  /** Names of the measures that are larger in every abalone. */
  readonly atMost: readonly string[];
  readonly optional: boolean;
  readonly text: string;
}

/** The number of a measure, or undefined while it is not valid. */
function valueOf({ text, minimum, maximum }: TypedMeasure): number | undefined {
  const value = parseNumber(text);
  return value === undefined || value < minimum || value > maximum ? undefined : value;
}

const quantityOf = (measure: TypedMeasure): string => `${measure.text}\u00a0${measure.unit}`;

/**
 * Whether the parts together weigh more than the whole; no doubt if one of them alone does, which is reported already.
 */
function doubtAboutParts(measures: readonly TypedMeasure[], { form, number }: ScriptMessages): string[] {
  const whole = measures.find(({ name }) => name === "wholeWeight");
  const limit = whole && valueOf(whole);
  const parts = measures.filter(
    ({ atMost, optional, text }) => atMost.includes("wholeWeight") && !(optional && text === ""),
  );
  const weights = parts.map(valueOf);
  if (whole === undefined || limit === undefined || weights.some((part) => part === undefined || part > limit)) {
    return [];
  }
  const sum = weights.reduce<number>((total, part = 0) => total + part, 0);
  if (sum <= mostOfWhole * limit) {
    return [];
  }
  const labels = parts.map(({ label }) => label);
  return [form.partsAbove(labels, `${number(sum)}\u00a0${whole.unit}`, whole.label, quantityOf(whole))];
}

/** Whether the weight is far from the usual weight of animals of this length. */
function doubtAboutWeight(measures: readonly TypedMeasure[], { form, number }: ScriptMessages): string[] {
  const [length, weight] = ["length", "wholeWeight"].map((wanted) => measures.find(({ name }) => name === wanted));
  const [long, heavy] = [length && valueOf(length), weight && valueOf(weight)];
  if (!length || !weight || long === undefined || heavy === undefined) {
    return [];
  }
  const [least, most] = [densities.least * long ** 3, densities.most * long ** 3];
  return heavy < least || heavy > most
    ? [
        form.unlikelyWeight(
          quantityOf(weight),
          quantityOf(length),
          number(least),
          `${number(most)}\u00a0${weight.unit}`,
        ),
      ]
    : [];
}

/**
 * One sentence for each pair of measures that hardly any living abalone has, and for weights that don't fit together or
 * don't fit the length.
 */
export function doubtsAbout(measures: readonly TypedMeasure[], words: ScriptMessages): string[] {
  const pairs = measures.flatMap((lesser) =>
    measures
      .filter(({ name }) => lesser.atMost.includes(name))
      .flatMap((greater) => {
        const [one, other] = [valueOf(lesser), valueOf(greater)];
        return one !== undefined && other !== undefined && one > other
          ? [words.form.above(lesser.label, quantityOf(lesser), greater.label, quantityOf(greater))]
          : [];
      }),
  );
  return [...pairs, ...doubtAboutParts(measures, words), ...doubtAboutWeight(measures, words)];
}

/** The measures of a form; the fields say which to compare, from the feature contract. */
function measuresOf(form: HTMLFormElement): TypedMeasure[] {
  return controlsOf(form)
    .filter(({ dataset }) => dataset.unit !== undefined)
    .map(({ name, value, required, dataset: { label = "", unit = "", minimum, maximum, atMost = "" } }) => ({
      name,
      label,
      unit,
      minimum: Number(minimum),
      maximum: Number(maximum),
      atMost: atMost.split(" "),
      optional: !required,
      text: value.trim(),
    }));
}

/**
 * Shows doubts about a form's measures below its buttons, so that no button moves while somebody is about to press it.
 * @returns whether there are any now
 */
export function watchDoubts(form: HTMLFormElement, place: HTMLElement, words: ScriptMessages): () => boolean {
  let shown = "";
  let pause: number | undefined;

  const update = (): boolean => {
    window.clearTimeout(pause);
    const doubts = doubtsAbout(measuresOf(form), words);
    const text = doubts.join(" ");
    // Unchanged text is not set again, because a screen reader would read it again.
    if (text !== shown) {
      shown = text;
      const list = element("ul");
      list.append(...doubts.map((doubt) => element("li", doubt)));
      const content = [element("p", words.form.doubts), list];
      place.replaceChildren(...(doubts.length > 0 ? content : []));
    }
    return doubts.length > 0;
  };

  form.addEventListener("input", () => {
    window.clearTimeout(pause);
    pause = window.setTimeout(update, pauseMilliseconds);
  });
  form.addEventListener("change", update);
  // Before another listener sends the values.
  form.addEventListener("submit", update, { capture: true });
  return update;
}
