import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { log } from "../log";
import { AppendLog, readLines } from "./append-log";

/** A record as it was put, or a mark that it was deleted. */
export interface JournalEntry {
  /** Values as text, by feature. */
  readonly values: Readonly<Record<string, string>>;
  readonly deleted: boolean;
  /** When the API was called, in milliseconds since 1970. */
  readonly invokedAt: number;
}

/** A closed part of the journal, ready to be moved to the offline store. */
export interface Segment {
  readonly number: number;
  /** When it was closed, in milliseconds since 1970. */
  readonly closedAt: number;
  readonly file: string;
}

const closedName = /^(\d{9})-(\d{13})\.jsonl$/;
const openName = /^(\d{9})\.jsonl$/;

/** A journal entry as one line of text. */
export function writeEntry(entry: JournalEntry): string {
  return JSON.stringify([entry.invokedAt, entry.deleted ? 1 : 0, entry.values]);
}

/**
 * Reads a line of the journal.
 * @throws Error when the line is not an entry
 */
export function readEntry(text: string): JournalEntry {
  const [invokedAt, deleted, values] = JSON.parse(text) as [number?, (0 | 1)?, Record<string, string>?];
  if (invokedAt === undefined || values === undefined) {
    throw new Error("not a journal entry");
  }
  return { invokedAt, deleted: deleted === 1, values };
}

/**
 * The records that are not yet in the offline store: a folder of numbered segments. New entries go to the open one.
 * Closing a segment gives it its final name, from which the offline store derives the names of its objects: moving a
 * segment twice overwrites the same objects, and no record is doubled.
 */
export class Journal {
  private open: AppendLog;
  private number: number;

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
    const names = readdirSync(folder);
    this.number = 1 + Math.max(0, ...names.map((name) => Number(/^\d{9}/.exec(name)?.[0] ?? 0)));
    for (const name of names.filter((each) => openName.test(each))) {
      this.giveFinalName(join(folder, name));
    }
    this.open = this.newSegment();
  }

  /** Resolves once the entry is on the disk. */
  append(entry: JournalEntry): Promise<void> {
    return this.open.append(writeEntry(entry));
  }

  /** Entries in the open segment. */
  get openEntries(): number {
    return this.open.lines;
  }

  /** Closes the open segment, unless it is empty, and lists all closed ones, oldest first. */
  async close(): Promise<Segment[]> {
    if (this.open.lines > 0) {
      const closing = this.open;
      this.number += 1;
      this.open = this.newSegment();
      await closing.close();
      this.giveFinalName(closing.file);
    }
    return this.segments();
  }

  /** Closed segments, oldest first. */
  segments(): Segment[] {
    return readdirSync(this.folder)
      .sort()
      .flatMap((name) => {
        const match = closedName.exec(name);
        if (match === null) {
          return [];
        }
        return [{ number: Number(match[1]), closedAt: Number(match[2]), file: join(this.folder, name) }];
      });
  }

  /** The entries of a segment; unreadable lines are stored beside it and named in the log. */
  read(segment: Segment): JournalEntry[] {
    return readLines(segment.file, readEntry, (text, isLast) => {
      if (isLast) {
        log(`${segment.file}: its last line is incomplete, as after a kill; its record was never acknowledged.`);
      } else {
        writeFileSync(`${segment.file}.unreadable`, `${text}\n`);
        log(`${segment.file}: a line could not be read; it is kept in ${segment.file}.unreadable.`);
      }
    });
  }

  private newSegment(): AppendLog {
    return new AppendLog(join(this.folder, `${String(this.number).padStart(9, "0")}.jsonl`));
  }

  private giveFinalName(file: string): void {
    renameSync(file, file.replace(/\.jsonl$/, `-${Date.now()}.jsonl`));
  }
}
