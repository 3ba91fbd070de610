import { join } from "node:path";
import type * as control from "@aws-sdk/client-sagemaker";
import type { AwsClients } from "../aws";
import { pause } from "../concurrency";
import { log } from "../log";
import { messageOf, resourceInUse, resourceNotFound, validationException } from "../protocol/errors";
import type { OperationTable } from "../protocol/operations";
import type { Arns } from "../resources/arns";
import { listPage } from "../resources/listing";
import type { ResourceStore } from "../resources/store";
import type { TagRegistry } from "../resources/tags";
import type { Settings } from "../settings";
import type { FeatureDefinition, FeatureGroup } from "./feature-group";
import { GroupRecords } from "./group-records";
import { OfflineStore } from "./offline-store";

/** What is known about a feature beyond its definition. */
interface FeatureMetadata {
  readonly CreationTime: Date;
  readonly LastModifiedTime: Date;
  readonly Description?: string | undefined;
  readonly Parameters?: { Key: string; Value: string }[];
}

/** A feature group with its features' descriptions. */
export interface StoredFeatureGroup {
  readonly group: FeatureGroup;
  readonly metadata: Readonly<Record<string, FeatureMetadata>>;
}

const reservedNames = new Set(["is_deleted", "write_time", "api_invocation_time"]);
const deletionAttempts = 5;

/** Feature groups and, for each, the keeper of its records. */
export class FeatureGroups {
  private readonly records = new Map<string, GroupRecords>();

  constructor(
    private readonly store: ResourceStore<StoredFeatureGroup>,
    private readonly settings: Settings,
    private readonly arns: Arns,
    private readonly tags: TagRegistry,
    private readonly clients: AwsClients,
  ) {
    tags.register("feature-group", (name) => store.has(name));
  }

  /** Takes up, after a restart, what was going on before it. */
  restore(): void {
    for (const { group } of this.store.values()) {
      if (group.FeatureGroupStatus === "Creating") {
        void this.finishCreation(group.FeatureGroupName);
      } else {
        this.openRecords(group);
      }
      if (group.FeatureGroupStatus === "Deleting") {
        void this.finishDeletion(group.FeatureGroupName);
      }
    }
  }

  /** Moves the journals of all groups into their offline stores; groups whose store can't be reached keep theirs. */
  async flush(): Promise<void> {
    await Promise.all([...this.records.values()].map((records) => records.flush().catch(() => undefined)));
  }

  async close(): Promise<void> {
    await Promise.all([...this.records.values()].map((records) => records.close()));
  }

  /**
   * The group and its records, by name or ARN.
   *
   * @throws ServiceError when there is none, or when it does not take records yet
   */
  find(nameOrArn: string): { group: FeatureGroup; records: GroupRecords } {
    const { group } = this.existing(nameOrArn);
    const records = this.records.get(group.FeatureGroupName);
    if (group.FeatureGroupStatus !== "Created" || records === undefined) {
      throw validationException(
        `Validation Error: FeatureGroup [${group.FeatureGroupName}] has the status ${group.FeatureGroupStatus ?? "unknown"}: ` +
          "records can be put and read when it is Created.",
      );
    }
    return { group, records };
  }

