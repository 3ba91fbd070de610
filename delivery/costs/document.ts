/**
 * The part of docs/costs.md that is counted from the stacks.
 *
 *     npx tsx delivery/costs/document.ts   # counts again, between the markers
 *
 * A test fails while the document shows other costs than the stacks give.
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

/** What stands between the markers. */
export function writtenPart(costs: readonly Costs[]): string {
  return [...wrap(caveat, documentWidth), "", ...costs.map(renderCostsMarkdown), "## Time", "", renderDurations()].join(
    "\n",
  );
}

/**
 * The document with the costs as they are now.
 * @throws Error when it doesn't have the two markers
 */
export function withCosts(text: string, costs: readonly Costs[]): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from === -1 || to === -1) {
    throw new Error(`${document} has no place for the costs: put ${begin} and ${end} there.`);
  }
  return `${text.slice(0, from + begin.length)}\n\n${writtenPart(costs)}\n\n${text.slice(to)}`;
}

/** The environments that cost something: an emulator doesn't. */
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
