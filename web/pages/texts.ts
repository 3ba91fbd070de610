/** The pages to read: how to measure, about the model, privacy, and the two error pages. */
import { camelCase, features, yearsBeyondRings } from "../../survey/feature-contract";
import { farmingAge } from "../../survey/farming-age";
import { counts } from "../counts";
import { measuringDrawing, sexDrawing } from "../drawings";
import { type Html, html, inline, paragraphs } from "../html";
import type { Page, Site } from "../layout";

function opening(heading: string, lead: string): Html {
  return html`<header class="opening">
    <div>
      <h1>${heading}</h1>
      <p class="lead">${lead}</p>
    </div>
  </header>`;
}

function chapter(id: string, heading: string, content: Html): Html {
  return html`<section class="chapter" aria-labelledby="${id}">
    <h2 id="${id}">${heading}</h2>
    <div class="prose">${content}</div>
  </section> `;
}

/** What to measure in one unit, as the contract describes it. */
function measuresIn(unit: "mm" | "g"): Html {
  const found = features.filter((feature) => feature.type === "number" && feature.unit === unit);
  return html`<dl class="measures">
    ${found.map(
      ({ label, description }) =>
        html`<div>
          <dt>${label}</dt>
          <dd>${description}.</dd>
        </div>`,
    )}
  </dl>`;
}

/** How to measure. */
export function measuringPage({ messages }: Site): Page {
  const words = messages.measuring;
  const sexes = features.find(({ name }) => name === "sex");
  const categories = sexes?.type === "category" ? Object.entries(sexes.categories) : [];
  const choices: Readonly<Record<string, string>> = words.sex.choices;
  const before = chapter("before", words.before.heading, paragraphs(words.before.lines(counts)));
  return {
    file: "how-to-measure.html",
    title: words.title,
    description: words.description(counts),
    kind: "text",
    rings: 9,
    main: html`<article>
      ${opening(words.heading, words.lead(counts))} ${before}
      ${chapter(
        camelCase("sex"),
        words.sex.heading,
        html`${paragraphs(words.sex.lines)}
          <ul class="sexes">
            ${categories.map(
              ([value, label]) =>
                html`<li>
                  ${sexDrawing(value)}
                  <h3>${label}</h3>
                  <p>${choices[value]}</p>
                </li>`,
            )}
          </ul>
          ${paragraphs(words.sex.after)}`,
      )}
      ${chapter(
        "lengths",
        words.lengths.heading(counts),
        html`${paragraphs(words.lengths.lines)}
          <figure>${measuringDrawing(messages, "drawing-title")}</figure>
          ${measuresIn("mm")}`,
      )}
      ${chapter(
        "weights",
        words.weights.heading(counts),
        html`${paragraphs(words.weights.lines)} ${measuresIn("g")} ${paragraphs(words.weights.after)}`,
      )}
      ${chapter("numbers", words.numbers.heading, paragraphs(words.numbers.lines))}
      <p class="onward"><a class="primary" href="/#calculator">${words.action}</a></p>
    </article>`,
  };
}

/** What the model is, how good, and where it is worse. */
export function modelPage({ messages, scripts }: Site): Page {
  const words = messages.model;
  const { years, source, address } = farmingAge;
  const sexes = features.find(({ name }) => name === "sex");
  const categories = new URLSearchParams(sexes?.type === "category" ? sexes.categories : {}).toString();
  return {
    file: "about-the-model.html",
    title: words.title,
    description: words.description,
    script: scripts.figures,
    kind: "text",
    rings: 11,
    main: html`<article>
      ${opening(words.heading, words.lead)}
      ${chapter("how", words.how.heading, paragraphs(words.how.lines(counts, yearsBeyondRings)))}
      ${chapter(
        "quality",
        words.quality.heading,
        html`${paragraphs(words.quality.lines)}
          <noscript><p class="notice">${inline(words.quality.noScript)}</p></noscript>
          <div
            id="figures"
            role="status"
            aria-live="polite"
            data-sexes="${categories}"
            data-loading="${words.quality.loading}"
          ></div>`,
      )}
      ${chapter("limits", words.limits.heading, paragraphs(words.limits.lines))}
      ${chapter("farming", words.farming.heading, paragraphs(words.farming.lines(years, source, address)))}
      ${chapter("licence", words.licence.heading, paragraphs(words.licence.lines))}
    </article>`,
  };
}

/** What is stored about visitors, and for how long. */
export function privacyPage({ messages, contactRetentionDays, recordRetentionDays, contactMailed }: Site): Page {
  const words = messages.privacy;
  return {
    file: "privacy.html",
    title: words.title,
    description: words.description,
    kind: "text",
    rings: 5,
    main: html`<article>
      ${opening(words.heading, words.lead)}
      ${words.parts(contactRetentionDays, recordRetentionDays, contactMailed).map(({ heading, lines }, index) => chapter(`part-${index + 1}`, heading, paragraphs(lines)))}
    </article>`,
  };
}

function lost(file: string, words: Site["messages"]["notFound"]): Page {
  return {
    file,
    title: words.title,
    kind: "lost",
    rings: 3,
    main: html`<h1>${words.heading}</h1>
      ${paragraphs(words.lines)}
      <p class="onward"><a class="primary" href="/">${words.action}</a></p>`,
  };
}

/** The page for an address that does not exist. */
export const notFoundPage = ({ messages }: Site): Page => lost("404.html", messages.notFound);

/** The page for a refused request. */
export const forbiddenPage = ({ messages }: Site): Page => lost("403.html", messages.forbidden);
