/**
 * Shows an age: the number, its range in plain words and on a scale, whether it is of farming age, and a shell with as
 * many growth lines as estimated rings.
 */
import type { ScriptMessages } from "../messages/en";
import { element, find } from "./form";
import { isRecord } from "./http";
import { breathingHoles, growthLines } from "./shell";

/**
 * The API's answer: rings, and the age in years with the range that holds the true age with the given confidence.
 */
export interface AgeAnswer {
  readonly rings: number;
  readonly age: { readonly years: number; readonly low: number; readonly high: number; readonly confidence: number };
  readonly model: string;
}

/** The scale's end in years; a range that ends higher extends it. */
const scaleYears = 30;

/**
 * The part of a model's name that differs from others. SageMaker names a model after its training job: the platform,
 * the execution, eight digits unique to the run, and the number of the attempt.
 */
export function shortName(model: string): string {
  return /-([0-9a-f]{8})-train(?:-r?\d+)*$/.exec(model)?.[1] ?? model;
}

/** Whether an animal is of farming age; it is certain if the whole range is on one side. */
export function farmingVerdict(low: number, high: number, farmingAge: number): "reached" | "perhaps" | "notYet" {
  if (low >= farmingAge) {
    return "reached";
  }
  return high < farmingAge ? "notYet" : "perhaps";
}

/** Far more years, or rings, than any abalone has: a limit for the lines that are drawn. */
const beyondAnyAge = 1_000;

/** The API's answer, or undefined when the body is not an answer. */
export function readAnswer(body: unknown): AgeAnswer | undefined {
  if (!isRecord(body) || !isRecord(body.age)) {
    return undefined;
  }
  const { years, low, high, confidence } = body.age;
  const numbers = [body.rings, years, low, high, confidence].every(
    (value) => typeof value === "number" && value >= 0 && value <= beyondAnyAge,
  );
  if (!numbers || typeof body.model !== "string") {
    return undefined;
  }
  const answer = body as unknown as AgeAnswer;
  return answer.age.low <= answer.age.high && answer.age.confidence < 1 ? answer : undefined;
}

function drawing(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) {
    drawn.setAttribute(attribute, String(value));
  }
  return drawn;
}

function drawShell(place: Element, rings: number): void {
  place.replaceChildren(
    ...growthLines(rings).map((d) => drawing("path", { class: "line", d })),
    ...breathingHoles().map(({ x, y, rx, ry, degrees }) =>
      drawing("ellipse", { class: "hole", cx: x, cy: y, rx, ry, transform: `rotate(${degrees} ${x} ${y})` }),
    ),
  );
}

/** The panel beside the form that holds the answer. */
export class AnswerPanel {
  readonly #panel: HTMLElement;
  readonly #place: HTMLElement;
  readonly #shell: Element;
  readonly #words: ScriptMessages;
  /** In years. */
  readonly farmingAge: number;

  /** @param panel the section with the drawing and the live region */
  constructor(panel: HTMLElement, words: ScriptMessages) {
    this.#panel = panel;
    this.#place = find<HTMLElement>(panel, "#answer");
    this.#shell = find(panel, "#shell");
    this.#words = words;
    this.farmingAge = Number(panel.dataset.farmingAge);
  }

  /** No answer: says `text` instead. */
  empty(text: string): void {
    this.#state("empty");
    this.#shell.replaceChildren();
    find<HTMLElement>(this.#panel, ".model").textContent = "";
    this.#place.replaceChildren(element("p", text, "muted"));
  }

  /** An answer is being calculated. */
  calculating(): void {
    this.empty(this.#words.answer.calculating);
    this.#state("calculating");
  }

  /** The measures have changed since the answer was shown. */
  outdated(): void {
    if (this.#panel.dataset.state !== "answered") {
      return;
    }
    this.#state("outdated");
    this.#place.append(element("p", this.#words.answer.outdated, "notice"));
  }

  /**
   * Shows an answer.
   * @param doubt why the model has seen no such measures; the range is then not reliable, and is not shown
   */
  show({ rings, age, model }: AgeAnswer, doubt: string | undefined): void {
    const { answer: words, number } = this.#words;
    const years = element("p", `${number(age.years)} `, "years");
    years.append(element("span", words.unit));
    const verdict = farmingVerdict(age.low, age.high, this.farmingAge);
    this.#place.replaceChildren(
      years,
      ...(doubt !== undefined
        ? [element("p", doubt, "doubt")]
        : [
            this.#scale(age.low, age.years, age.high),
            element("p", words.range(number(age.confidence * 100), number(age.low), number(age.high))),
            element("p", words.farming[verdict](number(this.farmingAge)), `verdict ${verdict}`),
          ]),
      element("p", words.rings(number(rings)), "rings"),
    );
    this.#origin(model, shortName(model));
    drawShell(this.#shell, rings);
    this.#state("answered");
  }

  /** Shows the name of the model that answered, and when it was trained. */
  named(model: string, name: string, trainedAt: Date): void {
    this.#origin(model, name, this.#words.date(trainedAt));
  }

  /** Scrolls to the panel if the form fills the screen. */
  reveal(): void {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#panel.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  }

  /** It is outside of the live region: a late date must not make a screen reader read the answer again. */
  #origin(model: string, name: string, trained?: string): void {
    const origin = find<HTMLElement>(this.#panel, ".model");
    origin.textContent = this.#words.answer.model(name, trained);
    // The whole name, which identifies the training job.
    origin.title = model;
  }

  #scale(low: number, years: number, high: number): HTMLElement {
    const { answer: words } = this.#words;
    const end = Math.max(scaleYears, Math.ceil(high / 10) * 10);
    const bar = element("div", "", "scale");
    for (const [name, value] of Object.entries({ low, years, high, farming: this.farmingAge })) {
      bar.style.setProperty(`--${name}`, String(Math.min(1, Math.max(0, value / end))));
    }
    bar.append(
      element("span", "", "range"),
      element("span", "", "point"),
      element("span", words.farmingMark, "mark"),
      element("span", "0", "start"),
      element("span", words.scaleEnd(end), "end"),
    );
    bar.setAttribute("aria-hidden", "true");
    return bar;
  }

  #state(state: "empty" | "calculating" | "answered" | "outdated"): void {
    this.#panel.dataset.state = state;
    this.#panel.setAttribute("aria-busy", String(state === "calculating"));
  }
}
