import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  AddPermissionCommand,
  CreateEventSourceMappingCommand,
  CreateFunctionCommand,
  type CreateFunctionRequest,
  DeleteEventSourceMappingCommand,
  DeleteFunctionCommand,
  DeleteFunctionConcurrencyCommand,
  DeleteFunctionEventInvokeConfigCommand,
  type EventSourcePosition,
  type FunctionConfiguration,
  type FunctionResponseType,
  GetEventSourceMappingCommand,
  GetFunctionConfigurationCommand,
  GetFunctionEventInvokeConfigCommand,
  GetPolicyCommand,
  type LambdaClient,
  ListEventSourceMappingsCommand,
  PutFunctionConcurrencyCommand,
  PutFunctionEventInvokeConfigCommand,
  RemovePermissionCommand,
  TagResourceCommand,
  UpdateEventSourceMappingCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from "@aws-sdk/client-lambda";
import type { Arguments } from "../arguments";
import {
  type Attributes,
  type Creation,
  isNamed,
  type Place,
  type ResourceKind,
  settled,
  unlessMissing,
  waitFor,
} from "../resource-kind";

const functionKind: ResourceKind = {
  type: "aws_lambda_function",
  naming: { argument: "function_name", prefix: "terraform-", maximumLength: 64 },
  replacedBy: ["package_type"],
  files: ["filename"],
  async create(creation) {
    const { arguments: list, clients, tags } = creation;
    const FunctionName = list.requireText("function_name");
    try {
      await clients.lambda.send(
        new CreateFunctionCommand({
          FunctionName,
          ...settings(list),
          Code: code(creation),
          PackageType: list.text("package_type") as "Zip" | "Image" | undefined,
          Architectures: list.texts("architectures") as "arm64"[] | undefined,
          Publish: list.boolean("publish"),
          Tags: tags,
        }),
      );
      await waitUntilActive(clients.lambda, FunctionName);
    } catch (error) {
      if (!isNamed(error, "ResourceConflictException")) {
        throw error;
      }
      await waitUntilActive(clients.lambda, FunctionName);
      await updateCode(creation, FunctionName);
      await updateSettings(creation, FunctionName);
    }
    return finish(creation, FunctionName);
  },
  async read({ attributes, clients }) {
    const found = await unlessMissing(
      clients.lambda.send(new GetFunctionConfigurationCommand({ FunctionName: attributes.id })),
    );
    // An emulator that was killed may have forgotten the latest code.
    return found?.CodeSha256 === attributes.code_sha256 && found?.State !== "Failed" ? attributes : undefined;
  },
  async update(change) {
    await waitUntilActive(change.clients.lambda, change.attributes.id);
    await updateCode(change, change.attributes.id);
    await updateSettings(change, change.attributes.id);
    return finish(change, change.attributes.id);
  },
  async delete({ attributes, clients }) {
    await unlessMissing(clients.lambda.send(new DeleteFunctionCommand({ FunctionName: attributes.id })));
  },
};

function code({ arguments: list, directory }: Creation): NonNullable<CreateFunctionRequest["Code"]> {
  const filename = list.text("filename");
  // Only says that the content has changed; the file's content is compared in any case.
  list.accept("source_code_hash");
  if (filename !== undefined) {
    return { ZipFile: readFileSync(resolve(directory, filename)) };
  }
  const image = list.text("image_uri");
  return image !== undefined
    ? { ImageUri: image }
    : {
        S3Bucket: list.requireText("s3_bucket"),
        S3Key: list.requireText("s3_key"),
        S3ObjectVersion: list.text("s3_object_version"),
      };
}

function settings(list: Arguments) {
  const logging = list.block("logging_config");
  const tracing = list.block("tracing_config");
  const deadLetters = list.block("dead_letter_config");
  const storage = list.block("ephemeral_storage");
  return {
    Role: list.requireText("role"),
    Description: list.text("description") ?? "",
    Handler: list.text("handler"),
    Runtime: list.text("runtime") as "nodejs22.x" | undefined,
    Timeout: list.number("timeout") ?? 3,
    MemorySize: list.number("memory_size") ?? 128,
    Environment: { Variables: list.block("environment")?.map("variables") ?? {} },
    Layers: list.texts("layers"),
    KMSKeyArn: list.text("kms_key_arn"),
    ...(logging && {
      LoggingConfig: {
        LogFormat: logging.text("log_format") as "JSON" | "Text" | undefined,
        LogGroup: logging.text("log_group"),
        ApplicationLogLevel: logging.text("application_log_level") as "INFO" | undefined,
        SystemLogLevel: logging.text("system_log_level") as "INFO" | undefined,
      },
    }),
    ...(tracing && { TracingConfig: { Mode: tracing.requireText("mode") as "Active" | "PassThrough" } }),
    ...(deadLetters && { DeadLetterConfig: { TargetArn: deadLetters.requireText("target_arn") } }),
    ...(storage && { EphemeralStorage: { Size: storage.requireNumber("size") } }),
  };
}

