import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { CircularDependency, dependenciesFirst } from "../../stacks/order";
import { describeError, ProvisionError } from "./errors";
import { parseTemplate, type Reference } from "./expression";
import { asText, isList, isMap, kindOf, type Value, type ValueMap } from "./value";

/** A condition that must hold before or after a resource is made. */
export interface Condition {
  readonly condition: Value;
  readonly message: Value;
}

/** A synthesized resource or data source of a stack. */
export interface Block {
  /** `aws_s3_bucket.data`, or `data.aws_s3_object.figures`. */
  readonly address: string;
  readonly type: string;
  readonly name: string;
  /** The provider's arguments, with expressions not yet evaluated. */
  readonly arguments: ValueMap;
  /** Addresses that must be ready first: by reference or by `depends_on`. */
  readonly dependencies: readonly string[];
  readonly createBeforeDestroy: boolean;
  /** Arguments whose changes are not applied. */
  readonly ignoreChanges: readonly string[];
  readonly preconditions: readonly Condition[];
  readonly postconditions: readonly Condition[];
}

/** A stack's Terraform JSON, checked. */
export interface StackDocument {
  /** The stack's name, from its folder. */
  readonly name: string;
  readonly resources: ReadonlyMap<string, Block>;
  readonly dataSources: ReadonlyMap<string, Block>;
  readonly locals: ValueMap;
  /** The tags that the provider adds to every resource. */
  readonly defaultTags: Value;
}

/** This file, for messages about unknown parts. */
const thisFile = "local/provision/stack-document.ts";

/** The parts that stacks of the local environment have; everything else is refused. */
const known = {
  sections: ["//", "terraform", "provider", "resource", "data", "locals"],
  metaArguments: ["//", "depends_on", "lifecycle"],
  lifecycle: ["create_before_destroy", "ignore_changes", "precondition", "postcondition"],
};

/** Terraform's own arguments that are refused; all other arguments belong to the provider. */
const unknownMetaArguments = ["count", "for_each", "provider", "provisioner", "connection", "dynamic"];

/**
 * Reads `cdk.tf.json` from a stack's folder of `cdktf.out`.
 * @throws ProvisionError when the file is missing, is not a stack, or uses unknown parts of Terraform; when an
 * expression refers to something missing; or when resources depend on one another in a cycle.
 */
export function readStack(stackDirectory: string): StackDocument {
  const name = basename(stackDirectory);
  const file = join(stackDirectory, "cdk.tf.json");
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ProvisionError(`Stack ${name}: ${file} can't be read (${describeError(error)}). Synthesize it first.`);
  }
  return new Reader(name, content as Value).read();
}

class Reader {
  private readonly root: ValueMap;
  private readonly addresses: ReadonlySet<string>;
  private readonly problems: string[] = [];

  constructor(
    private readonly stack: string,
    content: Value,
  ) {
    if (!isMap(content)) {
      throw new ProvisionError(`Stack ${stack}: cdk.tf.json holds ${kindOf(content)}, an object was expected.`);
    }
    this.root = content;
    this.addresses = new Set([
      ...this.addressesOf("resource", ""),
      ...this.addressesOf("data", "data."),
      ...Object.keys(this.section("locals")).map((name) => `local.${name}`),
    ]);
  }

  read(): StackDocument {
    this.refuseUnknown("the section", Object.keys(this.root), known.sections, "sections");
    const document: StackDocument = {
      name: this.stack,
      resources: this.blocks("resource", ""),
      dataSources: this.blocks("data", "data."),
      locals: this.section("locals"),
      defaultTags: this.defaultTags(),
    };
    if (this.problems.length > 0) {
      throw new ProvisionError(`Stack ${this.stack} can't be provisioned:\n- ${this.problems.join("\n- ")}`);
    }
    refuseCircles(document);
    return document;
  }

  private section(name: string): ValueMap {
    const value = this.root[name] ?? {};
    if (!isMap(value)) {
      throw new ProvisionError(
        `Stack ${this.stack}: the section "${name}" is ${kindOf(value)}, an object was expected.`,
      );
    }
    return value;
  }

  private addressesOf(section: string, prefix: string): readonly string[] {
    return Object.entries(this.section(section)).flatMap(([type, named]) =>
      isMap(named) ? Object.keys(named).map((name) => `${prefix}${type}.${name}`) : [],
    );
  }

  private blocks(section: string, prefix: string): ReadonlyMap<string, Block> {
    const blocks = new Map<string, Block>();
    for (const [type, named] of Object.entries(this.section(section))) {
      for (const [name, body] of Object.entries(isMap(named) ? named : {})) {
        const address = `${prefix}${type}.${name}`;
        if (isMap(body)) {
          blocks.set(address, this.block(address, type, name, body));
        } else {
          this.problems.push(`${address} is ${kindOf(body)}, an object was expected`);
        }
      }
    }
    return blocks;
  }