  readonly operations: OperationTable<typeof control> = {
    CreateFeatureGroup: (request) => {
      const name = request.FeatureGroupName;
      checkDefinitions(request.FeatureDefinitions);
      const types = new Map(request.FeatureDefinitions.map((each) => [each.FeatureName, each.FeatureType]));
      checkRole(types, request.RecordIdentifierFeatureName, "RecordIdentifierFeatureName", ["String", "Integral"]);
      checkRole(types, request.EventTimeFeatureName, "EventTimeFeatureName", ["String", "Fractional"]);
      const online = request.OnlineStoreConfig?.EnableOnlineStore === true;
      const offline = request.OfflineStoreConfig;
      if (!online && offline === undefined) {
        throw validationException(
          "Validation Error: a FeatureGroup needs OnlineStoreConfig with EnableOnlineStore true, OfflineStoreConfig, or both.",
        );
      }
      if (offline !== undefined && request.RoleArn === undefined) {
        throw validationException("Validation Error: RoleArn is required when OfflineStoreConfig is given.");
      }
      if (offline?.TableFormat === "Iceberg") {
        throw validationException(
          "Validation Error: OfflineStoreConfig.TableFormat Iceberg is not part of the local platform: use Glue.",
        );
      }
      if (this.store.has(name)) {
        throw resourceInUse(
          `Resource Already Exists: FeatureGroup with name ${name} already exists. Choose a different name.`,
        );
      }
      this.tags.check(request.Tags);

      const created = new Date();
      const arn = this.arns.of("feature-group", name);
      const { Tags, ...described } = request;
      const group: FeatureGroup = {
        ...described,
        FeatureGroupArn: arn,
        CreationTime: created,
        LastModifiedTime: created,
        FeatureGroupStatus: "Creating",
        ...(offline && {
          OfflineStoreConfig: this.resolve(name, offline, created),
          OfflineStoreStatus: { Status: "Active" },
        }),
      };
      this.tags.create(arn, Tags);
      this.store.put(name, { group, metadata: newMetadata(group.FeatureDefinitions, created) });
      void this.finishCreation(name);
      return { FeatureGroupArn: arn };
    },
    DescribeFeatureGroup: ({ FeatureGroupName }) => {
      const { group } = this.existing(FeatureGroupName);
      const blocked = this.records.get(group.FeatureGroupName)?.blockedReason;
      return {
        ...group,
        ...(blocked !== undefined && { OfflineStoreStatus: { Status: "Blocked", BlockedReason: blocked } }),
        NextToken: undefined,
      };
    },
    UpdateFeatureGroup: async ({ FeatureGroupName, FeatureAdditions, OnlineStoreConfig, ThroughputConfig }) => {
      const stored = this.existing(FeatureGroupName);
      const { group } = stored;
      if (group.FeatureGroupStatus !== "Created") {
        throw resourceInUse(
          `FeatureGroup [${group.FeatureGroupName}] has the status ${group.FeatureGroupStatus ?? "unknown"}: update it when it is Created.`,
        );
      }
      const definitions = [...group.FeatureDefinitions, ...(FeatureAdditions ?? [])];
      checkDefinitions(definitions);
      const changed = new Date();
      // The keeper of the group's records holds on to this very object.
      Object.assign(group, {
        FeatureDefinitions: definitions,
        LastModifiedTime: changed,
        LastUpdateStatus: { Status: "Successful" },
        ...(OnlineStoreConfig && {
          OnlineStoreConfig: { ...group.OnlineStoreConfig, TtlDuration: OnlineStoreConfig.TtlDuration },
        }),
        ...(ThroughputConfig?.ThroughputMode && {
          ThroughputConfig: { ...ThroughputConfig, ThroughputMode: ThroughputConfig.ThroughputMode },
        }),
      } satisfies Partial<FeatureGroup>);
      const metadata = { ...newMetadata(FeatureAdditions ?? [], changed), ...stored.metadata };
      this.store.put(group.FeatureGroupName, { group, metadata });
      if (group.OfflineStoreConfig !== undefined) {
        await new OfflineStore(this.clients, group).updateTable();
      }
      return { FeatureGroupArn: group.FeatureGroupArn };
    },
    DeleteFeatureGroup: ({ FeatureGroupName }) => {
      const { group, metadata } = this.existing(FeatureGroupName);
      if (group.FeatureGroupStatus === "Creating" || group.FeatureGroupStatus === "Deleting") {
        throw resourceInUse(
          `FeatureGroup [${group.FeatureGroupName}] has the status ${group.FeatureGroupStatus}: wait until that is over.`,
        );
      }
      group.FeatureGroupStatus = "Deleting";
      this.store.put(group.FeatureGroupName, { group, metadata });
      void this.finishDeletion(group.FeatureGroupName);
      return {};
    },
    ListFeatureGroups: (request) => {
      const groups = this.store
        .values()
        .map(({ group }) => group)
        .filter(
          ({ OfflineStoreStatus }) =>
            request.OfflineStoreStatusEquals === undefined ||
            OfflineStoreStatus?.Status === request.OfflineStoreStatusEquals,
        );
      const page = listPage(
        groups,
        { ...request, StatusEquals: request.FeatureGroupStatusEquals },
        (group) => ({
          name: group.FeatureGroupName,
          created: group.CreationTime,
          status: group.FeatureGroupStatus,
          sortKeys: {
            FeatureGroupStatus: group.FeatureGroupStatus ?? "",
            OfflineStoreStatus: group.OfflineStoreStatus?.Status ?? "",
          },
        }),
        "Ascending",
      );
      return {
        FeatureGroupSummaries: page.items.map((group) => ({
          FeatureGroupName: group.FeatureGroupName,
          FeatureGroupArn: group.FeatureGroupArn,
          CreationTime: group.CreationTime,
          FeatureGroupStatus: group.FeatureGroupStatus,
          OfflineStoreStatus: group.OfflineStoreStatus,
        })),
        NextToken: page.nextToken,
      };
    },
    DescribeFeatureMetadata: ({ FeatureGroupName, FeatureName }) => {
      const { group, definition, metadata } = this.feature(FeatureGroupName, FeatureName);
      return {
        FeatureGroupArn: group.FeatureGroupArn,
        FeatureGroupName: group.FeatureGroupName,
        FeatureName,
        FeatureType: definition.FeatureType,
        ...metadata,
      };
    },
    UpdateFeatureMetadata: ({ FeatureGroupName, FeatureName, Description, ParameterAdditions, ParameterRemovals }) => {
      const { group, metadata } = this.feature(FeatureGroupName, FeatureName);
      const replaced = new Set([...(ParameterRemovals ?? []), ...(ParameterAdditions ?? []).map(({ Key }) => Key)]);
      const parameters = (metadata.Parameters ?? []).filter(({ Key }) => !replaced.has(Key));
      for (const { Key, Value } of ParameterAdditions ?? []) {
        parameters.push({ Key: Key ?? "", Value: Value ?? "" });
      }
      const changed: FeatureMetadata = {
        CreationTime: metadata.CreationTime,
        LastModifiedTime: new Date(),
        Description: Description ?? metadata.Description,
        Parameters: parameters,
      };
      const stored = this.existing(FeatureGroupName);
      this.store.put(group.FeatureGroupName, { group, metadata: { ...stored.metadata, [FeatureName]: changed } });
      return {};
    },
  };

