/** Finds what a stack reads from others, and checks that it is published. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SSM } from "@aws-sdk/client-ssm";
import type { Environment } from "../environments";
import { contract, type ParameterName, placeholder, type StackId } from "../stacks/contract";
import { DeploymentError, type Manifest, type SynthesizedStack } from "./terraform";

/** The contract's parameters that a synthesized stack reads, by their SSM names. */
export function parametersReadBy({ folder }: SynthesizedStack): readonly string[] {
  const { data } = JSON.parse(readFileSync(join(folder, "cdk.tf.json"), "utf8")) as {
    readonly data?: { readonly aws_ssm_parameter?: Readonly<Record<string, { readonly name: string }>> };
  };
  return Object.values(data?.aws_ssm_parameter ?? {}).map(({ name }) => name);
}

const declarationOf = (ssmName: string): { readonly name: ParameterName; readonly publisher: StackId } => {
  const name = ssmName.split("/").pop() as ParameterName;
  return { name, publisher: contract[name].publisher };
};

/** "a, b and c". */
const listOf = (words: readonly string[]): string => words.join(", ").replace(/, ([^,]*)$/, " and $1");

/** SSM returns at most ten parameters at once (API reference, GetParameters). */
const batch = 10;

/** The existing parameters, with their values. */
export async function valuesOf(region: string, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const ssm = new SSM({ region });
  try {
    const found = new Map<string, string>();
    for (let start = 0; start < names.length; start += batch) {
      const { Parameters = [] } = await ssm.getParameters({ Names: names.slice(start, start + batch) });
      for (const { Name = "", Value = "" } of Parameters) {
        found.set(Name, Value);
      }
    }
    return found;
  } finally {
    ssm.destroy();
  }
}

/**
 * Checks that the stacks that a stack reads from are deployed.
 * @throws DeploymentError that names the stacks to deploy first, or the workflow to run
 */
export async function requireDependencies(
  environment: Environment,
  manifest: Manifest,
  stack: SynthesizedStack,
): Promise<void> {
  const { name, region } = environment;
  const names = parametersReadBy(stack);
  if (names.length === 0) {
    return;
  }
  let values: ReadonlyMap<string, string>;
  try {
    values = await valuesOf(region, names);
  } catch (error) {
    const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw new DeploymentError(
      `SSM did not return what ${stack.id} reads from the stacks before it (${said}).`,
      "Sign in with a role that may read parameters (ssm:GetParameters), and run it again.",
    );
  }

  const missing = names.filter((parameter) => !values.has(parameter));
  if (missing.length > 0) {
    const publishers = new Set(missing.map((parameter) => declarationOf(parameter).publisher));
    const first = manifest.stacks.map(({ id }) => id).filter((id) => publishers.has(id));
    throw new DeploymentError(
      `${stack.id} reads ${missing.map((parameter) => declarationOf(parameter).name).join(", ")}, which ${listOf(first)} ` +
        `${first.length === 1 ? "publishes" : "publish"}: not deployed in ${name} yet.`,
      `Deploy first: ${first.map((id) => `make deploy ENVIRONMENT=${name} STACK=${id}`).join("; ")}`,
    );
  }

  const waiting = names.filter((parameter) => values.get(parameter) === placeholder);
  if (waiting.length > 0) {
    const { name: parameter, publisher } = declarationOf(waiting[0] ?? "");
    throw new DeploymentError(
      `${stack.id} reads ${parameter} of ${publisher}, which is ${placeholder}: the ML workflow has not registered a model in ${name} yet.`,
      'Ingest a survey and run the workflow, as "Run it" in docs/workflow.md shows; then run this again.',
    );
  }
}
