/**
 * A stack in HCL, for people who read Terraform and not CDKTF.
 *
 *     writeStack(document, shapesOf(fragments));   // { "terraform.tf": "…", "main.tf": "…" }
 *
 * The values come from the stack's JSON, which is what is deployed. The JSON doesn't tell a block from an attribute, so
 * that this comes from CDKTF's constructs, which know it from the provider's schema. CDKTF's own `--hcl` writes texts
 * that have both quotes and expressions, as policies do, in a form that Terraform can't parse (cdktf 0.21,
 * lib/hcl/render.js, escapeQuotes).
 */
import { expression, jsonWithin } from "./template";

/** Any object of a stack's JSON. */
export type Body = Readonly<Record<string, unknown>>;

/** Which entries of a body are blocks, and the same for what is in them. */
export interface Shape {
  readonly attributes: ReadonlySet<string>;
  readonly blocks: ReadonlyMap<string, Shape>;
}

/**
 * The shapes of a stack: by the address of a resource (`aws_s3_bucket.data`), data source (`data.aws_…`) or provider
 * (`provider.aws.0`).
 */
export type Shapes = ReadonlyMap<string, Shape>;

const isBody = (value: unknown): value is Body => typeof value === "object" && value !== null && !Array.isArray(value);

/** An attribute as CDKTF's constructs describe it; providers of a stack spell it with underscores. */
interface Described {
  readonly value: unknown;
  readonly isBlock?: boolean;
  readonly is_block?: boolean;
}

const isDescribed = (value: unknown): value is Described =>
  isBody(value) && "value" in value && ("isBlock" in value || "is_block" in value);

/** The shape of a body that CDKTF's constructs describe. */
export function shapeOf(described: Body): Shape {
  const attributes = new Set<string>();
  const blocks = new Map<string, Shape>();
  for (const [name, entry] of Object.entries(described)) {
    if (!isDescribed(entry)) {
      continue;
    }
    if (!(entry.isBlock ?? entry.is_block)) {
      attributes.add(name);
      continue;
    }
    const bodies = (Array.isArray(entry.value) ? entry.value : [entry.value]).filter(isBody);
    blocks.set(name, bodies.map(shapeOf).reduce(merge, { attributes: new Set(), blocks: new Map() }));
  }
  return { attributes, blocks };
}

function merge(one: Shape, other: Shape): Shape {
  const blocks = new Map(one.blocks);
  for (const [name, shape] of other.blocks) {
    const before = blocks.get(name);
    blocks.set(name, before ? merge(before, shape) : shape);
  }
  return { attributes: new Set([...one.attributes, ...other.attributes]), blocks };
}

/**
 * Blocks that hold themselves, so that CDKTF takes them as they are and knows nothing of what is in them. The
 * provider's schema has no maps there: whatever is an object, or a list of objects, is a block.
 */
const recursiveBlocks: ReadonlySet<string> = new Set(["aws_wafv2_web_acl.rule.statement"]);

const isRecursive = (place: string, name: string): boolean => {
  const [type, , ...path] = place.split(".");
  return recursiveBlocks.has([type, ...path, name].join("."));
};

/** The shape of a block's content, told by what it holds. */
function shapeByContent(content: unknown): Shape {
  const shapes = (Array.isArray(content) ? content : [content]).filter(isBody).map((entries): Shape => {
    const [attributes, blocks] = [new Set<string>(), new Map<string, Shape>()];
    for (const [name, entry] of Object.entries(entries)) {
      if (isBody(Array.isArray(entry) ? entry[0] : entry)) {
        blocks.set(name, shapeByContent(entry));
      } else {
        attributes.add(name);
      }
    }
    return { attributes, blocks };
  });
  return shapes.reduce(merge, { attributes: new Set(), blocks: new Map() });
}

const key = (name: string): string => (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) ? name : expression(name));

