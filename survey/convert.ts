/** Converts a survey from UCI's format or ours into a survey file. */
import { LineSplitter, type Source } from "./lines";
import { type RowProblem, surveyHeader, surveyLine } from "./survey-file";
import { isUciLine, readUci } from "./uci";

/** A survey file, and how it was made. */
export interface ConvertedSurvey {
  readonly form: "survey" | "uci";
  /** Lines of the survey file before the original file's first line: 1 if the original has no header. */
  readonly linesBefore: 0 | 1;
  /** The survey file, to be read once, in chunks. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** How a survey is converted. */
export interface ConvertSurveyOptions {
  /** Receives each unreadable line of a UCI file. Ingestion checks the rows of a survey file. */
  readonly report: (problem: RowProblem) => void;
}

/** Lines are written in chunks of about this many characters, for fewer reads. */
const chunkLength = 65_536;

/**
 * A line without an animal becomes a blank line, so line n + 1 of the survey file always comes from line n of UCI's
 * file.
 */
async function* asSurveyFile(source: Source, report: ConvertSurveyOptions["report"]): AsyncGenerator<Uint8Array> {
  let text = `${surveyHeader}\n`;
  for await (const record of readUci(source, report)) {
    text += `${record === undefined ? "" : surveyLine(record)}\n`;
    if (text.length >= chunkLength) {
      yield Buffer.from(text);
      text = "";
    }
  }
  if (text !== "") {
    yield Buffer.from(text);
  }
}

/**
 * Detects a file's format by its first line, and returns its content as a survey file. A file of another format is not
 * changed: ingestion reports the problem.
 */
export async function convertSurvey(source: Source, { report }: ConvertSurveyOptions): Promise<ConvertedSurvey> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const read: Uint8Array[] = [];
  const splitter = new LineSplitter();
  let firstLine: string | undefined;
  let done = false;
  while (firstLine === undefined && !done) {
    const next = await iterator.next();
    done = next.done === true;
    const chunk = next.done === true ? undefined : Buffer.from(next.value);
    if (chunk) {
      read.push(chunk);
    }
    for (const line of chunk ? splitter.push(chunk) : splitter.finish()) {
      if (line.text?.trim() === "") {
        continue;
      }
      firstLine ??= line.text ?? line.fault;
    }
  }
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* read;
      while (!done) {
        const next = await iterator.next();
        done = next.done === true;
        if (next.done !== true) {
          yield Buffer.from(next.value);
        }
      }
    } finally {
      if (!done) {
        await iterator.return?.();
      }
    }
  };
  return firstLine !== undefined && isUciLine(firstLine)
    ? { form: "uci", linesBefore: 1, content: asSurveyFile(whole(), report) }
    : { form: "survey", linesBefore: 0, content: whole() };
}
