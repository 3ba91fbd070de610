/**
 * `make deploy ENVIRONMENT= [STACK=]`: checks what can be known beforehand, shows the plan, asks, and has cdktf deploy it.
 *
 * All stacks go in the order of the contract, and the first that fails is the last that is begun: what comes after it would read what is not there.
 */
import type { StackId } from "../stacks/contract";
import { cdktfDeploy } from "./cdktf";
import { requireDependencies } from "./dependencies";
import { requireAccount } from "./identity";
import { confirm, type Request, stackOf } from "./request";
import { stateBucketExists } from "./state";
import {
  DeploymentError,
  findTerraform,
  type Manifest,
  type SynthesizedStack,
  synthesize,
  type TerraformPlan,
  Workspace,
} from "./terraform";

/** How a stack is deployed. */
export interface StackDeployment {
  readonly request: Request;
  readonly manifest: Manifest;
  readonly stack: SynthesizedStack;
  readonly terraform: string;
  readonly say: (text: string) => void;
}

/** Runs the command. */
export async function deploy(request: Request, say: (text: string) => void): Promise<void> {
  const { environment, stack } = request;
  const terraform = await findTerraform();
  const { account, arn } = await requireAccount(environment);
  await requireStateBucket(request);
  say(
    `Deploying ${stack ?? "all stacks"} of ${environment.name} into account ${account}, ${environment.region}, as ${arn}.`,
  );
  const manifest = await synthesize(environment.name);
  const stacks = stack === undefined ? manifest.stacks : [stackOf(manifest, environment, stack)];

  const done: StackId[] = [];
  for (const each of stacks) {
    try {
      await deployStack({ request, manifest, stack: each, terraform, say });
      done.push(each.id);
    } catch (error) {
      if (stack !== undefined) throw error;
      throw stopped(error, done, each.id, stacks.slice(done.length + 1));
    }
  }
  if (stacks.length > 1) say(`✔ All of ${environment.name} is deployed: ${done.join(", ")}.`);
}

/** Says besides what went wrong what stands. */
function stopped(
  error: unknown,
  done: readonly StackId[],
  failed: StackId,
  rest: readonly SynthesizedStack[],
): unknown {
  if (!(error instanceof DeploymentError)) return error;
  const stand = [
    done.length === 0 ? "No stack before it was deployed" : `Deployed and standing: ${done.join(", ")}`,
    `stopped at ${failed}`,
    ...(rest.length === 0 ? [] : [`not begun: ${rest.map(({ id }) => id).join(", ")}`]),
  ];
  return new DeploymentError(
    `${error.problem}\n  ${stand.join("; ")}.`,
    `${error.next} It goes on where it stopped: what stands is left as it is.`,
    error.details,
  );
}

/** @throws DeploymentError when there is no bucket for the states */
async function requireStateBucket({ environment }: Request): Promise<void> {
  if (environment.backend.type !== "s3" || (await stateBucketExists(environment))) return;
  throw new DeploymentError(
    `The state bucket of ${environment.name} (account ${environment.account}, ${environment.region}) does not exist.`,
    `make bootstrap ENVIRONMENT=${environment.name}`,
  );
}

/**
 * Deploys one stack.
 * @throws DeploymentError with what is missing, or with what Terraform said
 */
export async function deployStack({ request, manifest, stack, terraform, say }: StackDeployment): Promise<void> {
  const { environment, lockSeconds } = request;
  await requireDependencies(environment, manifest, stack);
  const workspace = new Workspace({ folder: stack.folder, stack: stack.id, environment, terraform, lockSeconds });
  await workspace.init();
  const { changes } = await workspace.plan({ file: planFile });
  if (!changes) {
    say(`✔ ${stack.id}: nothing to change.`);
    return;
  }
  say(summary(stack.id, await workspace.show(planFile)));
  const command = `make deploy ENVIRONMENT=${environment.name} STACK=${stack.id}`;
  await confirm(request, `Deploy ${stack.id} into ${environment.name} (account ${environment.account})?`, command);
  await cdktfDeploy({
    environment,
    manifest,
    stack,
    terraform,
    lockSeconds,
    onOutput: (text) => process.stdout.write(text),
  });
  say(`✔ ${stack.id}: deployed.`);
}

/** Beside the stack's `cdk.tf.json`; cdktf makes its own, of the same. */
const planFile = "deploy.plan";

/** What a plan would do, in a line for each kind of change; what is lost comes first, by name. */
export function summary(stack: StackId, { resource_changes: changes = [] }: TerraformPlan): string {
  const kinds = {
    replace: "to replace",
    delete: "to destroy",
    create: "to create",
    update: "to change",
    import: "to take over",
  };
  const found: Record<keyof typeof kinds, string[]> = { replace: [], delete: [], create: [], update: [], import: [] };
  for (const { address, mode, change } of changes) {
    if (mode !== "managed") continue;
    const { actions, importing } = change;
    if (importing) found.import.push(address);
    if (actions.includes("delete") && actions.includes("create")) found.replace.push(address);
    else
      for (const kind of ["delete", "create", "update"] as const) if (actions.includes(kind)) found[kind].push(address);
  }
  const counts = Object.entries(kinds).map(([kind, words]) => [found[kind as keyof typeof kinds], words] as const);
  const lines = counts
    .filter(([addresses]) => addresses.length > 0)
    .map(([addresses, words]) => `${addresses.length} ${words}`);
  const lost = [
    ...found.replace.map((address) => `  replace ${address}`),
    ...found.delete.map((address) => `  destroy ${address}`),
  ];
  return [`${stack}: ${lines.join(", ") || "only outputs change"}`, ...lost].join("\n");
}
