/**
 * Policies as data: statements that modules hand out (grants) and roles, keys and buckets take in.
 *
 * - `policyDocument(statements)` renders them as the JSON that Terraform wants.
 * - `passRole(roleArn, service)`, `readObjects(…)`, `writeObjects(…)`, `useKey(…)` are the grants that several modules
 *   share.
 */

import type { Statement } from "../aws-services/permissions";

export type { Conditions, Statement } from "../aws-services/permissions";

/** One statement of a policy that belongs to a resource, and therefore says whom it speaks of. */
export interface ResourceStatement extends Statement {
  /** Kind (`Service`, `AWS`) and name; `"*"` is anyone. */
  readonly principals: "*" | Readonly<Record<string, string | readonly string[]>>;
}

/** IAM's own form of a list of one, so that a second plan finds no difference. */
function singleOrList(values: readonly string[]): string | readonly string[] {
  const [first, ...others] = values;
  return first !== undefined && others.length === 0 ? first : values;
}

/**
 * Renders a policy document.
 * @throws Error when it has no statement, or two statements of the same sid
 */
export function policyDocument(statements: readonly (Statement | ResourceStatement)[]): string {
  if (statements.length === 0) {
    throw new Error("A policy needs at least one statement.");
  }
  const names = new Set<string>();
  for (const { sid } of statements) {
    if (!/^[A-Za-z0-9]+$/.test(sid)) {
      throw new Error(`The sid ${JSON.stringify(sid)} has other characters than letters and digits.`);
    }
    if (names.has(sid)) {
      throw new Error(`The policy has two statements named ${sid}: give each a name of its own.`);
    }
    names.add(sid);
  }
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: statements.map((statement) => ({
      Sid: statement.sid,
      Effect: statement.effect ?? "Allow",
      ...("principals" in statement ? { Principal: statement.principals } : {}),
      Action: singleOrList(statement.actions),
      Resource: singleOrList(statement.resources),
      Condition: statement.conditions,
    })),
  });
}

/** Lets the holder hand a role to one service, and to no other. */
export function passRole(roleArn: string, service: string, sid = "PassRole"): Statement {
  return {
    sid,
    actions: ["iam:PassRole"],
    resources: [roleArn],
    conditions: { StringEquals: { "iam:PassedToService": service } },
  };
}

/** Objects of a bucket, under one prefix or several. */
export interface ObjectsGrant {
  readonly bucketArn: string;
  /** Each such as `runs/`; the empty text is the whole bucket. */
  readonly prefixes: readonly string[];
  /** Begins the sids, so that one role can hold several grants. @default "Objects" */
  readonly name?: string;
}

/** Reads the objects under the prefixes, and lists those and no others. */
export function readObjects({ bucketArn, prefixes, name = "Objects" }: ObjectsGrant): readonly Statement[] {
  return [
    { sid: `Read${name}`, actions: ["s3:GetObject"], resources: prefixes.map((prefix) => `${bucketArn}/${prefix}*`) },
    {
      sid: `List${name}`,
      actions: ["s3:ListBucket"],
      resources: [bucketArn],
      ...(prefixes.includes("")
        ? {}
        : { conditions: { StringLike: { "s3:prefix": prefixes.map((prefix) => `${prefix}*`) } } }),
    },
  ];
}

/** Writes objects under the prefixes, in parts too; it neither reads nor deletes them. */
export function writeObjects({ bucketArn, prefixes, name = "Objects" }: ObjectsGrant): readonly Statement[] {
  return [
    {
      sid: `Write${name}`,
      actions: ["s3:PutObject", "s3:AbortMultipartUpload"],
      resources: prefixes.map((prefix) => `${bucketArn}/${prefix}*`),
    },
  ];
}

/** The use of a KMS key. */
export interface KeyGrant {
  readonly keyArn: string;
  /** The services through which it is used, by their names in host names: `s3`, `dynamodb`. */
  readonly services: readonly string[];
  readonly region: string;
  /** Whether to read only, or also to write. */
  readonly access: "read" | "write";
  /** @default "UseKey" */
  readonly sid?: string;
}

/** Uses a KMS key through AWS services, never directly: who holds the role can't decrypt what was fetched elsewhere. */
export function useKey({ keyArn, services, region, access, sid = "UseKey" }: KeyGrant): Statement {
  return {
    sid,
    actions: access === "read" ? ["kms:Decrypt"] : ["kms:Decrypt", "kms:GenerateDataKey"],
    resources: [keyArn],
    conditions: {
      StringEquals: { "kms:ViaService": singleOrList(services.map((name) => `${name}.${region}.amazonaws.com`)) },
    },
  };
}