async function updateCode(creation: Creation, FunctionName: string): Promise<void> {
  await creation.clients.lambda.send(
    new UpdateFunctionCodeCommand({
      FunctionName,
      ...code(creation),
      Architectures: creation.arguments.texts("architectures") as "arm64"[] | undefined,
      Publish: creation.arguments.boolean("publish"),
    }),
  );
  await waitUntilActive(creation.clients.lambda, FunctionName);
}

async function updateSettings({ arguments: list, clients, tags }: Creation, FunctionName: string): Promise<void> {
  const { FunctionArn } = await clients.lambda.send(
    new UpdateFunctionConfigurationCommand({ FunctionName, ...settings(list) }),
  );
  await waitUntilActive(clients.lambda, FunctionName);
  await clients.lambda.send(new TagResourceCommand({ Resource: FunctionArn, Tags: tags }));
}

async function finish(creation: Creation, FunctionName: string): Promise<Attributes> {
  const { arguments: list, clients } = creation;
  const limit = list.number("reserved_concurrent_executions");
  // -1 is Terraform's word for "no limit".
  await (limit === undefined || limit < 0
    ? clients.lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName }))
    : clients.lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: limit })));
  list.accept("package_type", "publish");
  return functionAttributes(await waitUntilActive(clients.lambda, FunctionName), FunctionName, creation);
}

function functionAttributes(
  { FunctionArn, CodeSha256 = "", CodeSize = 0, Version = "$LATEST" }: FunctionConfiguration,
  FunctionName: string,
  { account, region, partition }: Place,
): Attributes {
  const arn = FunctionArn ?? `arn:${partition}:lambda:${region}:${account}:function:${FunctionName}`;
  return {
    id: FunctionName,
    arn,
    invoke_arn: `arn:${partition}:apigateway:${region}:lambda:path/2015-03-31/functions/${arn}/invocations`,
    qualified_arn: `${arn}:${Version}`,
    version: Version,
    code_sha256: CodeSha256,
    source_code_size: CodeSize,
  };
}

async function waitUntilActive(lambda: LambdaClient, FunctionName: string): Promise<FunctionConfiguration> {
  return await waitFor(
    async () => {
      const found = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
      if (found.State === "Failed" || found.LastUpdateStatus === "Failed") {
        throw new Error(`${FunctionName}: ${found.StateReason ?? found.LastUpdateStatusReason ?? "failed"}`);
      }
      return found.State === "Pending" || found.LastUpdateStatus === "InProgress" ? undefined : found;
    },
    `the function ${FunctionName}`,
    { seconds: 120 },
  );
}

/** What a permission says; each change makes a new one. */
const permissionArguments = [
  ...["action", "event_source_token", "function_name", "function_url_auth_type", "principal"],
  ...["principal_org_id", "qualifier", "source_account", "source_arn"],
];

const permission: ResourceKind = settled({
  type: "aws_lambda_permission",
  naming: { argument: "statement_id", prefix: "terraform-", maximumLength: 100 },
  replacedBy: permissionArguments,
  async put({ arguments: list, clients }) {
    const StatementId = list.requireText("statement_id");
    const FunctionName = list.requireText("function_name");
    const Qualifier = list.text("qualifier");
    const add = new AddPermissionCommand({
      StatementId,
      FunctionName,
      Qualifier,
      Action: list.requireText("action"),
      Principal: list.requireText("principal"),
      SourceArn: list.text("source_arn"),
      SourceAccount: list.text("source_account"),
      PrincipalOrgID: list.text("principal_org_id"),
      EventSourceToken: list.text("event_source_token"),
      FunctionUrlAuthType: list.text("function_url_auth_type") as "AWS_IAM" | "NONE" | undefined,
    });
    try {
      await clients.lambda.send(add);
    } catch (error) {
      if (!isNamed(error, "ResourceConflictException")) {
        throw error;
      }
      await clients.lambda.send(new RemovePermissionCommand({ FunctionName, StatementId, Qualifier }));
      await clients.lambda.send(add);
    }
    return { id: StatementId };
  },
  async read({ attributes, arguments: list, clients }) {
    const found = await unlessMissing(
      clients.lambda.send(
        new GetPolicyCommand({ FunctionName: list.requireText("function_name"), Qualifier: list.text("qualifier") }),
      ),
    );
    const { Statement = [] } = JSON.parse(found?.Policy ?? "{}") as { Statement?: { Sid?: string }[] };
    return Statement.some(({ Sid }) => Sid === attributes.id) ? attributes : undefined;
  },
  async delete({ attributes, arguments: list, clients }) {
    await unlessMissing(
      clients.lambda.send(
        new RemovePermissionCommand({
          FunctionName: list.requireText("function_name"),
          StatementId: attributes.id,
          Qualifier: list.text("qualifier"),
        }),
      ),
    );
  },
});

