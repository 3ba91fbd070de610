/**
 * Writes the table of operations into README.md, between its markers.
 *
 *     npm run readme -w sagemaker-local   # with --print, the document is printed instead
 *
 * A test fails while the table is another one than the code gives.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { SageMakerService } from "../../src/service";
import { readSettings } from "../../src/settings";
import { python } from "./aws";

const readme = resolve(__dirname, "../../README.md");

const begin = "<!-- operations: written by npm run readme -w sagemaker-local -->";
const end = "<!-- end of operations -->";

/** A document with the table of operations as it is now. */
async function withOperations(text: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "sagemaker-local-"));
  const settings = readSettings(
    [
      "--port=0",
      `--state-directory=${folder}`,
      `--image-directory=${resolve(__dirname, "../fixtures/image")}`,
      `--image-python=${python}`,
    ],
    {},
  );
  if (typeof settings === "string") {
    throw new Error(settings);
  }
  const service = await SageMakerService.start(settings);
  await service.stop();
  rmSync(folder, { recursive: true });
  const cells = [
    ["Subject", "Operations"],
    ...Object.entries(service.operationNames).map(([subject, names]) => [subject, [...names].sort().join(", ")]),
  ];
  // As wide as Prettier makes them.
  const widths = [0, 1].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [header = [], ...rows] = cells;
  const rule = widths.map((width) => "-".repeat(width));
  const table = [header, rule, ...rows].map(line).join("\n");
  const [before = "", rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) {
    throw new Error(`README.md has no place for the table of operations: put the lines\n${begin}\n${end}\nthere.`);
  }
  return `${before}${begin}\n\n${table}\n\n${end}${after}`;
}

void withOperations(readFileSync(readme, "utf8")).then((text) => {
  if (process.argv.includes("--print")) {
    process.stdout.write(text);
  } else {
    writeFileSync(readme, text);
  }
});
