import type {
  BillingMode,
  DynamoDB,
  SSESpecification,
  StreamSpecification,
  TableDescription,
} from "@aws-sdk/client-dynamodb";
import type { Arguments } from "../arguments";
import {
  type Attributes,
  type Creation,
  isNamed,
  type ResourceKind,
  tagList,
  waitFor,
  waitUntilGone,
} from "../resource-kind";

const table: ResourceKind = {
  type: "aws_dynamodb_table",
  replacedBy: ["name", "hash_key"],
  async create(creation) {
    const { arguments: list, clients, tags } = creation;
    const TableName = list.requireText("name");
    const stream = list.boolean("stream_enabled");
    try {
      await clients.dynamoDb.createTable({
        TableName,
        AttributeDefinitions: list.blocks("attribute").map((block) => ({
          AttributeName: block.requireText("name"),
          AttributeType: block.requireText("type") as "S",
        })),
        KeySchema: [{ AttributeName: list.requireText("hash_key"), KeyType: "HASH" }],
        BillingMode: list.requireText("billing_mode") as BillingMode,
        DeletionProtectionEnabled: list.boolean("deletion_protection_enabled"),
        StreamSpecification: stream ? streamOf(list) : undefined,
        ...encryption(list),
        Tags: tagList(tags),
      });
    } catch (error) {
      if (!isNamed(error, "ResourceInUseException")) {
        throw error;
      }
      await waitUntilActive(clients.dynamoDb, TableName);
      return await change(creation);
    }
    return await finish(creation);
  },
  exists: ({ attributes, clients }) => clients.dynamoDb.describeTable({ TableName: attributes.id }),
  update: change,
  async delete({ attributes: { id: TableName }, clients: { dynamoDb } }) {
    await dynamoDb.deleteTable({ TableName });
    await waitUntilGone(() => dynamoDb.describeTable({ TableName }), `the table ${TableName}`);
  },
};

async function change(creation: Creation): Promise<Attributes> {
  const { arguments: list, clients, tags } = creation;
  const TableName = list.requireText("name");
  const found = await waitUntilActive(clients.dynamoDb, TableName);
  list.accept("attribute");
  await changeStream(list, clients.dynamoDb, found);
  const sse = encryption(list);
  const BillingMode = list.requireText("billing_mode") as BillingMode;
  const protection = list.boolean("deletion_protection_enabled") ?? false;
  // DynamoDB refuses an update without changes, so only differences are sent.
  const updates = {
    ...(BillingMode !== (found.BillingModeSummary?.BillingMode ?? "PROVISIONED") ? { BillingMode } : {}),
    ...((sse.SSESpecification?.KMSMasterKeyId ?? "") !== (found.SSEDescription?.KMSMasterKeyArn ?? "") &&
    sse.SSESpecification
      ? sse
      : {}),
    ...(protection !== (found.DeletionProtectionEnabled ?? false) ? { DeletionProtectionEnabled: protection } : {}),
  };
  if (Object.keys(updates).length > 0) {
    await clients.dynamoDb.updateTable({ TableName, ...updates });
    await waitUntilActive(clients.dynamoDb, TableName);
  }
  if (found.TableArn !== undefined && Object.keys(tags).length > 0) {
    await clients.dynamoDb.tagResource({ ResourceArn: found.TableArn, Tags: tagList(tags) });
  }
  return await finish(creation);
}

function streamOf(list: Arguments): StreamSpecification {
  return {
    StreamEnabled: true,
    StreamViewType: list.text("stream_view_type") as StreamSpecification["StreamViewType"],
  };
}

/**
 * Switches the stream on or off. A stream's view type can't be changed: the stream is disabled and a new one enabled.
 */
async function changeStream(list: Arguments, dynamoDb: DynamoDB, found: TableDescription): Promise<void> {
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
    await dynamoDb.updateTable({ TableName: found.TableName, StreamSpecification });
    await waitUntilActive(dynamoDb, found.TableName ?? "");
  }
}

/** Settings that need an existing table. */
async function finish({ arguments: list, clients, arnOf }: Creation): Promise<Attributes> {
  const TableName = list.requireText("name");
  const active = await waitUntilActive(clients.dynamoDb, TableName);
  const ttl = list.block("ttl");
  if (ttl) {
    const AttributeName = ttl.text("attribute_name") ?? "";
    const Enabled = ttl.boolean("enabled") ?? false;
    const { TimeToLiveDescription: current } = await clients.dynamoDb.describeTimeToLive({ TableName });
    const isEnabled = current?.TimeToLiveStatus === "ENABLED" || current?.TimeToLiveStatus === "ENABLING";
    if (Enabled !== isEnabled) {
      await clients.dynamoDb.updateTimeToLive({
        TableName,
        TimeToLiveSpecification: { AttributeName: AttributeName || current?.AttributeName, Enabled },
      });
    }
  }
  const recovery = list.block("point_in_time_recovery");
  if (recovery) {
    await clients.dynamoDb.updateContinuousBackups({
      TableName,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: recovery.boolean("enabled") ?? false },
    });
  }
  return {
    id: TableName,
    arn: active.TableArn ?? arnOf("dynamodb", `table/${TableName}`),
    stream_arn: active.LatestStreamArn ?? null,
  };
}

function encryption(list: Arguments): { SSESpecification?: SSESpecification } {
  const block = list.block("server_side_encryption");
  if (!block?.boolean("enabled")) {
    return {};
  }
  return { SSESpecification: { Enabled: true, SSEType: "KMS", KMSMasterKeyId: block.text("kms_key_arn") } };
}

async function waitUntilActive(dynamoDb: DynamoDB, TableName: string): Promise<TableDescription> {
  return await waitFor(
    async () => {
      const { Table } = await dynamoDb.describeTable({ TableName });
      return Table?.TableStatus === "ACTIVE" ? Table : undefined;
    },
    `the table ${TableName}`,
    { seconds: 120 },
  );
}

/** DynamoDB: tables. */
export const dynamoDbKinds: readonly ResourceKind[] = [table];
