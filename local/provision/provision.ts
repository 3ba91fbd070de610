import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { Arguments } from "./arguments";
import { type Clients, closeClients, makeClients } from "./clients";
import { describeError, ProvisionError } from "./errors";
import type { Attributes, Change, Creation, Keeps, Place, ResourceKind } from "./resource-kind";
import { dataSourceKinds, leftOutKinds, resourceKinds, resourceTypesFile } from "./resource-types";
import { runInOrder, type Task } from "./schedule";
import { StackScope } from "./scope";
import { type Block, readStack, type StackDocument } from "./stack-document";
import { type Intention, type Made, type ResourceState, StackState } from "./state";
import { asText, isList, isMap, isSame, type Value, type ValueMap } from "./value";

/** Which stack to provision, and where. */
export interface ProvisionOptions {
  /** The stack's folder in `cdktf.out/stacks`, with its `cdk.tf.json` and assets. */
  readonly stackDirectory: string;
  /** Keeps what was made; each stack has its own. */
  readonly stateFile: string;
  /** The emulator's address, for example `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  readonly region: string;
  /** Account id of 12 digits. */
  readonly account: string;
  /**
   * Told of every step. What it throws stops the provisioning after the resources that are under way. @default nobody
   */
  readonly onProgress?: (message: string, step: Step) => void;
  /** How many resources are made at once at most. @default 8 */
  readonly parallel?: number;
}

/** What is happening to a resource. */
export interface Step {
  readonly stack: string;
  readonly address: string;
  readonly action: "creating" | "created" | "updating" | "updated" | "unchanged" | "deleting" | "deleted" | "left out";
  /** Resources dealt with so far, of `total`. */
  readonly done: number;
  readonly total: number;
}

/** What a run did, by the resources' addresses. */
export interface Inventory {
  readonly created: readonly string[];
  /** Changed in place, or replaced. */
  readonly updated: readonly string[];
  /** Those of `updated` that were made anew. */
  readonly replaced: readonly string[];
  readonly unchanged: readonly string[];
  readonly deleted: readonly string[];
  /** Not made locally, and why. */
  readonly leftOut: readonly { readonly type: string; readonly name: string; readonly reason: string }[];
  /** Arguments of made resources that are not passed on to the emulator. */
  readonly ignored: readonly { readonly address: string; readonly arguments: readonly string[] }[];
}

/** What a stack gives, and what was done for it. */
export interface Provisioned {
  readonly outputs: Readonly<Record<string, Value>>;
  readonly inventory: Inventory;
}

/**
 * Creates, changes and deletes what a synthesized stack says, in the emulator. Repeating it changes nothing; after a
 * kill at any moment the next run finishes the work.
 *
 * @throws ProvisionError that names the stack, the resource and the reason. What was made before is kept in the state.
 */
export async function provision(options: ProvisionOptions): Promise<Provisioned> {
  const document = readStack(options.stackDirectory);
  refuseUnknownTypes(document);
  const run = new Run(options, document.name);
  try {
    return await run.apply(document);
  } finally {
    run.close();
  }
}

/**
 * Deletes everything that the state knows of a stack, what depends on others first.
 *
 * @returns The addresses deleted.
 * @throws ProvisionError when a resource is protected by `prevent_destroy`; nothing is deleted then.
 */
export async function destroy(options: ProvisionOptions): Promise<readonly string[]> {
  const run = new Run(options, basename(options.stackDirectory));
  try {
    return await run.destroy();
  } finally {
    run.close();
  }
}

/** Thrown by the progress callback: the caller wants to stop. */
class Stopped extends Error {
  constructor(override readonly cause: unknown) {
    super("stopped");
  }
}

class Run {
  private readonly state: StackState;
  private readonly clients = new Map<string, Clients>();
  private readonly created: string[] = [];
  private readonly updated: string[] = [];
  private readonly replaced: string[] = [];
  private readonly unchanged: string[] = [];
  private readonly deleted: string[] = [];
  private readonly leftOut: Inventory["leftOut"][number][] = [];
  /** By address, the made resources on which each depends, also by way of data sources and what is left out. */
  private madeDependencies: ReadonlyMap<string, readonly string[]> = new Map();
  private done = 0;
  private total = 0;
  private stopped: Stopped | undefined;

  constructor(
    private readonly options: ProvisionOptions,
    private readonly stack: string,
  ) {
    this.state = StackState.open(options.stateFile, stack);
  }

