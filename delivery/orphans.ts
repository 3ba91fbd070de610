/**
 * Finds orphans: resources that exist but are not in the state. A deploy leaves them when its machine dies, and `make
 * bootstrap` makes the state bucket before there is a state.
 *
 * Terraform saves a state every twenty seconds, and when it ends in any way. Only if it is killed, resources created
 * since the last save are unknown. Most of them have unique names, so the next deploy fails on them. Then this module
 * imports, in a plan, all resources that are still to be created and whose id follows from their name, drops those that
 * do not exist, and writes import blocks for the rest. The deploy that follows imports them and creates what is
 * missing.
 *
 * Some resources with generated ids can be looked up: a KMS key by its alias, a web ACL by its name, a function's event
 * source by the function. Resources without a name (a KMS key without an alias, an API, a subnet) can't be found: see
 * docs/runbooks.md, "A machine failed during a deploy".
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KMS, paginateListAliases } from "@aws-sdk/client-kms";
import { Lambda, LambdaServiceException, paginateListEventSourceMappings } from "@aws-sdk/client-lambda";
import { awsServices } from "../aws-services";
import type { Arguments } from "../aws-services/arguments";
import type { Place } from "../aws-services/arn";
import {
  DeploymentError,
  type ResourceChange,
  type SynthesizedStack,
  type TerraformPlan,
  Workspace,
} from "./terraform";

/** A Terraform import block: imports the resource with this id to this address. */
export interface Import {
  readonly to: string;
  readonly id: string;
  /** Arguments of a data source of the same type and name, from which `id` is made. @default none: `id` is known */
  readonly lookup?: Arguments;
}

/** A resource's region; by default the environment's. */
const regionOf = ({ region }: Arguments, place: Place): string => (typeof region === "string" ? region : place.region);

/**
 * An id for an import block: with its region if that is not the provider's (AWS provider, guide "Enhanced Region
 * Support").
 */
const idIn = (region: string, place: Place, id: string): string => (region === place.region ? id : `${id}@${region}`);

/** Import blocks for resources that a plan would create and that may already exist under their name. */
export function candidates({ resource_changes: changes = [] }: TerraformPlan, place: Place): readonly Import[] {
  return changes.flatMap(({ address, type, change }) => {
    if (change.actions.join() !== "create") {
      return [];
    }
    const after = (change.after ?? {}) as Arguments;
    const region = regionOf(after, place);
    const { importId, lookUpBy } = awsServices.find(type) ?? {};
    const id =
      typeof importId === "function" ? importId(after, { ...place, region, address }) : after[importId ?? "undefined"];
    if (typeof id !== "string" || /\bundefined\b/.test(id)) {
      return [];
    }
    const lookup = lookUpBy && { region, ...Object.fromEntries(lookUpBy.map((name) => [name, after[name]])) };
    return [{ to: address, id: idIn(region, place, id), lookup }];
  });
}

/** The part of the plan's configuration with the aliases' keys. */
interface Configuration {
  readonly root_module?: {
    readonly resources?: readonly {
      readonly address: string;
      readonly expressions?: { readonly target_key_id?: { readonly references?: readonly string[] } };
    }[];
  };
}

/** A key that a plan would create, and its alias, because a key itself has no name. */
interface KeyAlias {
  readonly to: string;
  readonly alias: string;
  readonly region: string;
}

/** The aliases of all keys that a plan would create. */
export function aliasesOfKeys(
  { resource_changes: changes = [], configuration }: TerraformPlan,
  place: Place,
): readonly KeyAlias[] {
  const created = new Map(
    changes.filter(({ change }) => change.actions.join() === "create").map((each) => [each.address, each.change]),
  );
  const { resources = [] } = (configuration as Configuration | undefined)?.root_module ?? {};
  return resources.flatMap(({ address, expressions }) => {
    const after = (created.get(address)?.after ?? {}) as Arguments;
    const key = expressions?.target_key_id?.references?.find((reference) => created.has(reference));
    return typeof after.name === "string" && key !== undefined
      ? [{ to: key, alias: after.name, region: regionOf(after, place) }]
      : [];
  });
}

