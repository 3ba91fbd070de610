import { promises, readFileSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";

interface Waiting {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A file to which lines are appended. An append is done when the line is on the disk. Lines that arrive while the disk
 * is busy are written together, so many clients at once cost little more than one.
 */
export class AppendLog {
  private waiting: Waiting[] = [];
  private draining: Promise<void> | undefined;
  private handle: FileHandle | undefined;
  private written = 0;
  /** Written after a failed write: it ends the incomplete line, so that the next line does not continue it. */
  private separator = "";

  constructor(readonly file: string) {}

  /** Number of lines written by this object. */
  get lines(): number {
    return this.written;
  }

  append(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ line, resolve, reject });
      this.draining ??= this.drain();
    });
  }

  /** Writes what is waiting and closes the file; an append after that opens it again. */
  async close(): Promise<void> {
    await this.draining;
    const handle = this.handle;
    this.handle = undefined;
    await handle?.close();
  }

  private async drain(): Promise<void> {
    // Waits for one turn of the event loop, to write together what arrived in the same packets.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.length > 0) {
      const batch = this.waiting;
      this.waiting = [];
      try {
        this.handle ??= await promises.open(this.file, "a");
        await this.handle.appendFile(this.separator + batch.map(({ line }) => `${line}\n`).join(""));
        await this.handle.datasync();
        this.separator = "";
        this.written += batch.length;
        for (const { resolve } of batch) {
          resolve();
        }
      } catch (error) {
        this.separator = "\n";
        for (const { reject } of batch) {
          reject(error);
        }
      }
    }
    this.draining = undefined;
  }
}

/**
 * The complete lines of an append log. A kill in the middle of a write leaves half a last line, whose append was never
 * confirmed. It is left out, like any line that `parse` refuses, and `onUnreadable` is called with it.
 */
export function readLines<Line>(
  file: string,
  parse: (text: string) => Line,
  onUnreadable: (text: string, isLast: boolean) => void,
): Line[] {
  const texts = readFileSync(file, "utf8").split("\n");
  const lines: Line[] = [];
  texts.forEach((text, index) => {
    const isLast = index === texts.length - 1;
    if (text === "") {
      return;
    }
    if (isLast) {
      onUnreadable(text, true);
      return;
    }
    try {
      lines.push(parse(text));
    } catch {
      onUnreadable(text, false);
    }
  });
  return lines;
}
