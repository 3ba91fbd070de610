/**
 * The synthesized stacks, as the rules look at them.
 *
 *     documents.resources("aws_s3_bucket");                             // of all stacks
 *     values(bucket.arguments, "rule", "bucket_key_enabled");           // whether a block stands there once or as a list
 *     documents.follow(resource.stack, "${data.aws_ssm_parameter.…}");  // what another stack publishes under that name
 */

/** The arguments of a resource or of a block within. */
export type Arguments = Readonly<Record<string, unknown>>;

/** One synthesized stack: its id and its Terraform JSON. */
export interface StackDocument {
  readonly id: string;
  readonly document: Arguments;
}

/** Where something stands: the stack, and the address within, such as `aws_s3_bucket.data_bucket`. */
export interface Place {
  readonly stack: string;
  readonly address: string;
}

/** A resource or a data source. */
export interface Resource extends Place {
  /** Such as `aws_s3_bucket`; a data source's begins with `data.`. */
  readonly type: string;
  readonly name: string;
  readonly arguments: Arguments;
}

/** Whether a value is a block or an object: no list, no text, not nothing. */
export function isArguments(value: unknown): value is Arguments {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as a list: a block may stand once or as a list of blocks, an action as a text or as a list of texts. */
export function list(value: unknown): readonly unknown[] {
  return value === undefined || value === null ? [] : Array.isArray(value) ? (value as readonly unknown[]) : [value];
}

/** The texts of a value that is one or a list of them. */
export function texts(value: unknown): readonly string[] {
  return list(value).filter((text) => typeof text === "string");
}

/** All values at a path of argument names, through every block on the way. */
export function values(block: unknown, ...path: readonly string[]): readonly unknown[] {
  const [key, ...rest] = path;
  if (key === undefined) {
    return list(block);
  }
  return list(block).flatMap((element) => (isArguments(element) ? values(element[key], ...rest) : []));
}

/**
 * Calls `visit` with every value within, its key (a list's elements have that of the list) and itself; the deepest
 * last.
 */
export function walk(value: unknown, visit: (value: unknown, key: string) => void, key = ""): void {
  visit(value, key);
  if (Array.isArray(value)) {
    for (const element of value) {
      walk(element, visit, key);
    }
  } else if (isArguments(value)) {
    // The key "//" holds CDKTF's own notes.
    for (const [name, element] of Object.entries(value)) {
      if (name !== "//") {
        walk(element, visit, name);
      }
    }
  }
}

/** A text parsed as a JSON object, or undefined when it is none, as `${data.aws_iam_policy_document.x.json}`. */
export function parseObject(text: string): Arguments | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isArguments(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A task of a state machine that calls an API. */
export interface Task {
  /** The state's name. */
  readonly name: string;
  /** ARN of the service integration. */
  readonly integration: string;
  /** What the API is given. */
  readonly arguments: unknown;
}

/** The tasks of a state machine's definition, those within Map and Parallel states too. */
export function tasks(definition: Arguments): readonly Task[] {
  const found: Task[] = [];
  walk(definition, (value) => {
    if (!isArguments(value) || !isArguments(value.States)) {
      return;
    }
    for (const [name, state] of Object.entries(value.States)) {
      if (isArguments(state) && state.Type === "Task" && typeof state.Resource === "string") {
        found.push({ name, integration: state.Resource, arguments: state.Arguments ?? state.Parameters });
      }
    }
  });
  return found;
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

  /** The resources of some types. */
  resources(...types: readonly string[]): readonly Resource[] {
    return types.flatMap((type) => this.byType.get(type) ?? []);
  }

  /**
   * The resources of a type that belong to another of the same stack because an argument names it: by a reference to
   * one of `attributes`, or by the same literal text.
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
   * What a text stands for: the value behind a local, or behind an SSM parameter that one of the stacks publishes. Any
   * other text stands for itself.
   * @param stack in which the text stands
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
