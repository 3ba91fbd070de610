import type * as runtime from "@aws-sdk/client-sagemaker-featurestore-runtime";
import type { BatchGetRecordResponse, BatchWriteRecordResponse } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { ServiceError, validationError } from "../protocol/errors";
import type { OperationTable } from "../protocol/operations";
import { listPage } from "../resources/listing";
import type { FeatureGroup } from "./feature-group";
import type { FeatureGroups } from "./feature-groups";
import type { GroupRecords } from "./group-records";
import type { OnlineRecord, OnlineStore } from "./online-store";
import { checkEventTime, checkRecord, type FeatureValue } from "./records";

interface TtlDuration {
  readonly Unit?: string | undefined;
  readonly Value?: number | undefined;
}
type TargetStores = readonly string[] | undefined;

const unitSeconds: Readonly<Record<string, number>> = {
  Seconds: 1,
  Minutes: 60,
  Hours: 3600,
  Days: 86_400,
  Weeks: 604_800,
};

/** The feature store runtime: puts, reads and deletes records. */
export class RecordOperations {
  constructor(private readonly groups: FeatureGroups) {}

  readonly operations: OperationTable<typeof runtime> = {
    PutRecord: async ({ FeatureGroupName, Record, TargetStores, TtlDuration }) => {
      await this.put(FeatureGroupName, Record, TargetStores, TtlDuration);
      return {};
    },

    BatchWriteRecord: async ({ Entries, TtlDuration }) => {
      const errors: NonNullable<BatchWriteRecordResponse["Errors"]> = [];
      await Promise.all(
        Entries.map(async (entry) => {
          try {
            await this.put(entry.FeatureGroupName, entry.Record, entry.TargetStores, entry.TtlDuration ?? TtlDuration);
          } catch (error) {
            if (!(error instanceof ServiceError)) {
              throw error;
            }
            errors.push({ Entry: entry, ErrorCode: error.code, ErrorMessage: error.message });
          }
        }),
      );
      return { Errors: errors, UnprocessedEntries: [] };
    },

    GetRecord: ({ FeatureGroupName, RecordIdentifierValueAsString, FeatureNames, ExpirationTimeResponse }) => {
      const { group, records } = this.find(FeatureGroupName);
      checkFeatureNames(group, FeatureNames);
      const record = onlineStore(group, records).get(RecordIdentifierValueAsString);
      return record === undefined ? {} : view(group, record, FeatureNames, ExpirationTimeResponse);
    },

    BatchGetRecord: ({ Identifiers, ExpirationTimeResponse }) => {
      const answer = {
        Records: [] as NonNullable<BatchGetRecordResponse["Records"]>,
        Errors: [] as NonNullable<BatchGetRecordResponse["Errors"]>,
        UnprocessedIdentifiers: [],
      };
      for (const { FeatureGroupName, RecordIdentifiersValueAsString, FeatureNames } of Identifiers) {
        for (const RecordIdentifierValueAsString of RecordIdentifiersValueAsString) {
          const of = { FeatureGroupName, RecordIdentifierValueAsString };
          try {
            const { group, records } = this.find(FeatureGroupName);
            checkFeatureNames(group, FeatureNames);
            const record = onlineStore(group, records).get(RecordIdentifierValueAsString);
            if (record !== undefined) {
              answer.Records.push({ ...of, ...view(group, record, FeatureNames, ExpirationTimeResponse) });
            }
          } catch (error) {
            if (!(error instanceof ServiceError)) {
              throw error;
            }
            answer.Errors.push({ ...of, ErrorCode: error.code, ErrorMessage: error.message });
          }
        }
      }
      return answer;
    },

    DeleteRecord: async ({
      FeatureGroupName,
      RecordIdentifierValueAsString,
      EventTime,
      TargetStores,
      DeletionMode,
    }) => {
      const { group, records } = this.find(FeatureGroupName);
      const { toOnline, toOffline } = chooseStores(group, records, TargetStores);
      const values = {
        [group.RecordIdentifierFeatureName]: RecordIdentifierValueAsString,
        [group.EventTimeFeatureName]: EventTime,
      };
      checkRecord(
        group,
        Object.entries(values).map(([FeatureName, ValueAsString]) => ({ FeatureName, ValueAsString })),
      );
      const eventTime = checkEventTime(group, EventTime);
      if (toOnline?.isLatest(RecordIdentifierValueAsString, eventTime) === false) {
        throw validationError(
          `Validation Error: EventTime [${EventTime}] is older than that of the stored record in FeatureGroup [${group.FeatureGroupName}].`,
        );
      }
      if (toOffline) {
        await records.appendOffline(values, true);
      }
      await toOnline?.put({
        identifier: RecordIdentifierValueAsString,
        eventTime,
        values,
        deleted: true,
        removed: DeletionMode === "HardDelete",
      });
      return {};
    },

    ListRecords: ({ FeatureGroupName, MaxResults, NextToken, IncludeSoftDeletedRecords }) => {
      const { group, records } = this.find(FeatureGroupName);
      const page = listPage(
        onlineStore(group, records).identifiers(IncludeSoftDeletedRecords === true),
        { MaxResults: MaxResults ?? 100, NextToken, SortBy: "Name" },
        (name) => ({ name, created: group.CreationTime }),
        "Ascending",
      );
      return { RecordIdentifiers: [...page.items], NextToken: page.nextToken };
    },
  };

