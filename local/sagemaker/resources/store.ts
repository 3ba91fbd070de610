import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { log } from "../log";

/** Dates would come back as text, so they are marked on the way out. */
function replacer(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  const original = this[key];
  return original instanceof Date ? { $date: original.toISOString() } : value;
}

function reviver(_key: string, value: unknown): unknown {
  if (typeof value === "object" && value !== null && "$date" in value && typeof value.$date === "string") {
    return new Date(value.$date);
  }
  return value;
}

/** Writes a file so that a reader, or a restart after a kill, sees either the old content or the new one. */
export function writeAtomically(file: string, content: string | Uint8Array): void {
  const temporary = `${file}.${process.pid}.new`;
  fs.writeFileSync(temporary, content);
  fs.renameSync(temporary, file);
}

/**
 * Resources of one kind by name: held in memory, and each in a JSON file of its own that is replaced atomically with
 * every change, so that a killed service finds everything again.
 */
export class ResourceStore<Resource extends object> {
  private readonly resources = new Map<string, Resource>();

  constructor(private readonly folder: string) {
    fs.mkdirSync(folder, { recursive: true });
    for (const entry of fs.readdirSync(folder)) {
      const file = path.join(folder, entry);
      if (entry.endsWith(".new")) fs.rmSync(file, { force: true });
      if (!entry.endsWith(".json")) continue;
      try {
        const { name, resource } = JSON.parse(fs.readFileSync(file, "utf8"), reviver) as {
          name: string;
          resource: Resource;
        };
        this.resources.set(name, resource);
      } catch (error) {
        fs.renameSync(file, `${file}.unreadable`);
        log(`${file} is no valid JSON (${String(error)}): moved aside to ${entry}.unreadable, the resource is lost.`);
      }
    }
  }

  get(name: string): Resource | undefined {
    return this.resources.get(name);
  }

  has(name: string): boolean {
    return this.resources.has(name);
  }

  values(): Resource[] {
    return [...this.resources.values()];
  }

  /** Adds a resource, or writes down what has changed about it. */
  put(name: string, resource: Resource): void {
    this.resources.set(name, resource);
    writeAtomically(this.file(name), JSON.stringify({ name, resource }, replacer, 1));
  }

  delete(name: string): void {
    this.resources.delete(name);
    fs.rmSync(this.file(name), { force: true });
  }

  private file(name: string): string {
    // The hash tells names apart that a file system without upper and lower case would take for the same.
    const hash = createHash("sha256").update(name).digest("hex").slice(0, 8);
    return path.join(this.folder, `${name.replaceAll(/[^A-Za-z0-9-]/g, "_")}-${hash}.json`);
  }
}