  async apply(document: StackDocument): Promise<Provisioned> {
    const gone = this.state.addresses.filter((address) => !this.isMade(document, address));
    this.refuseProtected(gone, "the stack doesn't have it any more");
    const scope = new StackScope(document);
    const blocks = [...document.dataSources.values(), ...document.resources.values()];
    this.total = document.resources.size + gone.length;
    this.madeDependencies = new Map(
      [...document.resources.keys()].map((address) => [address, this.dependenciesOf(document, address)]),
    );
    const tags = scope.evaluate(document.defaultTags, "provider.aws");
    const regions = new Map(
      [...document.regions].map(([alias, region]) => [alias, scope.evaluate(region, "provider.aws")]),
    );
    const tasks = blocks.map((block): Task => {
      const region = regions.get(block.providerAlias ?? "");
      // The caller says where the default provider works; an alias has its own region.
      const place = this.place(
        block.address,
        block.providerAlias !== undefined && typeof region === "string" ? region : this.options.region,
      );
      return {
        address: block.address,
        dependencies: block.dependencies,
        run: () => this.applyBlock(block, scope, place, isMap(tags) ? tags : {}),
      };
    });
    this.throwFailures(await runInOrder(tasks, this.options.parallel ?? 8));
    await this.deleteGone(gone);
    await this.save();
    const outputs = Object.fromEntries(
      [...document.outputs].map(([name, value]) => [name, scope.evaluate(value, `output.${name}`)]),
    );
    return { outputs, inventory: this.inventory() };
  }

  async destroy(): Promise<readonly string[]> {
    const { addresses } = this.state;
    this.refuseProtected(addresses, "the stack is to be destroyed");
    this.total = addresses.length;
    await this.deleteGone(addresses);
    await this.save();
    return this.deleted;
  }

  close(): void {
    this.clients.forEach(closeClients);
  }

  /** The emulator writes its state every few seconds; what is told as done must outlive its being killed. */
  private async save(): Promise<void> {
    const changes = [...this.created, ...this.updated, ...this.deleted];
    if (changes.length > 0) {
      const { ok, status } = await fetch(`${this.options.endpoint}/_ministack/save`, { method: "POST" });
      if (!ok) {
        throw new ProvisionError(
          `Stack ${this.stack}: the emulator did not save its state (status ${status}); see its log.`,
        );
      }
    }
  }

  private inventory(): Inventory {
    const ignored = this.state.addresses.flatMap((address) => {
      const names = this.state.get(address)?.ignored ?? [];
      return names.length === 0 ? [] : [{ address, arguments: names }];
    });
    const { created, updated, replaced, unchanged, deleted, leftOut } = this;
    leftOut.sort((a, b) => (`${a.type}.${a.name}` < `${b.type}.${b.name}` ? -1 : 1));
    for (const list of [created, updated, replaced, unchanged]) {
      list.sort();
    }
    return { created, updated, replaced, unchanged, deleted, leftOut, ignored };
  }

  private isMade(document: StackDocument, address: string): boolean {
    const block = document.resources.get(address);
    return block !== undefined && resourceKinds.has(block.type);
  }

  private dependenciesOf(document: StackDocument, address: string): readonly string[] {
    const block = document.resources.get(address) ?? document.dataSources.get(address);
    const found = (block?.dependencies ?? []).flatMap((dependency) =>
      this.isMade(document, dependency) ? [dependency] : this.dependenciesOf(document, dependency),
    );
    return [...new Set(found)].sort();
  }

  private place(address: string, region: string): Place {
    let clients = this.clients.get(region);
    if (!clients) {
      clients = makeClients(this.options.endpoint, region, this.options.account);
      this.clients.set(region, clients);
    }
    return {
      clients,
      account: this.options.account,
      region,
      partition: partitionOf(region),
      directory: this.options.stackDirectory,
      owner: `${this.stack}/${address}`,
    };
  }

  private async applyBlock(block: Block, scope: StackScope, place: Place, defaultTags: ValueMap): Promise<void> {
    if (this.stopped) {
      throw this.stopped;
    }
    try {
      this.check(block.preconditions, block, scope);
      const evaluated = scope.evaluate(block.arguments, block.address) as ValueMap;
      const value = await this.valueOf(block, evaluated, place, defaultTags);
      scope.define(block.address, value);
      this.check(block.postconditions, block, scope, value);
    } catch (error) {
      if (error instanceof Stopped || error instanceof ProvisionError) {
        throw error;
      }
      throw new ProvisionError(`Stack ${this.stack}, ${block.address}: ${describeError(error)}`);
    }
  }