  private find(name: string): { group: FeatureGroup; records: GroupRecords } {
    try {
      return this.groups.find(name);
    } catch (error) {
      if (!(error instanceof ServiceError)) {
        throw error;
      }
      // The runtime has its own names and statuses for the same errors.
      throw error.code === "ResourceNotFound"
        ? new ServiceError(error.code, error.message, 404)
        : validationError(error.message);
    }
  }

  private async put(
    name: string,
    record: readonly FeatureValue[],
    targetStores: TargetStores,
    ttl: TtlDuration | undefined,
  ): Promise<void> {
    const { group, records } = this.find(name);
    const { toOnline, toOffline } = chooseStores(group, records, targetStores);
    const values = checkRecord(group, record);
    const eventTime = checkEventTime(group, values[group.EventTimeFeatureName] ?? "");
    const expiresAt = expiry(ttl ?? group.OnlineStoreConfig?.TtlDuration, eventTime);
    if (toOffline) {
      await records.appendOffline(values, false);
    }
    const identifier = values[group.RecordIdentifierFeatureName] ?? "";
    await toOnline?.put({ identifier, eventTime, values, deleted: false, expiresAt });
  }
}

function onlineStore(group: FeatureGroup, records: GroupRecords): OnlineStore {
  if (records.online === undefined) {
    throw validationError(
      `Validation Error: FeatureGroup [${group.FeatureGroupName}] has no online store, so its records can't be read one by one. ` +
        "Query its offline store with Athena, or create it with OnlineStoreConfig.",
    );
  }
  return records.online;
}

function chooseStores(
  group: FeatureGroup,
  records: GroupRecords,
  targetStores: TargetStores,
): { toOnline: OnlineStore | undefined; toOffline: boolean } {
  const stores = { OnlineStore: records.online, OfflineStore: records.journal };
  for (const store of ["OnlineStore", "OfflineStore"] as const) {
    if (targetStores?.includes(store) === true && stores[store] === undefined) {
      throw validationError(
        `Validation Error: TargetStores has ${store}, which FeatureGroup [${group.FeatureGroupName}] does not have.`,
      );
    }
  }
  return {
    toOnline: targetStores?.includes("OnlineStore") === false ? undefined : records.online,
    toOffline: records.journal !== undefined && targetStores?.includes("OfflineStore") !== false,
  };
}

function expiry(ttl: TtlDuration | undefined, eventTime: number): number | undefined {
  if (ttl?.Unit === undefined || ttl.Value === undefined) {
    return undefined;
  }
  return eventTime + ttl.Value * (unitSeconds[ttl.Unit] ?? 1) * 1000;
}

function checkFeatureNames(group: FeatureGroup, names: readonly string[] | undefined): void {
  const known = new Set(group.FeatureDefinitions.map(({ FeatureName }) => FeatureName));
  const unknown = names?.find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw validationError(
      `Validation Error: Feature [${unknown}] is not defined in FeatureGroup [${group.FeatureGroupName}], which has: [${[...known].join(", ")}].`,
    );
  }
}

function view(
  group: FeatureGroup,
  record: OnlineRecord,
  names: readonly string[] | undefined,
  expirationTime: string | undefined,
): { Record: { FeatureName: string; ValueAsString: string }[]; ExpiresAt?: string } {
  const features = group.FeatureDefinitions.flatMap(({ FeatureName }) => {
    const ValueAsString = record.values[FeatureName];
    const wanted = names === undefined || names.includes(FeatureName);
    return wanted && ValueAsString !== undefined ? [{ FeatureName, ValueAsString }] : [];
  });
  return {
    Record: features,
    ...(expirationTime === "Enabled" &&
      record.expiresAt !== undefined && { ExpiresAt: new Date(record.expiresAt).toISOString() }),
  };
}
