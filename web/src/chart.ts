/** Draws the picture of the survey with the animal in it, as wide as its place, and describes it in words. */
import type { ScriptMessages } from "../messages/en";
import { element, find } from "./form";
import type { Survey } from "./facts";
import { type Animal, bandOf, layOut } from "./plot";

const namespace = "http://www.w3.org/2000/svg";

function drawn(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  ...content: (Node | string)[]
): SVGElement {
  const created = document.createElementNS(namespace, name);
  for (const [attribute, value] of Object.entries(attributes)) {
    created.setAttribute(attribute, String(value));
  }
  created.append(...content);
  return created;
}

/** The picture's place in the page. */
export class Chart {
  readonly #figure: HTMLElement;
  readonly #place: HTMLElement;
  readonly #words: ScriptMessages;
  readonly #farmingAge: number;
  #shown: { readonly survey: Survey; readonly animal: Animal } | undefined;
  #width = 0;

  constructor(figure: HTMLElement, farmingAge: number, words: ScriptMessages) {
    this.#figure = figure;
    this.#place = find<HTMLElement>(figure, ".chart");
    this.#words = words;
    this.#farmingAge = farmingAge;
    new ResizeObserver(() => {
      if (this.#shown && this.#place.clientWidth !== this.#width) {
        this.#draw();
      }
    }).observe(this.#place);
  }

  /** Shows an animal among those surveyed, or a sentence if the picture's data is not available. */
  show(survey: Survey | undefined, animal: Animal): void {
    this.#figure.hidden = false;
    if (survey) {
      this.#shown = { survey, animal };
      this.#draw();
    } else {
      this.#shown = undefined;
      this.#place.replaceChildren();
    }
    this.#caption(survey, animal);
  }

  /** Removes the picture. */
  hide(): void {
    this.#shown = undefined;
    this.#figure.hidden = true;
    this.#place.replaceChildren();
  }

  #caption(survey: Survey | undefined, { length }: Animal): void {
    const { plot, number } = this.#words;
    const caption = find<HTMLElement>(this.#figure, "figcaption");
    if (!survey) {
      caption.replaceChildren(element("p", plot.missing, "muted"));
      return;
    }
    const kind = plot.kind(survey.simulated, survey.rows);
    const legend = element("ul", "", "legend");
    legend.append(
      ...plot.legend(kind).map((text, index) => {
        const item = element("li", text);
        item.prepend(element("span", "", `key key-${index + 1}`));
        return item;
      }),
    );
    const band = bandOf(survey.bands, length);
    const text =
      band &&
      plot.neighbours(
        kind,
        ...([band.from, band.to, band.rows, band.low, band.high, band.median].map(number) as [
          string,
          string,
          string,
          string,
          string,
          string,
        ]),
      );
    caption.replaceChildren(
      legend,
      ...(text === undefined ? [] : [element("p", text)]),
      ...(survey.simulated > 0 ? [element("p", plot.simulated(survey.simulated, survey.rows), "simulated")] : []),
    );
  }

  #draw(): void {
    if (!this.#shown) {
      return;
    }
    const { survey, animal } = this.#shown;
    this.#width = this.#place.clientWidth;
    const { plot: words, number } = this.#words;
    const letters = Number.parseFloat(getComputedStyle(this.#place).fontSize);
    const plot = layOut(survey, animal, this.#farmingAge, Math.max(220, this.#width), letters);
    const { field, animal: mark } = plot;
    const atRight = mark.x > (field.left + field.right) / 2;
    const kind = words.kind(survey.simulated, survey.rows);
    const description = words.description(
      kind,
      ...([animal.length, animal.years, animal.low, animal.high].map(number) as [string, string, string, string]),
    );
    this.#place.replaceChildren(
      drawn(
        "svg",
        { viewBox: `0 0 ${plot.width} ${plot.height}`, role: "img", "aria-labelledby": "plot-name plot-description" },
        drawn("title", { id: "plot-name" }, words.title(kind)),
        drawn("desc", { id: "plot-description" }, description),
        drawn("path", { class: "area", d: plot.area }),
        ...plot.ages.map(({ at, value }) =>
          drawn(
            "g",
            { class: "tick" },
            drawn("path", { d: `M${field.left} ${at}H${field.right}` }),
            drawn("text", { x: field.left - 8, y: at + letters / 3, "text-anchor": "end" }, String(value)),
          ),
        ),
        ...plot.lengths.map(({ at, value }) =>
          drawn(
            "text",
            { class: "tick", x: at, y: field.bottom + letters * 1.2, "text-anchor": "middle" },
            String(value),
          ),
        ),
        drawn("path", { class: "dots", d: plot.dots }),
        drawn("path", { class: "median", d: plot.median }),
        drawn("path", { class: "farming", d: `M${field.left} ${plot.farmingAge}H${field.right}` }),
        drawn(
          "text",
          { class: "farming", x: field.right, y: plot.farmingAge - 6, "text-anchor": "end" },
          words.farming,
        ),
        drawn("text", { class: "axis", x: field.right, y: plot.height - 6, "text-anchor": "end" }, words.length),
        drawn("text", { class: "axis", x: field.left + 6, y: field.top + letters + 2 }, words.age),
        drawn("path", {
          class: "interval",
          d: `M${mark.x} ${mark.low}V${mark.high}m-6 0h12M${mark.x - 6} ${mark.low}h12`,
        }),
        drawn("path", { class: "yours", d: `M${mark.x} ${mark.years - 8}l8 8-8 8-8-8z` }),
        drawn(
          "text",
          {
            class: "yours",
            x: mark.x + (atRight ? -14 : 14),
            y: mark.years + letters / 3,
            "text-anchor": atRight ? "end" : "start",
          },
          words.yours,
        ),
      ),
    );
  }
}
