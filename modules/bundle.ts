/**
 * Bundles a TypeScript handler with its dependencies into a Lambda archive that is byte-identical on every machine.
 *
 *     bundle("handlers/predict/index.ts"); // the archive, with the one file index.js
 */
import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { buildSync, type BuildOptions, version } from "esbuild";
import { zipSync } from "fflate";
import { type Build, BuildCache } from "./build-cache";
import { projectRoot } from "./project-root";

/** The earliest date that a ZIP archive can hold, at noon so that no time zone moves it out of range. */
const fixedTime = new Date(1980, 0, 1, 12);

/** Archives made in this process: both website stages share theirs. */
const archives = new Map<string, Uint8Array>();

/** Archives of earlier synths: bundling takes most of a synth's CPU time. */
const cache = new BuildCache(projectRoot, "dist/bundles");

/** Files that affect a bundle besides those it imports. */
const settingsFiles = ["package.json", "tsconfig.json", "node_modules/.package-lock.json", "modules/bundle.ts"];

const options = {
  absWorkingDir: projectRoot,
  outfile: "index.js",
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
  const made =
    // An entry outside the project belongs to a test: not cached.
    isAbsolute(entry)
      ? build(entry).output
      : cache.reuse(`${entry.replaceAll("/", "-")}.zip`, version, () => build(entry));
  archives.set(entry, made);
  return made;
}

function build(entry: string): Build {
  const { outputFiles, metafile } = buildSync({ ...options, entryPoints: [entry] });
  const [code] = outputFiles;
  if (!code) {
    throw new Error(`esbuild wrote no output for ${entry}.`);
  }
  return {
    output: archive(new Map([["index.js", code.contents]])),
    inputs: [...settingsFiles, ...Object.keys(metafile.inputs)],
  };
}
