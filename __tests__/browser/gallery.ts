/**
 * One page with all pictures of a run, so that people look at them: a row for each state, narrow to wide, light beside
 * dark.
 */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { screenshots } from "./visit";

/** By number where there is one, so that 320 stands before 1440. */
const inOrder = (names: readonly string[]): string[] =>
  [...names].sort((one, other) => one.localeCompare(other, "en", { numeric: true }));

/** Writes `index.html` beside the pictures. A run without pictures has none. */
export default function writeGallery(): void {
  if (!existsSync(screenshots)) {
    return;
  }
  const states = readdirSync(screenshots, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const rows = inOrder(states.map(({ name }) => name)).map((state) => {
    const pictures = inOrder(readdirSync(join(screenshots, state))).map((file) => {
      const name = `${state}/${file}`;
      return `<a href="${name}"><img src="${name}" alt="${name}" width="300" loading="lazy"></a>`;
    });
    return `<h2>${state}</h2>\n<div>${pictures.join("\n")}</div>`;
  });
  const style =
    "body{font-family:sans-serif;background:#777}div{display:flex;gap:8px;align-items:start;overflow-x:auto}";
  writeFileSync(
    join(screenshots, "index.html"),
    `<!doctype html><meta charset="utf-8"><title>Screenshots</title><style>${style}</style>\n${rows.join("\n")}\n`,
  );
}