/** A value that is not a block. */
function value(entry: unknown): string {
  if (typeof entry === "string") {
    return expression(entry);
  }
  if (typeof entry === "number" || typeof entry === "boolean" || entry === null) {
    return JSON.stringify(entry);
  }
  if (Array.isArray(entry)) {
    const items = entry.map(value);
    const line = `[${items.join(", ")}]`;
    return line.length <= 100 && !line.includes("\n") ? line : `[\n${items.map((item) => `${item},\n`).join("")}]`;
  }
  if (isBody(entry)) {
    const lines = Object.entries(entry).map(([name, inner]) => `${key(name)} = ${value(inner)}\n`);
    return lines.length === 0 ? "{}" : `{\n${lines.join("")}}`;
  }
  throw new Error(`A ${typeof entry} is not a value that HCL could write.`);
}

/** Arguments whose text is a JSON document, which whoever reads it would rather see as such. */
const documents = /(^|_)(policy|definition|pattern|body|document)$/;

function argument(name: string, entry: unknown): string {
  const json = documents.test(name) && typeof entry === "string" ? jsonWithin(entry) : undefined;
  return json === undefined ? value(entry) : `jsonencode(${value(json)})`;
}

/**
 * Arguments of Terraform itself, which hold references and names, not texts (Terraform language documentation,
 * "Meta-arguments").
 */
const metaArguments: Readonly<Record<string, (entry: unknown) => string>> = {
  depends_on: references,
  provider: (entry) => entry as string,
};

const lifecycleArguments: Readonly<Record<string, (entry: unknown) => string>> = {
  ignore_changes: (entry) => (entry === "all" ? "all" : references(entry)),
  replace_triggered_by: references,
};

function references(entry: unknown): string {
  return `[${(entry as readonly string[]).map((reference) => reference.replace(/^\$\{(.*)\}$/s, "$1")).join(", ")}]`;
}

const lifecycleShape: Shape = {
  attributes: new Set(["create_before_destroy", "prevent_destroy"]),
  blocks: new Map(
    ["precondition", "postcondition"].map((name) => [
      name,
      { attributes: new Set(["condition", "error_message"]), blocks: new Map() },
    ]),
  ),
};

/**
 * The inside of a block: attributes, then blocks, then what Terraform itself reads.
 * @throws Error that names the argument that is neither an attribute nor a block by what CDKTF knows
 */
function body(entries: Body, shape: Shape, place: string, special = metaArguments): string {
  const attributes: string[] = [];
  const blocks: string[] = [];
  const behind: string[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const inner = shape.blocks.get(name) ?? (isRecursive(place, name) ? shapeByContent(entry) : undefined);
    const asSpecial = special[name];
    // CDKTF's own notes; and what it leaves empty.
    if (name === "//" || entry === undefined || entry === null) {
      continue;
    } else if (name === "lifecycle" && isBody(entry)) {
      behind.unshift(block("lifecycle", [], body(entry, lifecycleShape, `${place}.lifecycle`, lifecycleArguments)));
    } else if (asSpecial) {
      (name === "depends_on" ? behind : attributes).push(`${name} = ${asSpecial(entry)}\n`);
    } else if (Array.isArray(entry) && entry.length === 0) {
      if (inner === undefined || emptyLists.has(`${place.split(".")[0] ?? ""}.${name}`)) {
        attributes.push(`${key(name)} = []\n`);
      }
    } else if (inner) {
      for (const one of Array.isArray(entry) ? entry : [entry]) {
        if (!isBody(one)) {
          throw new Error(`${place}.${name} is a block; its content ${JSON.stringify(one)} is none.`);
        }
        blocks.push(block(name, [], body(one, inner, `${place}.${name}`, {})));
      }
    } else if (shape.attributes.has(name)) {
      attributes.push(`${key(name)} = ${argument(name, entry)}\n`);
    } else {
      throw new Error(
        `${place}.${name} comes from an override, so that nothing tells whether it is an attribute or a block. ` +
          "Set it by the construct's own properties, or teach delivery/hcl/write.ts what it is.",
      );
    }
  }
  return [attributes.join(""), ...blocks, ...behind].filter((text) => text !== "").join("\n");
}

