import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { dependenciesFirst } from "../../stacks/order";
import { run } from "./commands";
import { cleanEnvironment, type Instance, root } from "./instance";
import { doneBefore, fingerprintOf, remember } from "./progress";

interface Manifest {
  readonly stacks: Readonly<Record<string, { readonly dependencies: readonly string[] }>>;
}

/** Where the instance's synthesized stacks lie. */
export const synthesized = (instance: Instance, ...parts: string[]): string => instance.path("cdktf.out", ...parts);

/** Folders of the checkout that synth does not read: what was installed, what was made, and what only people read. */
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

/** Each file below a folder with what changes when the file does: a file is read only by whoever needs its content. */
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

/** What synth makes its output of: while it has not changed, synth would write the same again. */
function sourcesOf(checkout: string, instance: Instance): string {
  const files = filesBelow(
    checkout,
    (entry) => isRead(entry) && join(entry.parentPath, entry.name) !== instance.directory,
  );
  const packages = statSync(join(checkout, "node_modules/.package-lock.json"), { throwIfNoEntry: false })?.mtimeMs;
  return fingerprintOf(process.version, packages, files);
}

/**
 * Writes the local environment's stacks into the instance, unless they lie there as the same sources made them.
 * @param checkout Folder of the sources. @default that of this program
 * @returns The stacks' names, each after those that it depends on.
 * @throws CommandFailed with what synth printed.
 */
export async function synthesize(instance: Instance, checkout = root): Promise<string[]> {
  const manifest = synthesized(instance, "manifest.json");
  // Of the sources before synth and of the output behind it: who edits meanwhile has synth run again.
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
