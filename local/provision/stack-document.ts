import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describeError, ProvisionError } from "./errors";
import { namesIn, parseTemplate } from "./expression/parse";
import { asText, isList, isMap, kindOf, type Value, type ValueMap } from "./value";

/** A condition that must hold before (or after) a resource is made. */
export interface Condition {
  readonly condition: Value;
  readonly message: Value;
}

/** A resource or data source of a stack, as it was synthesized. */
export interface Block {
  /** `aws_s3_bucket.data`, or `data.aws_region.current`. */
  readonly address: string;
  readonly type: string;
  readonly name: string;
  /** What is passed to the provider, expressions not yet evaluated. */
  readonly arguments: ValueMap;
  /** Addresses that must be ready before: by reference or by `depends_on`. */
  readonly dependencies: readonly string[];
  /** Name of the provider's configuration, undefined for the default one. */
  readonly providerAlias: string | undefined;
  readonly preventDestroy: boolean;
  readonly createBeforeDestroy: boolean;
  /** Arguments whose changes are not applied, or all of them. */
  readonly ignoreChanges: readonly string[] | "all";
  /** Addresses or attributes whose change replaces the resource. */
  readonly replaceTriggeredBy: readonly string[];
  readonly preconditions: readonly Condition[];
  readonly postconditions: readonly Condition[];
}

/** A stack's Terraform JSON, checked and ordered. */
export interface StackDocument {
  /** The stack's name: that of its folder. */
  readonly name: string;
  readonly directory: string;
  readonly resources: ReadonlyMap<string, Block>;
  readonly dataSources: ReadonlyMap<string, Block>;
  readonly locals: ValueMap;
  /** Variables with their defaults; undefined when there is none. */
  readonly variables: ReadonlyMap<string, Value | undefined>;
  readonly outputs: ReadonlyMap<string, Value>;
  /** Region by provider alias; the default provider's alias is the empty text. */
  readonly regions: ReadonlyMap<string, Value>;
  /** The tags that the default provider adds to every resource. */
  readonly defaultTags: Value;
}

const sections = new Set(["//", "terraform", "provider", "resource", "data", "locals", "variable", "output"]);
const metaArguments = new Set(["//", "depends_on", "lifecycle", "provider"]);
const unsupportedArguments = ["count", "for_each", "provisioner", "connection", "dynamic"];

