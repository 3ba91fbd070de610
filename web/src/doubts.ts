/** Asks about measures that don't go together, such as a diameter above the length, before they are sent. It forbids nothing. */
import type { ScriptMessages } from "../messages/en";
import { controlsOf, element } from "./form";
import { parseNumber } from "./number";

type Words = ScriptMessages["form"];

/** Half of a number that is being typed is no reason for doubts: they wait until the typing pauses. */
const pauseMilliseconds = 400;

/** A measure as it stands in the form. */
export interface TypedMeasure {
  readonly name: string;
  readonly label: string;
  readonly unit: string;
  readonly minimum: number;
  readonly maximum: number;
  /** Names of the measures that it doesn't exceed in any abalone. */
  readonly atMost: readonly string[];
  readonly text: string;
}

/** The number of a measure that could be sent; undefined while it couldn't. */
function valueOf({ text, minimum, maximum }: TypedMeasure): number | undefined {
  const value = parseNumber(text);
  return value === undefined || value < minimum || value > maximum ? undefined : value;
}

/** One sentence for each two measures that no living abalone has. */
export function doubtsAbout(measures: readonly TypedMeasure[], words: Words): string[] {
  return measures.flatMap((lesser) =>
    measures
      .filter(({ name }) => lesser.atMost.includes(name))
      .flatMap((greater) => {
        const [one, other] = [valueOf(lesser), valueOf(greater)];
        const [text, limit] = [lesser, greater].map((measure) => `${measure.text}\u00a0${measure.unit}`);
        return one !== undefined && other !== undefined && one > other
          ? [words.above(lesser.label, text ?? "", greater.label, limit ?? "")]
          : [];
      }),
  );
}

/** The measures of a form; which to compare comes with the fields, from the feature contract. */
function measuresOf(form: HTMLFormElement): TypedMeasure[] {
  return controlsOf(form)
    .filter(({ dataset }) => dataset.unit !== undefined)
    .map(({ name, value, dataset: { label = "", unit = "", minimum, maximum, atMost = "" } }) => ({
      name,
      label,
      unit,
      minimum: Number(minimum),
      maximum: Number(maximum),
      atMost: atMost.split(" "),
      text: value.trim(),
    }));
}

/**
 * Shows doubts about a form's measures below its buttons, where they push away nothing that somebody is about to press.
 * @returns whether there are any now
 */
export function watchDoubts(form: HTMLFormElement, place: HTMLElement, words: Words): () => boolean {
  let shown = "";
  let pause: number | undefined;

  const update = (): boolean => {
    window.clearTimeout(pause);
    const doubts = doubtsAbout(measuresOf(form), words);
    const text = doubts.join(" ");
    // Said once: a screen reader would read unchanged text again.
    if (text !== shown) {
      shown = text;
      const list = element("ul");
      list.append(...doubts.map((doubt) => element("li", doubt)));
      const content = [element("p", words.doubts), list];
      place.replaceChildren(...(doubts.length > 0 ? content : []));
    }
    return doubts.length > 0;
  };

  form.addEventListener("input", () => {
    window.clearTimeout(pause);
    pause = window.setTimeout(update, pauseMilliseconds);
  });
  form.addEventListener("change", update);
  // Before any other listener sends what was typed.
  form.addEventListener("submit", update, { capture: true });
  return update;
}
