/** A number as people write it, with a point or a comma; undefined when the text is not a number. */
export function parseNumber(text: string): number | undefined {
  return /^\+?(\d+([.,]\d*)?|[.,]\d+)$/.test(text) ? Number(text.replace(",", ".")) : undefined;
}
