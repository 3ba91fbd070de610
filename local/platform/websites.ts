import { readFileSync } from "node:fs";
import { join } from "node:path";

import { type Clients, requireContract } from "./clients";
import { run } from "./commands";
import { cleanEnvironment, type Instance, root } from "./instance";
import { doneBefore, fingerprintOf, remember } from "./progress";
import { addressOf, openFrontDoor, saveState } from "./services";

/** The two websites: the stage's name, its stack, and its parameters in the stacks' contract. */
export const websites = {
  test: { stack: "website-test", door: "website-test", site: "TestWebsite", api: "TestApi" },
  production: { stack: "website-production", door: "website", site: "ProductionWebsite", api: "ProductionApi" },
} as const;

/** A stage of the website. */
export type WebsiteStage = keyof typeof websites;

/** Addresses of a website and its API on this machine. */
export interface WebsiteAddresses {
  readonly website: string;
  readonly api: string;
  /** The website's CloudFront domain. */
  readonly domain: string;
}

/** Addresses of a deployed website. */
export async function websiteAddresses(
  instance: Instance,
  clients: Clients,
  name: WebsiteStage,
): Promise<WebsiteAddresses> {
  const site = new URL(await requireContract(clients, websites[name].site));
  const api = new URL(await requireContract(clients, websites[name].api));
  const [apiId] = api.hostname.split(".");
  return {
    domain: site.hostname,
    website: addressOf(instance, websites[name].door),
    api: `${addressOf(instance, "emulator")}/_aws/execute-api/${apiId}/$default${api.pathname}`,
  };
}

/**
 * Opens a deployed website's address on 127.0.0.1.
 * @returns The address.
 */
export async function openWebsite(instance: Instance, clients: Clients, name: WebsiteStage): Promise<string> {
  const domain = new URL(await requireContract(clients, websites[name].site)).hostname;
  await openFrontDoor(instance, { [websites[name].door]: domain });
  return addressOf(instance, websites[name].door);
}

/** The log of a website's system tests. */
export const systemTestLog = (instance: Instance, name: WebsiteStage): string =>
  instance.path(`logs/system-tests-${name}.log`);

/**
 * Runs the system tests on a website, unless they already passed for this deployment.
 * @returns A short summary.
 * @throws CommandFailed with the end of their output.
 */
export async function systemTest(instance: Instance, clients: Clients, name: WebsiteStage): Promise<string> {
  const addresses = await websiteAddresses(instance, clients, name);
  const state = readFileSync(instance.path("provision", `${websites[name].stack}.json`), "utf8");
  const fingerprint = fingerprintOf(addresses, state);
  const progressName = `system-tests-${name}`;
  if (doneBefore(instance, progressName, fingerprint) === true) {
    return "passed before, nothing has changed";
  }
  await run(join(root, "node_modules/.bin/jest"), ["--selectProjects", "system", "--verbose"], {
    title: "The system tests",
    environment: cleanEnvironment(instance, { WEBSITE: addresses.website, API: addresses.api }),
    log: systemTestLog(instance, name),
    seconds: 180,
  });
  await saveState(instance);
  remember(instance, progressName, fingerprint, true);
  return "passed";
}
