/**
 * Writes a stack as HCL, for people who read Terraform but not CDKTF.
 *
 *     writeStack(document, shapesOf(fragments));   // { "terraform.tf": "…", "main.tf": "…" }
 *
 * The values come from the stack's JSON, which is what is deployed. JSON does not distinguish blocks from attributes,
 * so this comes from CDKTF's constructs, which know the provider's schema. CDKTF's own `--hcl` writes strings with both
 * quotes and expressions, such as policies, in a form that Terraform can't parse (cdktf 0.21, lib/hcl/render.js,
 * escapeQuotes).
 */
import { expression, jsonWithin } from "./template";

/** Any object of a stack's JSON. */
export type Body = Readonly<Record<string, unknown>>;

/** The entries of a body that are blocks, recursively. */
export interface Shape {
  readonly attributes: ReadonlySet<string>;
  readonly blocks: ReadonlyMap<string, Shape>;
}

/**
 * The shapes of a stack, by the address of a resource (`aws_s3_bucket.data`), data source (`data.aws_…`) or provider
 * (`provider.aws.0`).
 */
export type Shapes = ReadonlyMap<string, Shape>;

const isBody = (value: unknown): value is Body => typeof value === "object" && value !== null && !Array.isArray(value);

/** An attribute's description by CDKTF's constructs; a stack's providers use underscores in it. */
interface Described {
  readonly value: unknown;
  readonly isBlock?: boolean;
  readonly is_block?: boolean;
}

const isDescribed = (value: unknown): value is Described =>
  isBody(value) && "value" in value && ("isBlock" in value || "is_block" in value);

/** The shape of a body from CDKTF's description. */
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
 * Recursive blocks, whose content CDKTF does not describe. The provider's schema has no maps there: every object, or
 * list of objects, is a block.
 */
const recursiveBlocks: ReadonlySet<string> = new Set(["aws_wafv2_web_acl.rule.statement"]);

const isRecursive = (place: string, name: string): boolean => {
  const [type, , ...path] = place.split(".");
  return recursiveBlocks.has([type, ...path, name].join("."));
};

/** The shape of a block, derived from its content. */
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

/** Arguments with a JSON document as text; `jsonencode` is easier to read. */
const documents = /(^|_)(policy|definition|pattern|body|document)$/;

function argument(name: string, entry: unknown): string {
  const json = documents.test(name) && typeof entry === "string" ? jsonWithin(entry) : undefined;
  return json === undefined ? value(entry) : `jsonencode(${value(json)})`;
}

/**
 * Terraform's own arguments, which contain references and names instead of strings (Terraform language documentation,
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
 * The content of a block: attributes, then blocks, then meta-arguments.
 * @throws Error that names an argument for which CDKTF knows neither an attribute nor a block
 */
function body(entries: Body, shape: Shape, place: string, special = metaArguments): string {
  const attributes: string[] = [];
  const blocks: string[] = [];
  const behind: string[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const inner = shape.blocks.get(name) ?? (isRecursive(place, name) ? shapeByContent(entry) : undefined);
    const asSpecial = special[name];
    // CDKTF's metadata, and empty values.
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
          throw new Error(`${place}.${name} is a block, but its content ${JSON.stringify(one)} is not an object.`);
        }
        blocks.push(block(name, [], body(one, inner, `${place}.${name}`, {})));
      }
    } else if (shape.attributes.has(name)) {
      attributes.push(`${key(name)} = ${argument(name, entry)}\n`);
    } else {
      throw new Error(
        `${place}.${name} comes from an override, so it is unknown whether it is an attribute or a block. ` +
          "Set it with the construct's own properties, or add it to delivery/hcl/write.ts.",
      );
    }
  }
  return [attributes.join(""), ...blocks, ...behind].filter((text) => text !== "").join("\n");
}

function block(type: string, labels: readonly string[], inner: string): string {
  return `${[type, ...labels.map((label) => JSON.stringify(label))].join(" ")} {\n${inner}}\n`;
}

/**
 * Lists of blocks for which empty differs from missing: an empty list makes the provider remove existing blocks
 * (Terraform documentation, "Attributes as Blocks"). Other empty lists are left out.
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

/** A body with only attributes. */
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
        throw new Error(`terraform.${name} is unknown to delivery/hcl/write.ts: add it there.`);
      })
      .join("\n"),
  );
}

const none: Shape = { attributes: new Set(), blocks: new Map() };

/**
 * The files of a stack by name: `terraform.tf` has providers and the backend, `main.tf` the rest. Not aligned yet;
 * `terraform fmt` does that.
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
      throw new Error(`The section ${section} of a stack is unknown to delivery/hcl/write.ts: add it there.`);
    }
  }
  // JSON groups them by type; in the order of the constructs, a bucket is next to its encryption and its policy.
  const order = [...shapes.keys()].filter((address) => named.has(address));
  for (const address of new Set([...order, ...named.keys()])) {
    main.push(named.get(address) ?? "");
  }
  return { "terraform.tf": settings.join("\n"), "main.tf": main.join("\n") };
}
