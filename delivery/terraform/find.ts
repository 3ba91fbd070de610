import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { runChild } from "./child";
import { DeploymentError } from "./error";

/** The minimum version: 1.10 added S3's own locks (`use_lockfile`). */
export const leastVersion = [1, 10] as const;

const install = "Install Terraform 1.10 or later (https://developer.hashicorp.com/terraform/install) and run it again.";

/**
 * Finds terraform.
 * @param variables environment variables: `TERRAFORM_BINARY_NAME`, which the cdktf command line uses too, and `PATH`
 * @returns its path
 * @throws DeploymentError when there is none, or it is too old
 */
export async function findTerraform(variables: NodeJS.ProcessEnv = process.env): Promise<string> {
  const name = variables.TERRAFORM_BINARY_NAME ?? "terraform";
  const terraform = (
    name.includes("/") ? [name] : (variables.PATH ?? "").split(delimiter).map((folder) => join(folder, name))
  ).find(isExecutable);
  if (terraform === undefined) {
    throw new DeploymentError(
      `There is no program ${JSON.stringify(name)} on the PATH, and a deployment needs it.`,
      install,
    );
  }
  const { output, errors } = await runChild(terraform, ["version", "-json"], {
    folder: process.cwd(),
    variables: { ...variables, CHECKPOINT_DISABLE: "1" },
    seconds: 60,
  });
  const version = /"terraform_version":\s*"(\d+)\.(\d+)([^"]*)"/.exec(output);
  if (!version) {
    throw new DeploymentError(
      `${terraform} does not print its version as terraform does: it is broken, or another program.`,
      install,
      errors.trim(),
    );
  }
  const [, major = "", minor = "", rest = ""] = version;
  const [leastMajor, leastMinor] = leastVersion;
  if (Number(major) < leastMajor || (Number(major) === leastMajor && Number(minor) < leastMinor)) {
    throw new DeploymentError(
      `${terraform} is Terraform ${major}.${minor}${rest}; expected ${leastVersion.join(".")} or later, which can lock a state in S3.`,
      install,
    );
  }
  return terraform;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
