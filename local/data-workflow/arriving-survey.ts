import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { simulate } from "../../survey/simulator";
import { makeClients, requireContract } from "../platform/clients";
import { run } from "../platform/commands";
import { cleanEnvironment, type Instance, readJson, root, writeJson } from "../platform/instance";
import { addressOf, isHealthy } from "../platform/services";

/** A survey that is not ingested yet. */
export interface NewSurvey {
  readonly rows: number;
  readonly seed: number;
  /** How much bigger the animals are than usual; 0.1 is a tenth. */
  readonly shift: number;
  /** Its path on this machine. */
  readonly path: string;
  readonly bucket: string;
  readonly key: string;
}

/** Options of `make survey`. */
export interface SurveyOptions {
  readonly ROWS?: string | undefined;
  readonly SEED?: string | undefined;
  readonly SHIFT?: string | undefined;
}

const defaultRows = 500;
/** `make up` itself simulates its first survey with seed 1. */
const firstSeed = 2;
/** The date of the survey with seed 1. */
const firstDay = Date.UTC(2025, 2, 1, 8);
/** Surveys are a day apart; after this number the days repeat, so that none is in the future. */
const surveyDays = 180;

/** @throws Error when a service that the data workflow needs doesn't run. */
export async function requirePlatform(instance: Instance): Promise<void> {
  for (const service of ["emulator", "sagemaker", "pipeline"] as const) {
    if (!(await isHealthy(instance, service))) {
      throw new Error(`The platform doesn't run (${service} doesn't answer): type \`make up\` first.`);
    }
  }
}

function parseNumber(
  name: keyof SurveyOptions,
  text: string | undefined,
  expected: string,
  form: RegExp,
): number | undefined {
  if (text === undefined || text === "") {
    return undefined;
  }
  if (!form.test(text)) {
    throw new Error(`${name}: '${text}' is not ${expected}.`);
  }
  return Number(text);
}

/** Settings of a simulated survey. */
interface SimulatedSurvey {
  readonly rows: number;
  readonly seed: number;
  readonly shift: number;
}

/**
 * Reads the options; missing ones have default values.
 * @throws Error that names the option, its value and what was expected.
 */
export function readOptions(
  options: SurveyOptions,
  usual: { readonly rows: number; readonly seed: number },
): SimulatedSurvey {
  const rows =
    parseNumber("ROWS", options.ROWS, "a number of animals such as 500, at most 100000000", /^[1-9]\d{0,8}$/) ??
    usual.rows;
  const seed = parseNumber("SEED", options.SEED, "a whole number such as 7", /^\d{1,15}$/) ?? usual.seed;
  const shift =
    parseNumber("SHIFT", options.SHIFT, "a share such as 0.2: animals a fifth bigger", /^[+-]?\d*\.?\d+$/) ?? 0;
  requireSimulation({ rows, seed, shift });
  return { rows, seed, shift };
}

/** Rows per second of `ingest-survey` on the machine of docs/measurements.md. */
const measuredRowsASecond = 1031;

/** Text about the ingestion time of a large survey; empty for a small one. */
export function describeWait(rows: number): string {
  const minutes = Math.round(rows / measuredRowsASecond / 60);
  return minutes < 2 ? "" : ` So many rows take some ${minutes} minutes, at the rate of docs/measurements.md.`;
}

/** How animals differ from usual ones, in words; empty if they don't. */
export const describeShift = (shift: number): string =>
  shift === 0 ? "" : `${Math.round(1000 * Math.abs(shift)) / 10} % ${shift > 0 ? "bigger" : "smaller"} than usual`;

/** @throws Error in the words of the command line, when the simulator refuses. */
function requireSimulation(options: Parameters<typeof simulate>[0]): void {
  try {
    simulate(options).next();
  } catch (error) {
    throw error instanceof RangeError ? new Error(error.message.replace(/^\w+/, (name) => name.toUpperCase())) : error;
  }
}

/**
 * Simulates a survey of new animals, and puts it into the folder for arriving surveys. The same options give the same
 * file.
 * @throws Error when the platform doesn't run, or an option is out of range.
 */
export async function writeSurvey(instance: Instance, options: SurveyOptions): Promise<NewSurvey> {
  const seedFile = instance.path("progress/survey-seed.json");
  const lastSeed = readJson(seedFile, firstSeed - 1);
  const { rows, seed, shift } = readOptions(options, { rows: defaultRows, seed: lastSeed + 1 });
  await requirePlatform(instance);
  const clients = makeClients(addressOf(instance, "emulator"));
  const bucket = await requireContract(clients, "DataBucket");

  const name = `survey-${rows}-${seed}${shift === 0 ? "" : `-shifted-${shift}`}.csv`;
  const path = instance.path("surveys", name);
  mkdirSync(instance.path("surveys"), { recursive: true });
  const start = new Date(firstDay + ((Math.max(seed, 1) - 1) % surveyDays) * 86_400_000).toISOString();
  await run(
    join(root, "node_modules/.bin/tsx"),
    [
      join(root, "survey/cli.ts"),
      "simulate",
      `--rows=${rows}`,
      `--seed=${seed}`,
      `--start=${start}`,
      `--shift=${shift}`,
      `--output=${path}`,
    ],
    {
      title: "The survey simulator",
      environment: cleanEnvironment(instance),
      log: instance.path("logs/survey.log"),
      seconds: 600,
    },
  );
  const key = `surveys/${name}`;
  await clients.s3.putObject({ Bucket: bucket, Key: key, Body: readFileSync(path), ContentType: "text/csv" });
  writeJson(seedFile, Math.max(seed, lastSeed));
  return { rows, seed, shift, path, bucket, key };
}
