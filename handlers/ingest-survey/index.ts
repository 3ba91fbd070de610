/**
 * Ingests a survey file: reads it from S3, puts each good row into the feature group, and lists the others with their
 * reasons in S3.
 *
 * Idempotent: a record with the same identifier and time is the same record. A file that needs more than one call is
 * continued at `nextOffset`. Earlier rows are read again to find duplicates in the whole file, but not stored again.
 *
 * Several calls can ingest a large file at the same time, each with its own range of bytes. A row belongs to the range
 * in which it starts, so ranges may start and end anywhere: every row is stored once.
 */
import { MetricUnit } from "@aws-lambda-powertools/metrics";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import type { Context } from "aws-lambda";
import type { IngestResult } from "../../survey/ingest-result";
import { type AcceptedRow, readSurvey, type RowProblem, SurveyFileError } from "../../survey/survey-file";
import * as z from "../../survey/zod";
import { clientOptions, httpStatus } from "../shared/clients";
import { readEnvironment } from "../shared/environment";
import { parseEvent, someText } from "../shared/input";
import { logger, metrics, observed } from "../shared/observability";
import { variables } from "./declaration";
import { largestBatch, storeRows } from "./store";

/** Batches of records stored at the same time. */
const concurrency = 8;
/** Time in ms before the function's deadline, reserved for records in flight and the list of rejected rows. */
const reserve = 30_000;
/** Most rejected rows of one call, which then stops as at its deadline, so that no file can fill the memory. */
const maximumRejected = 50_000;
/**
 * The largest file in bytes. Even with the shortest rows, its records fit into memory. Each call reads the file from
 * the start, and still reaches the last range in time.
 */
const largestSurvey = 512 * 1024 * 1024;
/** Most rejected rows in the answer itself. */
const maximumProblems = 20;

const environment = readEnvironment(variables);
// Neither client is traced: a trace of thousands of requests is useless, and the tracer's hooks cost a third of the
// throughput.
const s3 = new S3Client({
  ...clientOptions,
  // A survey is read only as fast as its records are stored, so its connection may be idle for a long time.
  requestHandler: { ...clientOptions.requestHandler, socketTimeout: 0 },
});
// `storeRows` retries instead, without the SDK's retry quota.
const featureStore = new SageMakerFeatureStoreRuntimeClient({
  maxAttempts: 1,
  requestHandler: {
    ...clientOptions.requestHandler,
    httpAgent: { maxSockets: concurrency },
    httpsAgent: { maxSockets: concurrency },
  },
});

const rejectedPrefix = "surveys/rejected/";

const eventSchema = z
  .object({
    bucket: z.optional(someText),
    key: someText.check(z.refine((key) => !key.startsWith(rejectedPrefix), "is a list of rejected rows, not a survey")),
    etag: z.optional(someText),
    /** The first byte of the range. @default 0 */
    offset: z.optional(z.int().check(z.nonnegative())),
    /** The first byte after the range. @default the end of the file */
    until: z.optional(z.int().check(z.positive())),
  })
  .check(
    z.refine(({ offset = 0, until = Infinity }) => offset < until, {
      path: ["until"],
      message: "expected a byte behind offset: a range holds one byte at least",
    }),
  );

/** The object was replaced during a call or between calls: start again from its beginning. */
export class SurveyChanged extends Error {
  override readonly name = "SurveyChanged";
}

/** The object does not exist. */
export class SurveyNotFound extends Error {
  override readonly name = "SurveyNotFound";
}

interface SurveyObject {
  readonly etag: string;
  readonly content: AsyncIterable<Uint8Array>;
}

async function openSurvey(bucket: string, key: string, etag: string | undefined): Promise<SurveyObject> {
  const place = `s3://${bucket}/${key}`;
  try {
    // The first call has no ETag; the answer contains it, and later calls require it.
    const { Body, ETag, ContentLength } = await s3.send(
      new GetObjectCommand({ Bucket: bucket, Key: key, IfMatch: etag }),
    );
    if (!Body || ETag === undefined) {
      throw new Error(`${place} came without content or without an ETag`);
    }
    return { etag: ETag, content: complete(Body as AsyncIterable<Uint8Array>, ContentLength, place) };
  } catch (error) {
    if (httpStatus(error) === 412) {
      throw new SurveyChanged(
        `${place} was replaced since it was first read (ETag ${etag ?? ""}): start again without an offset`,
      );
    }
    if (httpStatus(error) === 404) {
      throw new SurveyNotFound(`There is no object ${place}`);
    }
    throw error;
  }
}

/**
 * Passes a stream through. Fails if it ends early: half a survey must not count as a whole one.
 * @throws SurveyFileError when the file is too large to check
 */
