import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  createReadStream,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { NotFound } from "@aws-sdk/client-s3";

import type { ConversionReport } from "../../survey/cli";
import type { IngestResult } from "../../survey/ingest-result";
import type { RowProblem } from "../../survey/survey-file";
import { type Clients, requireContract } from "./clients";
import { run } from "./commands";
import { cleanEnvironment, type Instance, root, shown } from "./instance";

/** A survey as a file in the platform's own format. */
export interface SurveyFile {
  readonly path: string;
  /** Name of the object under `surveys/`: it contains a hash of the content, so equal surveys are one object. */
  readonly name: string;
  /** Hexadecimal SHA-256 of the content. */
  readonly hash: string;
  /** Number of lines below the header, including blank ones. */
  readonly lines: number;
  /** Its source, for messages. */
  readonly origin: Origin;
}

/** The file that a survey file was made of. */
export interface Origin {
  /** Its path, or a name for the simulated survey. */
  readonly name: string;
  readonly form: "survey" | "uci";
  /** Line n of the survey file is line n minus this of the origin. */
  readonly linesBefore: number;
  /** Its unreadable lines, which are blank in the survey file. */
  readonly unreadable: readonly RowProblem[];
}

/** Results for a survey's rows, including unreadable ones. */
export interface Ingestion {
  readonly read: number;
  readonly accepted: number;
  readonly rejected: number;
  /** The first rejected row, by its line in the origin, and the file that lists all of them. */
  readonly rejection?: { readonly first: RowProblem; readonly list: string };
}

/** A survey that can't be ingested; a retry does not help. */
export class SurveyRefused extends Error {}

/**
 * Makes the survey file to ingest: from the user's file in either format, or simulated.
 * @param source Path of a survey file or of UCI's abalone.data; undefined simulates 4,000 animals with seed 1.
 * @throws SurveyRefused when the file is missing or in neither format.
 */
export async function makeSurvey(instance: Instance, source: string | undefined): Promise<SurveyFile> {
  const folder = instance.path("surveys");
  mkdirSync(folder, { recursive: true });
  const stem =
    source === undefined
      ? "simulated"
      : basename(source)
          .replace(/\.[^.]*$/, "")
          .replace(/[^A-Za-z0-9_-]+/g, "-");
  const made = join(folder, `${stem}.csv`);
  const report = join(folder, `${stem}.report.json`);
  const parameters =
    source === undefined
      ? ["simulate", "--rows", "4000", "--seed", "1", "--output", made]
      : ["convert", findSurvey(source), "--output", made, "--report", report];
  try {
    await run(join(root, "node_modules/.bin/tsx"), [join(root, "survey/cli.ts"), ...parameters], {
      title: source === undefined ? "The survey simulator" : "Reading the survey",
      environment: cleanEnvironment(instance),
      log: instance.path("logs/survey.log"),
      seconds: 300,
    });
  } catch (error) {
    throw new SurveyRefused(error instanceof Error ? error.message : String(error), { cause: error });
  }
  const content = readFileSync(made);
  const hash = createHash("sha256").update(content).digest("hex");
  const fileName = `${stem}-${hash.slice(0, 12)}.csv`;
  const path = join(folder, fileName);
  renameSync(made, path);
  const survey = { path, hash, name: fileName, lines: countLines(content) };
  if (source === undefined) {
    return { ...survey, origin: { name: "the simulated survey", form: "survey", linesBefore: 0, unreadable: [] } };
  }
  const { fileProblem, ...conversion } = JSON.parse(readFileSync(report, "utf8")) as ConversionReport;
  rmSync(report);
  const name = shown(findSurvey(source));
  const [first] = conversion.unreadable;
  if (fileProblem !== undefined) {
    const reason = first === undefined ? fileProblem : `no line can be read; line ${first.line}: ${first.reason}`;
    throw new SurveyRefused(`${name} is not a survey: ${reason}.`);
  }
  return { ...survey, origin: { name, ...conversion } };
}

/** Number of lines below the header. */
function countLines(content: Buffer): number {
  let lines = 0;
  for (let end = content.indexOf(10); end >= 0; end = content.indexOf(10, end + 1)) {
    lines += 1;
  }
  return Math.max(0, content.at(-1) === 10 ? lines - 1 : lines);
}

/**
 * The absolute path of a named survey.
 * @param source As typed: relative to the checkout, or to the home folder if it starts with `~/`, which not every shell
 * replaces in `SURVEY=~/…`.
 * @throws SurveyRefused when no file can be read there.
 */
