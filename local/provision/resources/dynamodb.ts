import {
  type AttributeDefinition,
  type BillingMode,
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  type GlobalSecondaryIndex,
  type KeySchemaElement,
  type ProjectionType,
  type ProvisionedThroughput,
  type SSESpecification,
  type StreamSpecification,
  TagResourceCommand,
  type TableDescription,
  UpdateContinuousBackupsCommand,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
} from "@aws-sdk/client-dynamodb";
import type { Arguments } from "../arguments";
import {
  type Attributes,
  type Creation,
  isNamed,
  type ResourceKind,
  tagList,
  unlessMissing,
  waitFor,
} from "../resource-kind";

const table: ResourceKind = {
  type: "aws_dynamodb_table",
  replacedBy: ["name", "hash_key", "range_key", "local_secondary_index", "global_secondary_index"],
  async create(creation) {
    const { arguments: list, clients, tags } = creation;
    const TableName = list.requireText("name");
    const stream = list.boolean("stream_enabled");
    try {
      await clients.dynamoDb.send(
        new CreateTableCommand({
          TableName,
          AttributeDefinitions: attributeDefinitions(list),
          KeySchema: keySchema(list),
          ...billing(list),
          DeletionProtectionEnabled: list.boolean("deletion_protection_enabled"),
          TableClass: list.text("table_class") as "STANDARD" | undefined,
          ...(list.has("global_secondary_index") && {
            GlobalSecondaryIndexes: list.blocks("global_secondary_index").map(index),
          }),
          ...(list.has("local_secondary_index") && {
            LocalSecondaryIndexes: list.blocks("local_secondary_index").map((block) => ({
              IndexName: block.requireText("name"),
              KeySchema: keySchema(block, list.requireText("hash_key")),
              Projection: projection(block),
            })),
          }),
          ...(stream && { StreamSpecification: streamOf(list) }),
          ...encryption(list),
          Tags: tagList(tags),
        }),
      );
    } catch (error) {
      if (!isNamed(error, "ResourceInUseException")) {
        throw error;
      }
      await waitUntilActive(clients.dynamoDb, TableName);
      return await change(creation);
    }
    return await finish(creation);
  },
  async read({ attributes, clients }) {
    const found = await unlessMissing(clients.dynamoDb.send(new DescribeTableCommand({ TableName: attributes.id })));
    const { LatestStreamArn: stream_arn = null, LatestStreamLabel: stream_label = null } = found?.Table ?? {};
    return found && { ...attributes, stream_arn, stream_label };
  },
  update: change,
  async delete({ attributes, clients }) {
    const TableName = attributes.id;
    await unlessMissing(clients.dynamoDb.send(new DeleteTableCommand({ TableName })));
    await waitFor(
      async () => {
        const found = await unlessMissing(clients.dynamoDb.send(new DescribeTableCommand({ TableName })));
        return found ? undefined : true;
      },
      `the deletion of the table ${TableName}`,
      { seconds: 120 },
    );
  },
};

async function change(creation: Creation): Promise<Attributes> {
  const { arguments: list, clients, tags } = creation;
  const TableName = list.requireText("name");
  const found = await waitUntilActive(clients.dynamoDb, TableName);
  list.accept("hash_key", "range_key", "attribute", "global_secondary_index", "local_secondary_index");
  list.accept("table_class");
  await changeStream(list, clients.dynamoDb, found);
  const sse = encryption(list);
  const { BillingMode, ProvisionedThroughput: throughput } = billing(list);
  const protection = list.boolean("deletion_protection_enabled") ?? false;
  // DynamoDB refuses an update that changes nothing, so only what differs is sent.
  const updates = {
    ...(BillingMode !== (found.BillingModeSummary?.BillingMode ?? "PROVISIONED") ||
    (throughput && throughput.ReadCapacityUnits !== found.ProvisionedThroughput?.ReadCapacityUnits) ||
    (throughput && throughput.WriteCapacityUnits !== found.ProvisionedThroughput?.WriteCapacityUnits)
      ? { BillingMode, ProvisionedThroughput: throughput }
      : {}),
    ...((sse.SSESpecification?.KMSMasterKeyId ?? "") !== (found.SSEDescription?.KMSMasterKeyArn ?? "") &&
    sse.SSESpecification
      ? sse
      : {}),
    ...(protection !== (found.DeletionProtectionEnabled ?? false) ? { DeletionProtectionEnabled: protection } : {}),
  };
  if (Object.keys(updates).length > 0) {
    await clients.dynamoDb.send(new UpdateTableCommand({ TableName, ...updates }));
    await waitUntilActive(clients.dynamoDb, TableName);
  }
  if (found.TableArn !== undefined && Object.keys(tags).length > 0) {
    await clients.dynamoDb.send(new TagResourceCommand({ ResourceArn: found.TableArn, Tags: tagList(tags) }));
  }
  return await finish(creation);
}

function streamOf(list: Arguments): StreamSpecification {
  return {
    StreamEnabled: true,
    StreamViewType: list.text("stream_view_type") as StreamSpecification["StreamViewType"],
  };
}

