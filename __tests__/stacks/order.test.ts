import fc from "fast-check";
import { CircularDependency, dependenciesFirst } from "../../stacks/order";

/** Numbers as names, each with some smaller ones on which it depends. */
const graphs = fc
  .array(fc.array(fc.nat(), { maxLength: 4 }), { maxLength: 30 })
  .map((lists) => lists.map((list, index) => (index === 0 ? [] : list.map((number) => String(number % index)))));

test("each name occurs once, after its dependencies", () => {
  fc.assert(
    fc.property(graphs, fc.nat(), (graph, turn) => {
      const names = graph.map((_, index) => String((index + turn) % graph.length));
      const order = dependenciesFirst(names, (name) => graph[Number(name)]!);
      expect([...order].sort()).toEqual([...names].sort());
      for (const [index, dependencies] of graph.entries()) {
        for (const dependency of dependencies) {
          expect(order.indexOf(dependency)).toBeLessThan(order.indexOf(String(index)));
        }
      }
    }),
  );
});

test("names that don't depend on one another keep their order", () => {
  expect(dependenciesFirst(["c", "a", "b"], (name) => (name === "c" ? ["b"] : []))).toEqual(["b", "c", "a"]);
});

test("a cycle is shown", () => {
  const next: Readonly<Record<string, string[]>> = { a: ["b"], b: ["c"], c: ["b"] };
  expect(() => dependenciesFirst<string>(["a"], (name) => next[name]!)).toThrow(
    "they depend on one another: b → c → b",
  );
  expect(() => dependenciesFirst(["a"], (name) => [name])).toThrow(CircularDependency);
});