export function findSurvey(source: string): string {
  const path = resolve(
    root,
    source.replace(/^~(?=\/|$)/, () => homedir()),
  );
  const expected = "expected a survey file (CSV) or UCI's abalone.data";
  try {
    if (!statSync(path).isFile()) {
      throw new SurveyRefused(`SURVEY: ${path} is not a plain file; ${expected}.`);
    }
    accessSync(path, constants.R_OK);
  } catch (error) {
    switch ((error as NodeJS.ErrnoException).code) {
      case "ENOENT":
      case "ENOTDIR":
        throw new SurveyRefused(`SURVEY: there is no file ${path}; ${expected}.`, { cause: error });
      case undefined:
        throw error;
      default:
        throw new SurveyRefused(`SURVEY: ${path} can't be read (${(error as Error).message}).`, { cause: error });
    }
  }
  return path;
}

/**
 * Puts a survey file into the data bucket and ingests it with the ingest-survey function. Writes the list of all
 * rejected rows, if any, beside the survey file.
 * @throws Error when the whole file is refused or the function fails.
 */
export async function ingest(
  clients: Clients,
  survey: SurveyFile,
  progress: (text: string) => void,
): Promise<Ingestion> {
  const bucket = await requireContract(clients, "DataBucket");
  const functionName = await requireContract(clients, "IngestSurveyFunction");
  const key = `surveys/${survey.name}`;
  if (!(await objectExists(clients, bucket, key))) {
    const body = createReadStream(survey.path);
    await clients.s3.putObject({
      Bucket: bucket,
      Key: key,
      Body: body,
      ContentLength: readFileSync(survey.path).length,
      ContentType: "text/csv",
    });
  }
  const total = { read: 0, accepted: 0, rejected: 0 };
  const problems = [...survey.origin.unreadable];
  let next: { etag?: string | undefined; offset?: number | undefined } = {};
  for (;;) {
    const result = await invoke<IngestResult>(clients, functionName, { bucket, key, ...next });
    if (result.fileProblem !== undefined) {
      throw new SurveyRefused(`${survey.origin.name} is not a survey: ${result.fileProblem}.`);
    }
    total.read += result.rows.read;
    total.accepted += result.rows.accepted;
    total.rejected += result.rows.rejected;
    if (result.rejectedUri !== undefined) {
      for (const { line, reason } of await readRejected(clients, result.rejectedUri)) {
        problems.push({ line: line - survey.origin.linesBefore, reason });
      }
    }
    progress(`${total.accepted} rows accepted, ${total.rejected} rejected`);
    if (result.complete) {
      break;
    }
    next = { etag: result.etag, offset: result.nextOffset };
  }
  const rejection = listRejected(survey, problems);
  const ingestion: Ingestion = {
    read: total.read + survey.origin.unreadable.length,
    accepted: total.accepted,
    rejected: problems.length,
    rejection,
  };
  if (total.accepted === 0) {
    throw new SurveyRefused(`No row of the survey was accepted. ${describeRejection(survey.origin.name, ingestion)}`);
  }
  return ingestion;
}

/**
 * Moves an ingested survey to the data workflow's folder of finished surveys: files below `surveys/` are still to be
 * ingested.
 */
export async function fileAway(clients: Clients, survey: SurveyFile): Promise<void> {
  const bucket = await requireContract(clients, "DataBucket");
  const key = `surveys/${survey.name}`;
  try {
    const { ETag } = await clients.s3.headObject({ Bucket: bucket, Key: key });
    const etag = (ETag ?? "").replaceAll('"', "");
    await clients.s3.copyObject({
      Bucket: bucket,
      CopySource: `${bucket}/${key}`,
      Key: `surveys/processed/${survey.name}/${etag}.csv`,
    });
    await clients.s3.deleteObject({ Bucket: bucket, Key: key });
  } catch (error) {
    if (!(error instanceof NotFound)) {
      throw error;
    }
  }
}

/** The rows that one call of the ingest-survey function rejected. */
async function readRejected(clients: Clients, uri: string): Promise<readonly RowProblem[]> {
  const { hostname, pathname } = new URL(uri);
  const { Body } = await clients.s3.getObject({ Bucket: hostname, Key: decodeURIComponent(pathname.slice(1)) });
  return (JSON.parse((await Body?.transformToString()) ?? "") as { readonly rejected: readonly RowProblem[] }).rejected;
}

/**
 * Lists every rejected row by its line in the user's file, in the format `file:line: reason`.
 * @returns The first of them and the list's path; undefined when there are none.
 */
