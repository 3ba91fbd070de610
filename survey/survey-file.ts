/**
 * Reads and writes survey files: CSV (UTF-8, comma, header) with one measured animal per line.
 *
 * Columns may have any order. Columns outside the contract are ignored and never stored, because they may contain names
 * or notes. A row is accepted completely or rejected with its reasons; a bad row never affects another.
 */
import {
  accepts,
  eventTime,
  expectation,
  type Feature,
  features,
  isOptional,
  label,
  type Label,
  recordIdentifier,
  recordIdentifierPattern,
  requiredColumns,
  surveyColumns,
  uciColumns,
} from "./feature-contract";
import { type Line, LineSplitter, parseDecimal, quote, type Source, splitFields, unreadableQuote } from "./lines";

/** One measured animal: the contract's columns by name, measures and rings as numbers; optional ones may be missing. */
export type SurveyRecord = Readonly<Record<string, string | number>>;

interface Place {
  /** Counts from 1, the header included. */
  readonly line: number;
  /** The byte at which the row starts. */
  readonly offset: number;
  /** The byte at which the next line starts. */
  readonly end: number;
}

/** An accepted row. */
export interface AcceptedRow extends Place {
  readonly record: SurveyRecord;
}

/** Why a row is rejected. */
export interface RowProblem {
  /** Counts from 1, the header included. */
  readonly line: number;
  /** The animal, if its identifier is readable. */
  readonly recordId?: string;
  /** The first wrong column, if a column is wrong. */
  readonly field?: string;
  /** That column's value, shortened. */
  readonly value?: string;
  /** All errors of the row, for example `height: '-3' is not between 1 and 100 mm`. */
  readonly reason: string;
}

/** A rejected row. */
export interface RejectedRow extends Place {
  readonly problem: RowProblem;
}

/** One row of a survey file. */
export type SurveyRow = AcceptedRow | RejectedRow;

/** How a survey is read. */
export interface ReadSurveyOptions {
  /** The current time: no animal was measured after it. */
  readonly now: Date;
}

/** The whole file is not a survey: none of its rows can be used. */
export class SurveyFileError extends Error {
  override readonly name = "SurveyFileError";
}

/** No survey is older: a year such as 0026 is a typo. */
const earliestSurvey = Date.UTC(1900, 0, 1);
/** How far a surveyor's clock may be ahead of ours. */
const clockTolerance = 24 * 60 * 60 * 1000;
const eventTimeExpectation = "an ISO 8601 time in UTC such as 2026-03-01T09:30:00Z";

interface Fault {
  readonly field?: string;
  readonly value?: string;
  readonly reason: string;
}

/**
 * Parses an event time strictly: date, time to the second, `Z`. A fraction of zero is dropped.
 * @returns the time in our storage format, so that times compare as text, or the error
 */
export function parseEventTime(value: string, now: Date): { readonly time: string } | { readonly fault: string } {
  const match = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d{1,9})?Z$/.exec(value);
  const whole = match?.[1];
  if (whole === undefined) {
    return { fault: `is not ${eventTimeExpectation}` };
  }
  if (/[1-9]/.test(match?.[2] ?? "")) {
    return { fault: `has a fraction of a second; give ${eventTimeExpectation}` };
  }
  const time = `${whole}Z`;
  const milliseconds = Date.parse(time);
  // Date.parse turns 30 February into 1 March, so the round trip must give the same text.
  if (Number.isNaN(milliseconds) || new Date(milliseconds).toISOString() !== `${whole}.000Z`) {
    return { fault: "is not a date and time of the calendar" };
  }
  if (milliseconds < earliestSurvey) {
    return { fault: "is before the year 1900" };
  }
  if (milliseconds > now.getTime() + clockTolerance) {
    return { fault: "is in the future" };
  }
  return { time };
}

const columns: readonly (Feature | Label)[] = [...features, label];

/** The names of a file's columns, in the order of its lines. */
type Header = readonly string[];

/** A line's value in a column; an optional column may be missing. */
const valueOf = (fields: readonly string[], header: Header, name: string): string => fields[header.indexOf(name)] ?? "";

/** Separators other than the comma, with their names. */
const otherSeparators = { ";": "semicolons", "\t": "tabs", "|": "vertical bars" } as const;

/** The separator of a first line if it is not a comma: of a header with our column names, or of a UCI line. */
function otherSeparator(text: string): string | undefined {
  const found = Object.entries(otherSeparators).find(([separator]) => {
    const fields = text.split(separator).map((field) => field.trim().replace(/^"(.*)"$/, "$1"));
    const known = fields.filter((field) => surveyColumns.includes(field));
    return known.length > 1 || (fields.length === uciColumns.length && /^[A-Za-z]$/.test(fields[0] ?? ""));
  });
  return found?.[1];
}

