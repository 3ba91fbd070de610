import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** Compares by code units, independent of the locale. */
const byName = ([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number =>
  left < right ? -1 : left > right ? 1 : 0;

/**
 * Hexadecimal SHA-256 of the names and contents of files. Renaming, moving, adding or emptying a file changes it;
 * order, clock and the project's location do not. CDKTF's own hash ignores names.
 */
export function contentHash(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash("sha256");
  for (const [name, content] of [...files].sort(byName)) {
    // Both lengths go first, so that names and contents can't be confused.
    hash.update(`${Buffer.byteLength(name)} ${content.byteLength}\n`);
    hash.update(name);
    hash.update(content);
  }
  return hash.digest("hex");
}

/**
 * The files below a folder that match `include`, by relative path (with `/`), sorted.
 * @throws Error when the folder does not exist, or a file in it is a symbolic link, which would point out of the copy
 */
export function readFiles(folder: string, include: (path: string) => boolean): ReadonlyMap<string, Uint8Array> {
  const files: [string, Uint8Array][] = [];
  const visit = (path: string): void => {
    for (const name of readdirSync(join(folder, path))) {
      const child = posix.join(path, name);
      const status = lstatSync(join(folder, child));
      if (status.isDirectory()) {
        visit(child);
      } else if (include(child)) {
        if (!status.isFile()) {
          throw new Error(`${join(folder, child)} is not a plain file: replace it with one, or exclude it.`);
        }
        files.push([child, readFileSync(join(folder, child))]);
      }
    }
  };
  visit("");
  return new Map(files.sort(byName));
}
