import { AlarmTopic } from "../../modules/alarm";
import { CostBudget, type CostBudgetProps } from "../../modules/cost-budget";
import { type Arguments, synthesize } from "../support/synthesize";

const budget = (changes: Partial<CostBudgetProps> = {}): Arguments =>
  synthesize((stack) => {
    const topic = new AlarmTopic(stack, "alarms", { name: "a", encryptionKeyArn: "arn:key" });
    new CostBudget(stack, "account", { name: "acme-account", monthlyDollars: 300, topic, ...changes });
  }).resource("aws_budgets_budget");

test("it notifies at 80 % of the costs, and at a forecast of all of them", () => {
  expect(budget()).toMatchObject({ limit_amount: "300", limit_unit: "USD", time_unit: "MONTHLY" });
  expect(budget().notification).toEqual(
    [
      ["ACTUAL", 80],
      ["FORECASTED", 100],
    ].map(([notificationType, threshold]) => ({
      comparison_operator: "GREATER_THAN",
      notification_type: notificationType,
      threshold,
      threshold_type: "PERCENTAGE",
      subscriber_sns_topic_arns: ["${aws_sns_topic.alarms_topic.arn}"],
    })),
  );
});

test("it comes after the topic's policy, without which AWS Budgets would refuse the topic", () => {
  expect(budget().depends_on).toEqual(["aws_sns_topic_policy.alarms_policy"]);
});

test("it counts the whole account, or resources with a tag", () => {
  expect(budget().cost_filter).toBeUndefined();
  expect(budget({ tag: { key: "Project", value: "acme" } }).cost_filter).toEqual([
    { name: "TagKeyValue", values: ["user:Project$acme"] },
  ]);
});

test.each([[""], ["a:b"], ["a\\b"], ["a".repeat(101)]])("the name %j is refused", (name) => {
  expect(() => budget({ name })).toThrow("must have 1 to 100 characters");
});
