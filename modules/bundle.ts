/**
 * Bundles a TypeScript handler, dependencies included, into a Lambda archive that is the same byte for byte wherever and whenever it is made.
 *
 *     bundle("handlers/predict/index.ts"); // the archive, with the one file index.js
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { zipSync } from "fflate";
import { projectRoot } from "./project-root";

/** The least date that a ZIP archive can hold, at noon so that no time zone moves it out of range. */
const fixedTime = new Date(1980, 0, 1, 12);

/** Archives made by this process: both website stages share theirs. */
const archives = new Map<string, Uint8Array>();

/**
 * A deterministic ZIP archive: sorted names, fixed times, and no attributes of the machine it is made on.
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
  if (known) return known;
  if (!existsSync(join(projectRoot, entry)) && !existsSync(entry)) {
    throw new Error(`There is no ${entry} in the project: a function's entry names the file that exports its handler.`);
  }
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    absWorkingDir: projectRoot,
    outfile: "index.js",
    bundle: true,
    write: false,
    platform: "node",
    target: "node22",
    format: "cjs",
    // The names of classes and functions stay: Step Functions catches errors by name, and logs show them.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    logLevel: "silent",
  });
  const [code] = outputFiles;
  if (!code) throw new Error(`esbuild made nothing of ${entry}.`);
  const made = archive(new Map([["index.js", code.contents]]));
  archives.set(entry, made);
  return made;
}