  /** Looks the data source up, computes what is left out, or makes the resource; returns what others may refer to. */
  private async valueOf(block: Block, evaluated: ValueMap, place: Place, defaultTags: ValueMap): Promise<ValueMap> {
    const where = `Stack ${this.stack}, ${block.address}`;
    if (block.address.startsWith("data.")) {
      const dataSource = dataSourceKinds.get(block.type);
      return { ...evaluated, ...(await dataSource?.read({ ...place, arguments: new Arguments(evaluated, where) })) };
    }
    const leftOut = leftOutKinds.get(block.type);
    if (leftOut) {
      this.leftOut.push({ type: block.type, name: block.name, reason: leftOut.reason });
      this.tell(block.address, "left out");
      // A name that AWS would generate is one that stays the same in every run, without any state.
      const suffix = createHash("sha256").update(place.owner).digest("hex").slice(0, 8);
      const named = { ...evaluated, ...nameOf(leftOut.naming, evaluated, suffix) };
      return { ...named, ...leftOut.attributes?.({ ...place, arguments: new Arguments(named, where) }) };
    }
    const kind = resourceKinds.get(block.type);
    if (!kind) {
      throw new ProvisionError(`${where}: the type is not known`);
    }
    const tags = isMap(evaluated.tags) ? evaluated.tags : {};
    const made = await this.make(block, kind, { ...evaluated, tags_all: { ...defaultTags, ...tags } }, place);
    return { ...made.arguments, ...this.named(kind, made), ...made.attributes };
  }

  /** Creates, changes, replaces or leaves alone, whatever brings the resource to its arguments. */
  private async make(block: Block, kind: ResourceKind, evaluated: ValueMap, place: Place): Promise<Made> {
    const { address } = block;
    const known = this.state.get(address);
    const entry: ResourceState = {
      ...known,
      type: block.type,
      region: place.region,
      dependencies: this.madeDependencies.get(address) ?? [],
      preventDestroy: block.preventDestroy,
    };
    const wanted = keepIgnored(evaluated, known?.made?.arguments, block.ignoreChanges);
    const files = hashOfFiles(kind, wanted, place.directory);
    const before = known?.made;
    const formerPlace = this.place(address, known?.region ?? place.region);
    const exists =
      before &&
      (await kind.read({ ...this.existing(kind, before, formerPlace), keeps: keeperOf(block.ignoreChanges) }));
    if (!before || !exists) {
      // What was lost comes back under its old name.
      const lost = { ...entry, made: undefined, pending: entry.pending ?? before };
      const made = await this.create(block, kind, lost, wanted, files, place);
      this.created.push(address);
      return made;
    }
    const changed = changedArguments(before.arguments, wanted);
    // What is set on a resource went with it when it was lost and made anew, even if both look the same.
    const stale = entry.dependencies.some((parent) => this.created.includes(parent) || this.replaced.includes(parent));
    if (changed.length === 0 && files === known.files && place.region === known.region && !stale) {
      const confirmed = { ...entry, pending: undefined };
      if (JSON.stringify(known) !== JSON.stringify(confirmed)) {
        this.state.set(address, confirmed);
      }
      this.unchanged.push(address);
      this.tell(address, "unchanged");
      return before;
    }
    const reasons = replacementReasons(kind, block, before.arguments, wanted, this.replaced);
    if (place.region !== known.region) {
      reasons.push("provider");
    }
    if (reasons.length > 0) {
      return await this.replace(block, kind, entry, before, wanted, files, place, reasons);
    }
    this.tell(address, "updating");
    const { change, ignored } = this.change(block, kind, before, wanted, place);
    const attributes = await kind.update(change);
    const made = { ...before, arguments: wanted, attributes };
    this.state.set(address, { ...entry, made, files, ignored: ignored(), pending: undefined });
    this.updated.push(address);
    this.tell(address, "updated");
    return made;
  }

