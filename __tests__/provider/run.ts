/**
 * Finds terraform and the providers of the stacks, and runs the tests with them: `make test-provider`.
 *
 * The providers come from wherever the person's terraform finds them: from what `TF_CLI_CONFIG_FILE` or
 * `~/.terraformrc` names, from `~/.terraform.d/plugins`, or from the registry. The tests then take them from where
 * terraform put them, so nothing is fetched twice, and no credentials of that configuration reach a test. Its last line
 * says whether the tests ran; where there are no providers to be had they don't, which is not a failure.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../../command";
import { DeploymentError, findTerraform, runChild } from "../../delivery/terraform";
import { environmentNames } from "../../environments";
import { documentOf, synthesizeInto } from "./support/stacks";

/** Seconds in which terraform has to get the providers: half a gigabyte, where they come from the registry. */
const seconds = 300;

const folder = mkdtempSync(join(tmpdir(), "providers-"));

/** The providers of every stack of every environment, as Terraform writes them down. */
function requiredProviders(): Readonly<Record<string, { readonly source: string; readonly version: string }>> {
  const stacks = environmentNames.flatMap((name) => synthesizeInto(join(folder, name), name));
  return Object.assign({}, ...stacks.map((stack) => documentOf(stack).terraform.required_providers));
}

/**
 * Has terraform get the providers.
 * @returns a CLI configuration by which terraform finds them again without any network, or a sentence why there are
 * none
 */
async function findProviders(
  providers: ReturnType<typeof requiredProviders>,
  names: string,
): Promise<{ readonly configuration: string } | { readonly reason: string }> {
  let terraform: string;
  try {
    terraform = await findTerraform();
  } catch (error) {
    if (error instanceof DeploymentError) {
      return { reason: error.message.replace(/\n→ /, " ") };
    }
    throw error;
  }
  writeFileSync(join(folder, "main.tf.json"), JSON.stringify({ terraform: { required_providers: providers } }));
  const { status, output, errors, late } = await runChild(terraform, ["init", "-input=false", "-no-color"], {
    folder,
    variables: { ...process.env, TF_IN_AUTOMATION: "1", CHECKPOINT_DISABLE: "1", TF_DATA_DIR: join(folder, "data") },
    seconds,
  });
  if (status !== 0) {
    return { reason: late ? `Terraform didn't get ${names} in ${seconds} seconds.` : reasonIn(`${errors}\n${output}`) };
  }
  const configuration = join(folder, "terraform.rc");
  const path = JSON.stringify(join(folder, "data", "providers"));
  writeFileSync(configuration, `provider_installation {\n  filesystem_mirror {\n    path = ${path}\n  }\n}\n`);
  return { configuration };
}

/** What terraform says under its first error, in one line, and what helps. */
function reasonIn(said: string): string {
  const [title = "", explanation = ""] = (said.split(/^Error: /m)[1] ?? said).split(/\n\s*\n/);
  const reason = (explanation.trim() === "" ? title : explanation).replace(/\s+/g, " ").trim();
  return `${reason}${reason.endsWith(".") ? "" : "."} TF_CLI_CONFIG_FILE may name a configuration with a mirror that has the providers.`;
}

async function main(): Promise<number> {
  const providers = requiredProviders();
  const names = Object.values(providers)
    .map(({ source, version }) => `${source} ${version}`)
    .join(" and ");
  const found = await findProviders(providers, names);
  if ("reason" in found) {
    console.log(`WITHOUT the real provider: its tests have not run. ${found.reason}`);
    return 0;
  }
  console.log(`The tests with the real provider run, with ${names}.`);
  const jest = spawn("jest", ["--selectProjects", "provider", "--maxWorkers", "4", ...process.argv.slice(2)], {
    env: { ...process.env, TF_CLI_CONFIG_FILE: found.configuration },
    stdio: "inherit",
  });
  const status = await new Promise<number>((settle) => {
    jest.once("close", (code) => {
      settle(code ?? 1);
    });
  });
  console.log(`WITH the real provider, ${names}: ${status === 0 ? "its tests have passed" : "its tests have FAILED"}.`);
  return status;
}

runCommand(() =>
  main().finally(() => {
    rmSync(folder, { recursive: true, force: true });
  }),
);
