/** Splits a byte stream into lines, with at most one line in memory. */
import { isUtf8 } from "node:buffer";

/** Maximum bytes of a line: no survey has longer ones, and a file without line ends must not fill the memory. */
export const longestLine = 65_536;

/** One line of a file. */
export interface Line {
  /** Counts from 1. */
  readonly number: number;
  /** The byte at which it starts. */
  readonly offset: number;
  /** The byte at which the next line starts. */
  readonly end: number;
  /** Without its line end; missing when the line has a `fault`. */
  readonly text?: string;
  /** Why the line cannot be read, as words after "the line". */
  readonly fault?: string;
  /** False for a last line without a line end, which may be cut off. */
  readonly terminated: boolean;
}

const lineFeed = 0x0a;

/** Turns chunks into lines. LF and CRLF end a line; a byte order mark at the start of the file is dropped. */
export class LineSplitter {
  private parts: Uint8Array[] = [];
  private length = 0;
  private number = 1;
  private offset = 0;

  /** The lines that end in this chunk. */
  *push(chunk: Uint8Array): Generator<Line> {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      this.hold(chunk.subarray(start, end));
      yield this.take(1);
      start = end + 1;
    }
    // The producer may reuse a chunk's buffer, so the rest is copied.
    this.hold(Buffer.from(chunk.subarray(start)));
  }

  /** The last line, if it has no line end. */
  *finish(): Generator<Line> {
    if (this.length > 0) {
      yield this.take(0);
    }
  }

  private hold(part: Uint8Array): void {
    if (part.length === 0) {
      return;
    }
    this.length += part.length;
    if (this.length <= longestLine) {
      this.parts.push(part);
    } else {
      this.parts = [];
    }
  }

  private take(lineEnd: 0 | 1): Line {
    const { number, offset } = this;
    const end = offset + this.length + lineEnd;
    const place = { number, offset, end, terminated: lineEnd === 1 };
    const overlong = this.length > longestLine;
    const bytes = this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts);
    this.parts = [];
    this.length = 0;
    this.number += 1;
    this.offset = end;
    if (overlong) {
      return { ...place, fault: `is longer than ${longestLine} bytes` };
    }
    if (!bytes || !isUtf8(bytes)) {
      return { ...place, fault: "is not UTF-8 text" };
    }
    let text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
    if (text.endsWith("\r")) {
      text = text.slice(0, -1);
    }
    if (number === 1 && text.startsWith("\uFEFF")) {
      text = text.slice(1);
    }
    return { ...place, text };
  }
}

/** A file's content: chunks of bytes or of text. */
export type Source = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/** The lines of a source. */
export async function* readLines(source: Source): AsyncGenerator<Line> {
  const splitter = new LineSplitter();
  for await (const chunk of source) {
    yield* splitter.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  }
  yield* splitter.finish();
}

/** Why `splitFields` returns no fields. */
export const unreadableQuote = "a quote is not closed, or is followed by text";

/**
 * The trimmed fields of one CSV line (RFC 4180); `undefined` if a quote is not closed or is followed by text.
 *
 * A quoted field cannot continue in the next line: no column of a survey contains a line break, and a stray quote then
 * spoils only one row.
 */
export function splitFields(line: string): string[] | undefined {
  if (!line.includes('"')) {
    return line.split(",").map((field) => field.trim());
  }
  const fields: string[] = [];
  const field = /[ \t]*(?:"((?:[^"]|"")*)"[ \t]*|([^",]*))(,|$)/y;
  for (;;) {
    const match = field.exec(line);
    if (!match) {
      return undefined;
    }
    fields.push((match[1]?.replaceAll('""', '"') ?? match[2] ?? "").trim());
    if (match[3] === "") {
      return fields;
    }
  }
}

/** A value for a message: quoted, without control characters, at most 40 characters. */
export function quote(value: string): string {
  const visible = value.replace(/\p{Cc}/gu, "\uFFFD");
  return `'${visible.length > 40 ? `${visible.slice(0, 39)}…` : visible}'`;
}

/** A decimal number, or `undefined`: no hexadecimal, no thousands separators, no NaN, no Infinity. */
export function parseDecimal(value: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : undefined;
}
