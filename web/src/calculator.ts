/** The start page's behaviour: the age form and the contact form, both sent to the API of the same site. */
import type { ScriptMessages } from "../messages/en";
import { AnimalList, fieldsOf, fillIn } from "./animals";
import { type AgeAnswer, AnswerPanel, readAnswer } from "./answer";
import { Chart } from "./chart";
import { watchDoubts } from "./doubts";
import { facts, lengthsOf } from "./facts";
import { attach, element, find, type FormContent } from "./form";
import { isRecord } from "./http";
import { holdsValues, readValues, writeValues } from "./share";

/** The link to an answer. Its measures follow the `#`, a part that browsers don't send to servers. */
function linkTo(content: FormContent): string {
  return `${location.origin}${location.pathname}#${writeValues(content)}`;
}

/** Shares by the system's dialogue on touch devices that have one, and by the clipboard elsewhere. */
function attachShare(place: HTMLElement, words: ScriptMessages): { show(content: FormContent): void; hide(): void } {
  const said = find<HTMLElement>(place, ".shared");
  const button = find<HTMLButtonElement>(place, "#share");
  const byDialogue = matchMedia("(pointer: coarse)").matches && "share" in navigator;
  if (byDialogue) {
    button.textContent = words.answer.share;
  }
  let link = "";

  const copy = (): void => {
    const showLink = (): void => {
      const anchor = element("a", link) as HTMLAnchorElement;
      anchor.href = link;
      said.replaceChildren(`${words.answer.notShared} `, anchor);
    };
    // Without a usable clipboard, show the link for copying by hand.
    if ("clipboard" in navigator) {
      navigator.clipboard.writeText(link).then(() => (said.textContent = words.answer.shared), showLink);
    } else {
      showLink();
    }
  };

  button.addEventListener("click", () => {
    if (!byDialogue) {
      copy();
      return;
    }
    navigator.share({ title: document.title, url: link }).catch((error: unknown) => {
      // The visitor closed the dialogue.
      if (!(error instanceof DOMException && error.name === "AbortError")) {
        copy();
      }
    });
  });
  return {
    show(content) {
      link = linkTo(content);
      said.replaceChildren();
      place.hidden = false;
    },
    hide() {
      place.hidden = true;
    },
  };
}

/**
 * Fills in a link's measures, and calculates the age if they are complete; otherwise it names what is missing or wrong.
 */
function attachLinks(form: HTMLFormElement, words: ScriptMessages): void {
  const said = find<HTMLElement>(form, ".from-link");
  const fields = fieldsOf(form);
  const read = (): void => {
    if (!holdsValues(location.hash)) {
      return;
    }
    const { values, refused } = readValues(location.hash, fields);
    if (Object.keys(values).length + refused.length === 0) {
      return;
    }
    fillIn(form, values);
    const open = fields
      .filter(({ name, optional }) => optional !== true && !(name in values))
      .map(({ label }) => label);
    const report = refused.length > 0 ? words.link.refused : words.link.incomplete;
    said.replaceChildren(element("p", open.length > 0 ? report(open.join(", ")) : words.link.read, "notice"));
    if (open.length === 0) {
      form.requestSubmit();
    }
  };
  form.addEventListener("input", ({ isTrusted }) => {
    if (isTrusted) {
      said.replaceChildren();
    }
  });
  window.addEventListener("hashchange", read);
  read();
}

function attachAge(words: ScriptMessages): void {
  const form = find<HTMLFormElement>(document, "#age-form");
  const section = find<HTMLElement>(document, ".answer");
  const panel = new AnswerPanel(section, words);
  const chart = new Chart(find<HTMLElement>(section, "#plot"), panel.farmingAge, words);
  const share = attachShare(find<HTMLElement>(section, ".share"), words);
  const doubtful = watchDoubts(form, find<HTMLElement>(form, ".doubts"), words);
  const animals = new AnimalList(find<HTMLElement>(document, "#history"), form, words, (values) => {
    fillIn(form, values);
    form.requestSubmit();
  });
  /** Number of the current answer: a late picture must not be shown with a newer answer. */
  let turn = 0;

  const empty = (text: string): void => {
    turn += 1;
    panel.empty(text);
    chart.hide();
    share.hide();
  };

  const complete = async (answer: AgeAnswer, sent: FormContent, doubted: boolean): Promise<void> => {
    turn += 1;
    const mine = turn;
    const { age, model } = answer;
    const length = Number(sent.length);
    const found = await facts();
    const [shortest, longest] = found ? lengthsOf(found.survey) : [length, length];
    const beyond = !doubted && (length < shortest || length > longest);
    if (beyond) {
      animals.add(sent, { ...age, doubtful: true });
    }
    if (mine !== turn) {
      return;
    }
    if (beyond) {
      const outdated = section.dataset.state === "outdated";
      panel.show(answer, words.answer.beyond(words.number(shortest), words.number(longest)));
      if (outdated) {
        panel.outdated();
      }
    }
    // For measures that hardly any animal has, the range is not reliable, so it isn't drawn.
    if (!doubted && !beyond) {
      chart.show(found?.survey, { length, years: age.years, low: age.low, high: age.high });
    }
    // During a release, the answer may come from another model than the one in model.json.
    if (found && (found.model.name === model || model.includes(found.model.run))) {
      panel.named(model, found.model.name, found.model.trainedAt);
    }
  };

  attach(
    form,
    {
      busyText: words.answer.calculating,
      onStart() {
        empty("");
      },
      onSend() {
        panel.calculating();
      },
      onFailure() {
        empty(words.answer.failed);
      },
      onCorrected() {
        empty(words.answer.corrected);
      },
      onAnswer(body, sent) {
        const answer = readAnswer(body);
        if (!answer) {
          return false;
        }
        const doubted = doubtful();
        panel.show(answer, doubted ? words.answer.doubtful : undefined);
        animals.add(sent, { ...answer.age, doubtful: doubted });
        share.show(sent);
        panel.reveal();
        void complete(answer, sent, doubted);
        return true;
      },
    },
    words,
  );
  form.addEventListener("input", () => {
    panel.outdated();
  });
  // Load the picture's data while the measures are typed.
  form.addEventListener("focusin", () => void facts(), { once: true });

  const fields = fieldsOf(form);
  for (const button of form.querySelectorAll<HTMLButtonElement>("[data-values]")) {
    button.addEventListener("click", () => {
      fillIn(form, readValues(button.dataset.values ?? "", fields).values);
    });
  }
  attachLinks(form, words);
}

function attachContact(words: ScriptMessages): void {
  const form = find<HTMLFormElement>(document, "#contact-form");
  const answer = find<HTMLElement>(form, "#contact-answer");
  const clear = (): void => {
    answer.replaceChildren();
  };
  attach(
    form,
    {
      busyText: words.contact.sending,
      onStart: clear,
      onSend() {
        answer.replaceChildren(element("p", words.contact.sending, "muted"));
      },
      onFailure: clear,
      onCorrected: clear,
      onAnswer(body) {
        if (!isRecord(body) || typeof body.id !== "string") {
          return false;
        }
        form.reset();
        answer.replaceChildren(element("p", words.contact.sent(body.id), "notice good"));
        return true;
      },
    },
    words,
  );
}

/** Starts the page's script. */
export function start(words: ScriptMessages): void {
  attachAge(words);
  attachContact(words);
}
