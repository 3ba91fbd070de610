import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../modules/project-root";

const documents = ["README.md", "model-image/README.md", "delivery/diff/README.md"].concat(
  readdirSync(join(projectRoot, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
);

/** A page without what is written by a program, and without links, which can't be broken. */
const proseOf = (page: string): string =>
  page
    .replace(/<!-- [^>]*: (?:written by|compared with) [^]*?<!-- end of [^>]*-->/g, "")
    .replace(/\]\([^)]*\)/g, "]()");

test.each(documents)("%s has no line over 160 characters, but for what a program writes", (document) => {
  const lines = proseOf(readFileSync(join(projectRoot, document), "utf8")).split("\n");
  expect(lines.filter((line) => line.length > 160)).toEqual([]);
});
