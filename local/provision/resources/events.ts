import { type ResourceKind, settled, tagList } from "../resource-kind";

const rule: ResourceKind = settled({
  type: "aws_cloudwatch_event_rule",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 64 },
  replacedBy: ["name"],
  async put({ arguments: list, clients, tags, arnOf }) {
    const Name = list.requireText("name");
    const { RuleArn } = await clients.events.putRule({
      Name,
      Description: list.text("description"),
      ScheduleExpression: list.text("schedule_expression"),
      Tags: tagList(tags),
    });
    return { id: Name, name: Name, arn: RuleArn ?? arnOf("events", `rule/${Name}`) };
  },
  exists: ({ attributes, clients }) => clients.events.describeRule({ Name: attributes.id }),
  delete: ({ attributes, clients }) => clients.events.deleteRule({ Name: attributes.id }),
});

const target: ResourceKind = settled({
  type: "aws_cloudwatch_event_target",
  naming: { argument: "target_id", prefix: "terraform-", maximumLength: 64 },
  replacedBy: ["rule", "target_id"],
  async put({ arguments: list, clients }) {
    const Rule = list.requireText("rule");
    const Id = list.requireText("target_id");
    const { FailedEntries: [failed] = [] } = await clients.events.putTargets({
      Rule,
      Targets: [
        {
          Id,
          Arn: list.requireText("arn"),
          Input: list.text("input"),
        },
      ],
    });
    if (failed) {
      throw new Error(`EventBridge rejected the target ${Id}: ${failed.ErrorMessage ?? failed.ErrorCode}`);
    }
    return { id: `${Rule}-${Id}` };
  },
  async exists({ arguments: list, clients }) {
    const { Targets } = await clients.events.listTargetsByRule({ Rule: list.requireText("rule") });
    return Targets?.some(({ Id }) => Id === list.requireText("target_id"));
  },
  delete: ({ arguments: list, clients }) =>
    clients.events.removeTargets({
      Rule: list.requireText("rule"),
      Ids: [list.requireText("target_id")],
    }),
});

/** EventBridge: rules and their targets. */
export const eventKinds: readonly ResourceKind[] = [rule, target];