  private block(address: string, type: string, name: string, body: ValueMap): Block {
    const lifecycle = first(body.lifecycle);
    const own = Object.fromEntries(Object.entries(body).filter(([key]) => !known.metaArguments.includes(key)));
    const meta = Object.keys(own).filter((key) => unknownMetaArguments.includes(key));
    this.refuseUnknown(address, meta, known.metaArguments, "metaArguments");
    this.refuseUnknown(`${address}, lifecycle`, Object.keys(lifecycle), known.lifecycle, "lifecycle");
    const explicit = list(body.depends_on).map((entry) => asText(entry) ?? kindOf(entry));
    for (const target of explicit.filter((entry) => !this.addresses.has(entry))) {
      this.problems.push(`${address} depends on "${target}", which the stack doesn't have`);
    }
    const implicit = [own, lifecycle.precondition ?? null].flatMap((value) => this.references(value, address));
    // Only checked for unknown parts: references of a postcondition need not be ready before.
    this.references(lifecycle.postcondition ?? null, address);
    const ignoreChanges = list(lifecycle.ignore_changes).map(String);
    for (const path of ignoreChanges.filter((each) => each === "all" || !/^\w+$/.test(each))) {
      this.problems.push(`${address}: ignore_changes of ${path} is not known: extend \`block\` in ${thisFile}`);
    }
    return {
      address,
      type,
      name,
      arguments: own,
      dependencies: [...new Set([...explicit, ...implicit])].filter((dependency) => dependency !== address).sort(),
      createBeforeDestroy: lifecycle.create_before_destroy === true,
      ignoreChanges,
      preconditions: conditions(lifecycle.precondition),
      postconditions: conditions(lifecycle.postcondition),
    };
  }

  private defaultTags(): Value {
    const [provider = {}, another] = list(this.section("provider").aws).filter(isMap);
    if (another !== undefined) {
      this.problems.push(`a second provider is not known: extend \`defaultTags\` in ${thisFile}`);
    }
    this.references(provider, "provider.aws");
    return first(provider.default_tags).tags ?? {};
  }

  private refuseUnknown(where: string, names: readonly string[], wanted: readonly string[], list: string): void {
    for (const name of names.filter((each) => !wanted.includes(each))) {
      this.problems.push(`${where} "${name}" is not known: extend \`known.${list}\` in ${thisFile}`);
    }
  }

  /** The addresses that a value refers to; errors in its expressions are collected. */
  private references(value: Value, where: string, path: readonly string[] = []): readonly string[] {
    const found = new Set<string>();
    const visit = (inner: Value, place: string): void => {
      if (typeof inner === "string") {
        this.targetsOf(inner, place).forEach((target) => found.add(target));
      } else if (isList(inner)) {
        inner.forEach((item, index) => {
          visit(item, `${place}[${index}]`);
        });
      } else if (isMap(inner)) {
        Object.entries(inner).forEach(([key, item]) => {
          visit(item, `${place}.${key}`);
        });
      }
    };
    visit(value, where);
    return [...found].flatMap((target) => {
      if (!target.startsWith("local.")) {
        return [target];
      }
      if (path.includes(target)) {
        this.problems.push(`locals refer to one another in a cycle: ${[...path, target].join(" → ")}`);
        return [];
      }
      const local = this.section("locals")[target.slice("local.".length)] ?? null;
      return this.references(local, target, [...path, target]);
    });
  }

  /** The addresses that one text refers to. */
  private targetsOf(text: string, where: string): readonly string[] {
    try {
      const targets = parseTemplate(text)
        .references.filter(([root]) => root !== "self")
        .map(targetOf);
      for (const target of targets.filter((each) => !this.addresses.has(each))) {
        this.problems.push(`${where}: ${JSON.stringify(text)} refers to ${target}, which the stack doesn't have`);
      }
      return targets.filter((each) => this.addresses.has(each));
    } catch (error) {
      this.problems.push(`${where}: ${JSON.stringify(text)}: ${describeError(error)}`);
      return [];
    }
  }
}

/** The address at the start of a reference. */
export function targetOf(reference: Reference): string {
  return reference.slice(0, reference[0] === "data" ? 3 : 2).join(".");
}

function first(value: Value | undefined): ValueMap {
  const item = isList(value) ? value[0] : value;
  return isMap(item) ? item : {};
}

function list(value: Value | undefined): readonly Value[] {
  if (value === undefined || value === null) {
    return [];
  }
  return isList(value) ? value : [value];
}

function conditions(value: Value | undefined): readonly Condition[] {
  return list(value)
    .filter(isMap)
    .map((entry) => ({ condition: entry.condition ?? null, message: entry.error_message ?? "" }));
}

function refuseCircles({ name, resources, dataSources }: StackDocument): void {
  try {
    dependenciesFirst(
      [...resources.keys(), ...dataSources.keys()],
      (address) => (resources.get(address) ?? dataSources.get(address))?.dependencies ?? [],
    );
  } catch (error) {
    if (!(error instanceof CircularDependency)) {
      throw error;
    }
    throw new ProvisionError(`Stack ${name}: resources depend on one another in a cycle: ${error.circle.join(" → ")}.`);
  }
}
