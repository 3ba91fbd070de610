/**
 * A stack of Terraform's built-in resources, written as a synth would write it, with its state in the emulator's S3.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadEnvironment } from "../../environments";
import { stateBucketName } from "../../stacks/platform";

const { account, region } = loadEnvironment("local");

/** What is written. */
export interface WrittenStack {
  /** The folder of everything that is synthesized. */
  readonly outdir: string;
  /** Its state is `local/<key>.tfstate`. */
  readonly key: string;
  /** The resources of the type `terraform_data`, by their names. */
  readonly resources: Readonly<Record<string, object>>;
  /** The block `terraform`. @default with the state in the emulator's S3 */
  readonly terraform?: object;
}

/**
 * Writes the stack `data`.
 * @returns its folder
 */
export function writeStack({ outdir, key, resources, terraform }: WrittenStack): string {
  const folder = join(outdir, "stacks/data");
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(outdir, "providers"), { recursive: true });
  const backend = {
    bucket: stateBucketName(account, region),
    key: `local/${key}.tfstate`,
    region,
    use_lockfile: true,
    use_path_style: true,
    skip_credentials_validation: true,
  };
  const stack = {
    name: "data",
    constructPath: "data",
    annotations: [],
    dependencies: [],
    workingDirectory: "stacks/data",
    synthesizedStackPath: "stacks/data/cdk.tf.json",
    stackMetadataPath: "",
  };
  writeFileSync(join(outdir, "manifest.json"), JSON.stringify({ version: "0.21.0", stacks: { data: stack } }));
  writeFileSync(
    join(folder, "cdk.tf.json"),
    JSON.stringify({
      "//": { metadata: { version: "0.21.0", stackName: "data", backend: "s3" } },
      terraform: terraform ?? { backend: { s3: backend } },
      resource: { terraform_data: resources },
    }),
  );
  return folder;
}
