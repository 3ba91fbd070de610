import { createHash } from "node:crypto";
import type { Column, TableInput } from "@aws-sdk/client-glue";
import type { Aws, AwsClients } from "../aws";
import { parseS3Uri } from "../containers/object-storage";
import { eachOf } from "../concurrency";
import { nameOf } from "../protocol/errors";
import { parseEventTime, partitionKeys, partitionOf } from "./event-time";
import type { FeatureDefinition, FeatureGroup } from "./feature-group";
import type { JournalEntry, Segment } from "./journal";
import { toParquet } from "./parquet";

const glueTypes: Readonly<Record<FeatureDefinition["FeatureType"], string>> = {
  String: "string",
  Fractional: "double",
  Integral: "bigint",
};
const partitionsPerRequest = 100;

interface Catalog {
  readonly database: string;
  readonly table: string;
}

/**
 * The offline store of one feature group: Parquet objects in S3 in SageMaker's layout, written with the
 * group's role, and their table in Glue.
 */
export class OfflineStore {
  private readonly clients: AwsClients;

  constructor(
    private readonly aws: Aws,
    private readonly group: FeatureGroup,
  ) {
    this.clients = aws.as(group.RoleArn);
  }

  /**
   * Checks the role and the bucket, and registers the table.
   * @throws Error when one of them can't be used; its message becomes the FailureReason
   */
  async create(): Promise<void> {
    const { bucket } = parseS3Uri(this.location);
    await this.clients.check();
    try {
      // SageMaker's documentation gives the role s3:GetBucketAcl, but no right to list the bucket.
      await (await this.clients.s3()).getBucketAcl({ Bucket: bucket });
    } catch (error) {
      if (nameOf(error) !== "NoSuchBucket") {
        throw error;
      }
      throw new Error(`The S3 bucket '${bucket}' of the offline store does not exist. Create it first.`, {
        cause: error,
      });
    }
    await this.createTable();
  }

  /** Adds columns to the table after a feature was added to the group. */
  async updateTable(): Promise<void> {
    if (this.catalog === undefined) {
      return;
    }
    const { database } = this.catalog;
    await (
      await this.aws.own.glue()
    ).updateTable({ DatabaseName: database, TableInput: this.tableInput(this.catalog) });
  }

  /**
   * Moves a segment of the journal into the store. Its objects' names follow from the segment alone, so moving it again
   * replaces them.
   * @throws Error when S3 or Glue can't take it; the segment must then be kept
   */
  async write(segment: Segment, entries: readonly JournalEntry[]): Promise<void> {
    const s3 = await this.clients.s3();
    const { bucket, key: prefix } = parseS3Uri(this.location);
    const partitions = this.byPartition(entries);
    await eachOf([...partitions.values()], 16, async ({ folder, entries: rows }) => {
      await s3.putObject({
        Bucket: bucket,
        Key: `${prefix}/${folder}/${this.objectName(segment, folder)}`,
        Body: toParquet(this.group.FeatureDefinitions, rows, segment.closedAt),
        ContentType: "application/vnd.apache.parquet",
        // SageMaker sets this ACL, so the role needs s3:PutObjectAcl.
        ACL: "bucket-owner-full-control",
      });
    });
    await this.registerPartitions([...partitions.values()].map(({ values }) => values));
  }

  private get location(): string {
    return this.group.OfflineStoreConfig?.S3StorageConfig.ResolvedOutputS3Uri ?? "";
  }

  private get catalog(): Catalog | undefined {
    const configured = this.group.OfflineStoreConfig?.DataCatalogConfig;
    // Glue stores the names of tables and databases in lower case.
    return configured && { database: configured.Database.toLowerCase(), table: configured.TableName.toLowerCase() };
  }

