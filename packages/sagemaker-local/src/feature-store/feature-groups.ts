import { join } from "node:path";
import type * as control from "@aws-sdk/client-sagemaker";
import type { Aws } from "../aws";
import { pause } from "../concurrency";
import { log } from "../log";
import { messageOf, resourceInUse, resourceNotFound, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import { type ResourceContext, Resources } from "../resources/resources";
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
type StoredGroup = FeatureGroup & { readonly metadata: Readonly<Record<string, FeatureMetadata>> };

const reservedNames = new Set(["is_deleted", "write_time", "api_invocation_time"]);
const deletionAttempts = 5;

/** Feature groups and, for each, the keeper of its records. */
export class FeatureGroups {
  private readonly groups: Resources<"FeatureGroup", StoredGroup>;
  private readonly records = new Map<string, GroupRecords>();

  constructor(
    context: ResourceContext,
    private readonly settings: Settings,
    private readonly aws: Aws,
  ) {
    this.groups = new Resources(context, {
      prefix: "FeatureGroup",
      type: "feature-group",
      folder: "feature-groups",
      members: ["FeatureDefinitions", "metadata"],
      order: "Ascending",
      missing: (name) =>
        resourceNotFound(`Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name ${name}`),
      taken: (name) =>
        resourceInUse(
          `Resource Already Exists: FeatureGroup with name ${name} already exists. Choose a different name.`,
        ),
    });
  }

  /** Continues unfinished work after a restart. */
  restore(): void {
    for (const group of this.groups.all()) {
      if (group.FeatureGroupStatus === "Creating") {
        void this.finishCreation(group);
      } else {
        this.openRecords(group);
      }
      if (group.FeatureGroupStatus === "Deleting") {
        void this.finishDeletion(group);
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
   * @throws ServiceError when there is none, or when it does not accept records yet
   */
  find(nameOrArn: string): { group: FeatureGroup; records: GroupRecords } {
    const group = this.groups.existing(nameOrArn);
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
      const { FeatureGroupName: name, FeatureDefinitions, OfflineStoreConfig: offline } = request;
      checkRequest(request);
      const created = new Date();
      const group = this.groups.create(request, {
        FeatureGroupStatus: "Creating",
        CreationTime: created,
        ...(offline && {
          OfflineStoreConfig: this.resolve(name, offline, created),
          OfflineStoreStatus: { Status: "Active" },
        }),
        metadata: newMetadata(FeatureDefinitions, created),
      });
      void this.finishCreation(group);
      return group;
    },
    DescribeFeatureGroup: ({ FeatureGroupName }) => {
      const group = this.groups.existing(FeatureGroupName);
      const blocked = this.records.get(group.FeatureGroupName)?.blockedReason;
      return {
        ...group,
        ...(blocked !== undefined && { OfflineStoreStatus: { Status: "Blocked", BlockedReason: blocked } }),
        NextToken: undefined,
      };
    },
    UpdateFeatureGroup: async ({ FeatureGroupName, FeatureAdditions, OnlineStoreConfig, ThroughputConfig }) => {
      const group = this.groups.existing(FeatureGroupName);
      if (group.FeatureGroupStatus !== "Created") {
        throw resourceInUse(
          `FeatureGroup [${group.FeatureGroupName}] has the status ${group.FeatureGroupStatus ?? "unknown"}: update it when it is Created.`,
        );
      }
      const definitions = [...group.FeatureDefinitions, ...(FeatureAdditions ?? [])];
      checkDefinitions(definitions);
      this.groups.change(group, {
        FeatureDefinitions: definitions,
        LastUpdateStatus: { Status: "Successful" },
        ...(OnlineStoreConfig && {
          OnlineStoreConfig: { ...group.OnlineStoreConfig, TtlDuration: OnlineStoreConfig.TtlDuration },
        }),
        ...(ThroughputConfig?.ThroughputMode && {
          ThroughputConfig: { ...ThroughputConfig, ThroughputMode: ThroughputConfig.ThroughputMode },
        }),
        metadata: { ...newMetadata(FeatureAdditions ?? [], new Date()), ...group.metadata },
      });
      if (group.OfflineStoreConfig !== undefined) {
        await new OfflineStore(this.aws, group).updateTable();
      }
      return group;
    },
    DeleteFeatureGroup: ({ FeatureGroupName }) => {
      const group = this.groups.existing(FeatureGroupName);
      if (group.FeatureGroupStatus === "Creating" || group.FeatureGroupStatus === "Deleting") {
        throw resourceInUse(
          `FeatureGroup [${group.FeatureGroupName}] has the status ${group.FeatureGroupStatus}: wait until that is over.`,
        );
      }
      this.groups.change(group, { FeatureGroupStatus: "Deleting" });
      void this.finishDeletion(group);
      return {};
    },
    ListFeatureGroups: (request) => {
      const { FeatureGroupStatusEquals: StatusEquals, OfflineStoreStatusEquals: offlineStatus } = request;
      return this.groups.list({ ...request, StatusEquals }, "FeatureGroupSummaries", {
        where: ({ OfflineStoreStatus }) => offlineStatus === undefined || OfflineStoreStatus?.Status === offlineStatus,
        sortKeys: ({ FeatureGroupStatus, OfflineStoreStatus }) => ({
          FeatureGroupStatus: FeatureGroupStatus ?? "",
          OfflineStoreStatus: OfflineStoreStatus?.Status ?? "",
        }),
      });
    },
    DescribeFeatureMetadata: ({ FeatureGroupName, FeatureName }) => {
      const { group, definition, metadata } = this.feature(FeatureGroupName, FeatureName);
      return { ...group, ...definition, ...metadata };
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
      this.groups.change(group, { metadata: { ...group.metadata, [FeatureName]: changed } });
      return {};
    },
  };

  private feature(
    groupName: string,
    name: string,
  ): { group: StoredGroup; definition: FeatureDefinition; metadata: FeatureMetadata } {
    const group = this.groups.existing(groupName);
    const definition = group.FeatureDefinitions.find(({ FeatureName }) => FeatureName === name);
    const metadata = group.metadata[name];
    if (definition === undefined || metadata === undefined) {
      throw resourceNotFound(
        `Resource Not Found: Amazon SageMaker can't find a feature with name ${name} in FeatureGroup ${group.FeatureGroupName}`,
      );
    }
    return { group, definition, metadata };
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
    const records = new GroupRecords(join(this.settings.stateDirectory, "records", folder), group, this.aws);
    this.records.set(group.FeatureGroupName, records);
  }

  private async finishCreation(group: StoredGroup): Promise<void> {
    try {
      if (group.OfflineStoreConfig !== undefined) {
        await new OfflineStore(this.aws, group).create();
      }
      this.openRecords(group);
      this.groups.change(group, { FeatureGroupStatus: "Created" });
    } catch (error) {
      this.groups.change(group, {
        FeatureGroupStatus: "CreateFailed",
        FailureReason: messageOf(error).slice(0, 1024),
      });
      log(`Feature group ${group.FeatureGroupName} could not be created: ${messageOf(error)}`);
    }
  }

  private async finishDeletion(group: StoredGroup): Promise<void> {
    const name = group.FeatureGroupName;
    const records = this.records.get(name);
    for (let attempt = 1; records !== undefined; attempt += 1) {
      try {
        await records.flush();
        break;
      } catch (error) {
        if (messageOf(error).includes("bucket does not exist")) {
          break;
        }
        if (attempt < deletionAttempts) {
          await pause(1000);
          continue;
        }
        const reason = `The last records could not be moved to the offline store: ${messageOf(error)}`;
        this.groups.change(group, { FeatureGroupStatus: "DeleteFailed", FailureReason: reason.slice(0, 1024) });
        return;
      }
    }
    await records?.remove();
    this.records.delete(name);
    this.groups.remove(name);
  }
}

/** Refuses a feature group that can't exist, before anything is made. */
function checkRequest(request: Validated<control.CreateFeatureGroupRequest>): void {
  checkDefinitions(request.FeatureDefinitions);
  const types = new Map(request.FeatureDefinitions.map((each) => [each.FeatureName, each.FeatureType]));
  checkRole(types, request.RecordIdentifierFeatureName, "RecordIdentifierFeatureName", ["String", "Integral"]);
  checkRole(types, request.EventTimeFeatureName, "EventTimeFeatureName", ["String", "Fractional"]);
  const offline = request.OfflineStoreConfig;
  if (request.OnlineStoreConfig?.EnableOnlineStore !== true && offline === undefined) {
    throw validationException(
      "Validation Error: a FeatureGroup needs OnlineStoreConfig with EnableOnlineStore true, OfflineStoreConfig, or both.",
    );
  }
  if (offline !== undefined && request.RoleArn === undefined) {
    throw validationException("Validation Error: RoleArn is required when OfflineStoreConfig is given.");
  }
  if (offline?.TableFormat === "Iceberg") {
    throw validationException(
      "Validation Error: OfflineStoreConfig.TableFormat Iceberg is not part of sagemaker-local: use Glue.",
    );
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
    // Glue and Athena ignore case.
    if (seen.has(name.toLowerCase())) {
      throw validationException(`Validation Error: FeatureName [${name}] is defined more than once.`);
    }
    seen.add(name.toLowerCase());
    if (CollectionType !== undefined) {
      throw validationException(
        `Validation Error: feature [${name}] has the CollectionType ${CollectionType}, which is not part of sagemaker-local.`,
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
