import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { EventSourcePosition, FunctionConfiguration, Lambda } from "@aws-sdk/client-lambda";
import type { Arguments } from "../arguments";
import { type Attributes, type Creation, isNamed, type ResourceKind, settled, waitFor } from "../resource-kind";

const functionKind: ResourceKind = {
  type: "aws_lambda_function",
  naming: { argument: "function_name", prefix: "terraform-", maximumLength: 64 },
  files: ["filename"],
  async create(creation) {
    const { arguments: list, clients, tags } = creation;
    const FunctionName = list.requireText("function_name");
    try {
      await clients.lambda.createFunction({
        FunctionName,
        ...settings(list),
        Code: { ZipFile: archive(creation) },
        Architectures: list.texts("architectures") as "arm64"[] | undefined,
        Tags: tags,
      });
      await waitUntilActive(clients.lambda, FunctionName);
    } catch (error) {
      if (!isNamed(error, "ResourceConflictException")) {
        throw error;
      }
      await waitUntilActive(clients.lambda, FunctionName);
      await updateCode(creation, FunctionName);
      await updateSettings(creation, FunctionName);
    }
    return await attributesOf(creation, FunctionName);
  },
  async exists({ attributes, clients }) {
    const found = await clients.lambda.getFunctionConfiguration({ FunctionName: attributes.id });
    // A killed emulator may have lost the latest code.
    return found.CodeSha256 === attributes.code_sha256 && found.State !== "Failed";
  },
  async update(change) {
    await waitUntilActive(change.clients.lambda, change.attributes.id);
    await updateCode(change, change.attributes.id);
    await updateSettings(change, change.attributes.id);
    return await attributesOf(change, change.attributes.id);
  },
  delete: ({ attributes, clients }) => clients.lambda.deleteFunction({ FunctionName: attributes.id }),
};

function archive({ arguments: list, directory }: Creation): Buffer {
  // It only marks a change; the file's content is compared anyway.
  list.accept("source_code_hash");
  return readFileSync(resolve(directory, list.requireText("filename")));
}

function settings(list: Arguments) {
  const logging = list.block("logging_config");
  const tracing = list.block("tracing_config");
  return {
    Role: list.requireText("role"),
    Description: list.text("description") ?? "",
    Handler: list.text("handler"),
    Runtime: list.text("runtime") as "nodejs22.x" | undefined,
    Timeout: list.number("timeout") ?? 3,
    MemorySize: list.number("memory_size") ?? 128,
    Environment: { Variables: list.block("environment")?.map("variables") ?? {} },
    LoggingConfig: logging && {
      LogFormat: logging.text("log_format") as "JSON" | "Text" | undefined,
      LogGroup: logging.text("log_group"),
    },
    TracingConfig: tracing && { Mode: tracing.requireText("mode") as "Active" | "PassThrough" },
  };
}

async function updateCode(creation: Creation, FunctionName: string): Promise<void> {
  await creation.clients.lambda.updateFunctionCode({
    FunctionName,
    ZipFile: archive(creation),
    Architectures: creation.arguments.texts("architectures") as "arm64"[] | undefined,
  });
  await waitUntilActive(creation.clients.lambda, FunctionName);
}

async function updateSettings({ arguments: list, clients, tags }: Creation, FunctionName: string): Promise<void> {
  const { FunctionArn } = await clients.lambda.updateFunctionConfiguration({ FunctionName, ...settings(list) });
  await waitUntilActive(clients.lambda, FunctionName);
  await clients.lambda.tagResource({ Resource: FunctionArn, Tags: tags });
}

async function attributesOf(creation: Creation, FunctionName: string): Promise<Attributes> {
  const { clients, region, arnOf } = creation;
  const { FunctionArn, CodeSha256 = "" } = await waitUntilActive(clients.lambda, FunctionName);
  const arn = FunctionArn ?? arnOf("lambda", `function:${FunctionName}`);
  return {
    id: FunctionName,
    arn,
    invoke_arn: `arn:aws:apigateway:${region}:lambda:path/2015-03-31/functions/${arn}/invocations`,
    code_sha256: CodeSha256,
  };
}

