/**
 * The animals calculated on this device, in the browser's storage. The storage may be full or forbidden, and anybody
 * may have written to it.
 */
import { isRecord } from "./http";
import { type Field, readValues, writeValues } from "./share";

/** An animal and its answer. */
export interface Entry {
  /** What was sent, by the API's names. */
  readonly values: Readonly<Record<string, string>>;
  readonly years: number;
  readonly low: number;
  readonly high: number;
  /** Whether there were doubts about the measures: the range is then not reliable, and is not shown. */
  readonly doubtful: boolean;
}

/** The answer for an animal. */
export type Told = Pick<Entry, "years" | "low" | "high" | "doubtful">;

/** A part of the browser's `Storage`. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** The key of the list in the storage. */
export const storageKey = "acme-abalone-animals";

/** Maximum number of animals; the oldest are dropped. */
const longest = 20;

/** The list of the animals, the latest first. */
export class AnimalHistory {
  readonly #store: () => Store;
  readonly #fields: readonly Field[];

  /**
   * @param store returns the storage; it may throw, as in browsers that forbid it
   * @param fields of the form; entries that lack a required one are left out
   */
  constructor(store: () => Store, fields: readonly Field[]) {
    this.#store = store;
    this.#fields = fields;
  }

  /** All entries; none if the storage can't be read or has other content. */
  entries(): readonly Entry[] {
    try {
      const content: unknown = JSON.parse(this.#store().getItem(storageKey) ?? "[]");
      return Array.isArray(content) ? content.flatMap((item) => this.#read(item)).slice(0, longest) : [];
    } catch {
      return [];
    }
  }

  /** Puts an animal at the top of the list, and removes an earlier one with the same measures. */
  add(values: Readonly<Record<string, string | number>>, told: Told): void {
    const written = writeValues(values);
    const { years, low, high, doubtful } = told;
    const others = this.entries().filter((entry) => writeValues(entry.values) !== written);
    const [entry] = this.#read({ values: written, years, low, high, doubtful });
    if (!entry) {
      return;
    }
    const list = [entry, ...others].slice(0, longest);
    this.#attempt((store) => {
      store.setItem(storageKey, JSON.stringify(list.map((one) => ({ ...one, values: writeValues(one.values) }))));
    });
  }

  /** Deletes all entries. */
  clear(): void {
    this.#attempt((store) => {
      store.removeItem(storageKey);
    });
  }

  #attempt(action: (store: Store) => void): void {
    try {
      action(this.#store());
    } catch {
      // Without storage there is no list, but the answer is shown.
    }
  }

  #read(item: unknown): Entry[] {
    if (!isRecord(item) || typeof item.values !== "string") {
      return [];
    }
    const { values, refused } = readValues(item.values, this.#fields);
    const complete =
      refused.length === 0 && this.#fields.every(({ name, optional }) => optional === true || name in values);
    const { years, low, high } = item;
    const ages = [years, low, high].every((age) => typeof age === "number" && Number.isFinite(age));
    if (!complete || !ages) {
      return [];
    }
    return [
      { values, years: years as number, low: low as number, high: high as number, doubtful: item.doubtful === true },
    ];
  }
}