  private byPartition(
    entries: readonly JournalEntry[],
  ): Map<string, { folder: string; values: readonly string[]; entries: JournalEntry[] }> {
    const { EventTimeFeatureName, FeatureDefinitions } = this.group;
    const definition = FeatureDefinitions.find(({ FeatureName }) => FeatureName === EventTimeFeatureName);
    const partitions = new Map<string, { folder: string; values: readonly string[]; entries: JournalEntry[] }>();
    for (const entry of entries) {
      const eventTime = parseEventTime(entry.values[EventTimeFeatureName] ?? "", definition?.FeatureType ?? "String");
      const { folder, values } = partitionOf(eventTime ?? entry.invokedAt);
      const partition = partitions.get(folder) ?? { folder, values, entries: [] };
      partition.entries.push(entry);
      partitions.set(folder, partition);
    }
    return partitions;
  }

  /** An object's name as SageMaker makes it: the time of writing, then an identifier of sixteen characters. */
  private objectName(segment: Segment, folder: string): string {
    const time = new Date(segment.closedAt).toISOString().replaceAll(/[-:]|\.\d+/g, "");
    const identity = [this.group.FeatureGroupArn, this.location, segment.number, segment.closedAt, folder].join("\n");
    return `${time}_${createHash("sha256").update(identity).digest("hex").slice(0, 16)}.parquet`;
  }

  private async createTable(): Promise<void> {
    const catalog = this.catalog;
    if (catalog === undefined) {
      return;
    }
    const glue = await this.aws.own.glue();
    await glue.createDatabase({ DatabaseInput: { Name: catalog.database } }).catch(unless("AlreadyExistsException"));
    await glue
      .createTable({ DatabaseName: catalog.database, TableInput: this.tableInput(catalog) })
      .catch(unless("AlreadyExistsException"));
  }

  private async registerPartitions(all: readonly (readonly string[])[]): Promise<void> {
    const catalog = this.catalog;
    if (catalog === undefined) {
      return;
    }
    const glue = await this.aws.own.glue();
    for (let start = 0; start < all.length; start += partitionsPerRequest) {
      const request = {
        DatabaseName: catalog.database,
        TableName: catalog.table,
        PartitionInputList: all.slice(start, start + partitionsPerRequest).map((values) => ({
          Values: [...values],
          StorageDescriptor: {
            ...storageFormat,
            Columns: this.columns(),
            Location: `${this.location}/${partitionKeys.map((key, index) => `${key}=${values[index] ?? ""}`).join("/")}`,
          },
        })),
      };
      const { Errors } = await glue.batchCreatePartition(request).catch(async (error: unknown) => {
        // A killed emulator may have lost the table, and nobody can query the objects in S3 without it.
        if (nameOf(error) !== "EntityNotFoundException") {
          throw error;
        }
        await this.createTable();
        return glue.batchCreatePartition(request);
      });
      const failed = Errors?.find(({ ErrorDetail }) => ErrorDetail?.ErrorCode !== "AlreadyExistsException");
      if (failed !== undefined) {
        throw new Error(
          `Glue refused the partition [${failed.PartitionValues?.join(", ") ?? ""}] of ${catalog.database}.${catalog.table}: ` +
            (failed.ErrorDetail?.ErrorMessage ?? "no reason given"),
        );
      }
    }
  }

  private tableInput(catalog: Catalog): TableInput {
    return {
      Name: catalog.table,
      TableType: "EXTERNAL_TABLE",
      Parameters: { EXTERNAL: "TRUE", classification: "parquet" },
      PartitionKeys: partitionKeys.map((Name) => ({ Name, Type: "string" })),
      StorageDescriptor: { ...storageFormat, Columns: this.columns(), Location: this.location },
    };
  }

  private columns(): Column[] {
    return [
      ...this.group.FeatureDefinitions.map(({ FeatureName, FeatureType }) => ({
        Name: FeatureName.toLowerCase(),
        Type: glueTypes[FeatureType],
      })),
      { Name: "write_time", Type: "timestamp" },
      { Name: "api_invocation_time", Type: "timestamp" },
      { Name: "is_deleted", Type: "boolean" },
    ];
  }
}

const storageFormat = {
  InputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
  OutputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
  SerdeInfo: {
    SerializationLibrary: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    Parameters: { "serialization.format": "1" },
  },
};

function unless(expected: string): (error: unknown) => undefined {
  return (error) => {
    if (nameOf(error) !== expected) {
      throw error;
    }
    return undefined;
  };
}