async function* complete(
  content: AsyncIterable<Uint8Array>,
  length: number | undefined,
  place: string,
): AsyncGenerator<Uint8Array> {
  let received = 0;
  for await (const chunk of content) {
    if (length !== undefined && length > largestSurvey) {
      throw new SurveyFileError(
        `it has ${length} bytes, and more than ${largestSurvey} can't be checked: split it into files of fewer rows, each with the header`,
      );
    }
    received += chunk.length;
    yield chunk;
  }
  if (length !== undefined && received !== length) {
    throw new SurveyChanged(
      `${place} ended after ${received} of ${length} bytes: it was replaced or the connection broke. Repeat the call`,
    );
  }
}

/**
 * Writes this call's rejected rows. The file name depends on content and offset, so a repeated call overwrites its own
 * list.
 */
async function writeRejected(
  bucket: string,
  key: string,
  etag: string,
  offset: number,
  problems: readonly RowProblem[],
): Promise<string> {
  const file = key.replace(/^surveys\//, "");
  const version = `${etag.replaceAll('"', "")}${offset > 0 ? `-${offset}` : ""}`;
  const rejectedKey = `${rejectedPrefix}${file}/${version}.json`;
  await s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: rejectedKey,
      ContentType: "application/json",
      Body: JSON.stringify({ survey: `s3://${bucket}/${key}`, etag, rejected: problems }),
    }),
  );
  return `s3://${bucket}/${rejectedKey}`;
}

/** Ingests a survey, or as much of it as one call can. */
export const handler = observed(
  async (event: unknown, context: Pick<Context, "getRemainingTimeInMillis">): Promise<IngestResult> => {
    const {
      bucket = environment.DATA_BUCKET,
      key,
      offset = 0,
      until = Infinity,
      ...given
    } = parseEvent(eventSchema, event);
    // A function with a short time limit reserves at most half of it, so that it makes progress.
    const stopAt = Math.min(reserve, context.getRemainingTimeInMillis() / 2);
    const { etag, content } = await openSurvey(bucket, key, given.etag);
    const problems: RowProblem[] = [];
    let read = 0;
    let nextOffset: number | undefined;
    let failed = false;

    const mustStop = (): boolean =>
      read > 0 && (problems.length >= maximumRejected || context.getRemainingTimeInMillis() < stopAt);

    /** The good rows to store, until none are left or the call must end. */
    async function* readBatches(): AsyncGenerator<AcceptedRow[]> {
      let batch: AcceptedRow[] = [];
      for await (const row of readSurvey(content, { now: new Date() })) {
        if (row.offset < offset) {
          continue;
        }
        if (row.offset >= until) {
          break;
        }
        if (mustStop()) {
          nextOffset = row.offset;
          break;
        }
        read += 1;
        if ("problem" in row) {
          problems.push(row.problem);
        } else if (batch.push(row) === largestBatch) {
          yield batch;
          batch = [];
        }
      }
      if (batch.length > 0) {
        yield batch;
      }
    }
    const batches = readBatches();
    /** Stores batches until none are left or one fails. Several workers share the batches. */
    const worker = async (): Promise<void> => {
      try {
        for (let next = await batches.next(); next.done !== true && !failed; next = await batches.next()) {
          await storeRows(featureStore, environment.FEATURE_GROUP, next.value, key);
        }
      } catch (error) {
        failed = true;
        throw error;
      }
    };

    try {
      const workers = await Promise.allSettled(Array.from({ length: concurrency }, worker));
      const failure = workers.find((result) => result.status === "rejected");
      if (failure) {
        throw failure.reason;
      }
    } catch (error) {
      if (!(error instanceof SurveyFileError)) {
        throw error;
      }
      logger.warn("The file is not a survey", { key, fileProblem: error.message });
      metrics.addMetric("SurveyRefused", MetricUnit.Count, 1);
      return {
        key,
        etag,
        complete: true,
        rows: { read: 0, accepted: 0, rejected: 0 },
        problems: [],
        fileProblem: error.message,
      };
    } finally {
      await batches.return(undefined);
    }

    const accepted = read - problems.length;
    const rejectedUri = problems.length > 0 ? await writeRejected(bucket, key, etag, offset, problems) : undefined;
    metrics.addMetric("RowsAccepted", MetricUnit.Count, accepted);
    metrics.addMetric("RowsRejected", MetricUnit.Count, problems.length);
    logger.info("Survey rows are ingested", { key, etag, offset, nextOffset, read, accepted, rejectedUri });
    return {
      key,
      etag,
      complete: nextOffset === undefined,
      nextOffset,
      rows: { read, accepted, rejected: problems.length },
      rejectedUri,
      problems: problems.slice(0, maximumProblems),
    };
  },
);
