/**
 * `make system-test ENVIRONMENT=production STAGE=test`: runs the system tests on a deployed stage of the website. The
 * stage publishes its own address; for a platform on this machine, `make up` writes it to a file. `make system-test
 * URL=https://…` tests the website at any address, and its API through it.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { requireAccount } from "../identity";
import { type Environment, loadEnvironment, type WebsiteStage } from "../../environments";
import { projectRoot } from "../../modules/project-root";
import { runCommand } from "../../command";
import { readParameters } from "./parameters";

/** A stage's addresses: the environment variables of the system tests. */
interface Addresses {
  readonly WEBSITE: string;
  readonly API: string;
}

/**
 * Checks the address of a website, and removes a trailing slash.
 * @param name the setting, for the message
 * @throws Error when it is not a website's address
 */
export function readAddress(name: string, value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || url.pathname !== "/" || url.search || url.hash) {
    throw new Error(
      `${name} is ${JSON.stringify(value)}; expected the address of a website, such as https://abalone.example.com or http://127.0.0.1:8080`,
    );
  }
  return url.origin;
}

/**
 * Checks the stage to test.
 * @throws Error when there is no such stage
 */
export function readStage(value: string | undefined): WebsiteStage {
  if (value === "test" || value === "production") {
    return value;
  }
  throw new Error(
    `STAGE is ${JSON.stringify(value ?? "")}; expected test or production, for example: make system-test ENVIRONMENT=production STAGE=test, or: make system-test URL=https://abalone.example.com`,
  );
}

/**
 * The addresses of the stages that `make up` started in `PLATFORM_DIRECTORY`.
 * @throws Error when no platform exists, with the command that starts one
 */
export function localAddresses(stage: WebsiteStage, variables: NodeJS.ProcessEnv): Addresses {
  const folder = variables.PLATFORM_DIRECTORY;
  const file = join(resolve(projectRoot, folder === undefined || folder === "" ? ".local" : folder), "platform.json");
  let platform: Readonly<Record<string, unknown>>;
  try {
    platform = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  } catch {
    throw new Error(
      `${file} does not contain the websites' addresses: run make up, which starts a platform and writes the file.`,
    );
  }
  const [website, api] = stage === "test" ? [platform.websiteTest, platform.apiTest] : [platform.website, platform.api];
  if (typeof website !== "string" || typeof api !== "string") {
    throw new Error(`${file} has no addresses of the stage ${stage}: run make up, which writes it again.`);
  }
  return { WEBSITE: website, API: api };
}

/** A stage's addresses. */
export async function addressesOf(
  environment: Environment,
  stage: WebsiteStage,
  variables: NodeJS.ProcessEnv,
): Promise<Addresses> {
  if (environment.emulated) {
    return localAddresses(stage, variables);
  }
  await requireAccount(environment, variables);
  const [website, api] =
    stage === "test" ? (["TestWebsite", "TestApi"] as const) : (["ProductionWebsite", "ProductionApi"] as const);
  const values = await readParameters<typeof website | typeof api>(environment, [website, api]);
  return { WEBSITE: values[website], API: values[api] };
}

/** The addresses to test: the website at `URL`, or the stage `STAGE` of `ENVIRONMENT`. */
export async function addressesFrom(variables: NodeJS.ProcessEnv): Promise<Addresses> {
  const { URL: url = "", STAGE: stage = "", ENVIRONMENT: environment } = variables;
  if (url === "") {
    return addressesOf(loadEnvironment(environment), readStage(stage), variables);
  }
  if (stage !== "") {
    throw new Error(`URL is ${url}, and STAGE is ${stage}: expected only one of the two.`);
  }
  const website = readAddress("URL", url);
  return { WEBSITE: website, API: `${website}/api` };
}

/**
 * Checks that the website answers at all; otherwise each test would report a long error.
 * @param waits Seconds between two tries.
 * @throws Error with the address, the reason and what to do
 */
export async function requireAnswer(website: string, waits: readonly number[] = [1, 2, 4]): Promise<void> {
  for (const wait of [...waits, undefined]) {
    try {
      await (await fetch(website, { redirect: "manual", signal: AbortSignal.timeout(10_000) })).arrayBuffer();
      return;
    } catch (error) {
      if (wait !== undefined) {
        await sleep(1000 * wait);
        continue;
      }
      const { message, cause } = error as Error & { readonly cause?: { readonly message?: string } };
      throw new Error(
        `There is no answer from ${website} (${cause?.message ?? message}), so nothing was tested. ` +
          "Is the address right, and the website deployed? make up starts the local website, and make status shows its address.",
        { cause: error },
      );
    }
  }
}

if (require.main === module) {
  runCommand(async (variables) => {
    const addresses = await addressesFrom(variables);
    await requireAnswer(addresses.WEBSITE);
    const child = spawn(join(projectRoot, "node_modules/.bin/jest"), ["--selectProjects", "system", "--verbose"], {
      cwd: projectRoot,
      env: { ...variables, ...addresses },
      stdio: "inherit",
    });
    return await new Promise<number>((done, failed) => {
      child.once("error", failed);
      child.once("close", (status) => {
        done(status ?? 1);
      });
    });
  });
}
