/**
 * Whether one policy lies inside another: whether whatever a role's statement allows is allowed by its permissions
 * boundary too. Patterns are compared with patterns, so that no request has to be thought up; references of Terraform
 * are followed to the resources whose names and tags are in the stacks.
 */
import type { Arguments, Template } from "./synthesize";

type Values = string | readonly string[];

/** One statement of a policy document. */
export interface RenderedStatement {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  readonly Action: Values;
  readonly Resource: Values;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, Values>>>>;
}

const list = (values: Values): readonly string[] => (typeof values === "string" ? [values] : values);

/** The statements of a policy document. */
export const statementsOf = (document: string): readonly RenderedStatement[] =>
  (JSON.parse(document) as { readonly Statement: readonly RenderedStatement[] }).Statement;

/**
 * Whether every text that the pattern `inner` means is meant by the pattern `outer`: a `*` within is matched by a `*`
 * outside alone.
 */
export function contains(outer: string, inner: string): boolean {
  const expression = outer
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", "[^*]");
  return new RegExp(`^${expression}$`, "i").test(inner);
}

/** Whether some text is meant by both patterns. */
export function overlaps(one: string, other: string): boolean {
  const known = new Map<number, boolean>();
  const from = (i: number, j: number): boolean => {
    const place = i * (other.length + 1) + j;
    const before = known.get(place);
    if (before !== undefined) {
      return before;
    }
    const [a, b] = [one[i], other[j]];
    const found =
      a === "*"
        ? from(i + 1, j) || (b !== undefined && from(i, j + 1))
        : b === "*"
          ? from(i, j + 1) || (a !== undefined && from(i + 1, j))
          : a === undefined || b === undefined
            ? a === b
            : (a === "?" || b === "?" || a.toLowerCase() === b.toLowerCase()) && from(i + 1, j + 1);
    known.set(place, found);
    return found;
  };
  return from(0, 0);
}

/** What stands at an ARN's place: the ARN and the tags of its resource, where they are known. */
interface Located {
  readonly arn: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** The ARNs of types behind service, region and account. */
const arns: Readonly<Record<string, (resource: Arguments) => readonly [service: string, resource: string]>> = {
  aws_cloudtrail: ({ name }) => ["cloudtrail", `trail/${name}`],
  aws_cloudwatch_event_rule: ({ name }) => ["events", `rule/${name}`],
  aws_cloudwatch_log_group: ({ name }) => ["logs", `log-group:${name}`],
  aws_cloudwatch_metric_alarm: ({ alarm_name: name }) => ["cloudwatch", `alarm:${name}`],
  aws_codebuild_project: ({ name }) => ["codebuild", `project/${name}`],
  aws_dynamodb_table: ({ name }) => ["dynamodb", `table/${name}`],
  aws_iam_policy: ({ name }) => ["iam", `policy/${name}`],
  aws_iam_role: ({ name }) => ["iam", `role/${name}`],
  aws_kms_alias: ({ name }) => ["kms", String(name)],
  aws_kms_key: () => ["kms", "key/0"],
  aws_lambda_function: ({ function_name: name }) => ["lambda", `function:${name}`],
  aws_s3_bucket: ({ bucket }) => ["s3", String(bucket)],
  aws_sfn_state_machine: ({ name }) => ["states", `stateMachine:${name}`],
  aws_sns_topic: ({ name }) => ["sns", String(name)],
  aws_sqs_queue: ({ name }) => ["sqs", String(name)],
  aws_ssm_parameter: ({ name }) => ["ssm", `parameter${name}`],
};

/** What is known only after AWS has made it, such as a subnet's number. */
const unknown = "unknown";

/** The stacks of one environment, in which references are followed. */
export class Stacks {
  constructor(
    private readonly templates: Readonly<Record<string, Template>>,
    private readonly place: { readonly account: string; readonly region: string; readonly partition: string },
  ) {}

  /** The tags that a stack's provider gives to all that it makes. */
  tagsOf(stack: string): Readonly<Record<string, string>> {
    return this.templates[stack]?.document.provider?.aws?.[0]?.default_tags?.[0]?.tags ?? {};
  }

  private arnOf(type: string, resource: Arguments): string | undefined {
    const made = arns[type]?.(resource);
    if (!made) {
      return undefined;
    }
    const { account, region, partition } = this.place;
    const [service, name] = made;
    const where = service === "s3" ? ":" : `${service === "iam" ? "" : region}:${account}`;
    return `arn:${partition}:${service}:${where}:${name}`;
  }

  /** The resources of some stacks that have an ARN and tags. */
  resourcesOf(...stacks: readonly string[]): readonly Required<Located>[] {
    return stacks.flatMap((stack) =>
      (this.templates[stack]?.all() ?? []).flatMap(([type, , resource]) => {
        const arn = this.arnOf(type, resource);
        return arn === undefined ? [] : [{ arn, tags: this.tagsOf(stack) }];
      }),
    );
  }

  /** Follows every reference within a text. */
  resolve(stack: string, text: string): Located {
    let tags: Readonly<Record<string, string>> | undefined;
    const arn = text.replace(/\$\{([^{}]*)\}/g, (_, reference: string) => {
      const found = this.follow(stack, reference);
      tags ??= found.tags;
      return found.arn;
    });
    return tags ? { arn, tags } : { arn };
  }

