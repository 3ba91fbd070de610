/**
 * What both forms share: checks before sending, faults beside their fields, a summary that gets the focus, one request
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

/** A form's values by the API's names. */
export type FormContent = Readonly<Record<string, string | number>>;

/** How a form differs from the others. */
export interface FormBehaviour {
  /** The button's text while the request runs. */
  readonly busyText: string;
  /** Called before the check, to remove what the last request showed. */
  onStart(): void;
  /** Called when the request is sent. */
  onSend(): void;
  /** Called after a failure; the faults or the failure are already shown. */
  onFailure(): void;
  /** Called when the last of the shown faults is corrected. */
  onCorrected(): void;
  /**
   * Called with the body of a 2xx answer and what was sent.
   * @returns false when the answer is not what the API promises
   */
  onAnswer(body: unknown, sent: FormContent): boolean;
}

/** The first element under `root` that matches. @throws Error when there is none, which is a fault of the build */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- what a selector finds is known to its caller alone
export function find<Found extends Element>(root: ParentNode, selector: string): Found {
  const found = root.querySelector<Found>(selector);
  if (!found) {
    throw new Error(`The page has no ${selector}`);
  }
  return found;
}

/** An element with text in it, which is never read as markup. */
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

/** Whether a control is the one that people can neither see nor reach: its value is sent, but never required. */
const isTrap = (control: Control): boolean => control.dataset.trap !== undefined;

/**
 * Why a control's value can't be sent, or undefined when it can. The control carries its limits, from the feature
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
  // Browsers accept a name without a dot after the @, which no mail from here would reach.
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

/** What the API refused, with the form's names for the fields. */
function toFault(form: HTMLFormElement, { field, expected }: Refusal, words: Words): Fault {
  const control = controlsOf(form).find(({ name }) => name === field);
  return { field, reason: words.refused(control?.dataset.label ?? (field || undefined), expected) };
}

/**
 * A form's values as they are sent: numbers as numbers, and nothing for an empty optional field. The field that people
 * can't see is one of these.
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

/** A form that a script sends: it shows faults, and sends one request at a time. */
class ScriptedForm {
  readonly #form: HTMLFormElement;
  readonly #behaviour: FormBehaviour;
  readonly #text: ScriptMessages;
  readonly #words: Words;
  readonly #summary: HTMLElement;
  readonly #button: HTMLButtonElement;
  readonly #buttonText: string;
  /** The entry in the summary for each field with a fault. */
  readonly #entries = new Map<string, HTMLElement>();
  #busy = false;

  constructor(form: HTMLFormElement, behaviour: FormBehaviour, text: ScriptMessages) {
    this.#form = form;
    this.#behaviour = behaviour;
    this.#text = text;
    this.#words = text.form;
    this.#summary = find<HTMLElement>(form, ".summary");
    this.#button = find<HTMLButtonElement>(form, "button[type=submit]");
    this.#buttonText = this.#button.textContent;
  }

  /** Removes a field's fault as soon as the field is correct. */
  correct(target: EventTarget | null): void {
    const control = controlsOf(this.#form).find((candidate) => candidate === target);
    if (!control || !this.#entries.has(control.name) || faultOf(control, this.#form, this.#words) !== undefined) {
      return;
    }
    this.#clearField(control.name);
    const left = this.#summary.querySelectorAll("li").length;
    find(this.#summary, "h3").textContent = this.#words.faults(left);
    if (left > 0) {
      return;
    }
    this.#clear();
    this.#behaviour.onCorrected();
  }

  /** Checks the form, sends it, and shows the outcome. */
  async submit(): Promise<void> {
    if (this.#busy) {
      return;
    }
    this.#clear();
    this.#behaviour.onStart();
    const faults = check(this.#form, this.#words);
    if (faults.length > 0) {
      this.#showFaults(faults);
      return;
    }
    this.#busy = true;
    // Not `disabled`: a disabled button loses the focus, and keyboard users lose their place.
    this.#button.setAttribute("aria-disabled", "true");
    this.#button.textContent = this.#behaviour.busyText;
    this.#behaviour.onSend();
    const content = contentOf(this.#form);
    const outcome = await post(this.#form.getAttribute("action") ?? "", content, this.#text.failure);
    this.#busy = false;
    this.#button.removeAttribute("aria-disabled");
    this.#button.textContent = this.#buttonText;
    this.#settle(outcome, content);
  }

  #clearField(name: string): void {
    for (const control of controlsOf(this.#form)) {
      if (control.name === name) {
        control.removeAttribute("aria-invalid");
      }
    }
    const place = document.getElementById(`${name}-error`);
    if (place) {
      place.textContent = "";
    }
    this.#entries.get(name)?.remove();
    this.#entries.delete(name);
  }

  #clear(): void {
    this.#summary.hidden = true;
    this.#summary.replaceChildren();
    for (const { name } of controlsOf(this.#form)) {
      this.#clearField(name);
    }
  }

  #showSummary(title: string, ...content: Node[]): void {
    this.#summary.replaceChildren(element("h3", title), ...content);
    this.#summary.hidden = false;
    this.#summary.focus();
  }

  #showFaults(faults: readonly Fault[]): void {
    const list = element("ul");
    list.append(...faults.map((fault) => this.#entryOf(fault)));
    this.#showSummary(this.#words.faults(faults.length), list);
    this.#behaviour.onFailure();
  }

  /** Shows a fault beside its field, and returns its entry in the summary, which links to the field. */
  #entryOf({ field, reason }: Fault): HTMLElement {
    const entry = element("li");
    const control = controlsOf(this.#form).find(({ name }) => name === field);
    const place = document.getElementById(`${field}-error`);
    if (!control || !place) {
      entry.textContent = reason;
      return entry;
    }
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
    this.#entries.set(field, entry);
    return entry;
  }

  #showFailure(reason: string): void {
    this.#showSummary(this.#words.failed, element("p", reason));
    this.#behaviour.onFailure();
  }

  #settle(outcome: Outcome, sent: FormContent): void {
    if (outcome.kind === "refused") {
      this.#showFaults(outcome.refusals.map((refusal) => toFault(this.#form, refusal, this.#words)));
    } else if (outcome.kind === "failed") {
      this.#showFailure(outcome.reason);
    } else if (!this.#behaviour.onAnswer(outcome.body, sent)) {
      this.#showFailure(this.#words.unreadable);
    }
  }
}

/**
 * Makes a form send itself to its `action` by script. Without the script its buttons do nothing, because the API's
 * answer is not for people to read.
 */
export function attach(form: HTMLFormElement, behaviour: FormBehaviour, text: ScriptMessages): void {
  const scripted = new ScriptedForm(form, behaviour, text);
  form.addEventListener("input", ({ target }) => {
    scripted.correct(target);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void scripted.submit();
  });
  find(form, ".unready").remove();
  for (const one of form.querySelectorAll("button")) {
    one.disabled = false;
  }
}
