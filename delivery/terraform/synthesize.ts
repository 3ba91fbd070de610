import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { environmentNames } from "../../environments";
import { projectRoot } from "../../modules/project-root";
import { type StackId, stackIds } from "../../stacks/contract";
import { dependenciesFirst } from "../../stacks/order";
import { runChild } from "./child";
import { DeploymentError } from "./error";

/** One synthesized stack. */
export interface SynthesizedStack {
  readonly id: StackId;
  /** Absolute path of the folder in which terraform works. */
  readonly folder: string;
  /** The stacks that must be deployed before it. */
  readonly dependencies: readonly StackId[];
}

/** The output of a synth. */
export interface Manifest {
  /** Absolute path of the folder that holds `manifest.json` and `stacks/`. */
  readonly outdir: string;
  /** The stacks, each after its dependencies. */
  readonly stacks: readonly SynthesizedStack[];
}

/** The folder of all synthesized stacks: `CDKTF_OUTDIR`, or `cdktf.out`. */
export function outputFolder(variables: NodeJS.ProcessEnv = process.env): string {
  const { CDKTF_OUTDIR: given = "" } = variables;
  return resolve(projectRoot, given === "" ? "cdktf.out" : given);
}

/**
 * The folder of an environment's synthesized stacks. Each environment has its own, because terraform remembers in it
 * which state it uses.
 */
export function outdirOf(environmentName: string): string {
  return join(outputFolder(), environmentName);
}

/**
 * Runs the app from `cdktf.json`, like the cdktf command line.
 * @param environmentName as in `ENVIRONMENT=production make synth`
 * @param outdir the output folder. @default `cdktf.out/<environment>`
 * @param variables environment variables for the app. @default those of this process
 * @throws DeploymentError when the environment is unknown, or with the app's error
 */
export async function synthesize(
  environmentName: string,
  outdir: string = outdirOf(environmentName),
  variables: NodeJS.ProcessEnv = process.env,
): Promise<Manifest> {
  if (!(environmentNames as readonly string[]).includes(environmentName)) {
    throw new DeploymentError(
      `ENVIRONMENT is ${JSON.stringify(environmentName)}; expected one of ${environmentNames.join(", ")}.`,
      "Set it, for example: make deploy ENVIRONMENT=development.",
    );
  }
  const folder = resolve(outdir);
  // CDKTF creates only the last folder of the path.
  mkdirSync(folder, { recursive: true });
  const { app } = JSON.parse(readFileSync(join(projectRoot, "cdktf.json"), "utf8")) as { readonly app: string };
  const { status, output, errors, late, interrupted } = await runChild("/bin/sh", ["-c", app], {
    folder: projectRoot,
    variables: { ...variables, ENVIRONMENT: environmentName, CDKTF_OUTDIR: folder },
    seconds: 300,
  });
  if (status !== 0) {
    throw new DeploymentError(
      interrupted
        ? "Synthesis was interrupted."
        : `Synthesis of ${environmentName} ${late ? "took more than five minutes" : "failed"}.`,
      interrupted ? "Run it again." : "Correct what it says, and run it again.",
      [errors, output].map((text) => text.trim()).find((text) => text !== "") ?? "",
    );
  }
  return readManifest(folder);
}

/**
 * Reads the output of a synth, and removes folders of stacks that no longer exist.
 * @throws DeploymentError when nothing has been synthesized there
 */
export function readManifest(outdir: string): Manifest {
  const folder = resolve(outdir);
  let text: string;
  try {
    text = readFileSync(join(folder, "manifest.json"), "utf8");
  } catch {
    throw new DeploymentError(
      `${folder} has no manifest.json: nothing has been synthesized there.`,
      "Run the command again without skipping the synth.",
    );
  }
  const { stacks } = JSON.parse(text) as {
    readonly stacks: Readonly<
      Record<string, { readonly workingDirectory: string; readonly dependencies: readonly StackId[] }>
    >;
  };
  for (const name of readdirSync(join(folder, "stacks"))) {
    if (!Object.hasOwn(stacks, name)) {
      rmSync(join(folder, "stacks", name), { recursive: true });
    }
  }
  const isSynthesized = (id: StackId): boolean => Object.hasOwn(stacks, id);
  // The contract's order decides between independent stacks.
  const order = dependenciesFirst(
    stackIds.filter(isSynthesized),
    (id) => stacks[id]?.dependencies.filter(isSynthesized) ?? [],
  );
  return {
    outdir: folder,
    stacks: order.map((id) => ({
      id,
      folder: join(folder, stacks[id]?.workingDirectory ?? ""),
      dependencies: stacks[id]?.dependencies ?? [],
    })),
  };
}
