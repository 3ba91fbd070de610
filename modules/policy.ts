/**
 * Policies as data: modules return statements (grants), and roles, keys and buckets collect them.
 *
 * - `policyDocument(statements)` renders them as JSON for Terraform.
 * - `passRole(roleArn, service)`, `readObjects(…)`, `writeObjects(…)`, `allowKeyUse(…)` are grants that several modules
 *   share.
 */

import type { Statement } from "../aws-services/permissions";

export type { Conditions, Statement } from "../aws-services/permissions";

/** A statement of a resource's policy, which names principals. */
export interface ResourceStatement extends Statement {
  /** By kind (`Service`, `AWS`); `"*"` is anyone. */
  readonly principals: "*" | Readonly<Record<string, string | readonly string[]>>;
}

/** IAM returns a list of one as a single value; a second plan would differ otherwise. */
function singleOrList(values: readonly string[]): string | readonly string[] {
  const [first, ...others] = values;
  return first !== undefined && others.length === 0 ? first : values;
}

/**
 * Renders a policy document.
 * @throws Error when it has no statement, or two with the same sid
 */
export function policyDocument(statements: readonly (Statement | ResourceStatement)[]): string {
  if (statements.length === 0) {
    throw new Error("A policy needs at least one statement.");
  }
  const names = new Set<string>();
  for (const { sid } of statements) {
    if (!/^[A-Za-z0-9]+$/.test(sid)) {
      throw new Error(`The sid ${JSON.stringify(sid)} must have only letters and digits.`);
    }
    if (names.has(sid)) {
      throw new Error(`The policy has two statements named ${sid}: give each a different name.`);
    }
    names.add(sid);
  }
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: statements.map((statement) => ({
      Sid: statement.sid,
      Effect: statement.effect ?? "Allow",
      Principal: "principals" in statement ? statement.principals : undefined,
      Action: singleOrList(statement.actions),
      Resource: singleOrList(statement.resources),
      Condition: statement.conditions,
    })),
  });
}

/** Lets the holder pass a role to one service only. */
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
  /** For example `runs/`; an empty string means the whole bucket. */
  readonly prefixes: readonly string[];
  /** Part of the sids, so that one role can have several grants. @default "Objects" */
  readonly name?: string;
}

/** Allows reading and listing only the objects under the prefixes. */
export function readObjects({ bucketArn, prefixes, name = "Objects" }: ObjectsGrant): readonly Statement[] {
  return [
    { sid: `Read${name}`, actions: ["s3:GetObject"], resources: prefixes.map((prefix) => `${bucketArn}/${prefix}*`) },
    {
      sid: `List${name}`,
      actions: ["s3:ListBucket"],
      resources: [bucketArn],
      conditions: prefixes.includes("")
        ? undefined
        : { StringLike: { "s3:prefix": prefixes.map((prefix) => `${prefix}*`) } },
    },
  ];
}

/** Allows writing objects under the prefixes, multipart uploads included, but not reading or deleting them. */
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
  /** The services that use the key, as in their host names: `s3`, `dynamodb`. */
  readonly services: readonly string[];
  readonly region: string;
  /** "read" decrypts, "write" also encrypts. */
  readonly access: "read" | "write";
  /** @default "UseKey" */
  readonly sid?: string;
}

/** Allows the use of a KMS key only through AWS services: the role's holder can't decrypt data obtained elsewhere. */
export function allowKeyUse({ keyArn, services, region, access, sid = "UseKey" }: KeyGrant): Statement {
  return {
    sid,
    actions: access === "read" ? ["kms:Decrypt"] : ["kms:Decrypt", "kms:GenerateDataKey"],
    resources: [keyArn],
    conditions: {
      StringEquals: { "kms:ViaService": singleOrList(services.map((name) => `${name}.${region}.amazonaws.com`)) },
    },
  };
}
