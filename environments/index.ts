/** The environments by name. A new one: a file beside this one, a row in the table below, its name in `settings.ts`. */
import { development } from "./development";
import { local } from "./local";
import { production } from "./production";
import { type Environment, parseEnvironment } from "./settings";

export type { Environment, WebsiteStage } from "./settings";

const environments: Readonly<Record<Environment["name"], Environment>> = { local, development, production };

/** The names that `loadEnvironment` knows. */
export const environmentNames = Object.keys(environments) as readonly Environment["name"][];

/**
 * The checked settings of an environment.
 * @param name as in `ENVIRONMENT=production make synth`; nothing or an empty text means `local`
 * @throws Error when there is no such environment, or when one of its settings is out of range
 */
export function loadEnvironment(name?: string): Environment {
  const chosen = name === undefined || name === "" ? "local" : name;
  if (!Object.hasOwn(environments, chosen)) {
    throw new Error(
      `ENVIRONMENT is ${JSON.stringify(chosen)}; expected one of ${environmentNames.join(", ")}. ` +
        "Set ENVIRONMENT to one of them, or add the new environment to environments/index.ts.",
    );
  }
  return parseEnvironment(environments[chosen as Environment["name"]], `environments/${chosen}.ts`);
}
