/**
 * The environments by name. A new one needs a file beside this one, a row in the table below, and its name in
 * `settings.ts`.
 */
import { development } from "./development";
import { local } from "./local";
import { production } from "./production";
import { type Environment, parseEnvironment } from "./settings";

export type { Environment, WebsiteStage } from "./settings";

const environments: Readonly<Record<Environment["name"], Environment>> = { local, development, production };

/** The names that `loadEnvironment` knows. */
export const environmentNames = Object.keys(environments) as readonly Environment["name"][];

/**
 * Checks that no two environments share a state bucket, whose name consists of account and region: each stack `state`
 * would take it from the other.
 * @throws Error that names both
 */
export function requireOwnStates(all: readonly Environment[]): void {
  const keepers = all.filter(({ backend, emulated }) => backend.type === "s3" && !emulated);
  for (const { name, account, region } of keepers) {
    const other = keepers.find((one) => one.name !== name && one.account === account && one.region === region);
    if (other) {
      throw new Error(
        `The environments ${name} and ${other.name} are both in account ${account}, ${region}, and would share one state bucket; expected a different account or region for each. ` +
          `Correct account or region in environments/${name}.ts or environments/${other.name}.ts.`,
      );
    }
  }
}

/**
 * The checked settings of an environment.
 * @param name as in `ENVIRONMENT=production make synth`. @default local
 * @throws Error when the environment does not exist, one of its settings is out of range, or two environments share a
 * state bucket
 */
export function loadEnvironment(name?: string): Environment {
  const chosen = name === undefined || name === "" ? "local" : name;
  if (!Object.hasOwn(environments, chosen)) {
    throw new Error(
      `ENVIRONMENT is ${JSON.stringify(chosen)}; expected one of ${environmentNames.join(", ")}. ` +
        "Set ENVIRONMENT to one of them, or add the new environment to environments/index.ts.",
    );
  }
  const environment = parseEnvironment(environments[chosen as Environment["name"]], `environments/${chosen}.ts`);
  requireOwnStates(Object.values(environments));
  return environment;
}
