/**
 * Reads UCI's abalone file: no header; a sex, then numbers. The feature contract has each measure's column, and the
 * factor from its values to mm and g.
 *
 * https://archive.ics.uci.edu/dataset/1/abalone, CC BY 4.0.
 */
import { createHash } from "node:crypto";
import {
  eventTime,
  type Feature,
  features,
  isOptional,
  type Label,
  recordIdentifier,
  uciColumns,
} from "./feature-contract";
import { type Line, parseDecimal, quote, readLines, type Source, splitFields, unreadableQuote } from "./lines";
import { type RowProblem, SurveyFileError, type SurveyRecord } from "./survey-file";

/** The file has no times; this is the day of its donation. */
const donated = "1995-12-01T00:00:00Z";

/** Whether a first line has UCI's format: a sex and numbers, no header. */
export function isUciLine(text: string): boolean {
  const fields = splitFields(text);
  return (
    fields?.length === uciColumns.length &&
    /^[A-Za-z]$/.test(fields[0] ?? "") &&
    fields.slice(1).some((field) => parseDecimal(field) !== undefined)
  );
}

/**
 * Converts a value to the contract's unit. In floating point, 0.455 * 200 is 91.00000000000001: four decimals are
 * enough.
 */
function inUnit(column: Feature | Label, value: number): number {
  return column.type === "number" && column.uci ? Number((value * column.uci.factor).toFixed(4)) : value;
}

function parseLine(text: string): { readonly values: Record<string, string | number> } | { readonly reason: string } {
  const fields = splitFields(text);
  if (!fields) {
    return { reason: unreadableQuote };
  }
  if (fields.length !== uciColumns.length) {
    return { reason: `expected ${uciColumns.length} columns, found ${fields.length}` };
  }
  const values: Record<string, string | number> = {};
  for (const [index, column] of uciColumns.entries()) {
    const field = fields[index] ?? "";
    if (column.type === "category") {
      values[column.name] = field;
      continue;
    }
    const value = parseDecimal(field);
    if (value === undefined) {
      return { reason: `${column.name}: ${quote(field)} is not a number` };
    }
    values[column.name] = inUnit(column, value);
  }
  return { values };
}

/**
 * The animals of a UCI file, in mm and g: one per line, and undefined for a blank or unreadable line. An identifier is
 * a hash of the content, so that loading a file twice, or a part of it, changes nothing; a second animal with equal
 * values gets a suffix. Ingestion checks the ranges.
 * @param report receives each unreadable line
 * @throws SurveyFileError when the contract requires a measure that UCI's file does not have
 */
export async function* readUci(
  source: Source,
  report: (problem: RowProblem) => void,
): AsyncGenerator<SurveyRecord | undefined> {
  const lacking = features.filter((feature) => feature.uci === null && !isOptional(feature)).map(({ name }) => name);
  if (lacking.length > 0) {
    throw new SurveyFileError(
      `UCI's file has no ${lacking.join(", ")}, which survey/features.json requires: make it optional there, or ingest a survey that has it`,
    );
  }
  const occurrences = new Map<string, number>();
  for await (const line of readLines(source)) {
    if (line.text?.trim() === "") {
      yield undefined;
      continue;
    }
    const parsed = parse(line);
    if ("reason" in parsed) {
      report({ line: line.number, reason: parsed.reason });
      yield undefined;
      continue;
    }
    const content = uciColumns.map(({ name }) => parsed.values[name]).join(",");
    const hash = createHash("sha256").update(content).digest("hex").slice(0, 16);
    const occurrence = (occurrences.get(hash) ?? 0) + 1;
    occurrences.set(hash, occurrence);
    yield {
      [recordIdentifier.name]: occurrence === 1 ? `uci-${hash}` : `uci-${hash}-${occurrence}`,
      [eventTime.name]: donated,
      ...parsed.values,
    };
  }
}

function parse(line: Line): ReturnType<typeof parseLine> {
  return line.text === undefined ? { reason: `the line ${line.fault ?? ""}` } : parseLine(line.text);
}
