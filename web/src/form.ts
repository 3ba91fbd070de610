/**
 * What both forms share: checks before sending, faults beside their fields, a summary that takes the focus, one request
 * at a time.
 */
import type { ScriptMessages } from "../messages/en";
import { type Outcome, post, type Refusal } from "./http";
import { parseNumber } from "./number";

type Words = ScriptMessages["form"];

type Control = HTMLInputElement | HTMLTextAreaElement;

/** A value to correct: the control's name and a sentence for people. */
interface Fault {
  readonly field: string;
  readonly reason: string;
}

/** What a form holds, by the API's names. */
export type FormContent = Readonly<Record<string, string | number>>;

/** How a form differs from the others. */
export interface FormBehaviour {
  /** What the button says while the request is under way. */
  readonly busyText: string;
  /** Called before anything is checked: whatever the last request left goes away. */
  onStart(): void;
  /** Called when the request is sent. */
  onSend(): void;
  /** Called when nothing came of it: faults or a failure are shown already. */
  onFailure(): void;
  /** Called when the last of the faults that were shown has been corrected. */
  onCorrected(): void;
  /**
   * Called with the body of a 2xx answer and what was sent.
   * @returns false when the answer is not what the API promises
   */
  onAnswer(body: unknown, sent: FormContent): boolean;
}

/** The first element under `root` that matches; a page without it was built wrongly. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- what a selector finds is known to its caller alone
export function find<Found extends Element>(root: ParentNode, selector: string): Found {
  const found = root.querySelector<Found>(selector);
  if (!found) {
    throw new Error(`The page has no ${selector}`);
  }
  return found;
}

/** An element with text in it: text stays text, whatever it holds. */
export function element(name: string, text = "", className = ""): HTMLElement {
  const created = document.createElement(name);
  created.textContent = text;
  if (className) {
    created.className = className;
  }
  return created;
}

/** The fields of a form, in their order. */
export function controlsOf(form: HTMLFormElement): Control[] {
  return [...form.querySelectorAll<Control>("input, textarea")];
}

/** Whether a control is the one that people neither see nor reach: what stands in it is sent, but never asked for. */
const isTrap = (control: Control): boolean => control.dataset.trap !== undefined;

/**
 * Why a control's value can't be sent, or undefined when it can. The limits come with the control, from the feature
 * contract.
 */
function faultOf(control: Control, form: HTMLFormElement, words: Words): string | undefined {
  if (isTrap(control)) {
    return undefined;
  }
  const { label = "", unit, minimum = "", maximum = "" } = control.dataset;
  if (control.type === "radio") {
    return new FormData(form).has(control.name) ? undefined : words.choose(label);
  }
  const value = control.value.trim();
  if (unit !== undefined) {
    if (value === "") {
      return control.required ? words.enterMeasure(label, unit) : undefined;
    }
    const expected = words.between(minimum, maximum, unit);
    const number = parseNumber(value);
    if (number === undefined) {
      return words.notANumber(label, expected, value);
    }
    return number < Number(minimum) || number > Number(maximum) ? words.outside(label, expected, value) : undefined;
  }
  if (value === "") {
    return words.enter(label);
  }
  const longest = Number(control.dataset.longest ?? Infinity);
  if (value.length > longest) {
    return words.tooLong(label, longest, value.length);
  }
  // Browsers take a name without a dot behind the @, to which no mail from here would come.
  return control.validity.typeMismatch || (control.type === "email" && !/@[^@]+\.[^@.]+$/.test(value))
    ? words.email
    : undefined;
}

function check(form: HTMLFormElement, words: Words): Fault[] {
  const faults = new Map<string, string>();
  for (const control of controlsOf(form)) {
    const reason = faultOf(control, form, words);
    if (reason !== undefined) {
      faults.set(control.name, reason);
    }
  }
  return [...faults].map(([field, reason]) => ({ field, reason }));
}

/** What the API refused, in the words of the form. */
function toFault(form: HTMLFormElement, { field, expected }: Refusal, words: Words): Fault {
  const control = controlsOf(form).find(({ name }) => name === field);
  return { field, reason: words.refused(control?.dataset.label ?? (field || undefined), expected) };
}

/**
 * What a form holds, as it is sent: numbers as numbers, and nothing for an empty field that is not required. One of
 * these is the field that people can't see.
 */