export function listRejected(
  { path, name, origin }: SurveyFile,
  problems: readonly RowProblem[],
): Ingestion["rejection"] | undefined {
  const sorted = [...problems].sort((one, other) => one.line - other.line);
  const [first] = sorted;
  if (first === undefined) {
    return undefined;
  }
  const list = join(dirname(path), name.replace(/\.csv$/, ".rejected.txt"));
  const scale = origin.form === "uci" ? ["Values are in mm and g: 200 times the values in UCI's file."] : [];
  const lines = sorted.map(({ line, reason }) => `${origin.name}:${line}: ${reason}`);
  writeFileSync(list, `${[...scale, ...lines].join("\n")}\n`);
  return { first, list };
}

/** The number of rejected rows, the first reason, and the path of the list. Empty without rejected rows. */
export function describeRejection(origin: string, { read, rejected, rejection }: Ingestion): string {
  if (rejection === undefined) {
    return "";
  }
  const { first, list } = rejection;
  const were = rejected === 1 ? "was" : "were";
  return (
    `${rejected} of the ${read} rows ${were} rejected, the first in line ${first.line} of ${origin}: ${first.reason}\n` +
    `  All of them, with their lines and reasons: ${shown(list)}`
  );
}

/**
 * Waits for some work, and reports its progress every few seconds.
 * @param tell Reports the progress; its errors are ignored, because the work continues.
 */
export async function tellMeanwhile<Result>(
  work: Promise<Result>,
  tell: () => Promise<void>,
  milliseconds = 3000,
): Promise<Result> {
  const ended = work.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([ended, sleep(milliseconds, false, { ref: false })]))) {
    await tell().catch(() => undefined);
  }
  return work;
}

async function objectExists(clients: Clients, bucket: string, key: string): Promise<boolean> {
  try {
    await clients.s3.headObject({ Bucket: bucket, Key: key });
    return true;
  } catch (error) {
    if (error instanceof NotFound) {
      return false;
    }
    throw error;
  }
}

/** Calls a function of the platform and returns its answer; its error message becomes the reason. */
export async function invoke<Result>(clients: Clients, functionName: string, payload: unknown): Promise<Result> {
  const response = await clients.lambda.invoke({
    FunctionName: functionName,
    Payload: Buffer.from(JSON.stringify(payload)),
  });
  const text = Buffer.from(response.Payload ?? []).toString();
  if (response.FunctionError !== undefined) {
    const { errorType, errorMessage } = JSON.parse(text) as { errorType?: string; errorMessage?: string };
    throw new Error(`The function ${functionName} failed: ${errorType ?? "error"}: ${errorMessage ?? text}`);
  }
  return JSON.parse(text) as Result;
}

/** Number of record versions that Athena finds in the offline store; 0 while it has none. */
export async function countOfflineRecords(clients: Clients): Promise<number> {
  const { DataCatalogConfig: catalog } = (
    await clients.sagemaker.describeFeatureGroup({ FeatureGroupName: await requireContract(clients, "FeatureGroup") })
  ).OfflineStoreConfig ?? { DataCatalogConfig: undefined };
  if (catalog?.Database === undefined || catalog.TableName === undefined) {
    throw new Error("The feature group has no offline store; expected the data stack to give it one.");
  }
  const { QueryExecutionId } = await clients.athena.startQueryExecution({
    QueryString: `SELECT count(*) FROM "${catalog.Database}"."${catalog.TableName}"`,
    WorkGroup: await requireContract(clients, "AthenaWorkgroup"),
  });
  for (;;) {
    const { QueryExecution } = await clients.athena.getQueryExecution({ QueryExecutionId });
    const state = QueryExecution?.Status?.State;
    if (state === "SUCCEEDED") {
      const { ResultSet } = await clients.athena.getQueryResults({ QueryExecutionId });
      return Number(ResultSet?.Rows?.[1]?.Data?.[0]?.VarCharValue ?? 0);
    }
    if (state === "FAILED" || state === "CANCELLED") {
      const reason = QueryExecution?.Status?.StateChangeReason ?? state;
      // Before its first Parquet file, the offline store has nothing to query.
      if (/no files found/i.test(reason)) {
        return 0;
      }
      throw new Error(`Counting the records of the offline store failed: ${reason}`);
    }
    await sleep(100);
  }
}

/**
 * Waits until the offline store has `expected` record versions: SageMaker writes them some time after they were put.
 * @throws Error when it takes longer than `seconds`.
 */
export async function waitForOfflineStore(clients: Clients, expected: number, seconds = 300): Promise<number> {
  const deadline = Date.now() + 1000 * seconds;
  for (;;) {
    const count = await countOfflineRecords(clients);
    if (count >= expected) {
      return count;
    }
    if (Date.now() > deadline) {
      throw new Error(`The offline store shows ${count} of ${expected} record versions after ${seconds} seconds.`);
    }
    await sleep(250);
  }
}
