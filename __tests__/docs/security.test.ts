import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../modules/project-root";

const read = (path: string): string => readFileSync(join(projectRoot, path), "utf8");

/** The rows of the page's tables: point, how, where, proof. */
const rows = (/<!-- lens:[^]*?-->([^]*)<!-- end of lens -->/.exec(read("docs/security.md"))?.[1] ?? "")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| (point|-)/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()));

test("both lists are there", () => {
  expect(rows.length).toBeGreaterThan(20);
});

test.each(rows.map(([, point = "", , where = "", proof = ""]) => [point, where, proof] as const))(
  "%s: the file and the test are there",
  (_, where, proof) => {
    const files = [...where.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, file]) => file!);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect([file, existsSync(join(projectRoot, file))]).toEqual([file, true]);
    }
    const tests = [...proof.matchAll(/`([^`:]+): ([^`]+)`/g)];
    expect(tests.length).toBeGreaterThan(0);
    for (const [, file = "", title = ""] of tests) {
      expect([file, title, read(file).includes(JSON.stringify(title))]).toEqual([file, title, true]);
    }
  },
);