export function contentOf(form: HTMLFormElement): FormContent {
  const content: Record<string, string | number> = {};
  for (const control of controlsOf(form)) {
    if (control instanceof HTMLInputElement && control.type === "radio" && !control.checked) {
      continue;
    }
    const value = control.value.trim();
    if (value === "" && !control.required) {
      continue;
    }
    content[control.name] = control.dataset.unit === undefined ? value : (parseNumber(value) ?? value);
  }
  return content;
}

/**
 * Makes a form send itself to its `action` by script. Without one its buttons do nothing, for what the API answers is
 * nothing to read.
 */
export function attach(form: HTMLFormElement, behaviour: FormBehaviour, text: ScriptMessages): void {
  const words = text.form;
  const summary = find<HTMLElement>(form, ".summary");
  const button = find<HTMLButtonElement>(form, "button[type=submit]");
  const buttonText = button.textContent;
  let busy = false;

  /** The summary's entry of each field whose fault is shown. */
  const entries = new Map<string, HTMLElement>();

  const clearField = (name: string): void => {
    for (const control of controlsOf(form)) {
      if (control.name === name) {
        control.removeAttribute("aria-invalid");
      }
    }
    const place = document.getElementById(`${name}-error`);
    if (place) {
      place.textContent = "";
    }
    entries.get(name)?.remove();
    entries.delete(name);
  };

  const clear = (): void => {
    summary.hidden = true;
    summary.replaceChildren();
    for (const { name } of controlsOf(form)) {
      clearField(name);
    }
  };

  /** Takes back what was said of a field that is right now, as soon as it is. */
  const correct = (control: Control): void => {
    if (!entries.has(control.name) || faultOf(control, form, words) !== undefined) {
      return;
    }
    clearField(control.name);
    const left = summary.querySelectorAll("li").length;
    find(summary, "h3").textContent = words.faults(left);
    if (left > 0) {
      return;
    }
    clear();
    behaviour.onCorrected();
  };

  const showSummary = (title: string, ...content: Node[]): void => {
    summary.replaceChildren(element("h3", title), ...content);
    summary.hidden = false;
    summary.focus();
  };

  const showFaults = (faults: readonly Fault[]): void => {
    const list = element("ul");
    for (const { field, reason } of faults) {
      const entry = element("li");
      const control = controlsOf(form).find(({ name }) => name === field);
      const place = document.getElementById(`${field}-error`);
      if (control && place) {
        place.textContent = reason;
        if (control.type !== "radio") {
          control.setAttribute("aria-invalid", "true");
        }
        const link = element("a", reason) as HTMLAnchorElement;
        link.href = `#${control.id}`;
        link.addEventListener("click", (event) => {
          event.preventDefault();
          control.focus();
        });
        entry.append(link);
        entries.set(field, entry);
      } else {
        entry.textContent = reason;
      }
      list.append(entry);
    }
    showSummary(words.faults(faults.length), list);
    behaviour.onFailure();
  };

  const showFailure = (reason: string): void => {
    showSummary(words.failed, element("p", reason));
    behaviour.onFailure();
  };

  const settle = (outcome: Outcome, sent: FormContent): void => {
    if (outcome.kind === "refused") {
      showFaults(outcome.refusals.map((refusal) => toFault(form, refusal, words)));
    } else if (outcome.kind === "failed") {
      showFailure(outcome.reason);
    } else if (!behaviour.onAnswer(outcome.body, sent)) {
      showFailure(words.unreadable);
    }
  };

  const submit = async (): Promise<void> => {
    if (busy) {
      return;
    }
    clear();
    behaviour.onStart();
    const faults = check(form, words);
    if (faults.length > 0) {
      showFaults(faults);
      return;
    }
    busy = true;
    // Not `disabled`: a disabled button loses the focus, and a keyboard its place.
    button.setAttribute("aria-disabled", "true");
    button.textContent = behaviour.busyText;
    behaviour.onSend();
    const content = contentOf(form);
    const outcome = await post(form.getAttribute("action") ?? "", content, text.failure);
    busy = false;
    button.removeAttribute("aria-disabled");
    button.textContent = buttonText;
    settle(outcome, content);
  };

  form.addEventListener("input", ({ target }) => {
    const control = controlsOf(form).find((candidate) => candidate === target);
    if (control) {
      correct(control);
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  find(form, ".unready").remove();
  for (const one of form.querySelectorAll("button")) {
    one.disabled = false;
  }
}
