/** Plans that Terraform 1.11 and the AWS provider 6.25 made of the platform's stacks, cut down to what changes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { refusalsOf } from "../../../delivery/diff/guard";
import { summarizeStack } from "../../../delivery/diff/summarize";
import type { PlanSummary, ResourceSummary, StackSummary } from "../../../delivery/diff/summary";
import type { TerraformPlan } from "../../../delivery/terraform";

/**
 * `data`: another feature, a renamed bucket, a statement more in a policy, a tag on everything, a secret parameter.
 * `ml-workflow`: a permission more, another function. `every-action`: each kind of change that Terraform knows.
 */
export function plan(name: "data" | "ml-workflow" | "every-action"): TerraformPlan {
  return JSON.parse(readFileSync(join(__dirname, "plans", `${name}.json`), "utf8")) as TerraformPlan;
}

/** One resource of a stack. */
export function resourceOf({ resources }: StackSummary, address: string): ResourceSummary {
  const found = resources.find((resource) => resource.address === address);
  if (!found) {
    throw new Error(`${address} is none of ${resources.map((resource) => resource.address).join(", ")}`);
  }
  return found;
}

/** A summary of these stacks. */
export function summaryOf(stacks: readonly StackSummary[], allowed: readonly string[] = []): PlanSummary {
  return {
    format: "acme-plan-summary",
    version: 1,
    environment: "production",
    stacks: [...stacks],
    refused: refusalsOf(stacks, allowed),
  };
}

/** A stack without changes. */
export const still = (stack: StackSummary["stack"], change: Partial<StackSummary> = {}): StackSummary => ({
  stack,
  status: "unchanged",
  resources: [],
  awaits: [],
  readsChanging: [],
  ...change,
});

export const data = (): StackSummary => summarizeStack("data", plan("data"));
export const everyAction = (): StackSummary => summarizeStack("data", plan("every-action"));
