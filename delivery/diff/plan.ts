/**
 * Plans the stacks of an environment, side by side, in a folder of its own: no plan of `make deploy` is disturbed, and
 * nothing is left behind.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, freemem } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../environments";
import { projectRoot } from "../../modules/project-root";
import { contract, type ParameterName, placeholder, type StackId, stackIds } from "../../stacks/contract";
import { parametersReadBy, valuesOf } from "../dependencies";
import {
  DeploymentError,
  findTerraform,
  type Manifest,
  type SynthesizedStack,
  synthesize,
  Workspace,
} from "../terraform";
import { refusalsOf } from "./guard";
import { summarizeStack } from "./summarize";
import type { Awaited, PlanSummary, StackSummary } from "./summary";
import { inTemporaryFolder, type Interruption } from "./temporary";

/** What is planned, and how. */
export interface PlanOptions {
  readonly environment: Environment;
  /** @default all stacks */
  readonly stack?: StackId;
  /** What may be replaced or deleted, from `readAllowed`. */
  readonly allowed: readonly string[];
  /** Hears of each stack as it is done. */
  readonly onStack: (summary: StackSummary, seconds: number) => void;
  /** The parameters of the contract that are there, by their names in SSM. @default SSM is asked */
  readonly valuesOf?: (region: string, names: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

/** Memory of a plan at its peak, in bytes: Terraform and the AWS provider of 6.25, as measured, rounded up. */
const memoryOfPlan = 1.2e9;

/** Plans that run at once: as many as there are cores and free memory for. */
export function planSlots(cores = availableParallelism(), memory = freemem()): number {
  return Math.max(1, Math.min(8, cores, Math.floor(memory / memoryOfPlan)));
}

/**
 * Does each piece of work, at most `slots` at once, begun in their order.
 * @throws the first error; what hasn't begun by then isn't
 */
export async function sideBySide<Item>(
  items: readonly Item[],
  slots: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  let failed = false;
  const slot = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined && !failed; item = waiting.shift()) {
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  // All have to end before the folder in which they work is removed.
  const ends = await Promise.allSettled(Array.from({ length: slots }, slot));
  const refusal = ends.find((end) => end.status === "rejected");
  if (refusal) {
    throw refusal.reason;
  }
}

interface Document {
  readonly terraform?: { readonly required_providers?: unknown };
  readonly resource?: Readonly<
    Record<string, Readonly<Record<string, { lifecycle?: { prevent_destroy?: boolean } & Record<string, unknown> }>>>
  >;
}

/**
 * Takes `prevent_destroy` out of a stack that is only planned: with it Terraform stops at the first protected resource
 * that would go, and tells neither why nor what else. The guard refuses afterwards, with all of it in sight.
 * @returns the addresses that it protects
 */
export function liftProtection(folder: string): ReadonlySet<string> {
  const file = join(folder, "cdk.tf.json");
  const document = JSON.parse(readFileSync(file, "utf8")) as Document;
  const found = new Set<string>();
  for (const [type, resources] of Object.entries(document.resource ?? {})) {
    for (const [name, { lifecycle }] of Object.entries(resources)) {
      if (lifecycle?.prevent_destroy === true) {
        found.add(`${type}.${name}`);
        delete lifecycle.prevent_destroy;
      }
    }
  }
  writeFileSync(file, JSON.stringify(document, null, 1));
  return found;
}

const nameOfParameter = (ssmName: string): ParameterName => ssmName.split("/").pop() as ParameterName;

/** What a stack reads and can't have yet, by the stack that it waits for. */
export function awaitedBy(reads: readonly string[], values: ReadonlyMap<string, string>): Awaited[] {
  const awaited: Awaited[] = [];
  for (const stack of stackIds) {
    const read = reads.map((ssmName) => ({ ssmName, name: nameOfParameter(ssmName) }));
    const published = read.filter(({ name }) => contract[name].publisher === stack);
    const missing = published.filter(({ ssmName }) => !values.has(ssmName)).map(({ name }) => name);
    const empty = published.filter(({ ssmName }) => values.get(ssmName) === placeholder).map(({ name }) => name);
    if (missing.length > 0) {
      awaited.push({ stack, parameters: missing, until: "deployed" });
    }
    if (empty.length > 0) {
      awaited.push({ stack, parameters: empty, until: "run" });
    }
  }
  return awaited;
}

/** Tells each stack which of the parameters that it reads another stack's plan changes or deletes. */
export function markReaders(stacks: readonly StackSummary[]): StackSummary[] {
  const changing = stacks.flatMap(({ stack, resources }) =>
    resources.flatMap(({ address, action, attributes }) => {
      const [type, parameter = ""] = address.split(".");
      const isRead = type === "aws_ssm_parameter" && Object.hasOwn(contract, parameter);
      const changes =
        action === "delete" || action === "replace" || attributes.some(({ path }) => path === "insecure_value");
      return isRead && changes ? [{ parameter, stack }] : [];
    }),
  );
  return stacks.map((summary) => ({
    ...summary,
    readsChanging: changing.filter(({ parameter }) =>
      (contract[parameter as ParameterName].readers as readonly StackId[]).includes(summary.stack),
    ),
  }));
}

/**
 * The environment variables for Terraform: providers are kept between runs, and its memory is collected less often,
 * which saves a third of its time.
 */
function variablesForPlans(): NodeJS.ProcessEnv {
  const providers = process.env.TF_PLUGIN_CACHE_DIR ?? join(projectRoot, "cdktf.out", "providers");
  mkdirSync(providers, { recursive: true });
  return {
    GOGC: "400",
    ...process.env,
    TF_PLUGIN_CACHE_DIR: providers,
    // The stacks are synthesized again each time, so that there is no lock file that could break.
    TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE: "1",
  };
}

/**
 * The stacks whose `init` puts the providers into the cache: the first of each set of providers. Two at once could
 * damage the cache.
 */
function firstOfEachProviders(stacks: readonly SynthesizedStack[]): readonly SynthesizedStack[] {
  const firsts = new Map<string, SynthesizedStack>();
  for (const stack of stacks) {
    const { terraform } = JSON.parse(readFileSync(join(stack.folder, "cdk.tf.json"), "utf8")) as Document;
    const providers = JSON.stringify(terraform?.required_providers ?? {});
    if (!firsts.has(providers)) {
      firsts.set(providers, stack);
    }
  }
  return [...firsts.values()];
}

function chosenStacks({ stacks }: Manifest, { environment, stack }: PlanOptions): readonly SynthesizedStack[] {
  if (stack === undefined) {
    return stacks;
  }
  const chosen = stacks.filter(({ id }) => id === stack);
  if (chosen.length === 0) {
    throw new DeploymentError(
      `The environment ${environment.name} has no stack ${stack}; it has ${stacks.map(({ id }) => id).join(", ")}.`,
      "Choose one of these, or another ENVIRONMENT.",
    );
  }
  return chosen;
}

function stopWhenInterrupted({ signal }: Interruption): void {
  if (signal !== undefined) {
    throw new DeploymentError("The diff was interrupted; nothing has changed.", "Type it again.");
  }
}

/**
 * Plans an environment's stacks, or one of them. Nothing is locked, for nobody applies these plans.
 * @throws DeploymentError when no stack can be planned at all: no credentials, no state bucket, no provider. What is
 * wrong with one stack is in its summary
 */
export async function planEnvironment(options: PlanOptions): Promise<PlanSummary> {
  const { environment, allowed, onStack, valuesOf: ask = valuesOf } = options;
  const terraform = await findTerraform();
  return inTemporaryFolder(async (folder, interruption) => {
    const manifest = await synthesize(environment.name, join(folder, "stacks"));
    const stacks = chosenStacks(manifest, options);
    const variables = variablesForPlans();
    const workspaceOf = ({ id, folder: work }: SynthesizedStack): Workspace =>
      new Workspace({ folder: work, stack: id, environment, terraform, variables });

    const reads = new Map(stacks.map((stack) => [stack.id, parametersReadBy(stack)]));
    const values = await askForValues(ask, environment, [...new Set([...reads.values()].flat())]);
    const summaries = new Map<StackId, StackSummary>();
    const planned: SynthesizedStack[] = [];
    for (const stack of stacks) {
      const awaits = awaitedBy(reads.get(stack.id) ?? [], values);
      if (awaits.length === 0) {
        planned.push(stack);
      } else {
        summaries.set(stack.id, { stack: stack.id, status: "waiting", resources: [], awaits, readsChanging: [] });
      }
    }

    // What fails here (no bucket, no token, no provider) would fail for every stack.
    const firsts = firstOfEachProviders(planned);
    for (const stack of firsts) {
      stopWhenInterrupted(interruption);
      await workspaceOf(stack).init();
    }
    await sideBySide(planned, planSlots(), async (stack) => {
      stopWhenInterrupted(interruption);
      const begin = performance.now();
      const workspace = workspaceOf(stack);
      if (!firsts.includes(stack)) {
        await workspace.init();
      }
      const summary = await planStack(stack, workspace, interruption);
      summaries.set(stack.id, summary);
      onStack(summary, (performance.now() - begin) / 1_000);
    });

    const ordered = markReaders(stacks.flatMap(({ id }) => summaries.get(id) ?? []));
    return {
      format: "acme-plan-summary",
      version: 1,
      environment: environment.name,
      stacks: ordered,
      refused: refusalsOf(ordered, allowed),
    };
  });
}

async function askForValues(
  ask: typeof valuesOf,
  { region }: Environment,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (names.length === 0) {
    return new Map();
  }
  try {
    return await ask(region, names);
  } catch (error) {
    throw new DeploymentError(
      `SSM does not tell what the stacks read of one another (${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}).`,
      "Sign in with a role that may read parameters (ssm:GetParameters), and type it again.",
    );
  }
}

async function planStack(
  { id, folder }: SynthesizedStack,
  workspace: Workspace,
  interruption: Interruption,
): Promise<StackSummary> {
  const file = join(folder, "diff.plan");
  try {
    const protectedAddresses = liftProtection(folder);
    const { changes } = await workspace.plan({ file, lock: false });
    if (!changes) {
      return { stack: id, status: "unchanged", resources: [], awaits: [], readsChanging: [] };
    }
    return summarizeStack(id, await workspace.show(file), protectedAddresses);
  } catch (error) {
    stopWhenInterrupted(interruption);
    if (!(error instanceof DeploymentError)) {
      throw error;
    }
    const { problem, next, details } = error;
    return {
      stack: id,
      status: "failed",
      resources: [],
      awaits: [],
      readsChanging: [],
      error: { problem, next, details },
    };
  } finally {
    rmSync(file, { force: true });
  }
}
