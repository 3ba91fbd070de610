/** What an environment costs in a month, from what synth wrote. */
import type { Environment } from "../../environments";
import { type StackId, stackIds } from "../../stacks/contract";
import { DeploymentError } from "../terraform";
import { classifications, type Resource } from "./classify";
import { priceOf, prices } from "./prices";
import { type Usage, usages } from "./usage";

/** A stack as in `cdk.tf.json`. */
export interface StackDocument {
  readonly resource?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** What is asked for one unit, over all resources of a stack and type. */
export interface CostLine {
  readonly stack: StackId;
  readonly type: string;
  /** How many resources. */
  readonly count: number;
  readonly price: string;
  readonly kind: "fixed" | "use";
  /** Units in a month. */
  readonly quantity: number;
  /** US dollars a month. */
  readonly dollars: number;
}

/** Resources that cost something which is in no sum. */
export interface Unpriced {
  readonly stack: StackId;
  readonly type: string;
  readonly count: number;
  readonly why: string;
}

/** The costs of an environment. */
export interface Costs {
  readonly environment: string;
  /** The month's budget in US dollars, where there is one. */
  readonly budget?: number;
  readonly usage: Usage;
  readonly lines: readonly CostLine[];
  readonly unpriced: readonly Unpriced[];
  /** Resources for which AWS asks nothing. */
  readonly free: number;
}

/** All resources of some stacks, in the order of deployment. */
export function resourcesOf(documents: Readonly<Partial<Record<StackId, StackDocument>>>): readonly Resource[] {
  return stackIds.flatMap((stack) =>
    Object.entries(documents[stack]?.resource ?? {}).flatMap(([type, named]) =>
      Object.entries(named).map(([name, block]) => ({
        stack,
        type,
        name,
        arguments: block as Readonly<Record<string, unknown>>,
      })),
    ),
  );
}

/**
 * Counts what the stacks of an environment cost.
 * @param documents the synthesized stacks
 * @throws DeploymentError when there is a type that nobody has classified, or when the prices are of another region
 */
export function costsOf(
  { name, region, governance }: Pick<Environment, "name" | "region" | "governance">,
  documents: Readonly<Partial<Record<StackId, StackDocument>>>,
): Costs {
  if (region !== prices.region) {
    throw new DeploymentError(
      `The prices of delivery/costs/prices.json are of ${prices.region}; the environment ${name} is in ${region}.`,
      `Write the prices of ${region} into the file, with their date.`,
    );
  }
  const usage = usages[name];
  const resources = resourcesOf(documents);
  const unknown = [...new Set(resources.map(({ type }) => type))].filter(
    (type) => !Object.hasOwn(classifications, type),
  );
  if (unknown.length > 0) {
    throw new DeploymentError(
      `Nobody has said yet what ${unknown.join(" and ")} ${unknown.length === 1 ? "costs" : "cost"}.`,
      "Add a line to delivery/costs/classify.ts: its charges, or why it costs nothing or isn't counted.",
    );
  }

  const lines = new Map<string, CostLine>();
  const unpriced = new Map<string, Unpriced>();
  let free = 0;
  const leaveOut = ({ stack, type }: Resource, why: string): void => {
    const key = JSON.stringify([stack, type, why]);
    unpriced.set(key, { stack, type, why, count: (unpriced.get(key)?.count ?? 0) + 1 });
  };
  for (const resource of resources) {
    const classification = classifications[resource.type];
    if (!classification || "free" in classification) {
      free += 1;
      continue;
    }
    if ("notPriced" in classification) {
      leaveOut(resource, classification.notPriced);
      continue;
    }
    const charges = classification.charges(resource, usage);
    if (charges.length === 0) {
      free += 1;
    }
    const counted = new Set<string>();
    for (const { price: id, quantity, kind } of charges) {
      const price = priceOf(id);
      if (!price) {
        leaveOut(resource, `delivery/costs/prices.json has no price ${id}`);
        continue;
      }
      const { stack, type } = resource;
      const key = JSON.stringify([stack, type, id, kind]);
      const line = lines.get(key) ?? { stack, type, price: id, kind, count: 0, quantity: 0, dollars: 0 };
      lines.set(key, {
        ...line,
        // Two jobs of one state machine are charges of one resource.
        count: line.count + (counted.has(key) ? 0 : 1),
        quantity: line.quantity + quantity,
        dollars: line.dollars + quantity * price.usd,
      });
      counted.add(key);
    }
  }
  return {
    environment: name,
    ...(governance === undefined ? {} : { budget: governance.monthlyBudgetDollars }),
    usage,
    lines: [...lines.values()],
    unpriced: [...unpriced.values()],
    free,
  };
}

/** The sum of some lines, in US dollars a month. */
export const sum = (lines: readonly CostLine[]): number => lines.reduce((total, { dollars }) => total + dollars, 0);

/** How much of a sum rests on prices that nobody has verified. */
export const unverified = (lines: readonly CostLine[]): readonly CostLine[] =>
  lines.filter(({ price }) => priceOf(price)?.seen === "unverified");
