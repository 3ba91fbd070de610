/** The rights that a role needs to deploy a resource type: statements whose ARNs are patterns for a stack's names. */
import { arnOf, type Place } from "./arn";

/** A condition block: operator, then key, then the value or values. */
export type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** One statement of an identity policy. */
export interface Statement {
  /** The purpose, in letters and digits: people read it in a plan. */
  readonly sid: string;
  /** @default "Allow" */
  readonly effect?: "Allow" | "Deny";
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** @default none */
  readonly conditions?: Conditions;
}

/** A stack's place and the names of its resources. */
export interface DeployScope extends Place {
  /** The stack's tag `Stack`: it identifies the stack's keys and network resources, whose ARNs contain no name. */
  readonly stack: string;
  /** Name patterns of the stack's resources, such as `acme-production-website-test*`. */
  readonly names: readonly string[];
  /** Name prefix of all the platform's resources, such as `acme-production-`. */
  readonly prefix: string;
  /**
   * ARN of the permissions boundary of the stack's roles. Roles can be made and changed only with it.
   * @default none: no role can be made or changed
   */
  readonly boundary?: string;
  /** Prefix of all the environment's SSM parameters: `/acme/production/`. */
  readonly parameterPath: string;
  /** The SSM parameters that the stack publishes, by name: `/acme/production/DataBucket`. */
  readonly published: readonly string[];
  /** The SSM parameters that the stack reads. */
  readonly read: readonly string[];
  /** Objects in another stack's bucket that the stack reads. @default none */
  readonly lookedUp?: {
    /** Their ARNs, or ARN patterns. */
    readonly objects: readonly string[];
    /** The tag `Stack` of the key that encrypts them. */
    readonly keyStack: string;
  };
  /** The sender domains and addresses, which are the names of the stack's SES identities. @default none */
  readonly mailIdentities?: readonly string[];
  /** The hosted zones to which the stack adds names. @default none */
  readonly hostedZones?: readonly string[];
  /** ARNs of the connections to repositories that the stack's pipelines use. @default none */
  readonly connections?: readonly string[];
  /** The services to which the stack's resources pass roles, such as `lambda.amazonaws.com`. */
  readonly roleServices: readonly string[];
  /**
   * The tag `Stack` of the key that encrypts the stack's resources: its own, or without an own key, the one of the
   * stack whose key it reads.
   */
  readonly keyStack: string;
}

/** Splits a text into words: long lists of actions or patterns are easier to read this way. */
export const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== "");

/**
 * The ARNs of a stack's resources.
 * @param patterns words such as `iam:role/{name}`: the service, and what follows the account in an ARN. A word in
 * braces is replaced by each of the stack's values. `*` and whole ARNs are not changed.
 * @throws Error for an unknown word in braces
 */
export function arnsOf(scope: DeployScope, patterns: string, region = scope.region): readonly string[] {
  const lists: Readonly<Record<string, readonly string[]>> = {
    name: scope.names,
    prefix: [scope.prefix],
    parameterPath: [scope.parameterPath],
    published: scope.published,
    read: scope.read,
    mailIdentity: scope.mailIdentities ?? [],
    hostedZone: scope.hostedZones ?? [],
  };
  return words(patterns).flatMap((pattern) => {
    if (pattern === "*" || pattern.startsWith("arn:")) {
      return [pattern];
    }
    const [, service = "", resource = ""] = /^([^:]+):(.*)$/.exec(pattern) ?? [];
    const [placeholder = "", word] = /\{(\w+)\}/.exec(resource) ?? [];
    const list = word === undefined ? [""] : lists[word];
    if (!list) {
      throw new Error(`The ARN pattern ${pattern} has {${word}}; expected one of ${Object.keys(lists).join(", ")}.`);
    }
    return list.map((each) => arnOf({ ...scope, region }, service, resource.replace(placeholder, each)));
  });
}

/**
 * A statement that resource types need. Several types share one statement, and a stack with one of them gets all of it:
 * separate statements would exceed IAM's policy size.
 */
export interface Permissions {
  /** Name of the statement: letters and digits. */
  readonly sid: string;
  /** Read actions for planning and deploying, as words. */
  readonly reads?: string;
  /** Further actions for deploying, as words. */
  readonly writes?: string;
  /**
   * The resources for both: patterns for `arnsOf`; `*` if the actions take no resource but a condition.
   * @default none: the statement is left out
   */
  readonly on?: string | ((scope: DeployScope) => string);
  /** @default the stack's region */
  readonly region?: string;
  readonly conditions?: (scope: DeployScope) => Conditions;
  /**
   * Read actions that take no resource: their column "Resource types" in the Service Authorization Reference is empty.
   */
  readonly readsAnywhere?: string;
  /** Write actions that take no resource. */
  readonly writesAnywhere?: string;
}

/** Limits a statement to resources with the stack's tag. */
export const ownTag = ({ stack }: DeployScope): Conditions => ({ StringEquals: { "aws:ResourceTag/Stack": stack } });

/**
 * Limits a statement to resources with the stack's tag or without tags. A new resource has no tag yet, and another
 * stack's has another.
 */
export const ownTagOrNone = ({ stack }: DeployScope): Conditions => ({
  StringEqualsIfExists: { "aws:ResourceTag/Stack": stack },
});

/**
 * Allows the use, through one service, of the key that encrypts the stack's resources. Other statements limit the
 * service's actions.
 * @param service as in host names: `dynamodb`
 */
export const keyUseThrough = (
  sid: string,
  service: string,
  writes = `
    kms:Decrypt kms:Encrypt kms:GenerateDataKey kms:GenerateDataKeyWithoutPlaintext kms:ReEncryptFrom kms:ReEncryptTo`,
): Permissions => ({
  sid,
  writes,
  on: "kms:key/*",
  conditions: ({ keyStack, region }) => ({
    StringEquals: { "aws:ResourceTag/Stack": keyStack, "kms:ViaService": `${service}.${region}.amazonaws.com` },
  }),
});

/** The service-linked role that a service creates in an account. */
export const serviceRole = (sid: string, service: string, role: string): Permissions => ({
  sid,
  writes: "iam:CreateServiceLinkedRole",
  on: `iam:role/aws-service-role/${service}/${role}`,
  conditions: () => ({ StringEquals: { "iam:AWSServiceName": service } }),
});
