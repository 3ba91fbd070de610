/** The page's behaviour: the age form and the contact form, both sent to the API that stands beside the page. */
import { AnswerPanel } from "./answer";
import { watchDoubts } from "./doubts";
import { attach, controlsOf, element, find } from "./form";
import { isRecord } from "./http";

const ageForm = find<HTMLFormElement>(document, "#age-form");
const panel = new AnswerPanel(find<HTMLElement>(document, ".answer"));
const doubtful = watchDoubts(ageForm, find<HTMLElement>(ageForm, ".doubts"));

attach(ageForm, {
  busyText: "Calculating…",
  onStart() {
    panel.empty("");
  },
  onSend() {
    panel.calculating();
  },
  onFailure() {
    panel.empty("No age yet: see what the form says.");
  },
  onCorrected() {
    panel.empty("No age yet: calculate it.");
  },
  onAnswer(body) {
    const shown = panel.show(body, doubtful());
    if (shown) panel.reveal();
    return shown;
  },
});

ageForm.addEventListener("input", () => {
  panel.outdated();
});

find<HTMLButtonElement>(ageForm, "#example").addEventListener("click", () => {
  for (const control of ageForm.querySelectorAll("input")) {
    if (control.type === "radio") control.checked = control.dataset.example !== undefined;
    else control.value = control.dataset.example ?? "";
  }
  // As if it had been typed: what was said of earlier values is taken back.
  for (const control of controlsOf(ageForm)) control.dispatchEvent(new Event("input", { bubbles: true }));
});

const contactForm = find<HTMLFormElement>(document, "#contact-form");
const contactAnswer = find<HTMLElement>(contactForm, "[role=status]");

attach(contactForm, {
  busyText: "Sending…",
  onStart() {
    contactAnswer.replaceChildren();
  },
  onSend() {
    contactAnswer.replaceChildren(element("p", "Sending…", "muted"));
  },
  onFailure() {
    contactAnswer.replaceChildren();
  },
  onCorrected() {
    contactAnswer.replaceChildren();
  },
  onAnswer(body) {
    if (!isRecord(body) || typeof body.id !== "string") return false;
    contactForm.reset();
    contactAnswer.replaceChildren(
      element("p", `Thank you, your message has arrived. Its number is ${body.id}.`, "notice good"),
    );
    return true;
  },
});
