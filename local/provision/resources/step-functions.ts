import type { LoggingConfiguration } from "@aws-sdk/client-sfn";
import type { Arguments } from "../arguments";
import { type Attributes, type Creation, isNamed, type ResourceKind, waitUntilGone } from "../resource-kind";

const stateMachine: ResourceKind = {
  type: "aws_sfn_state_machine",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 80 },
  replacedBy: ["type"],
  async create(creation) {
    const { arguments: list, clients, tags, arnOf } = creation;
    const name = list.requireText("name");
    const arn = arnOf("states", `stateMachine:${name}`);
    try {
      await clients.stepFunctions.createStateMachine({
        name,
        type: list.text("type") as "STANDARD" | "EXPRESS" | undefined,
        ...settings(list),
        tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
      });
    } catch (error) {
      if (!isNamed(error, "StateMachineAlreadyExists")) {
        throw error;
      }
      return await change(creation, arn);
    }
    return attributesOf(arn);
  },
  async exists({ attributes, arguments: list, clients }) {
    const found = await clients.stepFunctions.describeStateMachine({ stateMachineArn: attributes.id });
    // A killed emulator may have lost the latest definition.
    return found.status === "ACTIVE" && found.definition === list.requireText("definition");
  },
  update: (request) => change(request, request.attributes.id),
  async delete({ attributes: { id: stateMachineArn }, clients: { stepFunctions } }) {
    await stepFunctions.deleteStateMachine({ stateMachineArn });
    await waitUntilGone(() => stepFunctions.describeStateMachine({ stateMachineArn }), stateMachineArn);
  },
};

async function change({ arguments: list, clients, tags }: Creation, arn: string): Promise<Attributes> {
  await clients.stepFunctions.updateStateMachine({ stateMachineArn: arn, ...settings(list) });
  await clients.stepFunctions.tagResource({
    resourceArn: arn,
    tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
  });
  return attributesOf(arn);
}

function attributesOf(arn: string): Attributes {
  return { id: arn, arn, status: "ACTIVE" };
}

function settings(list: Arguments): {
  definition: string;
  roleArn: string;
  loggingConfiguration?: LoggingConfiguration;
  tracingConfiguration?: { enabled: boolean };
} {
  const logging = list.block("logging_configuration");
  const tracing = list.block("tracing_configuration");
  const destination = logging?.text("log_destination");
  return {
    definition: list.requireText("definition"),
    roleArn: list.requireText("role_arn"),
    loggingConfiguration: logging && {
      level: logging.text("level") as "ALL" | undefined,
      includeExecutionData: logging.boolean("include_execution_data"),
      destinations: destination === undefined ? undefined : [{ cloudWatchLogsLogGroup: { logGroupArn: destination } }],
    },
    tracingConfiguration: tracing && { enabled: tracing.boolean("enabled") ?? false },
  };
}

/** Step Functions: state machines. */
export const stepFunctionsKinds: readonly ResourceKind[] = [stateMachine];
