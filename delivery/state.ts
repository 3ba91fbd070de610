/** The state bucket: whether it exists, and who holds a lock in it. */
import {
  BucketAlreadyOwnedByYou,
  type BucketLocationConstraint,
  NoSuchKey,
  NotFound,
  S3,
  S3ServiceException,
  waitUntilBucketExists,
} from "@aws-sdk/client-s3";
import type { Environment } from "../environments";
import type { StackId } from "../stacks/contract";
import { stateBucketName } from "../stacks/platform";
import { DeploymentError, type Lock } from "./terraform";

/** An S3 client for the environment's region. */
function client({ region, emulated }: Environment): S3 {
  return new S3({ region, forcePathStyle: emulated });
}

const bucketOf = ({ account, region }: Environment): string => stateBucketName(account, region);

/** The key of a stack's state in the bucket. */
export const stateKey = (environment: Environment, stack: StackId): string => `${environment.name}/${stack}.tfstate`;

/**
 * Whether the state bucket exists and belongs to this account.
 * @throws DeploymentError when it belongs to somebody else, or is in another region
 */
export async function stateBucketExists(environment: Environment): Promise<boolean> {
  const s3 = client(environment);
  const bucket = bucketOf(environment);
  try {
    await s3.headBucket({ Bucket: bucket, ExpectedBucketOwner: environment.account });
    return true;
  } catch (error) {
    if (error instanceof NotFound) {
      return false;
    }
    throw bucketRefused(environment, error);
  } finally {
    s3.destroy();
  }
}

/**
 * Checks that an existing state bucket belongs to this environment: another environment's stack `state` would take it
 * over, with its key and policy. A bucket without tags belongs to nobody yet.
 * @throws DeploymentError when it has another environment's tag
 */
export async function requireOwnStateBucket(environment: Environment): Promise<void> {
  const { name, account, region } = environment;
  const s3 = client(environment);
  const bucket = bucketOf(environment);
  try {
    const { TagSet = [] } = await s3.getBucketTagging({ Bucket: bucket, ExpectedBucketOwner: account });
    const owner = TagSet.find(({ Key }) => Key === "Environment")?.Value ?? name;
    if (owner !== name) {
      throw new DeploymentError(
        `The state bucket ${bucket} belongs to the environment ${owner}: two environments in account ${account}, ${region}, would both own it.`,
        `Give ${name} another account or region (environments/${name}.ts), and run it again.`,
      );
    }
  } catch (error) {
    if (error instanceof S3ServiceException && ["NoSuchBucket", "NoSuchTagSet"].includes(error.name)) {
      return;
    }
    throw error instanceof DeploymentError ? error : bucketRefused(environment, error);
  } finally {
    s3.destroy();
  }
}

function bucketRefused(environment: Environment, error: unknown): DeploymentError {
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
  const bucket = bucketOf(environment);
  if (status === 301) {
    return new DeploymentError(
      `The state bucket ${bucket} is not in ${environment.region}.`,
      `Correct region in environments/${environment.name}.ts, or remove that bucket.`,
    );
  }
  if (status === 403) {
    return new DeploymentError(
      `S3 denied access to the state bucket ${bucket}: these credentials lack s3:ListBucket, or the bucket belongs to another account.`,
      "Sign in with a role that may deploy; if somebody else owns the name, change stateBucketName in stacks/platform.ts.",
    );
  }
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new DeploymentError(`S3 did not report whether the bucket ${bucket} exists (${said}).`, "Run it again.");
}

/**
 * Creates the state bucket, private and versioned from the start, so that nothing written to it is ever lost or public.
 * Idempotent, also if two people do it at once.
 * @throws DeploymentError when somebody else owns the name, or the permission is missing
 */
export async function createStateBucket(environment: Environment): Promise<void> {
  const s3 = client(environment);
  const bucket = bucketOf(environment);
  const { account, region } = environment;
  try {
    try {
      await s3.createBucket({
        Bucket: bucket,
        // S3 refuses us-east-1 as a constraint, because it is the default.
        CreateBucketConfiguration:
          region === "us-east-1" ? undefined : { LocationConstraint: region as BucketLocationConstraint },
      });
    } catch (error) {
      // S3 answers OperationAborted when two requests create it at the same moment; one of them succeeds.
      const sameMoment = error instanceof S3ServiceException && error.name === "OperationAborted";
      if (!(error instanceof BucketAlreadyOwnedByYou) && !sameMoment) {
        throw error;
      }
    }
    await waitUntilBucketExists({ client: s3, maxWaitTime: 60 }, { Bucket: bucket });
    await s3.putPublicAccessBlock({
      Bucket: bucket,
      ExpectedBucketOwner: account,
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    });
    await s3.putBucketVersioning({
      Bucket: bucket,
      ExpectedBucketOwner: account,
      VersioningConfiguration: { Status: "Enabled" },
    });
  } catch (error) {
    const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw new DeploymentError(
      `The state bucket ${bucket} could not be created (${said}).`,
      error instanceof Error && error.name === "BucketAlreadyExists"
        ? "Another account owns the name: change stateBucketName in stacks/platform.ts."
        : "Sign in with a role that may create buckets, and run it again.",
    );
  } finally {
    s3.destroy();
  }
}

/** Who has locked a stack's state; undefined if nobody has. */
export async function readLock(environment: Environment, stack: StackId): Promise<Lock | undefined> {
  const s3 = client(environment);
  try {
    const { Body } = await s3.getObject({
      Bucket: bucketOf(environment),
      Key: `${stateKey(environment, stack)}.tflock`,
      ExpectedBucketOwner: environment.account,
    });
    const text = (await Body?.transformToString()) ?? "";
    return parseLock(text);
  } catch (error) {
    if (error instanceof NoSuchKey || error instanceof NotFound) {
      return undefined;
    }
    if (error instanceof SyntaxError) {
      throw new DeploymentError(
        `The lock of ${stack} in ${environment.name} is damaged (${error.message}).`,
        `If nobody deploys it: aws s3 rm s3://${bucketOf(environment)}/${stateKey(environment, stack)}.tflock`,
      );
    }
    throw bucketRefused(environment, error);
  } finally {
    s3.destroy();
  }
}

/** Parses a lock file, which has the fields of Terraform's LockInfo. */
export function parseLock(text: string): Lock {
  const fields = JSON.parse(text) as Readonly<Record<string, string | undefined>>;
  const { ID = "", Path = "", Operation = "", Who = "", Created = "" } = fields;
  return { id: ID, path: Path, operation: Operation, who: Who, created: Created };
}
