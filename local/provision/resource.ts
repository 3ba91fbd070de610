import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Arguments } from "./arguments";
import { ProvisionError } from "./errors";
import {
  type Creation,
  type Existing,
  type Keeps,
  type Place,
  type ResourceKind,
  unlessMissing,
} from "./resource-kind";
import { fileOf } from "./resource-types";
import type { Run } from "./run";
import type { Block } from "./stack-document";
import type { Intention, Made, ResourceState } from "./state";
import { isSame, type ValueMap } from "./value";

/**
 * Creates, changes or replaces a resource, or leaves it alone, to match its arguments.
 * @param evaluated The stack's arguments, with `tags_all`.
 * @param dependencies Addresses of the made resources that it depends on.
 */
export async function settleResource(
  run: Run,
  block: Block,
  kind: ResourceKind,
  evaluated: ValueMap,
  dependencies: readonly string[],
): Promise<Made> {
  return await new ResourceWork(run, block, kind, evaluated, dependencies).settle();
}

/** The value for references. */
export function valueOfMade(kind: ResourceKind, made: Made): ValueMap {
  return { ...made.arguments, ...named(kind, made), ...made.attributes };
}

/** The input for creating a resource. */
export function creationOf(
  run: Run,
  kind: ResourceKind,
  intention: Intention,
  place: Place,
  ignoreChanges: Block["ignoreChanges"],
): Creation {
  const values = { ...intention.arguments, ...named(kind, intention) };
  const list = new Arguments(values, `Stack ${place.owner.replace("/", ", ")}`);
  // Arguments that replace a resource are known, although a change never reads them.
  list.accept("tags", "tags_all", ...namingArguments(kind), ...(kind.replacedBy ?? []));
  return {
    ...place,
    arguments: list,
    tags: list.map("tags_all") ?? {},
    token: intention.token,
    isTaken: (id) =>
      run.state.addresses.some((address) => {
        const other = run.state.get(address);
        return (
          other?.type === kind.type &&
          [other.made, ...(other.deposed ?? [])].some((made) => made?.attributes.id === id) &&
          place.owner !== `${run.stack}/${address}`
        );
      }),
    keeps: keeperOf(ignoreChanges),
  };
}

/** The input for reading or deleting a resource. */
export function existingOf(kind: ResourceKind, made: Made, place: Place): Existing {
  const values = { ...made.arguments, ...named(kind, made) };
  return { ...place, attributes: made.attributes, arguments: new Arguments(values, place.owner) };
}

/**
 * Refuses arguments that are set but were never read.
 * @param where Stack and address, for the message.
 * @param file The file of the kind.
 * @throws ProvisionError that names the arguments, and the kind to extend.
 */
export function refuseUnknownArguments(list: Arguments, where: string, type: string, file: string): void {
  if (list.unknown.length > 0) {
    throw new ProvisionError(
      `${where}: the local provisioning doesn't know ${list.unknown.join(", ")}: extend ${type} in ${file}, ` +
        "or write the stack without it",
    );
  }
}

/** The work on one resource in one run. */
class ResourceWork {
  private readonly address: string;
  private readonly place: Place;
  private readonly known: ResourceState | undefined;
  private readonly entry: ResourceState;
  private readonly wanted: ValueMap;
  private readonly files: string | undefined;

  constructor(
    private readonly run: Run,
    private readonly block: Block,
    private readonly kind: ResourceKind,
    evaluated: ValueMap,
    dependencies: readonly string[],
  ) {
    this.address = block.address;
    this.place = run.place(block.address);
    this.known = run.state.get(block.address);
    this.entry = { ...this.known, type: block.type, region: this.place.region, dependencies };
    this.wanted = keepIgnored(evaluated, this.known?.made?.arguments, block.ignoreChanges);
    this.files = hashOfFiles(kind, this.wanted, this.place.directory);
  }

  async settle(): Promise<Made> {
    const { run, address, kind, known, entry } = this;
    const before = known?.made;
    const keeps = keeperOf(this.block.ignoreChanges);
    if (!before || !(await unlessMissing(kind.exists({ ...existingOf(kind, before, this.formerPlace), keeps })))) {
      // A lost resource is made again under its old name.
      const made = await this.create({ ...entry, made: undefined, pending: entry.pending ?? before });
      run.created.push(address);
      return made;
    }
    if (this.needsReplacement(before)) {
      return await this.replace(before);
    }
    if (!this.isChanged(before)) {
      const confirmed = { ...entry, pending: undefined };
      if (JSON.stringify(known) !== JSON.stringify(confirmed)) {
        run.state.set(address, confirmed);
      }
      run.unchanged.push(address);
      run.report(address, "unchanged");
      return before;
    }
    return await this.update(before);
  }

  /** The region of its creation may differ from today's. */
  private get formerPlace(): Place {
    return this.run.place(this.address, this.known?.region);
  }

  private needsReplacement(before: Made): boolean {
    const { kind, wanted, known, place } = this;
    return (
      known?.region !== place.region ||
      [...namingArguments(kind), ...(kind.replacedBy ?? [])].some(
        (name) => !isSameArgument(name, before.arguments, wanted),
      )
    );
  }

