/**
 * What the documents take from the handlers' declarations: their owners, their table, and the runbooks of their alarms.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { HandlerDeclaration } from "../handlers/shared/declaration";
import { projectRoot } from "../modules/project-root";
import type { Section } from "./section";

const handlersFolder = join(projectRoot, "handlers");

/**
 * The folders of the handlers, sorted.
 * @param folder holds a folder for each handler, and `shared`. @default the project's
 */
export function handlerNames(folder = handlersFolder): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "shared")
    .map(({ name }) => name)
    .sort();
}

/**
 * What a handler declares of itself.
 * @returns nothing where its folder has no `declaration.ts`
 */
export function declarationOf(name: string, folder = handlersFolder): HandlerDeclaration | undefined {
  const file = join(folder, name, "declaration.ts");
  if (!existsSync(file)) {
    return undefined;
  }
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- a folder is all that a new handler adds
  const { declaration } = require(file) as { readonly declaration: HandlerDeclaration };
  return declaration;
}

/** What every handler declares, sorted by name; a handler without a declaration is left out. */
export function handlerDeclarations(folder?: string): readonly HandlerDeclaration[] {
  return handlerNames(folder).flatMap((name) => declarationOf(name, folder) ?? []);
}

/** Words in lines of at most 120 characters; all but the first are indented. */
function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined || line.length + word.length + 1 > 120) {
      lines.push(line === undefined ? word : `${indent}${word}`);
    } else {
      lines[lines.length - 1] = `${line} ${word}`;
    }
  }
  return lines.join("\n");
}

/** A table in Markdown, its columns as wide as Prettier makes them. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[], fill = " "): string =>
    `| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width, fill)).join(" | ")} |`;
  return [line(head), line([], "-"), ...rows.map((row) => line(row))].join("\n");
}

const ownerLine = ({ name, owners }: HandlerDeclaration): string =>
  `/handlers/${name}/ ${owners.map((team) => `@acme/${team}`).join(" ")}`;

function functionRow(declaration: HandlerDeclaration): readonly string[] {
  const { name, purpose, owners, timeoutSeconds = 10, memoryMebibytes = 256, variables } = declaration;
  return [
    `[${name}](../handlers/${name}/index.ts)`,
    purpose,
    owners.join(", "),
    String(timeoutSeconds),
    String(memoryMebibytes),
    Object.keys(variables)
      .map((variable) => `\`${variable}\``)
      .join(", "),
  ];
}

function runbook({ name, failure }: HandlerDeclaration): string {
  const parts = [`**Means.** ${failure.means}`, `**Look.** ${failure.look}`, `**Do.** ${failure.do}`];
  return [`### ${name}-errors`, "", ...parts.map((part) => wrap(`- ${part}`, "  "))].join("\n");
}

/** Every section that the declarations give. */
export function handlerSections(declarations = handlerDeclarations()): readonly Section[] {
  return [
    { document: "CODEOWNERS", name: "handlers", text: declarations.map(ownerLine).join("\n") },
    {
      document: "docs/architecture.md",
      name: "functions",
      text: table(["function", "purpose", "owners", "seconds", "MiB", "variables"], declarations.map(functionRow)),
    },
    { document: "docs/runbooks.md", name: "functions", text: declarations.map(runbook).join("\n\n") },
  ];
}
