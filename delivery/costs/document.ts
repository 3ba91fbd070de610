/**
 * Writes the part of docs/costs.md that is computed from the stacks.
 *
 *     npx tsx delivery/costs/document.ts   # updates the part between the markers
 *
 * A test fails if the document's costs differ from the stacks'.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../../command";
import { environmentNames, loadEnvironment } from "../../environments";
import { projectRoot } from "../../modules/project-root";
import { wrap } from "../diff/text";
import { countCosts } from ".";
import type { Costs } from "./costs";
import { caveat, documentWidth, renderCostsMarkdown, renderDurations } from "./render";

/** Its path from the root of the repository. */
export const document = "docs/costs.md";

const begin = "<!-- costs: written by delivery/costs/document.ts -->";
const end = "<!-- end of costs -->";

/** The text between the markers. */
export function writtenPart(costs: readonly Costs[]): string {
  return [...wrap(caveat, documentWidth), "", ...costs.map(renderCostsMarkdown), "## Time", "", renderDurations()].join(
    "\n",
  );
}

/**
 * The document with the current costs.
 * @throws Error when a marker is missing
 */
export function withCosts(text: string, costs: readonly Costs[]): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from === -1 || to === -1) {
    throw new Error(`${document} has no place for the costs: put ${begin} and ${end} there.`);
  }
  return `${text.slice(0, from + begin.length)}\n\n${writtenPart(costs)}\n\n${text.slice(to)}`;
}

/** The environments that cost something: all without an emulator. */
export const pricedEnvironments = environmentNames.map(loadEnvironment).filter(({ emulated }) => !emulated);

async function main(): Promise<void> {
  const file = join(projectRoot, document);
  const costs: Costs[] = [];
  for (const environment of pricedEnvironments) {
    costs.push(await countCosts(environment));
  }
  writeFileSync(file, withCosts(readFileSync(file, "utf8"), costs));
  console.log(`${document}: written`);
}

if (require.main === module) {
  runCommand(main);
}