/**
 * The key ids of a region's aliases, by alias. It lists aliases, as the provider does, because describing a key needs a
 * right on that key.
 */
async function keysBehind(region: string): Promise<ReadonlyMap<string, string>> {
  const kms = new KMS({ region });
  try {
    const keys = new Map<string, string>();
    for await (const { Aliases = [] } of paginateListAliases({ client: kms }, {})) {
      for (const { AliasName = "", TargetKeyId } of Aliases) {
        if (TargetKeyId !== undefined) {
          keys.set(AliasName, TargetKeyId);
        }
      }
    }
    return keys;
  } finally {
    kms.destroy();
  }
}

/** Import blocks for existing keys that a plan would create. */
async function keys(plan: TerraformPlan, place: Place, ask: typeof keysBehind): Promise<readonly Import[]> {
  const aliases = aliasesOfKeys(plan, place);
  const known = new Map<string, ReadonlyMap<string, string>>();
  for (const region of new Set(aliases.map((each) => each.region))) {
    known.set(region, await ask(region));
  }
  return aliases.flatMap(({ to, alias, region }) => {
    const id = known.get(region)?.get(alias);
    return id === undefined ? [] : [{ to, id: idIn(region, place, id) }];
  });
}

/** A function's event source: the mapping's id, and the ARN of the source. */
export interface EventSource {
  readonly id: string;
  readonly source: string;
}

/** A function's event sources; empty if the function does not exist, or listing them is denied. */
async function eventSourcesOf(functionName: string, region: string): Promise<readonly EventSource[]> {
  const lambda = new Lambda({ region });
  try {
    const found: EventSource[] = [];
    for await (const { EventSourceMappings = [] } of paginateListEventSourceMappings(
      { client: lambda },
      { FunctionName: functionName },
    )) {
      for (const { UUID: id = "", EventSourceArn: source = "" } of EventSourceMappings) {
        found.push({ id, source });
      }
    }
    return found;
  } catch (error) {
    const refused = ["ResourceNotFoundException", "AccessDeniedException"];
    if (error instanceof LambdaServiceException && refused.includes(error.name)) {
      return [];
    }
    throw error;
  } finally {
    lambda.destroy();
  }
}

/**
 * Import blocks for existing event sources that a plan would create. A source that does not exist yet has no ARN to
 * compare.
 */
async function eventSources(
  { resource_changes: changes = [] }: TerraformPlan,
  place: Place,
  ask: typeof eventSourcesOf,
): Promise<readonly Import[]> {
  const found: Import[] = [];
  for (const { address, type, change } of changes) {
    if (type !== "aws_lambda_event_source_mapping" || change.actions.join() !== "create") {
      continue;
    }
    const after = (change.after ?? {}) as Arguments;
    const { function_name: name, event_source_arn: wanted } = after;
    if (typeof name !== "string") {
      continue;
    }
    const region = regionOf(after, place);
    const [only, ...others] = (await ask(name, region)).filter(
      ({ source }) => typeof wanted !== "string" || source === wanted,
    );
    if (only !== undefined && others.length === 0) {
      found.push({ to: address, id: idIn(region, place, only.id) });
    }
  }
  return found;
}

/** The import blocks at which a plan failed, because nothing has their id, or the lookup is denied. */
export function missingIn(said: string, imports: readonly Import[]): readonly Import[] {
  const text = said.replace(/\s+/g, " ");
  const lookups = text.split(/(?=\bError: )/).filter((each) => /WebACL not found|AccessDenied/.test(each));
  return imports.filter(
    ({ to, id, lookup }) =>
      text.includes(`import an existing object to "${to}"`) ||
      (text.includes(`importing`) && text.includes(`(${id})`)) ||
      (lookup !== undefined && lookups.some((each) => each.includes(`with data.${to},`))),
  );
}

