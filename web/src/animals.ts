/** Animals in the age form: which fields it has, filling them in, and the list of those calculated on this device. */
import type { ScriptMessages } from "../messages/en";
import { controlsOf, element, find } from "./form";
import { AnimalHistory, type Entry, type Store, type Told } from "./history";
import type { Field } from "./share";

/** The fields of the form, from the limits that it carries. */
export function fieldsOf(form: HTMLFormElement): Field[] {
  const fields = new Map<string, Field>();
  for (const control of controlsOf(form)) {
    const { name } = control;
    const { label = "", minimum, maximum } = control.dataset;
    if (control.type === "radio") {
      const before = fields.get(name);
      const choices = before && "choices" in before ? before.choices : [];
      fields.set(name, { name, label, choices: [...choices, control.value] });
    } else {
      fields.set(name, {
        name,
        label,
        optional: !control.required,
        minimum: Number(minimum),
        maximum: Number(maximum),
      });
    }
  }
  return [...fields.values()];
}

/**
 * Fills values in as if they had been typed, so that messages about earlier values disappear. A field without a value
 * is emptied.
 */
export function fillIn(form: HTMLFormElement, values: Readonly<Record<string, string>>): void {
  for (const control of controlsOf(form)) {
    const value = values[control.name];
    if (control instanceof HTMLInputElement && control.type === "radio") {
      control.checked = control.value === value;
    } else {
      control.value = value ?? "";
    }
  }
  for (const control of controlsOf(form)) {
    control.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/** The name of a choice for people, from its label. */
function choiceOf(form: HTMLFormElement, name: string, value: string): string {
  const radio = controlsOf(form).find((control) => control.name === name && control.value === value);
  return radio?.closest("label")?.textContent.trim() ?? value;
}

/** The list of the animals below the form. */
export class AnimalList {
  readonly #section: HTMLElement;
  readonly #form: HTMLFormElement;
  readonly #words: ScriptMessages;
  readonly #history: AnimalHistory;
  readonly #restore: (values: Entry["values"]) => void;

  /** @param restore called with the values of the chosen animal */
  constructor(
    section: HTMLElement,
    form: HTMLFormElement,
    words: ScriptMessages,
    restore: (values: Entry["values"]) => void,
  ) {
    this.#section = section;
    this.#form = form;
    this.#words = words;
    this.#restore = restore;
    this.#history = new AnimalHistory((): Store => window.localStorage, fieldsOf(form));
    find<HTMLElement>(section, "#clear-history").addEventListener("click", () => {
      this.#history.clear();
      this.#show();
      find<HTMLElement>(document, "#history-status").textContent = words.history.cleared;
      find<HTMLElement>(document, "#calculator").focus();
    });
    // Another tab has changed the list.
    window.addEventListener("storage", () => {
      this.#show();
    });
    this.#show();
  }

  /** Adds an animal and its answer, which replaces an earlier answer for the same animal. */
  add(values: Readonly<Record<string, string | number>>, told: Told): void {
    this.#history.add(values, told);
    this.#show();
  }

  #show(): void {
    const entries = this.#history.entries();
    this.#section.hidden = entries.length === 0;
    find(this.#section, "ol").replaceChildren(...entries.map((entry) => this.#item(entry)));
  }

  #item(entry: Entry): HTMLElement {
    const { history: words, number, quantity } = this.#words;
    const described = controlsOf(this.#form)
      .filter(({ name }, index, all) => all.findIndex((control) => control.name === name) === index)
      .filter(({ name, type }) => type === "radio" || name === "length" || name === "wholeWeight")
      .map(({ name, type, dataset }) => {
        const value = entry.values[name] ?? "";
        return type === "radio"
          ? choiceOf(this.#form, name, value)
          : quantity(number(Number(value)), dataset.unit ?? "");
      });
    const item = element("li");
    const button = element("button") as HTMLButtonElement;
    button.type = "button";
    const [sex = "", length = "", weight = ""] = described;
    button.append(
      element("span", words.entry(sex, length, weight), "animal"),
      " ",
      element(
        "span",
        entry.doubtful
          ? words.doubtful(number(entry.years))
          : words.age(number(entry.years), number(entry.low), number(entry.high)),
        "age",
      ),
    );
    button.addEventListener("click", () => {
      this.#restore(entry.values);
    });
    item.append(button);
    return item;
  }
}