function block(type: string, labels: readonly string[], inner: string): string {
  return `${[type, ...labels.map((label) => JSON.stringify(label))].join(" ")} {\n${inner}}\n`;
}

/**
 * Lists of blocks that may be said to be empty, which is not the same as saying nothing: the provider then takes away
 * what it finds (Terraform documentation, "Attributes as Blocks"). Any other block that a list has none of is just not
 * there.
 */
export const emptyLists: ReadonlySet<string> = new Set([
  "aws_default_network_acl.egress",
  "aws_default_network_acl.ingress",
  "aws_default_route_table.route",
  "aws_default_security_group.egress",
  "aws_default_security_group.ingress",
  "aws_network_acl.egress",
  "aws_network_acl.ingress",
  "aws_route_table.route",
  "aws_security_group.egress",
  "aws_security_group.ingress",
]);

/** A body of attributes alone. */
const attributesOf = (entries: Body): Shape => ({ attributes: new Set(Object.keys(entries)), blocks: new Map() });

function terraform(settings: Body): string {
  return block(
    "terraform",
    [],
    Object.entries(settings)
      .map(([name, entry]) => {
        if (name === "required_providers" && isBody(entry)) {
          return block(name, [], body(entry, attributesOf(entry), name));
        }
        if (name === "backend" && isBody(entry)) {
          return Object.entries(entry)
            .map(([type, inner]) => block(name, [type], body(inner as Body, attributesOf(inner as Body), name)))
            .join("\n");
        }
        if (name === "cloud" && isBody(entry)) {
          const { workspaces, ...rest } = entry;
          const inner = block("workspaces", [], body(workspaces as Body, attributesOf(workspaces as Body), name));
          return block(name, [], [body(rest, attributesOf(rest), name), inner].join("\n"));
        }
        throw new Error(`terraform.${name} is new to delivery/hcl/write.ts: teach it what that is.`);
      })
      .join("\n"),
  );
}

const none: Shape = { attributes: new Set(), blocks: new Map() };

/**
 * The files of a stack, by name: `terraform.tf` has providers and where the state is kept, `main.tf` the rest. Not
 * aligned yet, as `terraform fmt` would.
 * @throws Error that names what can't be written
 */
export function writeStack(document: Body, shapes: Shapes): Readonly<Record<"terraform.tf" | "main.tf", string>> {
  const settings: string[] = [];
  const main: string[] = [];
  const named = new Map<string, string>();
  for (const [section, content] of Object.entries(document)) {
    if (section === "//") {
      continue;
    }
    if (!isBody(content)) {
      throw new Error(`${section} of the stack is not an object.`);
    }
    if (section === "terraform") {
      settings.unshift(terraform(content));
    } else if (section === "provider") {
      for (const [name, instances] of Object.entries(content)) {
        for (const [index, instance] of (instances as readonly Body[]).entries()) {
          const shape = shapes.get(`provider.${name}.${index}`) ?? none;
          const withAlias = { ...shape, attributes: new Set([...shape.attributes, "alias"]) };
          settings.push(block("provider", [name], body(instance, withAlias, `provider.${name}`)));
        }
      }
    } else if (section === "locals") {
      main.unshift(block("locals", [], body(content, attributesOf(content), "locals")));
    } else if (section === "data" || section === "resource") {
      for (const [type, ofType] of Object.entries(content)) {
        for (const [name, entries] of Object.entries(ofType as Record<string, Body>)) {
          const address = `${section === "data" ? "data." : ""}${type}.${name}`;
          named.set(address, block(section, [type, name], body(entries, shapes.get(address) ?? none, address)));
        }
      }
    } else {
      throw new Error(`The section ${section} of a stack is new to delivery/hcl/write.ts: teach it what that is.`);
    }
  }
  // JSON has them by type; in the order of the constructs, a bucket stands beside its encryption and its policy.
  const order = [...shapes.keys()].filter((address) => named.has(address));
  for (const address of new Set([...order, ...named.keys()])) {
    main.push(named.get(address) ?? "");
  }
  return { "terraform.tf": settings.join("\n"), "main.tf": main.join("\n") };
}