function readHeader(line: Line): Header {
  if (line.text === undefined || line.text.includes("\0")) {
    const fault = line.text === undefined ? line.fault : "is binary";
    throw new SurveyFileError(`the first line ${fault ?? ""}: export the survey as CSV in UTF-8`);
  }
  const names = splitFields(line.text);
  const missing = requiredColumns.filter((name) => names?.includes(name) !== true);
  const separator = missing.length > 0 ? otherSeparator(line.text) : undefined;
  if (separator !== undefined) {
    throw new SurveyFileError(
      `the columns seem to be separated by ${separator}: export the survey with commas between the columns and decimal points in the numbers`,
    );
  }
  if (!names) {
    throw new SurveyFileError("the header has a quote that is not closed");
  }
  if (missing.length > 0) {
    throw new SurveyFileError(
      `the header lacks ${missing.length === 1 ? "the column" : "the columns"} ${missing.join(", ")}; expected ${requiredColumns.join(",")}`,
    );
  }
  const repeated = surveyColumns.find((name) => names.indexOf(name) !== names.lastIndexOf(name));
  if (repeated !== undefined) {
    throw new SurveyFileError(`the header names the column ${repeated} twice`);
  }
  return names;
}

function parseColumn(column: Feature | Label, text: string): { value: string | number } | { fault: string } {
  if (text === "") {
    return { fault: `is empty, expected ${expectation(column)}` };
  }
  const value = column.type === "category" ? text : parseDecimal(text);
  if (value === undefined) {
    return { fault: `${quote(text)} is not a number` };
  }
  return accepts(column, value) ? { value } : { fault: `${quote(text)} is not ${expectation(column)}` };
}

function parseRow(
  fields: readonly string[],
  header: Header,
  now: Date,
): { record: SurveyRecord } | { faults: Fault[] } {
  const field = (name: string): string => valueOf(fields, header, name);
  const record: Record<string, string | number> = {};
  const faults: Fault[] = [];
  const reject = (name: string, value: string, fault: string): void => {
    faults.push({ field: name, value: quote(value).slice(1, -1), reason: `${name}: ${fault}` });
  };

  const identifier = field(recordIdentifier.name);
  if (recordIdentifierPattern.test(identifier)) {
    record[recordIdentifier.name] = identifier;
  } else {
    const fault = identifier === "" ? "is empty" : `${quote(identifier)} is not an identifier`;
    reject(
      recordIdentifier.name,
      identifier,
      `${fault} (1 to 64 letters, digits, hyphens, underscores, dots or colons)`,
    );
  }

  const time = field(eventTime.name);
  const parsedTime = parseEventTime(time, now);
  if ("time" in parsedTime) {
    record[eventTime.name] = parsedTime.time;
  } else if (time === "") {
    reject(eventTime.name, time, `is empty, expected ${eventTimeExpectation}`);
  } else {
    reject(eventTime.name, time, `${quote(time)} ${parsedTime.fault}`);
  }

  for (const column of columns) {
    const text = field(column.name);
    if (text === "" && isOptional(column)) {
      continue;
    }
    const parsed = parseColumn(column, text);
    if ("value" in parsed) {
      record[column.name] = parsed.value;
    } else {
      reject(column.name, text, parsed.fault);
    }
  }
  return faults.length > 0 ? { faults } : { record };
}

/** Two independent 32-bit hashes of a text (cyrb53 before it joins them): small enough to keep for millions of rows. */
function fingerprint(text: string): readonly [number, number] {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 0x9e3779b1);
    low = Math.imul(low ^ code, 0x5f356495);
  }
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  return [high >>> 0, low >>> 0];
}

/** 32-bit words per row in `AcceptedVersions`. */
const wordsOfRow = 4;

/**
 * Remembers the accepted rows of one file: an animal may be measured again at another time, but only once at the same
 * time.
 *
 * Each row has four words: two hashes of identifier and time, which collide in ten million rows with a probability of 1
 * in 300,000, a hash of the values, and the line. They are in one open-addressing array with linear probing, at most
 * three quarters full: 21 to 43 bytes per row, where a Map of strings needs 200.
 */
class AcceptedVersions {
  private places = 1_024;
  private words = new Uint32Array(this.places * wordsOfRow);
  private rows = 0;