  private existing(nameOrArn: string): StoredFeatureGroup {
    const name = this.arns.nameIn("feature-group", nameOrArn);
    const stored = this.store.get(name);
    if (stored === undefined) {
      throw resourceNotFound(`Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name ${name}`);
    }
    return stored;
  }

  private feature(
    groupName: string,
    name: string,
  ): { group: FeatureGroup; definition: FeatureDefinition; metadata: FeatureMetadata } {
    const { group, metadata } = this.existing(groupName);
    const definition = group.FeatureDefinitions.find(({ FeatureName }) => FeatureName === name);
    const found = metadata[name];
    if (definition === undefined || found === undefined) {
      throw resourceNotFound(
        `Resource Not Found: Amazon SageMaker can't find a feature with name ${name} in FeatureGroup ${group.FeatureGroupName}`,
      );
    }
    return { group, definition, metadata: found };
  }

  /** The offline store's place: SageMaker adds account, region, group and creation time to the given prefix. */
  private resolve(
    name: string,
    config: NonNullable<FeatureGroup["OfflineStoreConfig"]>,
    created: Date,
  ): NonNullable<FeatureGroup["OfflineStoreConfig"]> {
    const { account, region } = this.settings;
    const seconds = Math.floor(created.getTime() / 1000);
    const root = config.S3StorageConfig.S3Uri.replace(/\/+$/, "");
    return {
      ...config,
      S3StorageConfig: {
        ...config.S3StorageConfig,
        ResolvedOutputS3Uri: `${root}/${account}/sagemaker/${region}/offline-store/${name}-${seconds}/data`,
      },
      ...(config.DisableGlueTableCreation !== true && {
        DataCatalogConfig: config.DataCatalogConfig ?? {
          TableName: `${name.replaceAll("-", "_").toLowerCase()}_${seconds}`,
          Catalog: "AwsDataCatalog",
          Database: "sagemaker_featurestore",
        },
      }),
    };
  }

