/**
 * The synthesized stacks, as input of the rules.
 *
 *     documents.resources("aws_s3_bucket");                             // of all stacks
 *     values(bucket.arguments, "rule", "bucket_key_enabled");           // for a single block and for a list of blocks
 *     documents.follow(resource.stack, "${data.aws_ssm_parameter.…}");  // the value that another stack publishes
 */

import { type Arguments, isArguments, values } from "../aws-services/arguments";

export * from "../aws-services/arguments";

/** One synthesized stack: its id and its Terraform JSON. */
export interface StackDocument {
  readonly id: string;
  readonly document: Arguments;
}

/** The location of a resource: the stack, and the address in it, such as `aws_s3_bucket.data_bucket`. */
export interface Place {
  readonly stack: string;
  readonly address: string;
}

/** A resource or a data source. */
export interface Resource extends Place {
  /** For example `aws_s3_bucket`; a data source's starts with `data.`. */
  readonly type: string;
  readonly name: string;
  readonly arguments: Arguments;
}

function resourcesOf({ id, document }: StackDocument): readonly Resource[] {
  return (["resource", "data"] as const).flatMap((kind) =>
    Object.entries(isArguments(document[kind]) ? document[kind] : {}).flatMap(([type, byName]) =>
      Object.entries(isArguments(byName) ? byName : {}).map(([name, block]) => {
        const prefix = kind === "data" ? "data." : "";
        return {
          stack: id,
          type: prefix + type,
          name,
          address: `${prefix}${type}.${name}`,
          arguments: isArguments(block) ? block : {},
        };
      }),
    ),
  );
}

/** All stacks of a platform. */
export class Documents {
  /** All resources and data sources. */
  readonly all: readonly Resource[];
  private readonly byType = new Map<string, Resource[]>();

  constructor(readonly stacks: readonly StackDocument[]) {
    this.all = stacks.flatMap(resourcesOf);
    for (const resource of this.all) {
      const others = this.byType.get(resource.type);
      if (others) {
        others.push(resource);
      } else {
        this.byType.set(resource.type, [resource]);
      }
    }
  }

  /** The resources of the given types. */
  resources(...types: readonly string[]): readonly Resource[] {
    return types.flatMap((type) => this.byType.get(type) ?? []);
  }

  /**
   * The resources of a type that belong to another resource of the same stack, because an argument refers to one of its
   * `attributes` or has the same literal text.
   */
  belongingTo(owner: Resource, type: string, argument: string, attributes: readonly string[]): readonly Resource[] {
    const names = new Set<unknown>(attributes.map((attribute) => `\${${owner.address}.${attribute}}`));
    for (const attribute of attributes) {
      const literal = owner.arguments[attribute];
      if (typeof literal === "string") {
        names.add(literal);
      }
    }
    return this.resources(type).filter(
      (candidate) => candidate.stack === owner.stack && names.has(candidate.arguments[argument]),
    );
  }

  /**
   * Resolves a reference to a local, or to an SSM parameter that one of the stacks publishes. Other texts are returned
   * unchanged.
   * @param stack the stack of the text
   */
  follow(stack: string, text: string, seen: ReadonlySet<string> = new Set()): string {
    const step = `${stack} ${text}`;
    const next = seen.has(step) ? undefined : this.behind(stack, text);
    return next === undefined ? text : this.follow(next.stack, next.text, new Set([...seen, step]));
  }

  private behind(stack: string, text: string): { readonly stack: string; readonly text: string } | undefined {
    const local = /^\$\{local\.([\w-]+)\}$/.exec(text)?.[1];
    if (local !== undefined) {
      const [value] = values(this.stacks.find(({ id }) => id === stack)?.document, "locals", local);
      return typeof value === "string" ? { stack, text: value } : undefined;
    }
    const parameter = /^\$\{(data\.aws_ssm_parameter\.[\w-]+)\.(?:insecure_)?value\}$/.exec(text)?.[1];
    if (parameter === undefined) {
      return undefined;
    }
    const source = this.resources("data.aws_ssm_parameter").find(
      (candidate) => candidate.stack === stack && candidate.address === parameter,
    );
    const published = this.resources("aws_ssm_parameter").find(
      (candidate) => source && candidate.arguments.name === source.arguments.name,
    );
    const value = published?.arguments.insecure_value;
    return published && typeof value === "string" ? { stack: published.stack, text: value } : undefined;
  }
}
