import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../start-error";

/** JSON has no dates: they are marked when written, so that they are read as dates. */
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
  writeFileSync(temporary, content);
  renameSync(temporary, file);
}

function memberOf(value: unknown, member: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, member)
    ? (value as Readonly<Record<string, unknown>>)[member]
    : undefined;
}

/**
 * Resources of one kind by name, in memory and on the disk. Each has its own JSON file, which every change replaces
 * atomically, so a killed service finds everything again.
 */
export class ResourceStore<Resource extends object> {
  private readonly resources = new Map<string, Resource>();

  /**
   * @param members what every resource of the kind has: a file without one of them is damaged
   * @throws StartError when a file is damaged: without it, what belongs to the resource would be orphaned
   */
  constructor(
    private readonly folder: string,
    private readonly members: readonly string[],
  ) {
    mkdirSync(folder, { recursive: true });
    const entries = readdirSync(folder);
    for (const entry of entries.filter((each) => each.endsWith(".json"))) {
      this.load(join(folder, entry));
    }
    // Not earlier: while a file is damaged, a draft may be the good copy of it.
    for (const entry of entries.filter((each) => each.endsWith(".new"))) {
      rmSync(join(folder, entry), { force: true });
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

  /** Adds or updates a resource. */
  put(name: string, resource: Resource): void {
    this.resources.set(name, resource);
    writeAtomically(this.file(name), JSON.stringify({ name, resource }, replacer, 1));
  }

  delete(name: string): void {
    this.resources.delete(name);
    rmSync(this.file(name), { force: true });
  }

  private load(file: string): void {
    const text = readFileSync(file, "utf8");
    let content: unknown;
    try {
      content = JSON.parse(text, reviver);
    } catch {
      content = undefined;
    }
    const name = memberOf(content, "name");
    const resource = memberOf(content, "resource");
    // A file with another resource's content has overwritten its own.
    const whole =
      typeof name === "string" &&
      this.file(name) === file &&
      this.members.every((member) => (memberOf(resource, member) ?? undefined) !== undefined);
    if (!whole) {
      throw new StartError(
        `${file} is damaged. Restore a good copy, or start with an empty state folder (\`make clean\` if \`make up\` made it).`,
      );
    }
    this.resources.set(name, resource as Resource);
  }

  private file(name: string): string {
    // The hash separates names that differ only in case, for file systems that ignore case.
    const hash = createHash("sha256").update(name).digest("hex").slice(0, 8);
    return join(this.folder, `${name.replaceAll(/[^A-Za-z0-9-]/g, "_")}-${hash}.json`);
  }
}