  private async replace(
    block: Block,
    kind: ResourceKind,
    entry: ResourceState,
    before: Made,
    wanted: ValueMap,
    files: string | undefined,
    place: Place,
    reasons: readonly string[],
  ): Promise<Made> {
    const { address } = block;
    if (block.preventDestroy) {
      throw new ProvisionError(
        `Stack ${this.stack}, ${address}: a change of ${reasons.join(", ")} replaces it, but prevent_destroy protects it. ` +
          "Take the change back, or set prevent_destroy to false and provision again.",
      );
    }
    let left = entry;
    if (!block.createBeforeDestroy) {
      this.tell(address, "deleting");
      await kind.delete(
        this.existing(kind, before, this.place(address, this.state.get(address)?.region ?? place.region)),
      );
      left = { ...entry, made: undefined, pending: undefined };
      this.state.set(address, left);
    }
    const made = await this.create(block, kind, left, wanted, files, place);
    this.replaced.push(address);
    this.updated.push(address);
    return made;
  }

  /** Makes a resource; `entry.made`, if there is one, waits for its deletion until all others use the new one. */
  private async create(
    block: Block,
    kind: ResourceKind,
    entry: ResourceState,
    wanted: ValueMap,
    files: string | undefined,
    place: Place,
  ): Promise<Made> {
    const { address } = block;
    this.tell(address, "creating");
    const earlier = entry.pending;
    const suffix = randomBytes(4).toString("hex");
    const named = nameOf(kind.naming, wanted, suffix);
    const given = kind.naming && isSame(wanted[kind.naming.argument] ?? null, named[kind.naming.argument] ?? null);
    const sameName =
      earlier &&
      kind.naming &&
      isSame(
        earlier.arguments[`${kind.naming.argument}_prefix`] ?? null,
        wanted[`${kind.naming.argument}_prefix`] ?? null,
      );
    const name = given || !sameName ? named[kind.naming?.argument ?? ""] : earlier.name;
    const intention: Intention = {
      token: earlier?.token ?? `${this.stack}.${address}.${suffix}`,
      ...(name === undefined ? {} : { name }),
      arguments: wanted,
    };
    this.state.set(address, { ...entry, pending: intention });
    const { creation, ignored } = this.creation(block.ignoreChanges, block.type, kind, intention, place);
    const attributes = await kind.create(creation);
    const made: Made = { ...intention, attributes };
    const deposed = [...(entry.deposed ?? []), ...(entry.made ? [entry.made] : [])];
    this.state.set(address, {
      ...entry,
      made,
      files,
      ignored: ignored(),
      pending: undefined,
      ...(deposed.length > 0 ? { deposed } : {}),
    });
    this.tell(address, "created");
    return made;
  }

  private creation(
    ignoreChanges: Block["ignoreChanges"],
    type: string,
    kind: ResourceKind,
    intention: Intention,
    place: Place,
  ): { readonly creation: Creation; readonly ignored: () => readonly string[] | undefined } {
    const values = { ...intention.arguments, ...this.named(kind, intention) };
    const list = new Arguments(values, `Stack ${place.owner.replace("/", ", ")}`);
    list.accept("tags", "tags_all", "region", `${kind.naming?.argument ?? "name"}_prefix`);
    const creation: Creation = {
      ...place,
      arguments: list,
      tags: list.map("tags_all") ?? {},
      token: intention.token,
      isTaken: (id) =>
        this.state.addresses.some((address) => {
          const other = this.state.get(address);
          return (
            other?.type === type &&
            [other.made, ...(other.deposed ?? [])].some((made) => made?.attributes.id === id) &&
            place.owner !== `${this.stack}/${address}`
          );
        }),
      keeps: keeperOf(ignoreChanges),
    };
    return { creation, ignored: () => (list.ignored.length > 0 ? list.ignored : undefined) };
  }

  private change(
    block: Block,
    kind: ResourceKind,
    before: Made,
    wanted: ValueMap,
    place: Place,
  ): { readonly change: Change; readonly ignored: () => readonly string[] | undefined } {
    const { creation, ignored } = this.creation(
      block.ignoreChanges,
      block.type,
      kind,
      { ...before, arguments: wanted },
      place,
    );
    const { attributes, arguments: previous } = this.existing(kind, before, place);
    return { change: { ...creation, attributes, previous }, ignored };
  }

  private existing(
    kind: ResourceKind,
    made: Made,
    place: Place,
  ): Place & { attributes: Attributes; arguments: Arguments } {
    const values = { ...made.arguments, ...this.named(kind, made) };
    return { ...place, attributes: made.attributes, arguments: new Arguments(values, place.owner) };
  }