  /** Remembers a row, or returns an error if an earlier row has the same animal and time. */
  add(record: SurveyRecord, line: number): Fault | undefined {
    const version = `${String(record[recordIdentifier.name])} ${String(record[eventTime.name])}`;
    const [content] = fingerprint(columns.map(({ name }) => record[name]).join(","));
    const key = fingerprint(version);
    const start = this.find(key);
    const first = this.words[start + 3] ?? 0;
    if (first === 0) {
      this.words.set([...key, content, line], start);
      this.rows += 1;
      if (this.rows * 4 > this.places * 3) {
        this.grow();
      }
      return undefined;
    }
    return this.words[start + 2] === content
      ? { reason: `duplicate of line ${first}` }
      : {
          field: recordIdentifier.name,
          value: String(record[recordIdentifier.name]),
          reason: `${recordIdentifier.name}: conflicts with line ${first}, which has other values for the same animal and time`,
        };
  }

  /** The slot of a row, or the free slot for it: there the line, which counts from 1, is 0. */
  private find([one, two]: readonly [number, number]): number {
    for (let place = one % this.places; ; place = (place + 1) % this.places) {
      const start = place * wordsOfRow;
      const isOpen = this.words[start + 3] === 0;
      if (isOpen || (this.words[start] === one && this.words[start + 1] === two)) {
        return start;
      }
    }
  }

  private grow(): void {
    const before = this.words;
    this.places *= 2;
    this.words = new Uint32Array(this.places * wordsOfRow);
    for (let start = 0; start < before.length; start += wordsOfRow) {
      const row = before.subarray(start, start + wordsOfRow);
      const [one = 0, two = 0, , line] = row;
      if (line !== 0) {
        this.words.set(row, this.find([one, two]));
      }
    }
  }
}

/**
 * Reads a survey file row by row, in constant memory except for some 40 bytes per row. Blank lines are skipped.
 * @throws SurveyFileError before the first row, when the file is empty, has no rows, is not UTF-8 text or lacks columns
 */
export async function* readSurvey(source: Source, { now }: ReadSurveyOptions): AsyncGenerator<SurveyRow> {
  const splitter = new LineSplitter();
  const versions = new AcceptedVersions();
  let header: Header | undefined;
  let rows = 0;

  const read = (line: Line): SurveyRow | undefined => {
    const { number, offset, end } = line;
    const rejected = (faults: readonly Fault[], recordId?: string): RejectedRow => {
      const [{ field, value } = {}] = faults;
      return {
        line: number,
        offset,
        end,
        problem: {
          line: number,
          recordId,
          field,
          value,
          reason: faults.map(({ reason }) => reason).join("; "),
        },
      };
    };
    if (!header) {
      // Blank lines before the header are allowed, like those after the last row.
      if (line.text?.trim() !== "") {
        header = readHeader(line);
      }
      return undefined;
    }
    if (line.text === undefined) {
      return rejected([{ reason: `the line ${line.fault ?? ""}` }]);
    }
    const fields = splitFields(line.text);
    if (!fields) {
      return rejected([{ reason: unreadableQuote }]);
    }
    // Spreadsheets save empty rows as commas only.
    if (fields.every((field) => field === "")) {
      return undefined;
    }
    const identifier = valueOf(fields, header, recordIdentifier.name);
    const recordId = recordIdentifierPattern.test(identifier) ? identifier : undefined;
    if (fields.length !== header.length) {
      const cutOff = !line.terminated && fields.length < header.length ? "; the file seems to be cut off here" : "";
      return rejected([{ reason: `expected ${header.length} columns, found ${fields.length}${cutOff}` }], recordId);
    }
    const result = parseRow(fields, header, now);
    if ("faults" in result) {
      return rejected(result.faults, recordId);
    }
    const clash = versions.add(result.record, number);
    return clash ? rejected([clash], recordId) : { line: number, offset, end, record: result.record };
  };

  const readAll = function* (lines: Iterable<Line>): Generator<SurveyRow> {
    for (const line of lines) {
      const row = read(line);
      if (!row) {
        continue;
      }
      rows += 1;
      yield row;
    }
  };

  for await (const chunk of source) {
    yield* readAll(splitter.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk));
  }
  yield* readAll(splitter.finish());
  if (!header) {
    throw new SurveyFileError("the file is empty");
  }
  if (rows === 0) {
    throw new SurveyFileError("the file has a header but no rows");
  }
}

/** The header of the survey files that we write, without its line end. */
export const surveyHeader = surveyColumns.join(",");

/** One line of a survey file, without its line end. No value in the contract needs quotes. */
export function surveyLine(record: SurveyRecord): string {
  return surveyColumns.map((name) => String(record[name] ?? "")).join(",");
}

/** A record for Feature Store: a missing measure is left out, and becomes null in the offline store. */
export function featureValues(record: SurveyRecord): { FeatureName: string; ValueAsString: string }[] {
  return surveyColumns.flatMap((name) => {
    const value = record[name];
    return value === undefined ? [] : [{ FeatureName: name, ValueAsString: String(value) }];
  });
}
