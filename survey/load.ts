/** Loads a survey in either form, UCI's or ours, as a survey file. */
import { LineSplitter, type Source } from "./lines";
import { type RowProblem, surveyHeader, surveyLine } from "./survey-file";
import { isUciLine, readUci } from "./uci";

/** A survey, and which form it had. */
export interface LoadedSurvey {
  readonly form: "survey" | "uci";
  /**
   * Lines of the survey file that stand above the first line of the file that was loaded: the header, where that has
   * none.
   */
  readonly linesBefore: 0 | 1;
  /** The survey file, to be read once, in chunks. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** How a survey is loaded. */
export interface LoadSurveyOptions {
  /** Is told of each line of a UCI file that cannot be read; a survey file's rows are checked when it is ingested. */
  readonly report: (problem: RowProblem) => void;
}

/** Chunks that are gathered into larger ones, so that the reader has few to handle. */
const chunkLength = 65_536;

/**
 * A line without an animal becomes a blank one: what is said of a line of the survey file is true of the line before it
 * in UCI's.
 */
async function* asSurveyFile(source: Source, report: LoadSurveyOptions["report"]): AsyncGenerator<Uint8Array> {
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
 * Finds out by its first line which form a file has, and gives it as a survey file. A file that is neither passes
 * unchanged: ingestion says what is wrong with it.
 */
export async function loadSurvey(source: Source, { report }: LoadSurveyOptions): Promise<LoadedSurvey> {
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
