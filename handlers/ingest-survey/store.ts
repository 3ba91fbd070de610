import {
  BatchWriteRecordCommand,
  type BatchWriteRecordEntry,
  type SageMakerFeatureStoreRuntimeClient,
} from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { eventTime, recordIdentifier } from "../../survey/feature-contract";
import { type AcceptedRow, featureValues } from "../../survey/survey-file";
import { errorMessage, errorName } from "../shared/clients";
import { isTransient, putWithRetries } from "./retry";

/** The most records that one request takes. */
export const largestBatch = 25;

/** A record could not be stored despite retries. Repeat the call: it is idempotent. */
export class RecordNotStored extends Error {
  override readonly name = "RecordNotStored";
}

/** Why the feature store refused one record of a batch; `name` is its error code. */
class RecordRefused extends Error {
  /** The request itself was answered, so the error code alone decides about a retry. */
  readonly $metadata = { httpStatusCode: 200 };

  constructor(
    override readonly name: string,
    message: string,
    readonly version: string,
  ) {
    super(message);
  }
}

/** What distinguishes a record from all others of a survey: the animal and the time. */
const versionOf = (value: (feature: string) => string | undefined): string =>
  `${value(recordIdentifier.name) ?? ""} ${value(eventTime.name) ?? ""}`;

const versionOfRow = ({ record }: AcceptedRow): string => versionOf((feature) => String(record[feature]));

const versionOfEntry = (entry: BatchWriteRecordEntry | undefined): string =>
  versionOf((feature) => entry?.Record?.find(({ FeatureName }) => FeatureName === feature)?.ValueAsString);

/**
 * Stores rows in one request, and again those that the feature store could not take for the moment. `maxAttempts` of
 * the client must be 1.
 * @param rows at most `largestBatch`
 * @param origin the survey's name, for the error
 * @throws RecordNotStored that names a row of the survey
 */
export async function storeRows(
  client: SageMakerFeatureStoreRuntimeClient,
  featureGroup: string,
  rows: readonly AcceptedRow[],
  origin: string,
): Promise<void> {
  let left = rows;
  try {
    await putWithRetries(async () => {
      const { Errors = [], UnprocessedEntries = [] } = await client.send(
        new BatchWriteRecordCommand({
          Entries: left.map(({ record }) => ({ FeatureGroupName: featureGroup, Record: featureValues(record) })),
        }),
      );
      const refusals = [
        ...Errors.map(
          ({ Entry, ErrorCode = "", ErrorMessage = "" }) =>
            new RecordRefused(ErrorCode, ErrorMessage, versionOfEntry(Entry)),
        ),
        ...UnprocessedEntries.map(
          (entry) => new RecordRefused("ServiceUnavailable", "it was not processed", versionOfEntry(entry)),
        ),
      ];
      const refusal = refusals.find((one) => !isTransient(one)) ?? refusals[0];
      if (refusal !== undefined) {
        const refused = left.filter((row) => refusals.some(({ version }) => version === versionOfRow(row)));
        // All of them again, unless it is clear which ones are stored.
        left = refused.length === refusals.length ? refused : left;
        throw refusal;
      }
    });
  } catch (error) {
    const row = left.find((one) => error instanceof RecordRefused && error.version === versionOfRow(one)) ?? left[0];
    throw new RecordNotStored(
      `The record ${String(row?.record[recordIdentifier.name])} (line ${row?.line ?? 0} of ${origin}) could not be stored in ${featureGroup}: ` +
        `${errorName(error)}: ${errorMessage(error)}. Repeat the call: storing again is safe`,
      { cause: error },
    );
  }
}
