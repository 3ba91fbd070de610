import { AnimalHistory, type Store, storageKey } from "../../web/src/history";
import type { Field } from "../../web/src/share";

const fields: Field[] = [
  { name: "sex", label: "Sex", choices: ["F", "M", "I"] },
  { name: "length", label: "Length", minimum: 10, maximum: 250 },
];

/** A storage as browsers have one. */
function makeStore(content?: string): Store & { readonly held: Map<string, string> } {
  const held = new Map(content === undefined ? [] : [[storageKey, content]]);
  return {
    held,
    getItem: (key) => held.get(key) ?? null,
    setItem: (key, value) => void held.set(key, value),
    removeItem: (key) => void held.delete(key),
  };
}

const age = { years: 10.5, low: 8, high: 14, doubtful: false };
const animal = (length: number): { sex: string; length: number } => ({ sex: "F", length });

test("the latest animal comes first, and one with the same measures only once", () => {
  const store = makeStore();
  const history = new AnimalHistory(() => store, fields);
  for (const length of [60, 91, 120, 91]) {
    history.add(animal(length), age);
  }
  expect(history.entries().map(({ values }) => values.length)).toEqual(["91", "120", "60"]);
  expect(history.entries()[0]).toEqual({ values: { sex: "F", length: "91" }, ...age });
});

test("another page finds the stored animals, and none after the list was cleared", () => {
  const store = makeStore();
  new AnimalHistory(() => store, fields).add(animal(91), age);
  const other = new AnimalHistory(() => store, fields);
  expect(other.entries()).toHaveLength(1);
  other.clear();
  expect(other.entries()).toEqual([]);
  expect(store.held.size).toBe(0);
});

test("a doubt is stored with its animal; an entry without it has none", () => {
  const store = makeStore();
  const history = new AnimalHistory(() => store, fields);
  history.add(animal(91), age);
  history.add(animal(60), { ...age, doubtful: true });
  expect(history.entries().map(({ doubtful }) => doubtful)).toEqual([true, false]);
  const older = makeStore('[{"values":"sex=F&length=91","years":10.5,"low":8,"high":14}]');
  expect(new AnimalHistory(() => older, fields).entries()).toMatchObject([{ ...age, doubtful: false }]);
});

test("twenty are stored, the oldest is dropped", () => {
  const store = makeStore();
  const history = new AnimalHistory(() => store, fields);
  for (let length = 20; length < 60; length += 1) {
    history.add(animal(length), age);
  }
  const lengths = history.entries().map(({ values }) => Number(values.length));
  expect([lengths.length, lengths[0], lengths.at(-1)]).toEqual([20, 59, 40]);
});

test.each([
  "",
  "{",
  "null",
  "7",
  '"text"',
  "{}",
  "[null, 1, [], {}]",
  '[{"values":"sex=F&length=9999","years":1,"low":1,"high":1}]',
  '[{"values":"sex=F","years":1,"low":1,"high":1}]',
  '[{"values":"sex=F&length=91","years":"10","low":1,"high":1}]',
  '[{"values":"sex=F&length=91","years":null,"low":1,"high":1}]',
  '[{"values":{"sex":"F","length":"91"},"years":1,"low":1,"high":1}]',
  '[{"values":"sex=<b>&length=91","years":1,"low":1,"high":1}]',
])("foreign content (%s) is not an animal, and the next one is still stored", (content) => {
  const store = makeStore(content);
  const history = new AnimalHistory(() => store, fields);
  expect(history.entries()).toEqual([]);
  history.add(animal(91), age);
  expect(history.entries()).toHaveLength(1);
});

test("the good ones among broken ones are found", () => {
  const good = { values: "sex=F&length=91", ...age };
  const history = new AnimalHistory(() => makeStore(JSON.stringify([7, good, { ...good, low: "x" }])), fields);
  expect(history.entries()).toHaveLength(1);
});

test("a browser that forbids storage, or has no room, has no list and no fault", () => {
  const forbidden = new AnimalHistory(() => {
    throw new DOMException("denied", "SecurityError");
  }, fields);
  forbidden.add(animal(91), age);
  forbidden.clear();
  expect(forbidden.entries()).toEqual([]);
  const full = new AnimalHistory(
    () => ({
      ...makeStore(),
      setItem() {
        throw new DOMException("full", "QuotaExceededError");
      },
    }),
    fields,
  );
  full.add(animal(91), age);
  expect(full.entries()).toEqual([]);
});
