/** Sections of documents that a program writes, each between two markers, so that people can write around them. */

/** A section and its place. */
export interface Section {
  /** The document, from the repository's root. */
  readonly document: string;
  /** As the markers name it. */
  readonly name: string;
  /** What stands between the markers, in the form in which Prettier leaves it. */
  readonly text: string;
}

/** How a file spells a comment: CODEOWNERS is the one that isn't Markdown. */
function comment(document: string, text: string): string {
  return document.endsWith(".md") ? `<!-- ${text} -->` : `# ${text}`;
}

/**
 * A document with the section as it is now.
 * @param content the document as it was
 * @throws Error when the document doesn't have the section's two markers
 */
export function withSection(content: string, { document, name, text }: Section): string {
  const begin = comment(document, `${name}: written by docs/generate.ts`);
  const end = comment(document, `end of ${name}`);
  const from = content.indexOf(begin);
  const to = content.indexOf(end, from);
  if (from === -1 || to === -1) {
    throw new Error(`${document} has no place for the ${name}: put the lines\n${begin}\n${end}\nthere.`);
  }
  return `${content.slice(0, from + begin.length)}\n\n${text}\n\n${content.slice(to)}`;
}
