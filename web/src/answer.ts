/** Shows an age: the number, its range in plain words and on a scale, and as many growth lines in the shell as rings were estimated. */
import { element, find } from "./form";
import { isRecord } from "./http";
import { breathingHoles, type Ellipse, growthLines } from "./shell";

/** What the API answers: rings, and the age in years with the range that holds the true age with the given confidence. */
interface AgeAnswer {
  readonly rings: number;
  readonly age: { readonly years: number; readonly low: number; readonly high: number; readonly confidence: number };
  readonly model: string;
}

/** The scale ends here, in years, or at the range's end where that is higher. */
const scaleYears = 30;

/**
 * The part of a model's name that tells it from others. SageMaker calls a model after its training job: after the platform, the execution, eight digits
 * that no other run has, and which attempt of it this was.
 */
function shortName(model: string): string {
  return /-([0-9a-f]{8})-train(?:-r?\d+)*$/.exec(model)?.[1] ?? model;
}

const decimal = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

function isAgeAnswer(body: unknown): body is AgeAnswer {
  if (!isRecord(body) || !isRecord(body.age)) return false;
  const { years, low, high, confidence } = body.age;
  return [body.rings, years, low, high, confidence].every(Number.isFinite) && typeof body.model === "string";
}

function ellipse({ cx, cy, rx, ry }: Ellipse, className: string): SVGElement {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "ellipse");
  for (const [name, value] of Object.entries({ cx, cy, rx, ry })) drawn.setAttribute(name, String(value));
  drawn.setAttribute("class", className);
  return drawn;
}

function drawShell(place: Element, rings: number): void {
  place.replaceChildren(
    ...growthLines(rings).map((line) => ellipse(line, "line")),
    ...breathingHoles().map((hole) => ellipse(hole, "hole")),
  );
}

function scale(low: number, years: number, high: number): HTMLElement {
  const end = Math.max(scaleYears, Math.ceil(high / 10) * 10);
  const bar = element("div", "", "scale");
  const range = element("span", "", "range");
  const point = element("span", "", "point");
  for (const [name, value] of Object.entries({ low, years, high })) {
    bar.style.setProperty(`--${name}`, String(Math.min(1, Math.max(0, value / end))));
  }
  bar.append(range, point, element("span", "0", "start"), element("span", `${end} years`, "end"));
  bar.setAttribute("aria-hidden", "true");
  return bar;
}

/** The panel beside the form that holds the answer. */
export class AnswerPanel {
  readonly #panel: HTMLElement;
  readonly #place: HTMLElement;
  readonly #shell: Element;

  /** @param panel the section with the drawing and the live region */
  constructor(panel: HTMLElement) {
    this.#panel = panel;
    this.#place = find<HTMLElement>(panel, "[role=status]");
    this.#shell = find(panel, "#shell");
  }

  /** No answer: says `text` instead. */
  empty(text: string): void {
    this.#state("empty");
    this.#shell.replaceChildren();
    this.#place.replaceChildren(element("p", text, "muted"));
  }

  /** An answer is being calculated. */
  calculating(): void {
    this.empty("Calculating…");
    this.#state("calculating");
  }

  /** The measures are no longer those of the answer that is shown. */
  outdated(): void {
    if (this.#panel.dataset.state !== "answered") return;
    this.#state("outdated");
    this.#place.append(element("p", "The measures have changed since. Calculate again.", "notice"));
  }

  /**
   * Shows what the API answered.
   * @param doubtful whether the measures don't go together, so that the answer says little
   * @returns false, with nothing shown, when the body is not an age
   */
  show(body: unknown, doubtful: boolean): boolean {
    if (!isAgeAnswer(body)) return false;
    const { rings, age, model } = body;
    const low = decimal.format(age.low);
    const high = decimal.format(age.high);
    const share = decimal.format(age.confidence * 100);
    const years = element("p", `${decimal.format(age.years)} `, "years");
    years.append(element("span", "years old"));
    const origin = element("p", "Estimated by the model ", "muted");
    const name = element("span", shortName(model), "model");
    // The whole name, for who has to find the training job.
    name.title = model;
    origin.append(name);
    this.#place.replaceChildren(
      years,
      scale(age.low, age.years, age.high),
      element("p", `Of 100 animals with these measures, ${share} are between ${low} and ${high} years old.`),
      element("p", `About ${decimal.format(rings)} growth rings.`),
      ...(doubtful
        ? [element("p", "But no abalone has such measures: check those that the form names.", "doubt")]
        : []),
      origin,
    );
    drawShell(this.#shell, rings);
    this.#state("answered");
    return true;
  }

  /** Brings the panel into sight, where the form fills the screen. */
  reveal(): void {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#panel.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  }

  #state(state: "empty" | "calculating" | "answered" | "outdated"): void {
    this.#panel.dataset.state = state;
    this.#panel.setAttribute("aria-busy", String(state === "calculating"));
  }
}
