/**
 * What is there and the state doesn't know: what a deploy has made whose machine died under it, and the bucket that
 * `make bootstrap` makes before there is a state.
 *
 * Terraform saves a state in S3 every twenty seconds while it works, and when it ends in whatever way it may; only when
 * it is killed together with all that it could tell, what it made since the last save is known to nobody. Most of that
 * has names that can't be given twice, so the next deploy meets it, and stops. Then this finds it: it has Terraform
 * import, in a plan, all that is still to be created and has an id by its name, leaves out what isn't there, and writes
 * the rest down as import blocks. The deploy that follows takes it over and makes what is missing.
 *
 * What has a number for an id, and can be found all the same, is looked up: a KMS key by its alias, a web ACL by its
 * name, a function's event source by the function. What has no name of its own (a KMS key without an alias yet, an API,
 * a subnet) can't be found so: see docs/runbooks.md, "A machine died in a deploy".
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KMSClient, paginateListAliases } from "@aws-sdk/client-kms";
import { LambdaClient, LambdaServiceException, paginateListEventSourceMappings } from "@aws-sdk/client-lambda";
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

/** An import block of Terraform: the resource with this id is the one at this address. */
export interface Import {
  readonly to: string;
  readonly id: string;
  /**
   * Arguments of a data source, of the resource's own type and name, of which `id` is made. @default none: `id` is
   * known
   */
  readonly lookup?: Arguments;
}

/** The region in which a resource stands; most stand where the environment does. */
const regionOf = ({ region }: Arguments, place: Place): string => (typeof region === "string" ? region : place.region);

/**
 * An id as an import block takes it: with its region, where that is not the provider's (AWS provider, guide "Enhanced
 * Region Support").
 */
const idIn = (region: string, place: Place, id: string): string => (region === place.region ? id : `${id}@${region}`);

/** Import blocks for all that a plan would create and that could be there already under its name. */
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

/** The part of the plan's configuration that tells to which key an alias leads. */
interface Configuration {
  readonly root_module?: {
    readonly resources?: readonly {
      readonly address: string;
      readonly expressions?: { readonly target_key_id?: { readonly references?: readonly string[] } };
    }[];
  };
}

/** A key that a plan would create, and the alias by which it could be found: it has no name of its own. */
interface KeyAlias {
  readonly to: string;
  readonly alias: string;
  readonly region: string;
}

/** The alias by which each key could be found that a plan would create. */
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
 * The ids of the keys to which a region's aliases lead, by the alias. It lists them, as the provider does: to describe
 * a key takes a right on that key.
 */
async function keysBehind(region: string): Promise<ReadonlyMap<string, string>> {
  const kms = new KMSClient({ region });
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

/** Import blocks for the keys that are there, of all that a plan would create. */
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

/** Where a function gets its events: the mapping's id, and the ARN of the source. */
export interface EventSource {
  readonly id: string;
  readonly source: string;
}

/** A function's event sources; none where there is no such function, or who deploys may not list them. */
async function eventSourcesOf(functionName: string, region: string): Promise<readonly EventSource[]> {
  const lambda = new LambdaClient({ region });
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
 * Import blocks for the event sources that are there, of all that a plan would create. A source that is yet to be made
 * has no ARN to compare.
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

/**
 * Those of the import blocks at which a plan has failed, for nothing has their id, or who deploys may not look it up.
 */
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

/** Forgets the import blocks of an earlier deploy. */
export function forgetOrphans({ folder }: SynthesizedStack): void {
  rmSync(join(folder, file), { force: true });
}

/** Where and how orphans are looked for. */
export interface Search {
  readonly workspace: Workspace;
  readonly stack: SynthesizedStack;
  readonly place: Place;
  /** What the stack's plan is without them. */
  readonly plan: TerraformPlan;
  /** Path of a file for the plans that are made on the way. */
  readonly file: string;
  /** The ids of the keys behind a region's aliases. @default KMS is asked */
  readonly keysBehind?: typeof keysBehind;
  /** A function's event sources. @default Lambda is asked */
  readonly eventSourcesOf?: typeof eventSourcesOf;
}

/**
 * Finds what is there, and writes import blocks for it beside the stack; `forgetOrphans` removes them.
 * @returns the addresses of what is taken over
 * @throws DeploymentError when something of that name is there that another stack, or somebody else, has made
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
      `${foreign.address} of ${stack.id} wants a name that something else has: ` +
        `it ${isOurs(foreign) ? "can't be made what the stack wants without replacing it" : "bears other tags than those of the stack"}.`,
      "Look at it in AWS. Remove it if nobody needs it, or give the resource of the stack another name; then type it again.",
    );
  }
  return found.map(({ address }) => address);
}

/** Import blocks, and the data sources that they need, in Terraform's JSON. */
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
 * Whether what is there bears the tags that the stack gives. A bucket gets its tags by a call of their own, which may
 * not have come.
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