  private openRecords(group: FeatureGroup): void {
    const folder = `${group.FeatureGroupName}-${group.CreationTime.getTime()}`;
    const records = new GroupRecords(join(this.settings.stateDirectory, "records", folder), group, this.clients);
    this.records.set(group.FeatureGroupName, records);
  }

  private async finishCreation(name: string): Promise<void> {
    const stored = this.store.get(name);
    if (stored === undefined) {
      return;
    }
    const { group, metadata } = stored;
    try {
      if (group.OfflineStoreConfig !== undefined) {
        await new OfflineStore(this.clients, group).create();
      }
      this.openRecords(group);
      group.FeatureGroupStatus = "Created";
    } catch (error) {
      group.FeatureGroupStatus = "CreateFailed";
      group.FailureReason = messageOf(error).slice(0, 1024);
      log(`Feature group ${name} could not be created: ${messageOf(error)}`);
    }
    this.store.put(name, { group, metadata });
  }

  private async finishDeletion(name: string): Promise<void> {
    const stored = this.store.get(name);
    const records = this.records.get(name);
    if (stored === undefined) {
      return;
    }
    const { group, metadata } = stored;
    for (let attempt = 1; records !== undefined; attempt += 1) {
      try {
        await records.flush();
        break;
      } catch (error) {
        if (attempt < deletionAttempts && !messageOf(error).includes("bucket does not exist")) {
          await pause(1000);
          continue;
        }
        if (messageOf(error).includes("bucket does not exist")) {
          break;
        }
        group.FeatureGroupStatus = "DeleteFailed";
        group.FailureReason = `The last records could not be moved to the offline store: ${messageOf(error)}`.slice(
          0,
          1024,
        );
        this.store.put(name, { group, metadata });
        return;
      }
    }
    await records?.remove();
    this.records.delete(name);
    this.tags.remove(group.FeatureGroupArn);
    this.store.delete(name);
  }
}

function newMetadata(
  definitions: readonly FeatureDefinition[],
  created: Date,
): Readonly<Record<string, FeatureMetadata>> {
  return Object.fromEntries(
    definitions.map(({ FeatureName }) => [FeatureName, { CreationTime: created, LastModifiedTime: created }]),
  );
}

function checkDefinitions(definitions: readonly FeatureDefinition[]): void {
  const seen = new Set<string>();
  for (const { FeatureName: name, CollectionType } of definitions) {
    if (reservedNames.has(name.toLowerCase())) {
      throw validationException(`Validation Error: FeatureName [${name}] is reserved: choose another name.`);
    }
    // Glue and Athena do not tell upper from lower case.
    if (seen.has(name.toLowerCase())) {
      throw validationException(`Validation Error: FeatureName [${name}] is defined more than once.`);
    }
    seen.add(name.toLowerCase());
    if (CollectionType !== undefined) {
      throw validationException(
        `Validation Error: feature [${name}] has the CollectionType ${CollectionType}, which is not part of the local platform.`,
      );
    }
  }
}

function checkRole(
  types: ReadonlyMap<string, string>,
  name: string,
  parameter: string,
  allowed: readonly string[],
): void {
  const type = types.get(name);
  if (type === undefined) {
    throw validationException(
      `Validation Error: ${parameter} [${name}] is not among the FeatureDefinitions: [${[...types.keys()].join(", ")}].`,
    );
  }
  if (!allowed.includes(type)) {
    throw validationException(
      `Validation Error: ${parameter} [${name}] has the type ${type}: expected ${allowed.join(" or ")}.`,
    );
  }
}
