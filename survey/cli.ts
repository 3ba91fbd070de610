/**
 * Makes survey files:
 *
 *     tsx survey/cli.ts simulate --rows 500 --seed 7 [--shift 0.1] [--start 2025-03-01T08:00:00Z] [--output survey.csv]
 *     tsx survey/cli.ts convert abalone.data [--output survey.csv [--report report.json]]
 *
 * Without `--output` the file goes to standard output. Exit status: 1 if the file can't be made, 2 for wrong arguments.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { runCommand } from "../command";
import { convertSurvey, type ConvertedSurvey } from "./convert";
import { parseEventTime, readSurvey, type RowProblem, SurveyFileError } from "./survey-file";
import { simulateSurvey } from "./simulator";

const usage = `Usage:
  tsx survey/cli.ts simulate --rows 500 [--seed 1] [--shift 0.1] [--start 2025-03-01T08:00:00Z] [--output survey.csv]
  tsx survey/cli.ts convert abalone.data [--output survey.csv [--report report.json]]`;

/** Wrong arguments. */
class UsageError extends Error {
  readonly exitStatus = 2;

  constructor(message: string) {
    super(`${message}\n${usage}`);
  }
}

/** Shows at most this many unreadable lines; a report has all of them. */
const shownProblems = 20;

/** The JSON of `--report`: how the survey file was made from the converted file. */
export interface ConversionReport {
  readonly form: ConvertedSurvey["form"];
  /** Line n of the survey file comes from line n minus this of the converted file. */
  readonly linesBefore: ConvertedSurvey["linesBefore"];
  /** The unreadable lines of the converted file, in order. */
  readonly unreadable: readonly RowProblem[];
  /** Why ingestion will refuse the whole survey file. */
  readonly fileProblem?: string;
}

function parseNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) {
    return undefined;
  }
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) {
    throw new UsageError(`--${option}: '${text}' is not a number`);
  }
  return value;
}

function parseStart(text: string | undefined): Date | undefined {
  if (text === undefined) {
    return undefined;
  }
  const parsed = parseEventTime(text, new Date());
  if ("fault" in parsed) {
    throw new UsageError(`--start: '${text}' ${parsed.fault}`);
  }
  return new Date(parsed.time);
}

/** Writes to a temporary file first, so that a stopped command leaves no partial file. */
async function write(content: Iterable<string> | AsyncIterable<Uint8Array>, output: string | undefined): Promise<void> {
  if (output === undefined) {
    await pipeline(content, process.stdout);
    return;
  }
  const partial = `${output}.partial-${process.pid}`;
  try {
    await pipeline(content, createWriteStream(partial));
    await rename(partial, output);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Reads up to the first row, which shows errors of the whole file. */
async function fileProblemOf(surveyFile: string): Promise<string | undefined> {
  const rows = readSurvey(createReadStream(surveyFile), { now: new Date() });
  try {
    await rows.next();
    return undefined;
  } catch (error) {
    if (error instanceof SurveyFileError) {
      return error.message;
    }
    throw error;
  } finally {
    await rows.return(undefined);
  }
}

async function convert(path: string, output: string | undefined, report: string | undefined): Promise<void> {
  const problems: RowProblem[] = [];
  const { form, linesBefore, content } = await convertSurvey(createReadStream(path), {
    report: (problem) => problems.push(problem),
  });
  await write(content, output);
  if (report !== undefined && output !== undefined) {
    const fileProblem = await fileProblemOf(output);
    const document: ConversionReport = {
      form,
      linesBefore,
      unreadable: problems,
      fileProblem,
    };
    await writeFile(report, JSON.stringify(document));
  }
  for (const { line, reason } of problems.slice(0, shownProblems)) {
    console.error(`${path}:${line}: left out: ${reason}`);
  }
  if (problems.length > shownProblems) {
    console.error(`${path}: ${problems.length - shownProblems} more lines left out`);
  }
}

async function main(words: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      rows: { type: "string" },
      seed: { type: "string" },
      shift: { type: "string" },
      start: { type: "string" },
      output: { type: "string" },
      report: { type: "string" },
    },
  });
  const [command, path, ...rest] = positionals;
  const { output, report } = values;
  const [rows, seed, shift] = (["rows", "seed", "shift"] as const).map((option) => parseNumber(option, values[option]));
  const start = parseStart(values.start);
  if (command === "simulate" && path === undefined) {
    if (report !== undefined) {
      throw new UsageError("--report belongs to convert");
    }
    if (rows === undefined) {
      throw new UsageError("--rows is missing");
    }
    const options = {
      rows,
      seed,
      shift,
      start,
    };
    await write(simulateSurvey(options), output);
  } else if (command === "convert" && path !== undefined && rest.length === 0) {
    const option = (["rows", "seed", "shift", "start"] as const).find((candidate) => values[candidate] !== undefined);
    if (option !== undefined) {
      throw new UsageError(`--${option} belongs to simulate`);
    }
    if (report !== undefined && output === undefined) {
      throw new UsageError("--report needs --output");
    }
    await convert(path, output, report);
  } else {
    throw new UsageError(command === undefined ? "Say what to do" : `'${positionals.join(" ")}' is not a command`);
  }
}

runCommand(() =>
  main(process.argv.slice(2)).catch((error: unknown) => {
    // Errors of parseArgs and of the simulator are wrong arguments too.
    const isArgument = error instanceof RangeError || (error instanceof TypeError && "code" in error);
    throw isArgument ? new UsageError(error.message) : error;
  }),
);
