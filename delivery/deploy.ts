/**
 * `make deploy ENVIRONMENT= [STACK=]`: checks the prerequisites, shows the plan, asks, and lets cdktf deploy it.
 *
 * Exactly that plan is deployed. If somebody else has changed the state meanwhile, Terraform refuses the stale plan,
 * and deploy starts again with a new one.
 *
 * All stacks are deployed in the order of the contract, up to the first failure: later stacks would read what is
 * missing.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { awsServices } from "../aws-services";
import type { StackId } from "../stacks/contract";
import { keepsOwnState } from "../stacks/platform";
import { cdktfDeploy } from "./cdktf";
import { requireDependencies } from "./dependencies";
import { enforceGuard, type PlanSummary, readAllowed, refusalsOf, renderText, summarizeStack } from "./diff";
import { type Identity, requireAccount } from "./identity";
import { confirm, type Request, stackOf } from "./request";
import { requireOwnStateBucket, stateBucketExists } from "./state";
import { findOrphans, forgetOrphans } from "./orphans";
import {
  DeploymentError,
  ExistsError,
  findTerraform,
  type Manifest,
  ProtectedError,
  StaleError,
  type SynthesizedStack,
  synthesize,
  type TerraformPlan,
  Workspace,
} from "./terraform";

/** Options for a stack's deployment. */
export interface StackDeployment {
  readonly request: Request;
  readonly identity: Identity;
  readonly manifest: Manifest;
  readonly stack: SynthesizedStack;
  readonly terraform: string;
  readonly say: (text: string) => void;
  /** The command, shown for a retry. @default make deploy of this stack */
  readonly command?: string;
  /** Whether a plan that only creates or completes is applied without a question. @default false */
  readonly harmlessIsApproved?: boolean;
  /** Whether to search for existing resources at once. @default false: only after AWS reports that one exists */
  readonly takesOver?: boolean;
}

/** Runs the command. */
export async function deploy(request: Request, say: (text: string) => void): Promise<void> {
  const { environment, stack } = request;
  readAllowed(process.env.ALLOW_REPLACE);
  const terraform = await findTerraform();
  const identity = await requireAccount(environment);
  await requireStateBucket(request);
  say(
    `Deploying ${stack ?? "all stacks"} of ${environment.name} into account ${identity.account}, ${environment.region}, as ${identity.arn}.`,
  );
  const manifest = await synthesize(environment.name);
  const stacks = stack === undefined ? manifest.stacks : [stackOf(manifest, environment, stack)];

  const done: StackId[] = [];
  for (const each of stacks) {
    try {
      await deployStack({ request, identity, manifest, stack: each, terraform, say });
      done.push(each.id);
    } catch (error) {
      if (stack !== undefined) {
        throw error;
      }
      throw stopped(error, done, each.id, stacks.slice(done.length + 1));
    }
  }
  if (stacks.length > 1) {
    say(`✔ All of ${environment.name} is deployed: ${done.join(", ")}.`);
  }
}

/** Adds to an error which stacks are deployed. */
function stopped(
  error: unknown,
  done: readonly StackId[],
  failed: StackId,
  rest: readonly SynthesizedStack[],
): unknown {
  if (!(error instanceof DeploymentError)) {
    return error;
  }
  const stand = [
    done.length === 0 ? "No stack before it was deployed" : `Deployed: ${done.join(", ")}`,
    `stopped at ${failed}`,
    ...(rest.length === 0 ? [] : [`not begun: ${rest.map(({ id }) => id).join(", ")}`]),
  ];
  // Keep the error's class: a refusal has another exit status than a failure.
  const Kind = error.constructor as typeof DeploymentError;
  return new Kind(
    `${error.problem}\n  ${stand.join("; ")}.`,
    `${error.next} It goes on where it stopped: what stands is left as it is.`,
    error.details,
  );
}

/** @throws DeploymentError when the state bucket does not exist */
async function requireStateBucket({ environment }: Request): Promise<void> {
  if (environment.backend.type !== "s3" || (await stateBucketExists(environment))) {
    return;
  }
  throw new DeploymentError(
    `The state bucket of ${environment.name} (account ${environment.account}, ${environment.region}) does not exist.`,
    `make bootstrap ENVIRONMENT=${environment.name}`,
  );
}

/** How often a stale plan is made again before deploy gives up. */
const mostPlans = 5;

/**
 * Deploys one stack.
 * @throws RefusedError when data would be lost
 * @throws DeploymentError with what is missing, or with what Terraform said
 */
