import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describeError, ProvisionError } from "./errors";
import type { Attributes } from "./resource-kind";
import { isMap, type Value, type ValueMap } from "./value";

/** Recorded before a resource is made, so that after a kill the next run finds the half-made resource. */
export interface Intention {
  /** A unique text. */
  readonly token: string;
  /** The given or generated name, if the kind has one. */
  readonly name?: string;
  /** Its arguments, as in the stack: without a generated name. */
  readonly arguments: ValueMap;
}

/** A resource in the emulator, as its kind made it. */
export interface Made extends Intention {
  /** Computed by the service. */
  readonly attributes: Attributes;
}

/** The state of one resource. */
export interface ResourceState {
  readonly type: string;
  /** Region of the provider that made it. */
  readonly region: string;
  /** The existing resource. */
  readonly made?: Made;
  /** Hash of its source files. */
  readonly files?: string;
  /** What is being made now, or was when the provisioning was killed. */
  readonly pending?: Intention;
  /** Replaced by a new one, not yet deleted. */
  readonly deposed?: readonly Made[];
  readonly dependencies: readonly string[];
}

/** The state of one stack, in one file that is replaced atomically after each resource. */
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
   * Reads the state, or starts a new one.
   * @throws ProvisionError when the file has other content.
   */
  static open(file: string, stack: string): StackState {
    if (!existsSync(file)) {
      return new StackState(file, stack, {});
    }
    const { stack: owner, resources } = readStateFile(file);
    if (owner !== stack) {
      throw new ProvisionError(
        `${file} is the state of the stack ${owner}, not of ${stack}: each stack needs its own file.`,
      );
    }
    return new StackState(file, stack, resources);
  }

  get addresses(): readonly string[] {
    return [...this.resources.keys()];
  }

  get(address: string): ResourceState | undefined {
    return this.resources.get(address);
  }

  /** Sets or removes (undefined) a resource; the file is written when this returns. */
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
 * @throws ProvisionError when it is not a state file.
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
      `The state file ${file} can't be read (${describeError(error)}). Move it away to start with an empty state: existing resources are found by their names.`,
    );
  }
  if (!isMap(content) || content.version !== 1 || typeof content.stack !== "string" || !isMap(content.resources)) {
    throw new ProvisionError(
      `${file} is not a state of the local provisioning (version 1). Move it away to start with an empty state: existing resources are found by their names.`,
    );
  }
  return content as unknown as ReturnType<typeof readStateFile>;
}
