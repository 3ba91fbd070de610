import * as fc from "fast-check";
import { listPage, type ListRequest } from "../../src/resources/listing";

interface Job {
  readonly name: string;
  readonly created: Date;
  readonly status: string;
}
const view = (job: Job): Job => job;
const job = (name: string, minute = 0, status = "Completed"): Job => ({
  name,
  created: new Date(Date.UTC(2026, 0, 1, 0, minute)),
  status,
});

function allPages(jobs: readonly Job[], request: ListRequest): string[] {
  const names: string[] = [];
  for (let token: string | undefined; ;) {
    const page = listPage(jobs, { ...request, NextToken: token }, view, "Ascending");
    names.push(...page.items.map(({ name }) => name));
    if (page.nextToken === undefined) {
      return names;
    }
    token = page.nextToken;
  }
}

test("pages of any size, in any order, list everything once", () => {
  const jobs = fc.uniqueArray(
    fc.record({
      name: fc.string({ minLength: 1 }),
      created: fc.constantFrom(0, 1, 2),
      status: fc.constantFrom("A", "B"),
    }),
    { selector: ({ name }) => name },
  );
  const sorting = fc.record({
    SortBy: fc.constantFrom("Name", "CreationTime", "Status"),
    SortOrder: fc.constantFrom("Ascending", "Descending"),
    MaxResults: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(jobs, sorting, (drawn, request) => {
      const all = drawn.map(({ name, created, status }) => job(name, created, status));
      const listed = allPages(all, request);
      expect([...listed].sort()).toEqual(all.map(({ name }) => name).sort());
      expect(listed).toEqual(
        listPage(all, { ...request, MaxResults: all.length + 1 }, view, "Ascending").items.map(({ name }) => name),
      );
    }),
  );
});

test("a resource deleted between two pages is missing, and no other", () => {
  const jobs = ["a", "b", "c", "d"].map((name) => job(name));
  const first = listPage(jobs, { MaxResults: 2, SortBy: "Name" }, view, "Ascending");
  const left = jobs.filter(({ name }) => name !== "b");
  const second = listPage(left, { MaxResults: 2, SortBy: "Name", NextToken: first.nextToken }, view, "Ascending");
  expect(second.items.map(({ name }) => name)).toEqual(["c", "d"]);
  expect(second.nextToken).toBeUndefined();
});

test.each<[string, ListRequest, string[]]>([
  ["by name, whatever its case", { NameContains: "TRAIN" }, ["train-1", "train-2"]],
  ["by status", { StatusEquals: "Failed" }, ["train-2"]],
  ["by time of creation", { CreationTimeAfter: new Date(Date.UTC(2026, 0, 1, 0, 1)) }, ["train-2", "other"]],
  [
    "by both its ends",
    { CreatedAfter: new Date(Date.UTC(2026, 0, 1, 0, 1)), CreatedBefore: new Date(Date.UTC(2026, 0, 1, 0, 1)) },
    ["train-2"],
  ],
])("lists are filtered %s", (_, request, names) => {
  const jobs = [job("train-1", 0), job("train-2", 1, "Failed"), job("other", 2)];
  expect(listPage(jobs, request, view, "Ascending").items.map(({ name }) => name)).toEqual(names);
});

test("ten are listed unless more are asked for", () => {
  const jobs = Array.from({ length: 12 }, (_, index) => job(`job-${index}`, index));
  expect(listPage(jobs, {}, view, "Descending").items.map(({ name }) => name)).toEqual(
    [11, 10, 9, 8, 7, 6, 5, 4, 3, 2].map((index) => `job-${index}`),
  );
});
