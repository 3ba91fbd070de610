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

/** Time limit of a deploy in seconds: MWAA alone may need up to three hours. */
const deploySeconds = 4 * 3_600;

/** The program that cdktf runs as terraform; its comment says why. */
const steadfastTerraform = join(projectRoot, "delivery/terraform/steadfast-terraform");

/** Options of `cdktf deploy`. */
export interface CdktfOptions {
  readonly environment: Environment;
  readonly manifest: Manifest;
  readonly stack: SynthesizedStack;
  /** Path of terraform. */
  readonly terraform: string;
  /** Absolute path of the plan to apply, from `Workspace.plan`. */
  readonly plan: string;
  readonly lockSeconds: number;
  /** Receives its output as it is printed. */
  readonly onOutput: (text: string) => void;
}

/**
 * Runs `cdktf deploy` for one synthesized stack, without a question. It applies the approved plan and makes none
 * itself: the program that it runs as terraform ensures that.
 *
 * - `CI` makes its terminal library print lines instead of redrawing the screen.
 * - It would refuse a stack without its dependencies, and would deploy these too; they have been checked before.
 * - Provider checksums for other platforms (`terraform providers lock`) are only needed for a remote runner, and
 *   mirrors don't have them.
 * @throws StaleError when the state has changed since the plan was made; nothing was done then
 * @throws DeploymentError with Terraform's error
 */
export async function cdktfDeploy(options: CdktfOptions): Promise<void> {
  const { environment, manifest, stack, terraform, plan, lockSeconds, onOutput } = options;
  const timeout = `-lock-timeout=${String(lockSeconds)}s`;
  // A source archive may have lost file modes.
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
        // cdktf's terminal library is built for the project's own Node.
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
      // An interrupted cdktf doesn't wait for its terraform, but a cdktf whose terraform is interrupted does.
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
  // A shell's exit status above 128 means that a signal killed the program.
  const killed = applied === undefined ? end.status === 0 : Number(applied) > 128;
  if (killed && !end.interrupted && !end.late) {
    throw new DeploymentError(
      `Terraform was killed while it deployed ${stack.id} in ${environment.name}: its last resources may be missing in the state, and its lock may still be held.`,
      "Check that the machine has enough memory, and run it again: it reports who holds the lock, and how to release it.",
    );
  }
  const output = withoutNames(`${end.errors}\n${end.output}`, stack.id);
  throw explain(
    { environmentName: environment.name, stack: stack.id, operation: "deploy" },
    { ...end, output, errors: "" },
  );
}

/** The exit status of `terraform apply`; undefined if it was not recorded. */
function appliedWith(records: string): string | undefined {
  try {
    return /^apply (\d+)$/m.exec(readFileSync(join(records, "ends"), "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

/** Terraform's output, without cdktf's column with the stack's name. */
export function withoutNames(text: string, stack: string): string {
  const column = new RegExp(`^(${stack}| {${String(stack.length)}}) {2}`, "gm");
  return text.replace(column, "");
}