/**
 * Reads `cdk.tf.json` from a stack's folder of `cdktf.out`.
 *
 * @throws ProvisionError when it is missing, no stack, or uses parts of Terraform that are not understood here; when an
 * expression is not well-formed or refers to something that the stack doesn't have; or when its resources wait for one
 * another in a circle.
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
  return new Reader(name, stackDirectory, content as Value).read();
}

class Reader {
  private readonly root: ValueMap;
  private readonly problems: string[] = [];

  constructor(
    private readonly stack: string,
    private readonly directory: string,
    content: Value,
  ) {
    if (!isMap(content)) {
      throw new ProvisionError(`Stack ${stack}: cdk.tf.json holds ${kindOf(content)}, an object was expected.`);
    }
    this.root = content;
  }

  read(): StackDocument {
    for (const section of Object.keys(this.root)) {
      if (!sections.has(section)) {
        this.problems.push(`the section "${section}" is not understood by the local provisioning`);
      }
    }
    const locals = this.section("locals");
    const variables = new Map(
      Object.entries(this.section("variable")).map(([key, value]) => [key, isMap(value) ? value.default : undefined]),
    );
    const known = new Set<string>([
      ...this.addresses("resource", ""),
      ...this.addresses("data", "data."),
      ...Object.keys(locals).map((key) => `local.${key}`),
      ...[...variables.keys()].map((key) => `var.${key}`),
    ]);
    const document: StackDocument = {
      name: this.stack,
      directory: this.directory,
      resources: this.blocks("resource", "", known),
      dataSources: this.blocks("data", "data.", known),
      locals,
      variables,
      outputs: new Map(
        Object.entries(this.section("output")).map(([key, value]) => {
          const output = isMap(value) ? (value.value ?? null) : null;
          this.references(output, `output.${key}`, known);
          return [key, output];
        }),
      ),
      ...this.provider(known),
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

  private addresses(section: string, prefix: string): readonly string[] {
    return Object.entries(this.section(section)).flatMap(([type, named]) =>
      isMap(named) ? Object.keys(named).map((name) => `${prefix}${type}.${name}`) : [],
    );
  }

  private blocks(section: string, prefix: string, known: ReadonlySet<string>): ReadonlyMap<string, Block> {
    const blocks = new Map<string, Block>();
    for (const [type, named] of Object.entries(this.section(section))) {
      for (const [name, body] of Object.entries(isMap(named) ? named : {})) {
        const address = `${prefix}${type}.${name}`;
        if (isMap(body)) {
          blocks.set(address, this.block(address, type, name, body, known));
        } else {
          this.problems.push(`${address} is ${kindOf(body)}, an object was expected`);
        }
      }
    }
    return blocks;
  }

  private block(address: string, type: string, name: string, body: ValueMap, known: ReadonlySet<string>): Block {
    for (const argument of unsupportedArguments) {
      if (Object.hasOwn(body, argument)) {
        this.problems.push(`${address} uses "${argument}", which the local provisioning does not understand`);
      }
    }
    const lifecycle = first(body.lifecycle);
    const provider = body.provider;
    const own = Object.fromEntries(Object.entries(body).filter(([key]) => !metaArguments.has(key)));
    const explicit = list(body.depends_on).flatMap((entry) => {
      const target = (asText(entry) ?? kindOf(entry)).replace(/^\$\{(.*)\}$/, "$1");
      const found = [...known].find((candidate) => target === candidate || target.startsWith(`${candidate}.`));
      if (found === undefined) {
        this.problems.push(`${address} depends on "${target}", which the stack doesn't have`);
      }
      return found ?? [];
    });
    const implicit = [own, lifecycle.precondition ?? null].flatMap((value) => this.references(value, address, known));
    const ignore = lifecycle.ignore_changes ?? [];
    return {
      address,
      type,
      name,
      arguments: own,
      dependencies: [...new Set([...explicit, ...implicit])].filter((dependency) => dependency !== address).sort(),
      providerAlias: typeof provider === "string" ? provider.split(".")[1] : undefined,
      preventDestroy: lifecycle.prevent_destroy === true,
      createBeforeDestroy: lifecycle.create_before_destroy === true,
      ignoreChanges: ignore === "all" ? "all" : list(ignore).map(String),
      replaceTriggeredBy: list(lifecycle.replace_triggered_by).map(String),
      preconditions: conditions(lifecycle.precondition),
      postconditions: conditions(lifecycle.postcondition),
    };
  }

  private provider(known: ReadonlySet<string>): Pick<StackDocument, "regions" | "defaultTags"> {
    const regions = new Map<string, Value>();
    let defaultTags: Value = {};
    for (const configuration of list(this.section("provider").aws).filter(isMap)) {
      this.references(configuration, "provider.aws", known);
      const alias = typeof configuration.alias === "string" ? configuration.alias : "";
      if (configuration.region !== undefined) {
        regions.set(alias, configuration.region);
      }
      if (alias === "") {
        defaultTags = first(configuration.default_tags).tags ?? {};
      }
    }
    return { regions, defaultTags };
  }

  /** The addresses to which a value refers; what is wrong with its expressions is noted. */
  private references(
    value: Value,
    where: string,
    known: ReadonlySet<string>,
    path: readonly string[] = [],
  ): readonly string[] {
    const found = new Set<string>();
    const visit = (inner: Value, place: string): void => {
      if (typeof inner === "string") {
        try {
          for (const chain of namesIn(parseTemplate(inner))) {
            const target = targetOf(chain);
            if (target === undefined || chain[0] === "self") {
              continue;
            }
            if (known.has(target)) {
              found.add(target);
            } else {
              this.problems.push(
                `${place}: ${JSON.stringify(inner)} refers to ${target}, which the stack doesn't have`,
              );
            }
          }
        } catch (error) {
          this.problems.push(`${place}: ${JSON.stringify(inner)}: ${describeError(error)}`);
        }
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
    const throughLocals = [...found]
      .filter((target) => target.startsWith("local."))
      .flatMap((target) => {
        if (path.includes(target)) {
          this.problems.push(`locals refer to one another: ${[...path, target].join(" → ")}`);
          return [];
        }
        const local = this.section("locals")[target.slice("local.".length)] ?? null;
        return this.references(local, target, known, [...path, target]);
      });
    return [...found, ...throughLocals].filter((target) => !/^(local|var)\./.test(target));
  }
}

/** The address at the beginning of a chain of names; undefined for what is no reference, such as `path.module`. */
export function targetOf(chain: readonly string[]): string | undefined {
  const [root = ""] = chain;
  if (root === "path" || root === "terraform") {
    return undefined;
  }
  return chain.slice(0, root === "data" ? 3 : 2).join(".");
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
  const done = new Set<string>();
  const visit = (address: string, path: readonly string[]): void => {
    if (path.includes(address)) {
      const circle = [...path.slice(path.indexOf(address)), address].join(" → ");
      throw new ProvisionError(`Stack ${name}: resources wait for one another: ${circle}.`);
    }
    if (!done.has(address)) {
      (resources.get(address) ?? dataSources.get(address))?.dependencies.forEach((dependency) => {
        visit(dependency, [...path, address]);
      });
      done.add(address);
    }
  };
  [...resources.keys(), ...dataSources.keys()].forEach((address) => {
    visit(address, []);
  });
}
