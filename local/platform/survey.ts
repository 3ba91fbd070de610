import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { GetQueryExecutionCommand, GetQueryResultsCommand, StartQueryExecutionCommand } from "@aws-sdk/client-athena";
import { InvokeCommand } from "@aws-sdk/client-lambda";
import { HeadObjectCommand, NotFound, PutObjectCommand } from "@aws-sdk/client-s3";
import { DescribeFeatureGroupCommand } from "@aws-sdk/client-sagemaker";

import { type Clients, requireContract } from "./clients";
import { run } from "./commands";
import { cleanEnvironment, type Instance, root } from "./instance";

/** A survey as a file in the platform's own form. */
export interface SurveyFile {
  readonly path: string;
  /** Name of the object under `surveys/`: it carries a hash of the content, so equal surveys are one object. */
  readonly name: string;
  /** SHA-256 of the content in hexadecimal digits. */
  readonly hash: string;
}

/** What became of a survey's rows. */
export interface Ingestion {
  readonly read: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Where the rejected rows are listed with their reasons. */
  readonly rejectedUris: readonly string[];
  /** The first rejected rows, for the terminal. */
  readonly problems: readonly Problem[];
}

interface Problem {
  readonly line: number;
  readonly recordId?: string;
  readonly reason: string;
}

/** A survey that cannot be ingested, however often it is tried. */
export class SurveyRefused extends Error {}

/** The answer of the ingest-survey function (its source: handlers/ingest-survey). */
interface IngestResult {
  readonly complete: boolean;
  readonly nextOffset?: number;
  readonly etag?: string;
  readonly fileProblem?: string;
  readonly rows: { readonly read: number; readonly accepted: number; readonly rejected: number };
  readonly rejectedUri?: string;
  readonly problems: readonly Problem[];
}

/**
 * Makes the survey file that is to be ingested: of the file that the user named, in either form, or a simulated one.
 * @param source Path of a survey file or of UCI's abalone.data; undefined simulates 4,000 animals with seed 1.
 * @throws Error when the file isn't there or is in neither form.
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
  const path = join(folder, `${stem}.csv`);
  const parameters =
    source === undefined ? ["simulate", "--rows", "4000", "--seed", "1"] : ["convert", existing(resolve(root, source))];
  try {
    await run(join(root, "node_modules/.bin/tsx"), [join(root, "survey/cli.ts"), ...parameters, "--output", path], {
      title: source === undefined ? "The survey simulator" : `Reading the survey ${source}`,
      environment: cleanEnvironment(instance),
      log: instance.path("logs/survey.log"),
      seconds: 300,
    });
  } catch (error) {
    throw new SurveyRefused(error instanceof Error ? error.message : String(error), { cause: error });
  }
  const hash = createHash("sha256").update(readFileSync(path)).digest("hex");
  return { path, hash, name: `${stem}-${hash.slice(0, 12)}.csv` };
}

function existing(path: string): string {
  if (!existsSync(path)) {
    throw new SurveyRefused(`SURVEY: there is no file ${path}; expected a survey file (CSV) or UCI's abalone.data.`);
  }
  if (!statSync(path).isFile()) {
    throw new SurveyRefused(`SURVEY: ${path} is no plain file; expected a survey file (CSV) or UCI's abalone.data.`);
  }
  return path;
}

/**
 * Puts a survey file into the data bucket and has it ingested by the ingest-survey function.
 * @throws Error when the file as a whole is refused or the function fails.
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
    await clients.s3.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: body,
        ContentLength: readFileSync(survey.path).length,
        ContentType: "text/csv",
      }),
    );
  }
  const total = { read: 0, accepted: 0, rejected: 0 };
  const rejectedUris: string[] = [];
  const problems: Problem[] = [];
  let next: { etag?: string | undefined; offset?: number | undefined } = {};
  for (;;) {
    const result = await invoke<IngestResult>(clients, functionName, { bucket, key, ...next });
    if (result.fileProblem !== undefined) {
      throw new SurveyRefused(`The survey ${survey.name} was refused as a whole: ${result.fileProblem}`);
    }
    total.read += result.rows.read;
    total.accepted += result.rows.accepted;
    total.rejected += result.rows.rejected;
    problems.push(...result.problems);
    if (result.rejectedUri !== undefined) {
      rejectedUris.push(result.rejectedUri);
    }
    progress(`${total.accepted} rows accepted, ${total.rejected} rejected`);
    if (result.complete) {
      break;
    }
    next = { etag: result.etag, offset: result.nextOffset };
  }
  if (total.accepted === 0) {
    const first = problems[0] === undefined ? "" : ` The first reason: line ${problems[0].line}: ${problems[0].reason}`;
    throw new SurveyRefused(`No row of the survey ${survey.name} was accepted.${first}`);
  }
  return { ...total, rejectedUris, problems: problems.slice(0, 20) };
}

async function objectExists(clients: Clients, bucket: string, key: string): Promise<boolean> {
  try {
    await clients.s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    return true;
  } catch (error) {
    if (error instanceof NotFound) {
      return false;
    }
    throw error;
  }
}

/** Calls a function of the platform and returns its answer; its own error message comes through as the reason. */
export async function invoke<Result>(clients: Clients, functionName: string, payload: unknown): Promise<Result> {
  const response = await clients.lambda.send(
    new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(JSON.stringify(payload)) }),
  );
  const text = Buffer.from(response.Payload ?? []).toString();
  if (response.FunctionError !== undefined) {
    const { errorType, errorMessage } = JSON.parse(text) as { errorType?: string; errorMessage?: string };
    throw new Error(`The function ${functionName} failed: ${errorType ?? "error"}: ${errorMessage ?? text}`);
  }
  return JSON.parse(text) as Result;
}

/** How many record versions the offline store shows to Athena; 0 while it has none. */
export async function countOfflineRecords(clients: Clients): Promise<number> {
  const { DataCatalogConfig: catalog } = (
    await clients.sagemaker.send(
      new DescribeFeatureGroupCommand({ FeatureGroupName: await requireContract(clients, "FeatureGroup") }),
    )
  ).OfflineStoreConfig ?? { DataCatalogConfig: undefined };
  if (catalog?.Database === undefined || catalog.TableName === undefined) {
    throw new Error("The feature group has no offline store; expected the data stack to give it one.");
  }
  const { QueryExecutionId } = await clients.athena.send(
    new StartQueryExecutionCommand({
      QueryString: `SELECT count(*) FROM "${catalog.Database}"."${catalog.TableName}"`,
      WorkGroup: await requireContract(clients, "AthenaWorkgroup"),
    }),
  );
  for (;;) {
    const { QueryExecution } = await clients.athena.send(new GetQueryExecutionCommand({ QueryExecutionId }));
    const state = QueryExecution?.Status?.State;
    if (state === "SUCCEEDED") {
      const { ResultSet } = await clients.athena.send(new GetQueryResultsCommand({ QueryExecutionId }));
      return Number(ResultSet?.Rows?.[1]?.Data?.[0]?.VarCharValue ?? 0);
    }
    if (state === "FAILED" || state === "CANCELLED") {
      const reason = QueryExecution?.Status?.StateChangeReason ?? state;
      // Before its first Parquet file, the offline store has nothing that a query could read.
      if (/no files found/i.test(reason)) {
        return 0;
      }
      throw new Error(`Counting the records of the offline store failed: ${reason}`);
    }
    await sleep(100);
  }
}

/**
 * Waits until the offline store shows `expected` record versions: SageMaker writes them some time after they were put.
 * @throws Error when it does not within `seconds`.
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
