import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** In the order of their code units, which no locale changes. */
const byName = ([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number =>
  left < right ? -1 : left > right ? 1 : 0;

/**
 * SHA-256, hexadecimal, over the names and contents of files: a file that is renamed, moved, added or emptied changes
 * it, the order, the clock and the folder in which the project lies do not. CDKTF's own hash ignores names.
 */
export function contentHash(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash("sha256");
  for (const [name, content] of [...files].sort(byName)) {
    // Both lengths go first, so that no bytes can move from a name into a content unnoticed.
    hash.update(`${Buffer.byteLength(name)} ${content.byteLength}\n`);
    hash.update(name);
    hash.update(content);
  }
  return hash.digest("hex");
}

/**
 * The files below a folder that a test lets through, by their path from it (with `/`), sorted.
 * @throws Error when the folder does not exist, or when a file in it is a symbolic link, which would point out of the
 * copy
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
          throw new Error(`${join(folder, child)} is not a plain file: replace it by one, or keep it out.`);
        }
        files.push([child, readFileSync(join(folder, child))]);
      }
    }
  };
  visit("");
  return new Map(files.sort(byName));
}
