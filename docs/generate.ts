/**
 * Writes what the documents take from the code, each section between its markers: the diagrams, and what handlers
 * declare of themselves.
 *
 *     npx tsx docs/generate.ts   # `make format` runs it
 *
 * A test fails while a document shows something else than the code gives.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../command";
import { projectRoot } from "../modules/project-root";
import { diagrams } from "./diagrams";
import { handlerSections } from "./handlers";
import { withSection } from "./section";

/** Every section that is written from the code. */
export const sections = [...diagrams, ...handlerSections()];

if (require.main === module) {
  runCommand(() => {
    for (const section of sections) {
      const file = join(projectRoot, section.document);
      const before = readFileSync(file, "utf8");
      const after = withSection(before, section);
      if (after !== before) {
        writeFileSync(file, after);
      }
      console.log(`${section.document}: ${section.name} ${after === before ? "is up to date" : "is written"}`);
    }
  });
}
