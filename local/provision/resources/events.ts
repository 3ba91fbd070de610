import {
  DeleteRuleCommand,
  DescribeRuleCommand,
  ListTargetsByRuleCommand,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
  type RuleState,
} from "@aws-sdk/client-eventbridge";
import { type ResourceKind, settled, tagList, unlessMissing } from "../resource-kind";

const rule: ResourceKind = settled({
  type: "aws_cloudwatch_event_rule",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 64 },
  replacedBy: ["name", "event_bus_name"],
  async put({ arguments: list, clients, tags, account, region, partition }) {
    const Name = list.requireText("name");
    const { RuleArn } = await clients.events.send(
      new PutRuleCommand({
        Name,
        EventBusName: list.text("event_bus_name"),
        Description: list.text("description"),
        EventPattern: list.text("event_pattern"),
        ScheduleExpression: list.text("schedule_expression"),
        State: (list.text("state") ?? "ENABLED") as RuleState,
        Tags: tagList(tags),
      }),
    );
    return { id: Name, name: Name, arn: RuleArn ?? `arn:${partition}:events:${region}:${account}:rule/${Name}` };
  },
  async read({ attributes, arguments: list, clients }) {
    const found = await unlessMissing(
      clients.events.send(new DescribeRuleCommand({ Name: attributes.id, EventBusName: list.text("event_bus_name") })),
    );
    return found && attributes;
  },
  async delete({ attributes, arguments: list, clients }) {
    await unlessMissing(
      clients.events.send(new DeleteRuleCommand({ Name: attributes.id, EventBusName: list.text("event_bus_name") })),
    );
  },
});

const target: ResourceKind = settled({
  type: "aws_cloudwatch_event_target",
  naming: { argument: "target_id", prefix: "terraform-", maximumLength: 64 },
  replacedBy: ["rule", "target_id", "event_bus_name"],
  async put({ arguments: list, clients }) {
    const Rule = list.requireText("rule");
    const Id = list.requireText("target_id");
    const { FailedEntries: [failed] = [] } = await clients.events.send(
      new PutTargetsCommand({
        Rule,
        EventBusName: list.text("event_bus_name"),
        Targets: [
          {
            Id,
            Arn: list.requireText("arn"),
            Input: list.text("input"),
            InputPath: list.text("input_path"),
            RoleArn: list.text("role_arn"),
          },
        ],
      }),
    );
    if (failed) {
      throw new Error(`EventBridge took no target ${Id}: ${failed.ErrorMessage ?? failed.ErrorCode}`);
    }
    return { id: `${Rule}-${Id}` };
  },
  async read({ attributes, arguments: list, clients }) {
    const found = await unlessMissing(
      clients.events.send(
        new ListTargetsByRuleCommand({ Rule: list.requireText("rule"), EventBusName: list.text("event_bus_name") }),
      ),
    );
    return found?.Targets?.some(({ Id }) => Id === list.requireText("target_id")) ? attributes : undefined;
  },
  async delete({ arguments: list, clients }) {
    await unlessMissing(
      clients.events.send(
        new RemoveTargetsCommand({
          Rule: list.requireText("rule"),
          EventBusName: list.text("event_bus_name"),
          Ids: [list.requireText("target_id")],
        }),
      ),
    );
  },
});

/** EventBridge: rules and what they call. */
export const eventKinds: readonly ResourceKind[] = [rule, target];