/** Switches the stream on or off. What a stream shows can't be changed: it is switched off, and another one on. */
async function changeStream(list: Arguments, dynamoDb: DynamoDBClient, found: TableDescription): Promise<void> {
  const wanted = list.boolean("stream_enabled") ? streamOf(list) : undefined;
  list.accept("stream_view_type");
  const current = found.StreamSpecification?.StreamEnabled === true ? found.StreamSpecification : undefined;
  if (wanted?.StreamViewType === current?.StreamViewType) {
    return;
  }
  for (const StreamSpecification of [current && { StreamEnabled: false }, wanted]) {
    if (!StreamSpecification) {
      continue;
    }
    await dynamoDb.send(new UpdateTableCommand({ TableName: found.TableName, StreamSpecification }));
    await waitUntilActive(dynamoDb, found.TableName ?? "");
  }
}

/** What can only be set on a table that is there. */
async function finish({ arguments: list, clients, account, region, partition }: Creation): Promise<Attributes> {
  const TableName = list.requireText("name");
  const active = await waitUntilActive(clients.dynamoDb, TableName);
  const ttl = list.block("ttl");
  if (ttl) {
    const AttributeName = ttl.text("attribute_name") ?? "";
    const Enabled = ttl.boolean("enabled") ?? false;
    const { TimeToLiveDescription: current } = await clients.dynamoDb.send(
      new DescribeTimeToLiveCommand({ TableName }),
    );
    const isEnabled = current?.TimeToLiveStatus === "ENABLED" || current?.TimeToLiveStatus === "ENABLING";
    if (Enabled !== isEnabled) {
      await clients.dynamoDb.send(
        new UpdateTimeToLiveCommand({
          TableName,
          TimeToLiveSpecification: { AttributeName: AttributeName || current?.AttributeName, Enabled },
        }),
      );
    }
  }
  const recovery = list.block("point_in_time_recovery");
  if (recovery) {
    await clients.dynamoDb.send(
      new UpdateContinuousBackupsCommand({
        TableName,
        PointInTimeRecoverySpecification: {
          PointInTimeRecoveryEnabled: recovery.boolean("enabled") ?? false,
          RecoveryPeriodInDays: recovery.number("recovery_period_in_days"),
        },
      }),
    );
  }
  return {
    id: TableName,
    arn: active.TableArn ?? `arn:${partition}:dynamodb:${region}:${account}:table/${TableName}`,
    stream_arn: active.LatestStreamArn ?? null,
    stream_label: active.LatestStreamLabel ?? null,
  };
}

function attributeDefinitions(list: Arguments): AttributeDefinition[] {
  return list.blocks("attribute").map((block) => ({
    AttributeName: block.requireText("name"),
    AttributeType: block.requireText("type") as "S" | "N" | "B",
  }));
}

function keySchema(list: Arguments, hash = list.requireText("hash_key")): KeySchemaElement[] {
  const range = list.text("range_key");
  return [
    { AttributeName: hash, KeyType: "HASH" },
    ...(range === undefined ? [] : [{ AttributeName: range, KeyType: "RANGE" as const }]),
  ];
}

function billing(list: Arguments): { BillingMode: BillingMode; ProvisionedThroughput?: ProvisionedThroughput } {
  const BillingMode = (list.text("billing_mode") ?? "PROVISIONED") as BillingMode;
  const read = list.number("read_capacity");
  const write = list.number("write_capacity");
  return BillingMode === "PAY_PER_REQUEST"
    ? { BillingMode }
    : { BillingMode, ProvisionedThroughput: { ReadCapacityUnits: read ?? 1, WriteCapacityUnits: write ?? 1 } };
}

function encryption(list: Arguments): { SSESpecification?: SSESpecification } {
  const block = list.block("server_side_encryption");
  if (!block?.boolean("enabled")) {
    return {};
  }
  return { SSESpecification: { Enabled: true, SSEType: "KMS", KMSMasterKeyId: block.text("kms_key_arn") } };
}

function index(block: Arguments): GlobalSecondaryIndex {
  const read = block.number("read_capacity");
  const write = block.number("write_capacity");
  return {
    IndexName: block.requireText("name"),
    KeySchema: keySchema(block),
    Projection: projection(block),
    ...(read !== undefined &&
      write !== undefined && { ProvisionedThroughput: { ReadCapacityUnits: read, WriteCapacityUnits: write } }),
  };
}

function projection(block: Arguments): { ProjectionType: ProjectionType; NonKeyAttributes?: string[] } {
  return {
    ProjectionType: block.requireText("projection_type") as ProjectionType,
    NonKeyAttributes: block.texts("non_key_attributes"),
  };
}

async function waitUntilActive(dynamoDb: DynamoDBClient, TableName: string): Promise<TableDescription> {
  return await waitFor(
    async () => {
      const { Table } = await dynamoDb.send(new DescribeTableCommand({ TableName }));
      return Table?.TableStatus === "ACTIVE" ? Table : undefined;
    },
    `the table ${TableName}`,
    { seconds: 120 },
  );
}

/** DynamoDB: tables. */
export const dynamoDbKinds: readonly ResourceKind[] = [table];
