import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../modules/project-root";

const read = (path: string): string => readFileSync(join(projectRoot, path), "utf8");

/** The page's points, each with the lines below it that begin with `where` and `proof`. */
const points = (/<!-- lens:[^]*?-->([^]*)<!-- end of lens -->/.exec(read("docs/security.md"))?.[1] ?? "")
  .split(/^- (?=\*\*)/m)
  .slice(1)
  .map((text) => {
    const [point = "", ...parts] = text.split(/^ {2}- /m);
    const part = (name: string): string => parts.find((line) => line.startsWith(`${name}:`)) ?? "";
    return [point.replaceAll("*", "").trim(), part("where"), part("proof")] as const;
  });

test("both lists exist", () => {
  expect(points.length).toBeGreaterThan(20);
});

test.each(points)("%s: the file and the test exist", (_, where, proof) => {
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
});
