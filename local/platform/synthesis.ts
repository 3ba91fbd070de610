import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { dependenciesFirst } from "../../stacks/order";
import { run } from "./commands";
import { cleanEnvironment, type Instance, root } from "./instance";
import { doneBefore, fingerprintOf, remember } from "./progress";

interface Manifest {
  readonly stacks: Readonly<Record<string, { readonly dependencies: readonly string[] }>>;
}

/** Path of the instance's synthesized stacks. */
export const synthesized = (instance: Instance, ...parts: string[]): string => instance.path("cdktf.out", ...parts);

/** Folders of the checkout that synth does not read: installed or generated files, and docs. */
const notRead = new Set([
  "node_modules",
  "dist",
  "cdktf.out",
  "hcl",
  "screenshots",
  "__pycache__",
  "__tests__",
  "docs",
]);

const isRead = (entry: Dirent): boolean =>
  !notRead.has(entry.name) && !(entry.isDirectory() && entry.name.startsWith("."));

/** Each file below a folder, with metadata that changes when the file changes, so that contents need not be read. */
function filesBelow(folder: string, isWanted: (entry: Dirent) => boolean = () => true): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(isWanted)
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        return filesBelow(path, isWanted);
      }
      const status = statSync(path, { throwIfNoEntry: false });
      return status === undefined ? [] : [`${path} ${status.size} ${status.mtimeMs} ${status.ctimeMs}`];
    });
}

/** A fingerprint of synth's inputs: while it is unchanged, synth would write the same output. */
function sourcesOf(checkout: string, instance: Instance): string {
  const files = filesBelow(
    checkout,
    (entry) => isRead(entry) && join(entry.parentPath, entry.name) !== instance.directory,
  );
  const packages = statSync(join(checkout, "node_modules/.package-lock.json"), { throwIfNoEntry: false })?.mtimeMs;
  return fingerprintOf(process.version, packages, files);
}

/**
 * Synthesizes the local environment's stacks into the instance, unless they are up to date.
 * @param checkout Folder of the sources. @default this program's
 * @returns The stacks' names, each after its dependencies.
 * @throws CommandFailed with synth's output.
 */
export async function synthesize(instance: Instance, checkout = root): Promise<string[]> {
  const manifest = synthesized(instance, "manifest.json");
  // Fingerprint of the sources before synth: if somebody edits meanwhile, synth runs again.
  const sources = sourcesOf(checkout, instance);
  const state = (): string => fingerprintOf(sources, filesBelow(synthesized(instance)));
  if (!existsSync(manifest) || doneBefore(instance, "synthesis", state()) !== true) {
    await run("npm", ["run", "--silent", "synth"], {
      title: "Synthesis",
      environment: cleanEnvironment(instance, { CDKTF_OUTDIR: synthesized(instance), ENVIRONMENT: "local" }),
      log: instance.path("logs/synth.log"),
      seconds: 300,
    });
    remember(instance, "synthesis", state(), true);
  }
  const { stacks } = JSON.parse(readFileSync(manifest, "utf8")) as Manifest;
  return dependenciesFirst(Object.keys(stacks), (name) => stacks[name]?.dependencies ?? []);
}