export async function deployStack(deployment: StackDeployment): Promise<void> {
  const { request, identity, manifest, stack, terraform, say } = deployment;
  const { environment, lockSeconds } = request;
  const { command = `make deploy ENVIRONMENT=${environment.name} STACK=${stack.id}` } = deployment;
  if (stack.id === "state" && keepsOwnState(environment)) {
    await requireOwnStateBucket(environment);
  }
  await requireDependencies(environment, manifest, stack);
  const workspace = new Workspace({ folder: stack.folder, stack: stack.id, environment, terraform, lockSeconds });
  forgetOrphans(stack);
  await workspace.init();
  // Not beside the stack: another deploy from the same checkout could overwrite the plan.
  const plans = mkdtempSync(join(tmpdir(), "acme-plans-"));
  const file = join(plans, "deploy.plan");
  try {
    let { harmlessIsApproved = false, takesOver = false } = deployment;
    let exists: ExistsError | undefined;
    for (let made = 1; ; made += 1) {
      const plan = await planKeeping(workspace, file, say);
      if (!plan) {
        say(`✔ ${stack.id}: nothing to change.`);
        return;
      }
      if (takesOver) {
        takesOver = false;
        const place = { ...identity, region: environment.region };
        const orphans = await findOrphans({ workspace, stack, place, plan, file: join(plans, "orphans.plan") });
        if (orphans.length > 0) {
          say([`${stack.id}: taking over what is there:`, ...orphans.map((address) => `  ${address}`)].join("\n"));
          harmlessIsApproved ||= exists !== undefined;
          continue;
        }
        if (exists) {
          throw exists;
        }
      }
      await approve(deployment, command, plan, harmlessIsApproved);
      try {
        const onOutput = (text: string): void => void process.stdout.write(text);
        await cdktfDeploy({ environment, manifest, stack, terraform, plan: file, lockSeconds, onOutput });
        say(`✔ ${stack.id}: deployed.`);
        return;
      } catch (error) {
        if (error instanceof StaleError && made < mostPlans) {
          // New changes in the next plan come from somebody else, so the earlier approval does not cover them.
          ({ harmlessIsApproved = false } = deployment);
          say(`${error.problem} Planning again.`);
        } else if (error instanceof ExistsError && exists === undefined) {
          exists = error;
          takesOver = true;
          say(`${error.problem} Looking for what it has made.`);
        } else {
          throw error;
        }
      }
    }
  } finally {
    forgetOrphans(stack);
    rmSync(plans, { recursive: true, force: true });
  }
}

/**
 * Shows a plan, and asks for approval.
 * @throws RefusedError when data would be lost
 * @throws DeploymentError when the answer is no
 */
async function approve(
  { request, stack, say }: StackDeployment,
  command: string,
  plan: TerraformPlan,
  harmlessIsApproved: boolean,
): Promise<void> {
  const { environment } = request;
  const allowed = readAllowed(process.env.ALLOW_REPLACE);
  const stackSummary = summarizeStack(stack.id, plan);
  const summary: PlanSummary = {
    format: "acme-plan-summary",
    version: 1,
    environment: environment.name,
    stacks: [stackSummary],
    refused: refusalsOf([stackSummary], allowed),
  };
  const colour = process.stdout.isTTY && process.env.NO_COLOR === undefined;
  say(renderText(summary, { colour, command, allowed }).trimEnd());
  enforceGuard({ command, allowed }, summary.stacks);
  const harmless = stackSummary.resources.every(({ action }) => ["create", "import", "update"].includes(action));
  await confirm(
    { approved: request.approved || (harmlessIsApproved && harmless) },
    `Deploy ${stack.id} into ${environment.name} (account ${environment.account})?`,
    command,
  );
}

/**
 * Plans, and untaints resources with data whose creation was interrupted: their replacement would always be refused.
 * @param file gets the plan
 * @returns the plan; undefined if nothing changes
 */
async function planKeeping(
  workspace: Workspace,
  file: string,
  say: (text: string) => void,
): Promise<TerraformPlan | undefined> {
  const plan = async (): Promise<TerraformPlan | undefined> => {
    const { changes } = await workspace.plan({ file });
    return changes ? workspace.show(file) : undefined;
  };
  let failure: ProtectedError | undefined;
  let first: TerraformPlan | undefined;
  try {
    first = await plan();
    if (!first?.resource_changes?.some(({ action_reason: reason }) => reason === "replace_because_tainted")) {
      return first;
    }
  } catch (error) {
    // A protected resource stops the plan before it shows anything.
    if (!(error instanceof ProtectedError)) {
      throw error;
    }
    failure = error;
  }
  const kept = (await workspace.resources()).filter(
    ({ type, tainted }) => tainted && awsServices.find(type)?.madeByOneCall,
  );
  for (const { address } of kept) {
    await workspace.untaint(address);
    say(`${address} was being made when a deploy was interrupted: it is kept, and completed.`);
  }
  if (kept.length > 0) {
    return plan();
  }
  if (failure !== undefined) {
    throw failure;
  }
  return first;
}