  private named(kind: ResourceKind, { name }: Intention): ValueMap {
    return kind.naming && name !== undefined ? { [kind.naming.argument]: name } : {};
  }

  private refuseProtected(addresses: readonly string[], reason: string): void {
    const guarded = addresses.filter((address) => this.state.get(address)?.preventDestroy);
    if (guarded.length > 0) {
      throw new ProvisionError(
        `Stack ${this.stack}: ${reason}, but prevent_destroy protects ${guarded.join(", ")}. Nothing was changed. ` +
          "Set prevent_destroy to false and provision once more before.",
      );
    }
  }

  /** Deletes what has been replaced and what the stack has no more; what depends on others first. */
  private async deleteGone(gone: readonly string[]): Promise<void> {
    for (const address of dependentsFirst(this.state)) {
      const entry = this.state.get(address);
      const kind = entry && resourceKinds.get(entry.type);
      if (!entry || (!gone.includes(address) && !entry.deposed)) {
        continue;
      }
      if (!kind) {
        throw new ProvisionError(
          `Stack ${this.stack}: ${address} was made once, but ${resourceTypesFile} doesn't know ${entry.type} any more.`,
        );
      }
      await this.deleteEntry(address, entry, kind, gone.includes(address)).catch((error: unknown) => {
        if (error instanceof Stopped) {
          throw error.cause;
        }
        throw new ProvisionError(`Stack ${this.stack}, ${address} can't be deleted: ${describeError(error)}`);
      });
    }
  }

  private async deleteEntry(address: string, entry: ResourceState, kind: ResourceKind, whole: boolean): Promise<void> {
    const place = this.place(address, entry.region);
    if (whole) {
      this.tell(address, "deleting");
    }
    let victims = [...(entry.deposed ?? []), ...(whole && entry.made ? [entry.made] : [])];
    if (whole && entry.pending) {
      // Only its making tells where it is: finish it, then delete it.
      const { creation } = this.creation([], entry.type, kind, entry.pending, place);
      victims = [...victims, { ...entry.pending, attributes: await kind.create(creation) }];
    }
    for (const victim of victims) {
      if (!this.isHeldByAnother(address, entry.type, victim, whole)) {
        await kind.delete(this.existing(kind, victim, place));
      }
    }
    if (whole) {
      this.state.set(address, undefined);
      this.deleted.push(address);
      this.tell(address, "deleted");
    } else {
      this.state.set(address, { ...entry, deposed: undefined });
    }
  }

  /** A resource that only got another address in the stack has been adopted under its new one. */
  private isHeldByAnother(address: string, type: string, victim: Made, whole: boolean): boolean {
    return this.state.addresses.some((other) => {
      const entry = this.state.get(other);
      return (
        entry?.type === type && (other !== address || !whole) && entry.made?.attributes.id === victim.attributes.id
      );
    });
  }

  private check(conditions: Block["preconditions"], block: Block, scope: StackScope, self?: ValueMap): void {
    for (const { condition, message } of conditions) {
      const result = scope.evaluate(condition, `${block.address}, condition`, self);
      if (result !== true && result !== "true") {
        const text = asText(scope.evaluate(message, `${block.address}, error_message`, self)) ?? "";
        throw new ProvisionError(
          `Stack ${this.stack}, ${block.address}: ${text} (the condition ${JSON.stringify(condition)} does not hold)`,
        );
      }
    }
  }

  private tell(address: string, action: Step["action"]): void {
    if (action !== "creating" && action !== "updating" && action !== "deleting") {
      this.done += 1;
    }
    const { stack, done, total } = this;
    try {
      this.options.onProgress?.(`${address} ${action} (${done} of ${total})`, { stack, address, action, done, total });
    } catch (error) {
      this.stopped = new Stopped(error);
      throw this.stopped;
    }
  }

  private throwFailures(failures: ReadonlyMap<string, unknown>): void {
    if (this.stopped) {
      throw this.stopped.cause;
    }
    const reasons: unknown[] = [...failures.values()];
    if (reasons.length === 1) {
      throw reasons[0];
    }
    if (reasons.length > 1) {
      throw new ProvisionError(reasons.map((reason) => `- ${describeError(reason)}`).join("\n"));
    }
  }
}

