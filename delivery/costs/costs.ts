/** The monthly costs of an environment, from the output of synth. */
import { awsServices } from "../../aws-services";
import type { Arguments } from "../../aws-services/arguments";
import type { Environment } from "../../environments";
import { type StackId, stackIds } from "../../stacks/contract";
import { DeploymentError } from "../terraform";
import { priceOf, prices } from "./prices";
import { type Resource, type Usage, usages, useOf } from "./usage";

/** A stack as in `cdk.tf.json`. */
export interface StackDocument {
  readonly resource?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The charges for one price, over all resources of a stack and type. */
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

/** Resources whose costs are not counted. */
export interface Unpriced {
  readonly stack: StackId;
  readonly type: string;
  readonly count: number;
  readonly why: string;
}

/** The costs of an environment. */
export interface Costs {
  readonly environment: string;
  /** The monthly budget in US dollars, if there is one. */
  readonly budget?: number;
  readonly usage: Usage;
  readonly lines: readonly CostLine[];
  readonly unpriced: readonly Unpriced[];
  /** Number of free resources. */
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
        arguments: block as Arguments,
      })),
    ),
  );
}

/**
 * Counts the costs of an environment's stacks.
 * @param documents the synthesized stacks
 * @throws DeploymentError when the prices are for another region
 * @throws Error for a type without a record in aws-services/
 */
export function costsOf(
  { name, region, governance }: Pick<Environment, "name" | "region" | "governance">,
  documents: Readonly<Partial<Record<StackId, StackDocument>>>,
): Costs {
  if (region !== prices.region) {
    throw new DeploymentError(
      `The prices in delivery/costs/prices.json are for ${prices.region}; the environment ${name} is in ${region}.`,
      `Write the prices of ${region} into the file, with their date.`,
    );
  }
  const usage = usages[name];
  const resources = resourcesOf(documents);
  const lines = new Map<string, CostLine>();
  const unpriced = new Map<string, Unpriced>();
  let free = 0;
  const leaveOut = ({ stack, type }: Resource, why: string): void => {
    const key = JSON.stringify([stack, type, why]);
    unpriced.set(key, { stack, type, why, count: (unpriced.get(key)?.count ?? 0) + 1 });
  };
  for (const resource of resources) {
    const { price } = awsServices.record(resource.type);
    if ("free" in price) {
      free += 1;
      continue;
    }
    if ("notPriced" in price) {
      leaveOut(resource, price.notPriced);
      continue;
    }
    const charges = price.charges(resource.arguments, useOf(resource, usage));
    if (charges.length === 0) {
      free += 1;
    }
    const counted = new Set<string>();
    for (const { price: id, quantity, kind } of charges) {
      const listed = priceOf(id);
      if (!listed) {
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
        dollars: line.dollars + quantity * listed.usd,
      });
      counted.add(key);
    }
  }
  return {
    environment: name,
    budget: governance?.monthlyBudgetDollars,
    usage,
    lines: [...lines.values()],
    unpriced: [...unpriced.values()],
    free,
  };
}

/** The sum of some lines, in US dollars a month. */
export const sum = (lines: readonly CostLine[]): number => lines.reduce((total, { dollars }) => total + dollars, 0);

/** The lines whose price nobody has verified. */
export const unverified = (lines: readonly CostLine[]): readonly CostLine[] =>
  lines.filter(({ price }) => priceOf(price)?.seen === "unverified");
