/** Every stack of an environment, synthesized into a folder in which the real terraform works. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { App } from "cdktf";
import { readManifest, type SynthesizedStack } from "../../../delivery/terraform";
import { type Environment, loadEnvironment } from "../../../environments";
import { definePlatform } from "../../../main";
import { type ParameterName, publicFigures } from "../../../stacks/contract";

export type { SynthesizedStack };

/** The part of a synthesized stack that the tests read. */
export interface StackDocument {
  readonly resource?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly data?: { readonly aws_ssm_parameter?: Readonly<Record<string, { readonly name: string }>> };
  readonly terraform: {
    readonly required_providers: Readonly<Record<string, { readonly source: string; readonly version: string }>>;
  };
}

/**
 * Synthesizes an environment.
 * @param outdir gets `manifest.json` and `stacks/`
 * @returns the stacks, each after those on which it depends
 */
export function synthesizeInto(outdir: string, name: Environment["name"]): readonly SynthesizedStack[] {
  definePlatform(new App({ outdir, stackTraces: false }), loadEnvironment(name)).synth();
  return readManifest(outdir).stacks;
}

/** What was synthesized for a stack. */
export function documentOf({ folder }: SynthesizedStack): StackDocument {
  return JSON.parse(readFileSync(join(folder, "cdk.tf.json"), "utf8")) as StackDocument;
}

/** The addresses of a stack's resources, such as `aws_s3_bucket.data_bucket`, sorted. */
export function addressesOf(stack: SynthesizedStack): readonly string[] {
  return Object.entries(documentOf(stack).resource ?? {})
    .flatMap(([type, resources]) => Object.keys(resources).map((name) => `${type}.${name}`))
    .sort();
}

/** The names in SSM of the parameters that a stack reads. */
export function parametersReadBy(stack: SynthesizedStack): readonly string[] {
  return Object.values(documentOf(stack).data?.aws_ssm_parameter ?? {}).map(({ name }) => name);
}

/**
 * A value such as a deployed stack publishes, in AWS's form, for a plan of the stack that reads it.
 * @param parameter its name in SSM, such as `/acme/development/VpcId`
 */
export function plausibleValue({ account, name, region }: Environment, parameter: string): string {
  const key = `arn:aws:kms:${region}:${account}:key/0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f`;
  const values: Partial<Record<ParameterName, string>> = {
    VpcId: "vpc-0a1b2c3d4e5f60718",
    PrivateSubnetIds: "subnet-0a1b2c3d4e5f60718,subnet-0a1b2c3d4e5f60719",
    JobSubnetIds: "subnet-0a1b2c3d4e5f60720,subnet-0a1b2c3d4e5f60721",
    JobSecurityGroupId: "sg-0a1b2c3d4e5f60718",
    DataKey: key,
    StateKey: key,
    ModelImageUri: `${account}.dkr.ecr.${region}.amazonaws.com/acme-${name}-model-image-abalone@sha256:${"0a".repeat(32)}`,
    MonitoringBaselineUri: `s3://acme-${name}-data-${account}-${region}/runs/first/evaluation/baseline`,
    ModelPackageName: `arn:aws:sagemaker:${region}:${account}:model-package/acme-${name}-ml-workflow-abalone/1`,
    FiguresKey: publicFigures.none,
  };
  const known = parameter.split("/").pop() as ParameterName;
  return values[known] ?? `acme-${name}-${known.toLowerCase()}`;
}