async function waitUntilActive(lambda: Lambda, FunctionName: string): Promise<FunctionConfiguration> {
  return await waitFor(
    async () => {
      const found = await lambda.getFunctionConfiguration({ FunctionName });
      if (found.State === "Failed" || found.LastUpdateStatus === "Failed") {
        throw new Error(`${FunctionName}: ${found.StateReason ?? found.LastUpdateStatusReason ?? "failed"}`);
      }
      return found.State === "Pending" || found.LastUpdateStatus === "InProgress" ? undefined : found;
    },
    `the function ${FunctionName}`,
    { seconds: 120 },
  );
}

const permission: ResourceKind = settled({
  type: "aws_lambda_permission",
  naming: { argument: "statement_id", prefix: "terraform-", maximumLength: 100 },
  replacedBy: ["action", "function_name", "principal", "source_arn"],
  async put({ arguments: list, clients }) {
    const StatementId = list.requireText("statement_id");
    const FunctionName = list.requireText("function_name");
    const permission = {
      StatementId,
      FunctionName,
      Action: list.requireText("action"),
      Principal: list.requireText("principal"),
      SourceArn: list.text("source_arn"),
    };
    try {
      await clients.lambda.addPermission(permission);
    } catch (error) {
      if (!isNamed(error, "ResourceConflictException")) {
        throw error;
      }
      await clients.lambda.removePermission({ FunctionName, StatementId });
      await clients.lambda.addPermission(permission);
    }
    return { id: StatementId };
  },
  async exists({ attributes, arguments: list, clients }) {
    const { Policy = "{}" } = await clients.lambda.getPolicy({ FunctionName: list.requireText("function_name") });
    const { Statement = [] } = JSON.parse(Policy) as { Statement?: { Sid?: string }[] };
    return Statement.some(({ Sid }) => Sid === attributes.id);
  },
  delete: ({ attributes, arguments: list, clients }) =>
    clients.lambda.removePermission({
      FunctionName: list.requireText("function_name"),
      StatementId: attributes.id,
    }),
});

/** The settings of a mapping, for creation and change. */
function mappingSettings(list: Arguments) {
  const failure = list.block("destination_config")?.block("on_failure");
  return {
    FunctionName: list.requireText("function_name"),
    Enabled: true,
    BatchSize: list.number("batch_size"),
    FilterCriteria: {
      Filters: (list.block("filter_criteria")?.blocks("filter") ?? []).map((filter) => ({
        Pattern: filter.requireText("pattern"),
      })),
    },
    MaximumRetryAttempts: list.number("maximum_retry_attempts"),
    MaximumRecordAgeInSeconds: list.number("maximum_record_age_in_seconds"),
    BisectBatchOnFunctionError: list.boolean("bisect_batch_on_function_error"),
    DestinationConfig: failure && { OnFailure: { Destination: failure.requireText("destination_arn") } },
  };
}

const eventSourceMapping: ResourceKind = {
  type: "aws_lambda_event_source_mapping",
  replacedBy: ["event_source_arn", "starting_position"],
  async create(creation) {
    const { arguments: list, clients, tags, isTaken } = creation;
    const EventSourceArn = list.requireText("event_source_arn");
    const FunctionName = list.requireText("function_name");
    const { EventSourceMappings = [] } = await clients.lambda.listEventSourceMappings({ FunctionName, EventSourceArn });
    // Its id is generated by Lambda: a mapping of a killed run is found by what it connects.
    const known = EventSourceMappings.find(({ UUID = "" }) => UUID !== "" && !isTaken(UUID));
    if (known?.UUID !== undefined) {
      return await changeMapping(list, clients.lambda, known.UUID);
    }
    const { UUID: id = "" } = await clients.lambda.createEventSourceMapping({
      ...mappingSettings(list),
      EventSourceArn,
      StartingPosition: list.text("starting_position") as EventSourcePosition | undefined,
      Tags: tags,
    });
    return { id };
  },
  exists: ({ attributes, clients }) => clients.lambda.getEventSourceMapping({ UUID: attributes.id }),
  async update({ arguments: list, attributes, clients }) {
    return await changeMapping(list, clients.lambda, attributes.id);
  },
  delete: ({ attributes, clients }) => clients.lambda.deleteEventSourceMapping({ UUID: attributes.id }),
};

async function changeMapping(list: Arguments, lambda: Lambda, UUID: string): Promise<Attributes> {
  await lambda.updateEventSourceMapping({ ...mappingSettings(list), UUID });
  return { id: UUID };
}

/** Lambda: functions, permissions, and event source mappings. */
export const lambdaKinds: readonly ResourceKind[] = [functionKind, permission, eventSourceMapping];