  private follow(stack: string, reference: string): Located {
    const document = this.templates[stack]?.document;
    const [, local] = /^local\.([\w-]+)$/.exec(reference) ?? [];
    const behind: unknown = local === undefined ? undefined : document?.locals?.[local];
    if (typeof behind === "string") {
      return this.resolve(stack, behind);
    }

    const [, parameter] = /^data\.aws_ssm_parameter\.([\w-]+)\.insecure_value$/.exec(reference) ?? [];
    if (parameter !== undefined) {
      const name: unknown = document?.data?.aws_ssm_parameter?.[parameter]?.name;
      for (const [publisher, template] of Object.entries(this.templates)) {
        const published = Object.values(template.resources("aws_ssm_parameter")).find((each) => each.name === name);
        if (published) {
          return this.resolve(publisher, String(published.insecure_value));
        }
      }
    }

    const [, type = "", name = "", attribute = ""] = /^(\w+)\.([\w-]+)\.(\w+)$/.exec(reference) ?? [];
    const resource = this.templates[stack]?.resources(type)[name];
    if (!resource) {
      return { arn: unknown };
    }
    if (attribute === "arn") {
      return { arn: this.arnOf(type, resource) ?? unknown, tags: this.tagsOf(stack) };
    }
    if (attribute === "stream_arn") {
      return { arn: `${this.arnOf(type, resource) ?? unknown}/stream/*` };
    }
    const value: unknown = attribute === "id" ? (resource.bucket ?? resource.name) : resource[attribute];
    return typeof value === "string" ? this.resolve(stack, value) : { arn: unknown };
  }
}

/**
 * What the boundary knows of a request before it is made: the conditions under which the role's statement holds, and
 * the tags of what it names.
 */
class Circumstances {
  constructor(
    private readonly conditions: NonNullable<RenderedStatement["Condition"]>,
    private readonly tags: Readonly<Record<string, string>> | undefined,
  ) {}

  /** The values that a key of a request can have; undefined where it can be any. */
  private valuesOf(key: string): readonly string[] | undefined {
    const [, tag] = /^aws:ResourceTag\/(\w+)$/.exec(key) ?? [];
    if (tag !== undefined && this.tags) {
      return [this.tags[tag] ?? ""];
    }
    const equal = this.conditions.StringEquals?.[key];
    return equal === undefined ? undefined : list(equal);
  }

  /** Whether a condition of the boundary holds for every such request. */
  imply(conditions: RenderedStatement["Condition"] = {}): boolean {
    return Object.entries(conditions).every(([operator, keys]) =>
      Object.entries(keys).every(([key, wanted]) => {
        if (operator === "StringEquals") {
          return this.valuesOf(key)?.every((value) => list(wanted).includes(value));
        }
        return JSON.stringify(this.conditions[operator]?.[key]) === JSON.stringify(wanted);
      }),
    );
  }

  /** Whether a condition of the boundary holds for no such request. */
  refute(conditions: RenderedStatement["Condition"] = {}): boolean {
    return Object.entries(conditions).some(([operator, keys]) =>
      Object.entries(keys).some(([key, wanted]) => {
        if (operator !== "StringEquals") {
          return false;
        }
        return this.valuesOf(key)?.every((value) => !list(wanted).includes(value));
      }),
    );
  }
}

/** A role's statement and the stack in which it stands. */
export interface Holder {
  readonly stack: string;
  readonly statement: RenderedStatement;
}

/**
 * What a role's statement allows and its boundary does not, in words; nothing for a statement that refuses.
 *
 * A refusal of the boundary that asks for a tag is held against the resources which have that tag, as far as a pattern
 * names them: of a pattern such as `key/*` the tag alone decides.
 */
export function outside(
  boundary: readonly RenderedStatement[],
  stacks: Stacks,
  { stack, statement }: Holder,
): string[] {
  if (statement.Effect !== "Allow") {
    return [];
  }
  const conditions = statement.Condition ?? {};
  const owner = conditions.StringEquals?.["aws:ResourceTag/Stack"];
  const found: string[] = [];
  for (const resource of list(statement.Resource)) {
    const { arn, tags: known } = stacks.resolve(stack, resource);
    const circumstances = new Circumstances(conditions, typeof owner === "string" ? stacks.tagsOf(owner) : known);
    for (const action of list(statement.Action)) {
      const what = `${stack} ${statement.Sid}: ${action} on ${arn}`;
      const allowed = boundary.some(
        ({ Effect, Action, Resource, Condition }) =>
          Effect === "Allow" &&
          list(Action).some((pattern) => contains(pattern, action)) &&
          list(Resource).some((pattern) => contains(pattern, arn)) &&
          circumstances.imply(Condition),
      );
      if (!allowed) {
        found.push(`${what} is not allowed`);
      }
      for (const { Sid, Effect, Action, Resource, Condition } of boundary) {
        if (Effect !== "Deny" || circumstances.refute(Condition)) {
          continue;
        }
        if (!list(Action).some((pattern) => overlaps(pattern, action))) {
          continue;
        }
        const tags = list(Condition?.StringEquals?.["aws:ResourceTag/Stack"] ?? []);
        const refused =
          tags.length === 0
            ? // What knows no resources is refused by what names none.
              list(Resource).some((pattern) => (arn === "*" ? pattern === "*" : overlaps(pattern, arn)))
            : circumstances.imply(Condition) ||
              (arn.includes("acme-") && stacks.resourcesOf(...tags).some((each) => contains(arn, each.arn)));
        if (refused) {
          found.push(`${what} is refused by ${Sid}`);
        }
      }
    }
  }
  return found;
}