  private isChanged(before: Made): boolean {
    const { run, entry, wanted, files, known } = this;
    const names = new Set([...Object.keys(before.arguments), ...Object.keys(wanted)]);
    return (
      files !== known?.files ||
      [...names].some((name) => !isSameArgument(name, before.arguments, wanted)) ||
      // If a parent was made again, its settings are gone, even if both look unchanged.
      entry.dependencies.some((parent) => run.created.includes(parent) || run.replaced.includes(parent))
    );
  }

  private async update(before: Made): Promise<Made> {
    const { run, address, block, kind, entry, wanted, files, place } = this;
    run.report(address, "updating");
    const creation = creationOf(run, kind, { ...before, arguments: wanted }, place, block.ignoreChanges);
    const { attributes, arguments: previous } = existingOf(kind, before, place);
    const made = { ...before, arguments: wanted, attributes: await kind.update({ ...creation, attributes, previous }) };
    this.refuseUnknown(creation.arguments);
    run.state.set(address, { ...entry, made, files, pending: undefined });
    run.updated.push(address);
    run.report(address, "updated");
    return made;
  }

  private async replace(before: Made): Promise<Made> {
    const { run, address, block, kind } = this;
    let left = this.entry;
    if (!block.createBeforeDestroy) {
      run.report(address, "deleting");
      await unlessMissing(kind.delete(existingOf(kind, before, this.formerPlace)));
      left = { ...left, made: undefined, pending: undefined };
      run.state.set(address, left);
    }
    const made = await this.create(left);
    run.replaced.push(address);
    run.updated.push(address);
    return made;
  }

  /** Creates a resource; an existing `entry.made` is deleted after all dependents use the new one. */
  private async create(entry: ResourceState): Promise<Made> {
    const { run, address, block, kind, files, place } = this;
    run.report(address, "creating");
    const intention = this.intend(entry.pending);
    run.state.set(address, { ...entry, pending: intention });
    const creation = creationOf(run, kind, intention, place, block.ignoreChanges);
    const made: Made = { ...intention, attributes: await kind.create(creation) };
    // A refused resource stays pending: the next run finds it again.
    this.refuseUnknown(creation.arguments);
    const deposed = [...(entry.deposed ?? []), ...(entry.made ? [entry.made] : [])];
    run.state.set(address, {
      ...entry,
      made,
      files,
      pending: undefined,
      deposed: deposed.length > 0 ? deposed : undefined,
    });
    run.report(address, "created");
    return made;
  }

  /** The intended creation; an earlier pending one keeps its token and its generated name. */
  private intend(earlier: Intention | undefined): Intention {
    const { run, address, kind, wanted } = this;
    const suffix = randomBytes(4).toString("hex");
    const [, prefix = ""] = namingArguments(kind);
    const isSameName = earlier && isSameArgument(prefix, earlier.arguments, wanted);
    const name =
      givenName(kind, wanted) ?? (isSameName ? earlier.name : undefined) ?? generatedName(kind, wanted, suffix);
    return { token: earlier?.token ?? `${run.stack}.${address}.${suffix}`, name, arguments: wanted };
  }

  private refuseUnknown(list: Arguments): void {
    const { run, address, kind } = this;
    refuseUnknownArguments(list, `Stack ${run.stack}, ${address}`, kind.type, fileOf(kind.type));
  }
}

/** The arguments for a resource's name and its generated name's prefix; none for types without names. */
function namingArguments({ naming }: ResourceKind): readonly string[] {
  return naming ? [naming.argument, `${naming.argument}_prefix`] : [];
}

function givenName({ naming }: ResourceKind, values: ValueMap): string | undefined {
  const name = naming && values[naming.argument];
  return typeof name === "string" && name !== "" ? name : undefined;
}

function generatedName(kind: ResourceKind, values: ValueMap, suffix: string): string | undefined {
  const { naming } = kind;
  const [, prefixArgument = ""] = namingArguments(kind);
  const given = values[prefixArgument];
  const prefix = typeof given === "string" && given !== "" ? given : (naming?.prefix ?? "");
  return naming && `${prefix.slice(0, naming.maximumLength - suffix.length)}${suffix}`;
}

function named({ naming }: ResourceKind, { name }: Intention): ValueMap {
  return naming && name !== undefined ? { [naming.argument]: name } : {};
}

function isSameArgument(name: string, one: ValueMap, other: ValueMap): boolean {
  return isSame(one[name] ?? null, other[name] ?? null);
}

/** Replaces arguments with ignored changes by their previous values. */
function keepIgnored(wanted: ValueMap, before: ValueMap | undefined, ignored: Block["ignoreChanges"]): ValueMap {
  return before ? { ...wanted, ...Object.fromEntries(ignored.map((name) => [name, before[name] ?? null])) } : wanted;
}

function keeperOf(ignored: Block["ignoreChanges"]): Keeps {
  return (argument) => ignored.includes(argument);
}

/** A hash that changes with the files of a resource. */
function hashOfFiles(kind: ResourceKind, values: ValueMap, directory: string): string | undefined {
  const paths = (kind.files ?? []).map((name) => values[name]).filter((path) => typeof path === "string");
  if (paths.length === 0) {
    return undefined;
  }
  const hash = createHash("sha256");
  for (const path of paths) {
    hash.update(readFileSync(resolve(directory, path)));
  }
  return hash.digest("hex");
}
