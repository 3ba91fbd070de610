import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describeError, ProvisionError } from "./errors";
import type { Attributes } from "./resource-kind";
import { isMap, type Value, type ValueMap } from "./value";

/** What is settled before a resource is made, so that whoever comes after a kill finds the half-made thing again. */
export interface Intention {
  /** A text that no other resource has. */
  readonly token: string;
  /** The name, given or generated, of a kind that has one. */
  readonly name?: string;
  /** What it is made with, as in the stack: without a generated name. */
  readonly arguments: ValueMap;
}

/** A real thing in the emulator, as its kind left it. */
export interface Made extends Intention {
  /** Computed by the service. */
  readonly attributes: Attributes;
}

/** What is known of one resource of a stack. */
export interface ResourceState {
  readonly type: string;
  /** Region of the provider that made it. */
  readonly region: string;
  /** What exists. */
  readonly made?: Made;
  /** Hash of the files that it was made from. */
  readonly files?: string;
  /** What is being made at this moment, or was when the provisioning was killed. */
  readonly pending?: Intention;
  /** Replaced by a new one, not yet deleted. */
  readonly deposed?: readonly Made[];
  readonly dependencies: readonly string[];
}

/** Everything that was made for one stack, in one file that is replaced as a whole after each resource. */
export class StackState {
  private readonly resources: Map<string, ResourceState>;

  private constructor(
    readonly file: string,
    readonly stack: string,
    resources: Readonly<Record<string, ResourceState>>,
  ) {
    this.resources = new Map(Object.entries(resources));
  }

  /**
   * Reads the state, or begins a new one.
   * @throws ProvisionError when the file is there but holds something else.
   */
  static open(file: string, stack: string): StackState {
    if (!existsSync(file)) {
      return new StackState(file, stack, {});
    }
    const { stack: owner, resources } = readStateFile(file);
    if (owner !== stack) {
      throw new ProvisionError(`${file} is the state of the stack ${owner}, not of ${stack}; give each its own file.`);
    }
    return new StackState(file, stack, resources);
  }

  get addresses(): readonly string[] {
    return [...this.resources.keys()];
  }

  get(address: string): ResourceState | undefined {
    return this.resources.get(address);
  }

  /** Sets or forgets (undefined) a resource; the file has it when this returns. */
  set(address: string, resource: ResourceState | undefined): void {
    if (resource === undefined) {
      this.resources.delete(address);
    } else {
      this.resources.set(address, resource);
    }
    const sorted = [...this.resources].sort(([a], [b]) => (a < b ? -1 : 1));
    const content = { version: 1, stack: this.stack, resources: Object.fromEntries(sorted) };
    mkdirSync(dirname(this.file), { recursive: true });
    const draft = `${this.file}.${process.pid}.new`;
    writeFileSync(draft, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(draft, this.file);
  }
}

/**
 * The content of a state file.
 * @throws ProvisionError when it is not one.
 */
export function readStateFile(file: string): {
  readonly stack: string;
  readonly resources: Readonly<Record<string, ResourceState>>;
} {
  let content: Value;
  try {
    content = JSON.parse(readFileSync(file, "utf8")) as Value;
  } catch (error) {
    throw new ProvisionError(
      `The state file ${file} can't be read (${describeError(error)}). Move it away to begin again: what exists is found again by its name.`,
    );
  }
  if (!isMap(content) || content.version !== 1 || typeof content.stack !== "string" || !isMap(content.resources)) {
    throw new ProvisionError(
      `${file} is not a state of the local provisioning (version 1). Move it away to begin again: what exists is found again by its name.`,
    );
  }
  return content as unknown as ReturnType<typeof readStateFile>;
}
