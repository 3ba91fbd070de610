/** What a folder holds, for comparing two of them. */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join, posix } from "node:path";

/**
 * Path from the folder, and all that makes two files the same: kind, mode, owner, content. Times are left out, links
 * are not followed.
 */
export function readTree(folder: string): ReadonlyMap<string, string> {
  const tree = new Map<string, string>();
  const visit = (parent: string): void => {
    for (const name of readdirSync(join(folder, parent))) {
      const path = posix.join(parent, name);
      const file = join(folder, path);
      const status = lstatSync(file);
      const content = status.isSymbolicLink()
        ? readlinkSync(file)
        : status.isFile()
          ? createHash("sha256").update(readFileSync(file)).digest("hex")
          : "";
      tree.set(path, `${status.mode.toString(8)} ${status.uid}:${status.gid} ${content}`);
      if (status.isDirectory()) {
        visit(path);
      }
    }
  };
  visit("");
  return tree;
}

/** The paths that only one of the two has, or that differ. */
export function differences(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): readonly string[] {
  return [...new Set([...one.keys(), ...other.keys()])].filter((path) => one.get(path) !== other.get(path)).sort();
}
