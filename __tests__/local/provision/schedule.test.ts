import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { runInOrder } from "../../../local/provision/schedule";

/** Tasks of which each depends on some before it. */
const graphs = fc.array(fc.array(fc.nat(), { maxLength: 4 }), { maxLength: 30 }).map((lists) =>
  lists.map((list, index) => ({
    address: `task-${index}`,
    dependencies: index === 0 ? [] : [...new Set(list.map((number) => `task-${number % index}`))],
  })),
);

test("every task runs once, after those it depends on, and no more at once than allowed", async () => {
  await fc.assert(
    fc.asyncProperty(graphs, fc.integer({ min: 1, max: 5 }), async (graph, limit) => {
      const finished: string[] = [];
      let running = 0;
      const failures = await runInOrder(
        graph.map((task) => ({
          ...task,
          run: async () => {
            running += 1;
            expect(running).toBeLessThanOrEqual(limit);
            expect(finished).toEqual(expect.arrayContaining([...task.dependencies]));
            await turn();
            finished.push(task.address);
            running -= 1;
          },
        })),
        limit,
      );
      expect([...failures.values()]).toEqual([]);
      expect([...finished].sort()).toEqual(graph.map(({ address }) => address).sort());
    }),
  );
});

test("dependents of a failure are left out, all others are done", async () => {
  const done: string[] = [];
  const task = (address: string, dependencies: string[], works = true) => ({
    address,
    dependencies,
    run: () => {
      done.push(address);
      return works ? Promise.resolve() : Promise.reject(new Error(`${address} broke`));
    },
  });
  const failures = await runInOrder(
    [task("a", [], false), task("b", ["a"]), task("c", ["b"]), task("d", []), task("e", ["d"])],
    2,
  );
  expect([...failures.keys()]).toEqual(["a"]);
  expect(done.sort()).toEqual(["a", "d", "e"]);
});
