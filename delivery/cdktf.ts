import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Environment } from "../environments";
import { projectRoot } from "../modules/project-root";
import {
  DeploymentError,
  type Ended,
  explain,
  type Manifest,
  runChild,
  type SynthesizedStack,
  terraformVariables,
} from "./terraform";

/**
 * Seconds that a deploy may take: MWAA is given up to three hours by its own time limits, and other things come with
 * it.
 */
const deploySeconds = 4 * 3_600;

/** What cdktf takes for terraform; the file says why. */
const steadfastTerraform = join(projectRoot, "delivery/terraform/steadfast-terraform");

/** How `cdktf deploy` is run. */
export interface CdktfOptions {
  readonly environment: Environment;
  readonly manifest: Manifest;
  readonly stack: SynthesizedStack;
  /** Path of terraform. */
  readonly terraform: string;
  /** Absolute path of the plan that is applied, as `Workspace.plan` has saved it. */
  readonly plan: string;
  readonly lockSeconds: number;
  /** Gets what it prints, as it comes. */
  readonly onOutput: (text: string) => void;
}

/**
 * `cdktf deploy` of one stack that is synthesized already. It asks nothing: who calls has asked. What it applies is the
 * plan that the caller has looked at, none that it makes itself: the program that it takes for terraform sees to that.
 *
 * - `CI` makes its terminal library print lines instead of drawing one screen over the other.
 * - It would refuse a stack without those on which it depends, and would deploy these too; that they are deployed has
 *   been checked.
 * - Provider checksums for other machines (`terraform providers lock`) are only needed where a remote runner plans, and
 *   mirrors can't be asked for them.
 * @throws StaleError when the state is no longer that for which the plan was made; then nothing was done
 * @throws DeploymentError with what terraform said
 */
export async function cdktfDeploy(options: CdktfOptions): Promise<void> {
  const { environment, manifest, stack, terraform, plan, lockSeconds, onOutput } = options;
  const timeout = `-lock-timeout=${String(lockSeconds)}s`;
  // A source archive may have lost the files' modes.
  if ((statSync(steadfastTerraform).mode & 0o111) === 0) {
    chmodSync(steadfastTerraform, 0o755);
  }
  const records = mkdtempSync(join(tmpdir(), "acme-deployment-"));
  const run = runChild(
    join(projectRoot, "node_modules/.bin/cdktf"),
    [
      "deploy",
      stack.id,
      "--skip-synth",
      "--auto-approve",
      "--ignore-missing-stack-dependencies",
      "--no-color",
      `--output=${manifest.outdir}`,
      ...(environment.backend.type === "cloud" ? [] : ["--skip-provider-lock"]),
    ],
    {
      folder: projectRoot,
      variables: {
        ...terraformVariables(process.env, environment),
        // cdktf's terminal library is built for the Node that the project brings.
        PATH: [join(projectRoot, "node_modules/.bin"), process.env.PATH ?? ""].join(delimiter),
        CI: "true",
        TERRAFORM_BINARY_NAME: steadfastTerraform,
        TERRAFORM: terraform,
        TERRAFORM_PLAN: plan,
        TERRAFORM_RECORDS: records,
        TF_CLI_ARGS_init: timeout,
        TF_CLI_ARGS_apply: timeout,
      },
      seconds: deploySeconds + lockSeconds,
      onOutput,
      // An interrupted cdktf doesn't wait for its terraform; a cdktf whose terraform is interrupted does.
      interruptible: () => {
        try {
          return Number(readFileSync(join(records, "process"), "utf8"));
        } catch {
          return undefined;
        }
      },
    },
  );
  let end: Ended;
  let applied: string | undefined;
  try {
    end = await run;
    applied = appliedWith(records);
  } finally {
    rmSync(records, { recursive: true, force: true });
  }
  if (end.status === 0 && applied === "0" && !end.interrupted && !end.late) {
    return;
  }
  // A shell's status for what a signal has killed is above 128.
  const killed = applied === undefined ? end.status === 0 : Number(applied) > 128;
  if (killed && !end.interrupted && !end.late) {
    throw new DeploymentError(
      `Terraform was killed while it deployed ${stack.id} in ${environment.name}: what it made last is in no state, and its lock may still be held.`,
      "See that the machine has memory enough, and type it again: it tells who holds the lock, and how to release it.",
    );
  }
  const output = withoutNames(`${end.errors}\n${end.output}`, stack.id);
  throw explain(
    { environmentName: environment.name, stack: stack.id, operation: "deploy" },
    { ...end, output, errors: "" },
  );
}

/** The status with which `terraform apply` ended; undefined when nothing told of its end. */
function appliedWith(records: string): string | undefined {
  try {
    return /^apply (\d+)$/m.exec(readFileSync(join(records, "ends"), "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

/** What terraform said, without the column in which cdktf says of which stack it speaks. */
export function withoutNames(text: string, stack: string): string {
  const column = new RegExp(`^(${stack}| {${String(stack.length)}}) {2}`, "gm");
  return text.replace(column, "");
}
