import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../../environments";
import type { StackId } from "../../stacks/contract";
import { type Ended, runChild } from "./child";
import { DeploymentError } from "./error";
import { explain } from "./explain";
import type { TerraformPlan } from "./plan";
import { outputFolder } from "./synthesize";

/** Options of a workspace. */
export interface WorkspaceOptions {
  /** The stack's folder, such as `cdktf.out/development/stacks/data`. */
  readonly folder: string;
  readonly stack: StackId;
  readonly environment: Environment;
  /** Path of terraform, from `findTerraform`. */
  readonly terraform: string;
  /** Environment variables for terraform. @default those of this process */
  readonly variables?: NodeJS.ProcessEnv;
  /** Seconds to wait for another user's lock. @default 0 */
  readonly lockSeconds?: number;
}

/** Time limit of each operation in seconds. Creating MWAA alone takes up to 45 minutes. */
const limits = { init: 900, plan: 1_800, show: 120, unlock: 120, untaint: 120 } as const;

/** A resource in a state (Terraform's "JSON Output Format", values representation). */
export interface StateResource {
  readonly address: string;
  readonly type: string;
  /** Whether its creation was interrupted, so that Terraform would replace it. */
  readonly tainted?: boolean;
}

type Operation = keyof typeof limits;

/** The provider cache for all stacks, environments and runs: a provider has hundreds of megabytes. */
const providerCache = (): string => join(outputFolder(), "providers");

/**
 * The environment variables for unattended terraform: it asks no questions, sends no telemetry, and adapts its hints to
 * programs. Arguments from the shell (`TF_CLI_ARGS…`), another data folder and another workspace are removed, because
 * they would change which state is used.
 */
export function terraformVariables(
  variables: NodeJS.ProcessEnv,
  { emulated, backend }: Pick<Environment, "emulated" | "backend">,
): NodeJS.ProcessEnv {
  const kept = Object.entries(variables).filter(
    ([name]) => !name.startsWith("TF_CLI_ARGS") && !["TF_WORKSPACE", "TF_DATA_DIR"].includes(name),
  );
  return {
    // A remote runner needs the registry's checksums for its own platform, which a cached provider lacks. Each synth
    // starts without a lock file, so none can break.
    ...(backend.type === "s3"
      ? { TF_PLUGIN_CACHE_DIR: providerCache(), TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE: "1" }
      : {}),
    ...Object.fromEntries(kept),
    // S3 Control's requests go to <account>.<address>, a name that only the emulator, as a proxy, can resolve.
    ...(emulated && variables.AWS_ENDPOINT_URL !== undefined ? { HTTP_PROXY: variables.AWS_ENDPOINT_URL } : {}),
    TF_IN_AUTOMATION: "1",
    TF_INPUT: "0",
    CHECKPOINT_DISABLE: "1",
  };
}

/** A synthesized stack, and terraform in its folder. All errors are DeploymentErrors. */
export class Workspace {
  constructor(private readonly options: WorkspaceOptions) {
    if (!existsSync(join(options.folder, "cdk.tf.json"))) {
      throw new DeploymentError(
        `${options.folder} has no cdk.tf.json: the stack ${options.stack} has not been synthesized there.`,
        `make synth ENVIRONMENT=${options.environment.name}`,
      );
    }
  }

  /** Installs the providers, and connects to the state. */
  async init(): Promise<void> {
    mkdirSync(providerCache(), { recursive: true });
    await this.run("init", ["init", "-input=false", "-no-color", this.lockTimeout]);
  }

  /**
   * Plans, and saves the plan.
   * @param file path of the plan, relative to the stack's folder
   * @param lock whether to lock the state meanwhile; a plan that nobody applies needs no lock. @default true
   */
  async plan({ file, lock = true }: { readonly file: string; readonly lock?: boolean }): Promise<{
    readonly changes: boolean;
  }> {
    const { status } = await this.run(
      "plan",
      [
        "plan",
        "-input=false",
        "-no-color",
        "-detailed-exitcode",
        `-out=${file}`,
        ...(lock ? [this.lockTimeout] : ["-lock=false"]),
      ],
      [0, 2],
    );
    return { changes: status === 2 };
  }

  /** A saved plan as JSON. */
  async show(file: string): Promise<TerraformPlan> {
    const { output } = await this.run("show", ["show", "-json", "-no-color", file]);
    return JSON.parse(output) as TerraformPlan;
  }

  /** The resources in the state; none where there is no state yet. */
  async resources(): Promise<readonly StateResource[]> {
    const { output } = await this.run("show", ["show", "-json", "-no-color"]);
    const { values } = JSON.parse(output) as {
      readonly values?: { readonly root_module?: { readonly resources?: readonly StateResource[] } };
    };
    return values?.root_module?.resources ?? [];
  }

  /** Keeps a resource whose creation was interrupted, instead of replacing it. */
  async untaint(address: string): Promise<void> {
    await this.run("untaint", ["untaint", "-no-color", this.lockTimeout, address]);
  }

  /** Releases a lock whose holder no longer runs. */
  async forceUnlock(id: string): Promise<void> {
    await this.run("unlock", ["force-unlock", "-force", "-no-color", id]);
  }

  private get lockTimeout(): string {
    return `-lock-timeout=${this.options.lockSeconds ?? 0}s`;
  }

  private at(operation: string): { environmentName: string; stack: StackId; operation: string } {
    return { environmentName: this.options.environment.name, stack: this.options.stack, operation };
  }

  private async run(
    operation: Operation,
    parameters: readonly string[],
    expected: readonly number[] = [0],
  ): Promise<Ended> {
    const { folder, terraform, variables = process.env, lockSeconds = 0 } = this.options;
    const end = await runChild(terraform, parameters, {
      folder,
      variables: terraformVariables(variables, this.options.environment),
      seconds: limits[operation] + lockSeconds,
    });
    if (!expected.includes(end.status) || end.late || end.interrupted) {
      throw explain(this.at(operation), end);
    }
    return end;
  }
}