function refuseUnknownTypes({ name, resources, dataSources }: StackDocument): void {
  const unknown = new Set<string>();
  for (const { type } of resources.values()) {
    if (!resourceKinds.has(type) && !leftOutKinds.has(type)) {
      unknown.add(type);
    }
  }
  for (const { type } of dataSources.values()) {
    if (!dataSourceKinds.has(type)) {
      unknown.add(`data.${type}`);
    }
  }
  if (unknown.size > 0) {
    throw new ProvisionError(
      `Stack ${name}: nobody has taught the local provisioning ${[...unknown].sort().join(", ")}. ` +
        `Add each to ${resourceTypesFile}: how it is made, or why it is left out. Nothing was made.`,
    );
  }
}

function partitionOf(region: string): string {
  if (region.startsWith("cn-")) {
    return "aws-cn";
  }
  return region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
}

/** The argument that names a resource: as given, or generated from its prefix. */
function nameOf(naming: ResourceKind["naming"], values: ValueMap, suffix: string): Record<string, string> {
  if (!naming) {
    return {};
  }
  const given = values[naming.argument];
  if (typeof given === "string" && given !== "") {
    return { [naming.argument]: given };
  }
  const prefix = values[`${naming.argument}_prefix`];
  const end = `${suffix}${naming.suffix ?? ""}`;
  const start = typeof prefix === "string" && prefix !== "" ? prefix : naming.prefix;
  return { [naming.argument]: `${start.slice(0, naming.maximumLength - end.length)}${end}` };
}

/** What was there before takes the place of arguments whose changes are ignored. */
function keepIgnored(wanted: ValueMap, before: ValueMap | undefined, ignore: Block["ignoreChanges"]): ValueMap {
  if (!before) {
    return wanted;
  }
  if (ignore === "all") {
    return before;
  }
  return ignore.reduce((values, path) => transplant(values, before, pathOf(path)), wanted);
}

function keeperOf(ignore: Block["ignoreChanges"]): Keeps {
  return (argument) => ignore === "all" || ignore.includes(argument);
}

/** `a[0].b` and `a.0.b` as steps. */
function pathOf(path: string): readonly string[] {
  return path.split(/[.[\]"]+/).filter((step) => step !== "");
}

function transplant(target: ValueMap, source: ValueMap, [step = "", ...rest]: readonly string[]): ValueMap {
  const from = source[step] ?? null;
  if (rest.length === 0) {
    return { ...target, [step]: from };
  }
  const to = target[step] ?? null;
  const [inner, origin] = [blockOf(to), blockOf(from)];
  if (!inner || !origin) {
    return target;
  }
  // A block may be written as an object or as a list of one.
  const moved = transplant(inner, origin, rest[0] === "0" ? rest.slice(1) : rest);
  return { ...target, [step]: isList(to) ? [moved, ...to.slice(1)] : moved };
}

function blockOf(value: Value): ValueMap | undefined {
  const item = isList(value) ? value[0] : value;
  return isMap(item) ? item : undefined;
}

function valueAt(values: ValueMap, path: string): Value {
  return pathOf(path).reduce<Value>((value, step) => {
    const block = blockOf(value);
    return block && step !== "0" ? (block[step] ?? null) : value;
  }, values);
}

function changedArguments(before: ValueMap, wanted: ValueMap): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(wanted)]);
  return [...names].filter((name) => !isSame(before[name] ?? null, wanted[name] ?? null));
}

function replacementReasons(
  kind: ResourceKind,
  block: Block,
  before: ValueMap,
  wanted: ValueMap,
  replaced: readonly string[],
): string[] {
  const naming = kind.naming ? [kind.naming.argument, `${kind.naming.argument}_prefix`] : [];
  return [
    ...[...naming, ...(kind.replacedBy ?? [])].filter((path) => !isSame(valueAt(before, path), valueAt(wanted, path))),
    ...block.replaceTriggeredBy.filter((trigger) => replaced.some((address) => trigger.startsWith(address))),
  ];
}

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

/** The addresses of a state, each before those on which it depends. */
function dependentsFirst(state: StackState): readonly string[] {
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = (address: string): void => {
    if (!seen.has(address)) {
      seen.add(address);
      state.get(address)?.dependencies.forEach(visit);
      order.unshift(address);
    }
  };
  [...state.addresses].sort().forEach(visit);
  return order;
}
