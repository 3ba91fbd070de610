/**
 * Plans an environment's stacks, in parallel and in a temporary folder: it does not disturb `make deploy`, and leaves
 * nothing behind.
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

/** Options for planning. */
export interface PlanOptions {
  readonly environment: Environment;
  /** @default all stacks */
  readonly stack?: StackId;
  /** The names that may be replaced or deleted, from `readAllowed`. */
  readonly allowed: readonly string[];
  /** Called for each finished stack. */
  readonly onStack: (summary: StackSummary, seconds: number) => void;
  /** The existing parameters of the contract, by SSM name. @default SSM is asked */
  readonly valuesOf?: (region: string, names: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

/** Peak memory of a plan in bytes: Terraform and the AWS provider 6.25, measured and rounded up. */
const memoryOfPlan = 1.2e9;

/** Number of parallel plans, limited by cores and free memory. */
export function planSlots(cores = availableParallelism(), memory = freemem()): number {
  return Math.max(1, Math.min(8, cores, Math.floor(memory / memoryOfPlan)));
}

/**
 * Works on all items in order, at most `slots` at once.
 * @throws the first error; further items are not started then
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
  // All must end before their folder is removed.
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
 * Removes `prevent_destroy` from a stack that is only planned. With it, Terraform stops at the first protected resource
 * and reports neither the reason nor the rest. The guard refuses afterwards, with the full list.
 * @returns the addresses that it protected
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

/** The missing values that a stack reads, by the stack it waits for. */
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

/** Marks each stack with the parameters that it reads and another stack's plan changes or deletes. */
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
 * The environment variables for Terraform: providers are cached between runs, and less frequent garbage collection
 * saves a third of the time.
 */
function variablesForPlans(): NodeJS.ProcessEnv {
  const providers = process.env.TF_PLUGIN_CACHE_DIR ?? join(projectRoot, "cdktf.out", "providers");
  mkdirSync(providers, { recursive: true });
  return {
    GOGC: "400",
    ...process.env,
    TF_PLUGIN_CACHE_DIR: providers,
    // Stacks are synthesized each time, so there is no lock file that could break.
    TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE: "1",
  };
}

/**
 * The first stack of each set of providers: its `init` fills the provider cache. Two at once could damage the cache.
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
    throw new DeploymentError("The diff was interrupted; nothing has changed.", "Run it again.");
  }
}

/**
 * Plans an environment's stacks, or one of them. It takes no locks, because nobody applies these plans.
 * @throws DeploymentError when no stack can be planned at all: no credentials, state bucket or provider. A single
 * stack's error is in its summary
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

    // An error here (no bucket, token or provider) would occur for every stack.
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
      `SSM did not return what the stacks read from one another (${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}).`,
      "Sign in with a role that may read parameters (ssm:GetParameters), and run it again.",
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