const file = "orphans.tf.json";

/** Removes the import blocks of an earlier deploy. */
export function forgetOrphans({ folder }: SynthesizedStack): void {
  rmSync(join(folder, file), { force: true });
}

/** Options of the search for orphans. */
export interface Search {
  readonly workspace: Workspace;
  readonly stack: SynthesizedStack;
  readonly place: Place;
  /** The stack's plan without import blocks. */
  readonly plan: TerraformPlan;
  /** Path of a file for intermediate plans. */
  readonly file: string;
  /** The key ids of a region's aliases. @default KMS is asked */
  readonly keysBehind?: typeof keysBehind;
  /** A function's event sources. @default Lambda is asked */
  readonly eventSourcesOf?: typeof eventSourcesOf;
}

/**
 * Finds orphans, and writes import blocks for them beside the stack; `forgetOrphans` removes these.
 * @returns the addresses of the imported resources
 * @throws DeploymentError when another stack, or somebody else, made the resource with that name
 */
export async function findOrphans(search: Search): Promise<readonly string[]> {
  const { workspace, stack, place, plan, file: planFile } = search;
  let imports = [
    ...candidates(plan, place),
    ...(await keys(plan, place, search.keysBehind ?? keysBehind)),
    ...(await eventSources(plan, place, search.eventSourcesOf ?? eventSourcesOf)),
  ];
  while (imports.length > 0) {
    writeFileSync(join(stack.folder, file), JSON.stringify(blocksOf(imports), null, 2));
    try {
      await workspace.plan({ file: planFile });
      break;
    } catch (error) {
      const missing = error instanceof DeploymentError ? missingIn(error.details, imports) : [];
      forgetOrphans(stack);
      if (missing.length === 0) {
        throw error;
      }
      imports = imports.filter((each) => !missing.includes(each));
    }
  }
  if (imports.length === 0) {
    return [];
  }
  const { resource_changes: changes = [] } = await workspace.show(planFile);
  const found = changes.filter(({ change }) => change.importing !== undefined);
  const foreign = found.find((change) => !isOurs(change) || change.change.actions.includes("delete"));
  if (foreign) {
    forgetOrphans(stack);
    throw new DeploymentError(
      `${foreign.address} of ${stack.id} needs a name that an existing resource has: ` +
        `it ${isOurs(foreign) ? "can't be changed to the stack's settings without replacing it" : "has other tags than the stack's"}.`,
      "Look at it in AWS. Remove it if nobody needs it, or give the stack's resource another name; then run this again.",
    );
  }
  return found.map(({ address }) => address);
}

/** Import blocks and their data sources, in Terraform's JSON. */
function blocksOf(imports: readonly Import[]): object {
  const data: Record<string, Record<string, Arguments>> = {};
  for (const { to, lookup } of imports) {
    const [type = "", name = ""] = to.split(".");
    if (lookup) {
      data[type] = { ...data[type], [name]: lookup };
    }
  }
  return { data: Object.keys(data).length > 0 ? data : undefined, import: imports.map(({ to, id }) => ({ to, id })) };
}

/**
 * Whether an existing resource has the stack's tags. A bucket gets its tags by a separate call, which may be missing.
 */
function isOurs({ type, change }: ResourceChange): boolean {
  const tagsOf = (values: unknown): Readonly<Record<string, string>> =>
    (values as { readonly tags_all?: Readonly<Record<string, string>> | null } | null)?.tags_all ?? {};
  const [there, wanted] = [tagsOf(change.before), tagsOf(change.after)];
  if (awsServices.find(type)?.taggedLater === true && Object.keys(there).length === 0) {
    return true;
  }
  return ["Project", "Environment", "Stack"].every((name) => there[name] === wanted[name]);
}
