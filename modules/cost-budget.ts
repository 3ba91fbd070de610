/**
 * A budget that notifies when a month becomes too expensive.
 *
 *     new CostBudget(this, "account", { name: "acme-production-governance-account", monthlyDollars: 500, topic });
 */
import { BudgetsBudget } from "@cdktf/provider-aws/lib/budgets-budget";
import { Construct } from "constructs";
import type { AlarmTopic } from "./alarm";

export interface CostBudgetProps {
  /** 1 to 100 characters, none of them `:` or `\\`. */
  readonly name: string;
  /** Monthly limit in US dollars. */
  readonly monthlyDollars: number;
  /** Counts only resources with this tag. @default everything in the account */
  readonly tag?: { readonly key: string; readonly value: string };
  /** Is notified; it must admit `budgets.amazonaws.com`. */
  readonly topic: AlarmTopic;
}

/** Notifies a topic when a month has cost 80 % of the limit, and when AWS forecasts that it will exceed the limit. */
export class CostBudget extends Construct {
  constructor(scope: Construct, id: string, props: CostBudgetProps) {
    super(scope, id);
    const { name, monthlyDollars, tag, topic } = props;
    if (!/^[^:\\]{1,100}$/.test(name)) {
      throw new Error(
        `The budget name ${JSON.stringify(name)} must have 1 to 100 characters without : and \\. Correct it.`,
      );
    }
    const alarm = (notificationType: "ACTUAL" | "FORECASTED", threshold: number) => ({
      comparisonOperator: "GREATER_THAN",
      notificationType,
      threshold,
      thresholdType: "PERCENTAGE",
      subscriberSnsTopicArns: [topic.arn],
    });
    new BudgetsBudget(this, "budget", {
      name,
      budgetType: "COST",
      limitAmount: String(monthlyDollars),
      limitUnit: "USD",
      timeUnit: "MONTHLY",
      // Format of the Budgets API: user:<key>$<value>.
      costFilter: tag && [{ name: "TagKeyValue", values: [`user:${tag.key}$${tag.value}`] }],
      notification: [alarm("ACTUAL", 80), alarm("FORECASTED", 100)],
      // AWS Budgets checks that it may publish to the topic.
      dependsOn: [topic.policy],
    });
  }
}
