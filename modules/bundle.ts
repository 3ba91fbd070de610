/**
 * Bundles a TypeScript handler with its dependencies into a Lambda archive that is byte-identical on every machine.
 *
 *     bundle("handlers/predict/index.ts"); // the archive, with the one file index.js
 */
import { existsSync, readdirSync } from "node:fs";
import { isAbsolute, join, relative, resolve } from "node:path";
import { buildSync, type BuildOptions, type Metafile, version } from "esbuild";
import { zipSync } from "fflate";
import { type Build, BuildCache } from "./build-cache";
import { projectRoot } from "./project-root";

/** The earliest date that a ZIP archive can hold, at noon so that no time zone moves it out of range. */
const fixedTime = new Date(1980, 0, 1, 12);

/** Archives made in this process, by entry: both website stages share theirs. */
const archives = new Map<string, Uint8Array>();

/** Archives of earlier synths, by entry: bundling takes most of a synth's CPU time. */
const cache = new BuildCache(projectRoot, "dist/bundles", ".zip");

/** Files that affect a bundle besides those it imports. */
const settingsFiles = ["package.json", "tsconfig.json", "node_modules/.package-lock.json", "modules/bundle.ts"];

const options = {
  absWorkingDir: projectRoot,
  outdir: "out",
  bundle: true,
  write: false,
  metafile: true,
  platform: "node",
  target: "node22",
  format: "cjs",
  // Shortens class names: Step Functions and the logs use an error's own property `name`.
  minify: true,
  // With ECMAScript modules, esbuild leaves out unused code.
  mainFields: ["module", "main"],
  alias: {
    "@aws-sdk/credential-provider-node": join(projectRoot, "handlers/shared/lambda-credentials.ts"),
    semver: join(projectRoot, "handlers/shared/no-semver.ts"),
  },
  legalComments: "none",
  logLevel: "silent",
} as const satisfies BuildOptions;

/**
 * A deterministic ZIP archive: sorted names, fixed times, no attributes of the machine.
 * @param files path within the archive, and content
 */
export function archive(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  return zipSync(Object.fromEntries([...files].sort(([left], [right]) => (left < right ? -1 : 1))), {
    level: 9,
    mtime: fixedTime,
  });
}

/**
 * The archive of one handler.
 * @param entry the file that exports `handler`, from the project's root or absolute
 * @throws Error when the file does not exist or does not compile
 */
export function bundle(entry: string): Uint8Array {
  const known = archives.get(entry);
  if (known) {
    return known;
  }
  if (!existsSync(join(projectRoot, entry)) && !existsSync(entry)) {
    throw new Error(
      `There is no ${entry} in the project: a function's entry must name the file that exports its handler.`,
    );
  }
  // An entry outside the project belongs to a test: not cached.
  if (!isAbsolute(entry)) {
    for (const [name, output] of cache.reuseAll([...new Set([entry, ...handlers()])], version, build)) {
      archives.set(name, output);
    }
  }
  const made = archives.get(entry) ?? build([entry]).get(entry)?.output;
  if (!made) {
    throw new Error(`esbuild wrote no output for ${entry}.`);
  }
  archives.set(entry, made);
  return made;
}

/** Every handler's entry. One bundle is rarely the only one, and together they are built three times faster. */
function handlers(): string[] {
  return readdirSync(join(projectRoot, "handlers"))
    .map((name) => `handlers/${name}/index.ts`)
    .filter((entry) => existsSync(join(projectRoot, entry)));
}

/** Bundles entries in one run of esbuild, which reads what they share, such as the AWS SDK, once. */
function build(entries: readonly string[]): Map<string, Build> {
  const { outputFiles, metafile } = buildSync({ ...options, entryPoints: [...entries] });
  const builds = new Map<string, Build>();
  for (const { path, contents } of outputFiles) {
    const { entryPoint = "" } = metafile.outputs[relative(projectRoot, path)] ?? {};
    const entry = entries.find((one) => resolve(projectRoot, one) === resolve(projectRoot, entryPoint)) ?? "";
    const output = archive(new Map([["index.js", contents]]));
    builds.set(entry, { output, inputs: [...settingsFiles, ...filesOf(entryPoint, metafile)] });
  }
  return builds;
}

/** Every file that an entry imports, itself or through others. */
function filesOf(entry: string, { inputs }: Metafile): Set<string> {
  const files = new Set([entry]);
  // A set goes on with what is added to it meanwhile.
  for (const file of files) {
    for (const { path, external } of inputs[file]?.imports ?? []) {
      if (external !== true) {
        files.add(path);
      }
    }
  }
  return files;
}
