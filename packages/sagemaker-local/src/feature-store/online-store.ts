import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { log } from "../log";
import { AppendLog, readLines } from "./append-log";

/** The latest version of a record, or a mark that it was deleted. */
export interface OnlineRecord {
  readonly identifier: string;
  /** Event time in milliseconds since 1970: an older version never replaces a newer one. */
  readonly eventTime: number;
  readonly values: Readonly<Record<string, string>>;
  readonly deleted: boolean;
  /** When it stops being readable, in milliseconds since 1970. */
  readonly expiresAt?: number | undefined;
  /** A hard delete removes everything, also the mark. */
  readonly removed?: boolean;
}

/** The online store of one feature group: the latest version of each record, in memory and in a log on the disk. */
export class OnlineStore {
  private readonly records = new Map<string, OnlineRecord>();
  private readonly changes: AppendLog;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    const file = join(folder, "online.jsonl");
    if (existsSync(file)) {
      this.restore(file);
    }
    this.changes = new AppendLog(file);
  }

  /** The readable version of a record. */
  get(identifier: string): OnlineRecord | undefined {
    const record = this.records.get(identifier);
    return record === undefined || record.deleted || isExpired(record) ? undefined : record;
  }

  /** Whether a version with this event time would be the latest one. */
  isLatest(identifier: string, eventTime: number): boolean {
    const current = this.records.get(identifier);
    return current === undefined || isExpired(current) || eventTime >= current.eventTime;
  }

  /** Resolves once the version is on the disk; a version older than the stored one changes nothing. */
  async put(record: OnlineRecord): Promise<void> {
    if (!this.isLatest(record.identifier, record.eventTime)) {
      return;
    }
    this.apply(record);
    await this.changes.append(JSON.stringify(record));
  }

  /** Identifiers in their order, with or without those that were softly deleted. */
  identifiers(includeDeleted: boolean): string[] {
    return [...this.records.values()]
      .filter((record) => !isExpired(record) && (includeDeleted || !record.deleted))
      .map(({ identifier }) => identifier)
      .sort();
  }

  close(): Promise<void> {
    return this.changes.close();
  }

  private apply(record: OnlineRecord): void {
    if (record.removed === true) {
      this.records.delete(record.identifier);
    } else {
      this.records.set(record.identifier, record);
    }
  }

  private restore(file: string): void {
    const changes = readLines(
      file,
      (text) => JSON.parse(text) as OnlineRecord,
      (_, isLast) => {
        log(`${file}: ${isLast ? "its last line was cut short and" : "a line could not be read and"} is left out.`);
      },
    );
    changes.forEach((change) => {
      this.apply(change);
    });
    // Only the latest versions are worth keeping.
    const compact = `${file}.new`;
    writeFileSync(compact, [...this.records.values()].map((record) => `${JSON.stringify(record)}\n`).join(""));
    renameSync(compact, file);
  }
}

function isExpired(record: OnlineRecord): boolean {
  return record.expiresAt !== undefined && record.expiresAt <= Date.now();
}
