/** The start page: the calculator, the animals of this device, and the contact form. */
import { features } from "../../survey/feature-contract";
import { farmingAge } from "../../survey/farming-age";
import { counts } from "../counts";
import { ornament } from "../drawings";
import { type Example, examples } from "../examples";
import { calculatorFields, contactFields } from "../fields";
import { attributes, type Html, html, inline, paragraphs } from "../html";
import type { Page, Site } from "../layout";

/** Fills in an animal; its values have the format of a shared link. */
function exampleButton(values: Example, text: string, id?: string): Html {
  const written = new URLSearchParams(
    Object.entries(values).map(([name, value]): [string, string] => [name, String(value)]),
  );
  return html`<button${attributes({ type: "button", class: "try", id, "data-values": written.toString(), disabled: true })}>${text}</button>`;
}

/** The start page. */
export function indexPage({ messages, scripts, contactRetentionDays }: Site): Page {
  const words = messages.index;
  return {
    file: "index.html",
    title: words.title,
    description: words.description(counts),
    script: scripts.calculator,
    kind: "tool",
    rings: 14,
    main: html`<section class="opening" aria-labelledby="title">
        <div>
          <h1 id="title">${words.heading}</h1>
          <p class="lead">${words.lead}</p>
        </div>
      </section>

      <div class="workbench" id="calculator" tabindex="-1">
        <form
          id="age-form"
          class="sheet"
          action="/api/predict"
          method="post"
          autocomplete="off"
          novalidate
          aria-labelledby="form-title"
        >
          <h2 id="form-title">${words.form}</h2>
          <noscript><p class="notice">${inline(words.noScript)}</p></noscript>
          <p class="notice unready">${words.unready}</p>
          <div class="from-link" role="status" aria-live="polite"></div>
          <div class="summary" tabindex="-1" role="alert" hidden></div>
          <div class="examples">
            <span>${words.examples}</span> ${exampleButton(examples.young, words.young)}
            ${exampleButton(examples.grown, words.example, "example")} ${exampleButton(examples.old, words.old)}
          </div>
          ${calculatorFields(features, messages)}
          <div class="actions"><button type="submit" class="primary" disabled>${words.calculate}</button></div>
          <div class="doubts" role="status" aria-live="polite"></div>
        </form>

        <section
          class="sheet answer"
          aria-labelledby="answer-title"
          data-state="empty"
          data-farming-age="${farmingAge.years}"
        >
          <h2 id="answer-title">${words.answer}</h2>
          <div id="answer" role="status" aria-live="polite" aria-atomic="true"><p class="muted">${words.empty}</p></div>
          ${ornament(1, "placeholder")}
          <svg class="shell" viewBox="0 0 240 190" aria-hidden="true" focusable="false"><g id="shell"></g></svg>
          <figure id="plot" hidden aria-labelledby="plot-title">
            <h3 id="plot-title">${words.plot}</h3>
            <div class="chart"></div>
            <figcaption></figcaption>
          </figure>
          <p class="model"></p>
          <div class="share" hidden>
            <button type="button" class="quiet" id="share">${words.share}</button>
            <p class="shared" role="status" aria-live="polite"></p>
          </div>
        </section>
      </div>

      <section id="history" class="band" aria-labelledby="history-title" hidden>
        <div class="band-head">
          <h2 id="history-title">${words.history}</h2>
          <p class="muted">${words.historyNote}</p>
        </div>
        <ol></ol>
        <div class="actions"><button type="button" class="quiet" id="clear-history">${words.clear}</button></div>
      </section>
      <p id="history-status" class="unseen" role="status" aria-live="polite"></p>

      <section id="contact" class="band contact" aria-labelledby="contact-title">
        <div>
          <h2 id="contact-title">${words.contact}</h2>
          ${paragraphs(words.contactLead)}
          <p class="muted">${inline(words.contactKept(contactRetentionDays))}</p>
        </div>
        <form
          id="contact-form"
          class="sheet"
          action="/api/contact"
          method="post"
          novalidate
          aria-labelledby="contact-title"
        >
          <noscript><p class="notice">${words.contactNoScript}</p></noscript>
          <p class="notice unready">${words.unready}</p>
          <div class="summary" tabindex="-1" role="alert" hidden></div>
          ${contactFields(messages)}
          <div class="actions"><button type="submit" class="primary" disabled>${words.send}</button></div>
          <div id="contact-answer" role="status" aria-live="polite"></div>
        </form>
      </section>`,
  };
}
