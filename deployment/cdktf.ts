import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Environment } from "../environments";
import { projectRoot } from "../modules/project-root";
import { explain, type Manifest, runChild, type SynthesizedStack, terraformVariables } from "./terraform";

/** Seconds that a deploy may take: MWAA is given up to three hours by its own time limits, and other things come with it. */
const deploySeconds = 4 * 3_600;

/** How `cdktf deploy` is run. */
export interface CdktfOptions {
  readonly environment: Environment;
  readonly manifest: Manifest;
  readonly stack: SynthesizedStack;
  /** Path of terraform. */
  readonly terraform: string;
  readonly lockSeconds: number;
  /** Gets what it prints, as it comes. */
  readonly onOutput: (text: string) => void;
}

/**
 * `cdktf deploy` of one stack that is synthesized already. It asks nothing: who calls has asked.
 *
 * - `CI` makes its terminal library print lines instead of drawing one screen over the other.
 * - It would refuse a stack without those on which it depends, and would deploy these too; that they are deployed has been checked.
 * - Provider checksums for other machines (`terraform providers lock`) are only needed where a remote runner plans, and mirrors can't be asked for them.
 * @throws DeploymentError with what terraform said
 */
export async function cdktfDeploy(options: CdktfOptions): Promise<void> {
  const { environment, manifest, stack, terraform, lockSeconds, onOutput } = options;
  const timeout = `-lock-timeout=${String(lockSeconds)}s`;
  const records = mkdtempSync(join(tmpdir(), "acme-deployment-"));
  const processFile = join(records, "terraform");
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
        TERRAFORM_BINARY_NAME: join(projectRoot, "deployment/terraform/steadfast-terraform"),
        TERRAFORM: terraform,
        TERRAFORM_PROCESS_FILE: processFile,
        TF_CLI_ARGS_init: timeout,
        TF_CLI_ARGS_apply: timeout,
      },
      seconds: deploySeconds + lockSeconds,
      onOutput,
      // An interrupted cdktf doesn't wait for its terraform; a cdktf whose terraform is interrupted does.
      interruptible: () => {
        try {
          return Number(readFileSync(processFile, "utf8"));
        } catch {
          return undefined;
        }
      },
    },
  );
  const end = await run.finally(() => {
    rmSync(records, { recursive: true, force: true });
  });
  if (end.status === 0 && !end.interrupted && !end.late) return;
  const output = withoutNames(`${end.errors}\n${end.output}`, stack.id);
  throw explain(
    { environmentName: environment.name, stack: stack.id, operation: "deploy" },
    { ...end, output, errors: "" },
  );
}

/** What terraform said, without the column in which cdktf says of which stack it speaks. */
export function withoutNames(text: string, stack: string): string {
  const column = new RegExp(`^(${stack}| {${String(stack.length)}}) {2}`, "gm");
  return text.replace(column, "");
}
