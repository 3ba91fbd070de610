/** The states of the local environment, as Terraform keeps them in S3. */
import { NoSuchKey, type S3 } from "@aws-sdk/client-s3";
import { loadEnvironment } from "../../../environments";
import type { StackId } from "../../../stacks/contract";
import { stateBucketName } from "../../../stacks/platform";

const { account, name: environment, region } = loadEnvironment("local");
const Bucket = stateBucketName(account, region);
const keyOf = (stack: StackId): string => `${environment}/${stack}.tfstate`;

/** The part of a state that the tests read. */
export interface State {
  readonly serial: number;
  readonly lineage: string;
  readonly resources: readonly {
    readonly mode: "managed" | "data";
    readonly type: string;
    readonly name: string;
    readonly instances: readonly { readonly status?: string }[];
  }[];
}

async function read(s3: S3, Key: string, VersionId?: string): Promise<string | undefined> {
  try {
    const { Body } = await s3.getObject({ Bucket, Key, ...(VersionId && { VersionId }) });
    return await Body?.transformToString();
  } catch (error) {
    if (error instanceof NoSuchKey) {
      return undefined;
    }
    throw error;
  }
}

/** A stack's state; undefined where there is none yet. */
export async function stateOf(s3: S3, stack: StackId): Promise<State | undefined> {
  const text = await read(s3, keyOf(stack));
  return text === undefined ? undefined : (JSON.parse(text) as State);
}

/** Every state that a stack has ever had, the oldest first: the bucket keeps old versions. */
export async function statesOf(s3: S3, stack: StackId): Promise<readonly State[]> {
  const { Versions = [] } = await s3.listObjectVersions({ Bucket, Prefix: keyOf(stack) });
  const states: State[] = [];
  // S3 lists the newest first.
  for (const { Key, VersionId } of Versions.filter((version) => version.Key === keyOf(stack)).reverse()) {
    states.push(JSON.parse((await read(s3, Key!, VersionId))!) as State);
  }
  return states;
}

/**
 * The addresses of what a state holds, such as `aws_s3_bucket.data_bucket`, sorted; one that is there twice stands
 * there twice.
 */
export function addressesIn(state: State | undefined): readonly string[] {
  return (state?.resources ?? [])
    .filter(({ mode }) => mode === "managed")
    .flatMap(({ type, name, instances }) => instances.map(() => `${type}.${name}`))
    .sort();
}

/** Whether somebody has locked a stack's state. */
export async function isLocked(s3: S3, stack: StackId): Promise<boolean> {
  return (await read(s3, `${keyOf(stack)}.tflock`)) !== undefined;
}
