import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../modules/project-root";

const read = (path: string): string => readFileSync(join(projectRoot, path), "utf8");

/** Teams by path, without slashes around it; `*` is whoever owns the rest. */
function codeOwners(): ReadonlyMap<string, readonly string[]> {
  const lines = read("CODEOWNERS")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const [path = "", ...teams] = line.split(/\s+/);
      return [path.replace(/^\/|\/$/g, ""), teams.map((team) => team.replace("@acme/", ""))];
    }),
  );
}

/** The same from the table of the page. */
function pageOwners(): ReadonlyMap<string, readonly string[]> {
  const [, table = ""] = /<!-- owners:[^]*?-->([^]*)<!-- end of owners -->/.exec(read("docs/life-cycle.md")) ?? [];
  const owners = new Map<string, string[]>();
  for (const row of table.split("\n").filter((line) => line.startsWith("| ") && line.includes("`"))) {
    const [, team = "", paths = ""] = row.split("|").map((cell) => cell.trim());
    for (const [, path] of paths.matchAll(/`([^`]+)`/g)) {
      owners.set(path!, [...(owners.get(path!) ?? []), team]);
    }
  }
  return owners;
}

/** `docs/generate.ts` writes the owners of handlers to CODEOWNERS and to another page, from their declarations. */
const byHand = (path: string): boolean => path !== "*" && !path.startsWith("handlers/");

test("CODEOWNERS and the page on the life cycle name the same teams for the same paths", () => {
  const sorted = (owners: ReadonlyMap<string, readonly string[]>): unknown =>
    [...owners]
      .filter(([path]) => byHand(path))
      .map(([path, teams]) => [path, [...teams].sort()])
      .sort();
  expect(sorted(pageOwners())).toEqual(sorted(codeOwners()));
  expect(pageOwners().size).toBeGreaterThan(15);
});

test("every path with an owner exists", () => {
  for (const path of codeOwners().keys()) {
    if (path !== "*") {
      expect([path, existsSync(join(projectRoot, path))]).toEqual([path, true]);
    }
  }
});
