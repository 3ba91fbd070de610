/**
 * `make system-test ENVIRONMENT=production STAGE=test`: asks a deployed stage of the website what the system tests ask. Where it stands, the stage itself has
 * published; that of a platform on this machine, `make up` has written down.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { requireAccount } from "../deployment/identity";
import { type Environment, loadEnvironment, type WebsiteStage } from "../environments";
import { projectRoot } from "../modules/project-root";
import { runCommand } from "./command";
import { readParameters } from "./parameters";

/** Where a stage answers: the environment variables of the system tests. */
interface Addresses {
  readonly WEBSITE: string;
  readonly API: string;
}

/**
 * The stage that somebody wants to test.
 * @throws Error when it is none
 */
export function readStage(value: string | undefined): WebsiteStage {
  if (value === "test" || value === "production") return value;
  throw new Error(
    `STAGE is ${JSON.stringify(value ?? "")}; expected test or production, for example: make system-test ENVIRONMENT=production STAGE=test`,
  );
}

/** Where `make up` has put the stages of the platform in `PLATFORM_DIRECTORY`. */
function localAddresses(stage: WebsiteStage, variables: NodeJS.ProcessEnv): Addresses {
  const folder = variables.PLATFORM_DIRECTORY;
  const file = join(resolve(projectRoot, folder === undefined || folder === "" ? ".local" : folder), "platform.json");
  let platform: Readonly<Record<string, unknown>>;
  try {
    platform = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  } catch {
    throw new Error(`${file} does not tell where the websites stand: make up starts a platform, and writes it.`);
  }
  const [website, api] = stage === "test" ? [platform.websiteTest, platform.apiTest] : [platform.website, platform.api];
  if (typeof website !== "string" || typeof api !== "string") {
    throw new Error(`${file} has no addresses of the stage ${stage}: make up writes it anew.`);
  }
  return { WEBSITE: website, API: api };
}

/** Where a stage answers. */
export async function addressesOf(
  environment: Environment,
  stage: WebsiteStage,
  variables: NodeJS.ProcessEnv,
): Promise<Addresses> {
  if (environment.emulated) return localAddresses(stage, variables);
  await requireAccount(environment, variables);
  const [website, api] =
    stage === "test" ? (["TestWebsite", "TestApi"] as const) : (["ProductionWebsite", "ProductionApi"] as const);
  const values = await readParameters<typeof website | typeof api>(environment, [website, api]);
  return { WEBSITE: values[website], API: values[api] };
}

if (require.main === module) {
  runCommand(async (variables) => {
    const stage = readStage(variables.STAGE);
    const addresses = await addressesOf(loadEnvironment(variables.ENVIRONMENT), stage, variables);
    const child = spawn(join(projectRoot, "node_modules/.bin/jest"), ["--config", "jest.system.config.js"], {
      cwd: projectRoot,
      env: { ...variables, ...addresses },
      stdio: "inherit",
    });
    process.exitCode = await new Promise<number>((done, failed) => {
      child.once("error", failed);
      child.once("close", (status) => {
        done(status ?? 1);
      });
    });
  });
}
