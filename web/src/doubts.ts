/** Asks about measures that don't go together, such as a diameter above the length, before they are sent. It forbids nothing. */
import type { ScriptMessages } from "../messages/en";
import { controlsOf, element } from "./form";
import { parseNumber } from "./number";

type Words = ScriptMessages["form"];

/** Half of a number that is being typed is no reason for doubts: they wait until the typing pauses. */
const pauseMilliseconds = 400;

/** A measure that could be sent, as it was typed and as a number. */
function measureOf(control: HTMLElement | undefined): { readonly text: string; readonly value: number } | undefined {
  if (!(control instanceof HTMLInputElement)) return undefined;
  const { minimum, maximum, unit = "" } = control.dataset;
  const text = control.value.trim();
  const value = parseNumber(text);
  return value === undefined || value < Number(minimum) || value > Number(maximum)
    ? undefined
    : { text: `${text} ${unit}`, value };
}

/** One sentence for each two measures that no living abalone has; which pairs to compare comes with the fields, from the feature contract. */
function doubtsAbout(form: HTMLFormElement, words: Words): string[] {
  const controls = controlsOf(form);
  return controls.flatMap((lesser) =>
    (lesser.dataset.atMost ?? "").split(" ").flatMap((name) => {
      const greater = controls.find((control) => control.name === name);
      const [one, other] = [measureOf(lesser), measureOf(greater)];
      return greater && one && other && one.value > other.value
        ? [words.above(lesser.dataset.label ?? "", one.text, greater.dataset.label ?? "", other.text)]
        : [];
    }),
  );
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
    const doubts = doubtsAbout(form, words);
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
