/**
 * The animals that were calculated on this device, in the browser's storage, which may be full, forbidden, or written
 * by anybody.
 */
import { isRecord } from "./http";
import { type Field, readValues, writeValues } from "./share";

/** An animal and what was answered. */
export interface Entry {
  /** What was sent, by the API's names. */
  readonly values: Readonly<Record<string, string>>;
  readonly years: number;
  readonly low: number;
  readonly high: number;
  /** Whether the measures were doubted: the range, which then holds no promise, isn't shown. */
  readonly doubtful: boolean;
}

/** What was answered of an animal. */
export type Told = Pick<Entry, "years" | "low" | "high" | "doubtful">;

/** A part of the browser's `Storage`. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** Under which the list lies. */
export const storageKey = "acme-abalone-animals";

/** Older ones are forgotten. */
const longest = 20;

/** The list of the animals, the latest first. */
export class AnimalHistory {
  readonly #store: () => Store;
  readonly #fields: readonly Field[];

  /**
   * @param store gives the storage; it may throw, as browsers do that forbid it
   * @param fields of the form; entries that lack a required one are left out
   */
  constructor(store: () => Store, fields: readonly Field[]) {
    this.#store = store;
    this.#fields = fields;
  }

  /** All entries; none where the storage can't be read or holds something else. */
  entries(): readonly Entry[] {
    try {
      const content: unknown = JSON.parse(this.#store().getItem(storageKey) ?? "[]");
      return Array.isArray(content) ? content.flatMap((item) => this.#read(item)).slice(0, longest) : [];
    } catch {
      return [];
    }
  }

  /** Puts an animal at the top of the list, where it takes the place of the one with the same measures. */
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

  /** Forgets all of them. */
  clear(): void {
    this.#attempt((store) => {
      store.removeItem(storageKey);
    });
  }

  #attempt(action: (store: Store) => void): void {
    try {
      action(this.#store());
    } catch {
      // A browser that keeps nothing has no list; the answer is shown all the same.
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