const eventInvokeConfig: ResourceKind = settled({
  type: "aws_lambda_function_event_invoke_config",
  replacedBy: ["function_name", "qualifier"],
  async put({ arguments: list, clients }) {
    const FunctionName = list.requireText("function_name");
    const Qualifier = list.text("qualifier");
    const destinations = list.block("destination_config");
    const target = (name: string): { Destination: string } | undefined => {
      const block = destinations?.block(name);
      return block && { Destination: block.requireText("destination") };
    };
    await clients.lambda.send(
      new PutFunctionEventInvokeConfigCommand({
        FunctionName,
        Qualifier,
        MaximumEventAgeInSeconds: list.number("maximum_event_age_in_seconds"),
        MaximumRetryAttempts: list.number("maximum_retry_attempts"),
        DestinationConfig: { OnFailure: target("on_failure"), OnSuccess: target("on_success") },
      }),
    );
    return { id: Qualifier === undefined ? FunctionName : `${FunctionName}:${Qualifier}` };
  },
  async read({ attributes, arguments: list, clients }) {
    const found = await unlessMissing(
      clients.lambda.send(
        new GetFunctionEventInvokeConfigCommand({
          FunctionName: list.requireText("function_name"),
          Qualifier: list.text("qualifier"),
        }),
      ),
    );
    return found && attributes;
  },
  async delete({ arguments: list, clients }) {
    await unlessMissing(
      clients.lambda.send(
        new DeleteFunctionEventInvokeConfigCommand({
          FunctionName: list.requireText("function_name"),
          Qualifier: list.text("qualifier"),
        }),
      ),
    );
  },
});

/** How a mapping reads its source, as both its making and its changing take it. */
function mappingSettings(list: Arguments) {
  const failure = list.block("destination_config")?.block("on_failure");
  return {
    FunctionName: list.requireText("function_name"),
    Enabled: list.boolean("enabled") ?? true,
    BatchSize: list.number("batch_size"),
    MaximumBatchingWindowInSeconds: list.number("maximum_batching_window_in_seconds"),
    FilterCriteria: {
      Filters: (list.block("filter_criteria")?.blocks("filter") ?? []).map((filter) => ({
        Pattern: filter.requireText("pattern"),
      })),
    },
    FunctionResponseTypes: list.texts("function_response_types") as FunctionResponseType[] | undefined,
    MaximumRetryAttempts: list.number("maximum_retry_attempts"),
    MaximumRecordAgeInSeconds: list.number("maximum_record_age_in_seconds"),
    BisectBatchOnFunctionError: list.boolean("bisect_batch_on_function_error"),
    ParallelizationFactor: list.number("parallelization_factor"),
    ...(failure && { DestinationConfig: { OnFailure: { Destination: failure.requireText("destination_arn") } } }),
  };
}

const eventSourceMapping: ResourceKind = {
  type: "aws_lambda_event_source_mapping",
  replacedBy: ["event_source_arn", "starting_position"],
  async create(creation) {
    const { arguments: list, clients, tags, isTaken } = creation;
    const EventSourceArn = list.requireText("event_source_arn");
    const FunctionName = list.requireText("function_name");
    const { EventSourceMappings = [] } = await clients.lambda.send(
      new ListEventSourceMappingsCommand({ FunctionName, EventSourceArn }),
    );
    // Its name is a number of Lambda's: one that a killed run has made is known by what it connects.
    const known = EventSourceMappings.find(({ UUID = "" }) => UUID !== "" && !isTaken(UUID));
    if (known?.UUID !== undefined) {
      return await changeMapping(list, clients.lambda, known.UUID);
    }
    const { UUID: id = "" } = await clients.lambda.send(
      new CreateEventSourceMappingCommand({
        ...mappingSettings(list),
        EventSourceArn,
        StartingPosition: list.text("starting_position") as EventSourcePosition | undefined,
        Tags: tags,
      }),
    );
    return { id, uuid: id };
  },
  async read({ attributes, clients }) {
    const found = await unlessMissing(clients.lambda.send(new GetEventSourceMappingCommand({ UUID: attributes.id })));
    return found && attributes;
  },
  async update({ arguments: list, attributes, clients }) {
    return await changeMapping(list, clients.lambda, attributes.id);
  },
  async delete({ attributes, clients }) {
    await unlessMissing(clients.lambda.send(new DeleteEventSourceMappingCommand({ UUID: attributes.id })));
  },
};

async function changeMapping(list: Arguments, lambda: LambdaClient, UUID: string): Promise<Attributes> {
  list.accept("event_source_arn", "starting_position");
  await lambda.send(new UpdateEventSourceMappingCommand({ ...mappingSettings(list), UUID }));
  return { id: UUID, uuid: UUID };
}

/** Lambda: functions, permissions, settings of asynchronous calls, and what of other services calls them. */
export const lambdaKinds: readonly ResourceKind[] = [functionKind, permission, eventInvokeConfig, eventSourceMapping];
