import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { accessFaults, mergeAccess, type RoleAccess } from "../../local/platform/access";

/** Where each suite keeps what the roles of its platform asked for. */
const folder = resolve(__dirname, "../../dist/access");

/** The suites that together are a whole loop: a first run, a survey, a release, a rollback and a drift. */
const suites = ["loop", "data-workflow", "releases", "monitoring"] as const;

/** Keeps what `make access FORMAT=json` printed of a suite's platform. */
export function keepAccess(suite: (typeof suites)[number], text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${suite}.json`), text);
}

/** Takes away what the last run has kept. */
export default function forgetAccess(): void {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * What is wrong with the rights of the platform's roles, when all suites have run.
 * @returns a sentence each; none after a run of some suites only
 */
export function faultsOfAllSuites(): string[] {
  const files = suites.map((suite) => join(folder, `${suite}.json`));
  if (!files.every((file) => existsSync(file))) {
    return [];
  }
  const platforms = files.map((file) => JSON.parse(readFileSync(file, "utf8")) as { roles: RoleAccess[] });
  return accessFaults(mergeAccess(platforms.map(({ roles }) => roles)));
}
