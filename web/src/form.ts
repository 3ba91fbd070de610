/** What both forms share: checks before sending, faults beside their fields, a summary that takes the focus, one request at a time. */
import { type Outcome, post, type Refusal } from "./http";

type Control = HTMLInputElement | HTMLTextAreaElement;

/** A value to correct: the control's name and a sentence for people. */
interface Fault {
  readonly field: string;
  readonly reason: string;
}

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
   * Called with the body of a 2xx answer.
   * @returns false when the answer is not what the API promises
   */
  onAnswer(body: unknown): boolean;
}

/** The first element under `root` that matches; a page without it was built wrongly. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- what a selector finds is known to its caller alone
export function find<Found extends Element>(root: ParentNode, selector: string): Found {
  const found = root.querySelector<Found>(selector);
  if (!found) throw new Error(`The page has no ${selector}`);
  return found;
}

/** An element with text in it: text stays text, whatever it holds. */
export function element(name: string, text = "", className = ""): HTMLElement {
  const created = document.createElement(name);
  created.textContent = text;
  if (className) created.className = className;
  return created;
}

/** The fields of a form, in their order. */
export function controlsOf(form: HTMLFormElement): Control[] {
  return [...form.querySelectorAll<Control>("input, textarea")];
}

/** A number as people write it, with a point or a comma; undefined when it is none. */
export function parseNumber(text: string): number | undefined {
  return /^\+?(\d+([.,]\d*)?|[.,]\d+)$/.test(text) ? Number(text.replace(",", ".")) : undefined;
}

/** Why a control's value can't be sent, or undefined when it can. The limits come with the control, from the feature contract. */
function faultOf(control: Control, form: HTMLFormElement): string | undefined {
  const { label = "", unit, minimum, maximum } = control.dataset;
  if (control.type === "radio") {
    return new FormData(form).has(control.name) ? undefined : `Choose the ${label.toLowerCase()}`;
  }
  const value = control.value.trim();
  if (unit !== undefined) {
    const expected = `between ${minimum ?? ""} and ${maximum ?? ""} ${unit}`;
    if (value === "") return `Enter the ${label.toLowerCase()} in ${unit}`;
    const number = parseNumber(value);
    if (number === undefined) return `${label} must be a number ${expected}: “${value}” is not`;
    return number < Number(minimum) || number > Number(maximum)
      ? `${label} must be ${expected}: ${value} is not`
      : undefined;
  }
  if (value === "") return `Enter your ${label.toLowerCase()}`;
  // Browsers take a name without a dot behind the @, to which no mail from here would come.
  return control.validity.typeMismatch || (control.type === "email" && !/@[^@]+\.[^@.]+$/.test(value))
    ? "Enter an address like name@example.com"
    : undefined;
}

function check(form: HTMLFormElement): Fault[] {
  const faults = new Map<string, string>();
  for (const control of controlsOf(form)) {
    const reason = faultOf(control, form);
    if (reason !== undefined) faults.set(control.name, reason);
  }
  return [...faults].map(([field, reason]) => ({ field, reason }));
}

/** What the API refused, in the words of the form. */
function toFault(form: HTMLFormElement, { field, expected }: Refusal): Fault {
  const control = controlsOf(form).find(({ name }) => name === field);
  return { field, reason: `${control?.dataset.label ?? (field || "The request")} must be ${expected}` };
}

function contentOf(form: HTMLFormElement): Record<string, string | number> {
  const content: Record<string, string | number> = {};
  for (const control of controlsOf(form)) {
    if (control instanceof HTMLInputElement && control.type === "radio" && !control.checked) continue;
    const value = control.value.trim();
    content[control.name] = control.dataset.unit === undefined ? value : (parseNumber(value) ?? value);
  }
  return content;
}

/** Makes a form send itself to its `action` by script. */
export function attach(form: HTMLFormElement, behaviour: FormBehaviour): void {
  const summary = find<HTMLElement>(form, ".summary");
  const button = find<HTMLButtonElement>(form, "button[type=submit]");
  const buttonText = button.textContent;
  let busy = false;

  /** The summary's entry of each field whose fault is shown. */
  const entries = new Map<string, HTMLElement>();

  const clearField = (name: string): void => {
    for (const control of controlsOf(form)) if (control.name === name) control.removeAttribute("aria-invalid");
    const place = document.getElementById(`${name}-error`);
    if (place) place.textContent = "";
    entries.get(name)?.remove();
    entries.delete(name);
  };

  const clear = (): void => {
    summary.hidden = true;
    summary.replaceChildren();
    for (const { name } of controlsOf(form)) clearField(name);
  };

  const countFaults = (count: number): string => (count === 1 ? "One thing to correct" : `${count} things to correct`);

  /** Takes back what was said of a field that is right now, as soon as it is. */
  const correct = (control: Control): void => {
    if (!entries.has(control.name) || faultOf(control, form) !== undefined) return;
    clearField(control.name);
    const left = summary.querySelectorAll("li").length;
    find(summary, "h3").textContent = countFaults(left);
    if (left > 0) return;
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
        if (control.type !== "radio") control.setAttribute("aria-invalid", "true");
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
    showSummary(countFaults(faults.length), list);
    behaviour.onFailure();
  };

  const showFailure = (reason: string): void => {
    showSummary("That didn’t work", element("p", reason));
    behaviour.onFailure();
  };

  const settle = (outcome: Outcome): void => {
    if (outcome.kind === "refused") showFaults(outcome.refusals.map((refusal) => toFault(form, refusal)));
    else if (outcome.kind === "failed") showFailure(outcome.reason);
    else if (!behaviour.onAnswer(outcome.body)) {
      showFailure("The answer of the server can’t be read. Nothing you entered is lost: please try again later.");
    }
  };

  const submit = async (): Promise<void> => {
    if (busy) return;
    clear();
    behaviour.onStart();
    const faults = check(form);
    if (faults.length > 0) {
      showFaults(faults);
      return;
    }
    busy = true;
    // Not `disabled`: a disabled button loses the focus, and a keyboard its place.
    button.setAttribute("aria-disabled", "true");
    button.textContent = behaviour.busyText;
    behaviour.onSend();
    const outcome = await post(form.getAttribute("action") ?? "", contentOf(form));
    busy = false;
    button.removeAttribute("aria-disabled");
    button.textContent = buttonText;
    settle(outcome);
  };

  form.addEventListener("input", ({ target }) => {
    const control = controlsOf(form).find((candidate) => candidate === target);
    if (control) correct(control);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
}
