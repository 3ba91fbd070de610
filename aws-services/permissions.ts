/** What a role needs to deploy a type of resource: statements whose ARNs are patterns for a stack's names. */
import { arnOf, type Place } from "./arn";

/** A condition block: operator, then key, then the value or values. */
export type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** One statement of an identity policy. */
export interface Statement {
  /** What the statement is for, in letters and digits: it is what people read in a plan. */
  readonly sid: string;
  /** @default "Allow" */
  readonly effect?: "Allow" | "Deny";
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** @default none */
  readonly conditions?: Conditions;
}

/** Where a stack stands and what its resources are called. */
export interface DeployScope extends Place {
  /** The stack's tag `Stack`: it separates its keys and its part of the network, whose ARNs show no name. */
  readonly stack: string;
  /** Patterns of the names of the stack's resources, such as `acme-production-website-test*`. */
  readonly names: readonly string[];
  /** How the names of all the platform's resources begin, such as `acme-production-`. */
  readonly prefix: string;
  /**
   * ARN of the permissions boundary of the stack's roles: only with it are they made, and given policies.
   * @default none: no role can be made, and none changed
   */
  readonly boundary?: string;
  /** How the names of all the environment's SSM parameters begin: `/acme/production/`. */
  readonly parameterPath: string;
  /** The SSM parameters that the stack publishes, by name: `/acme/production/DataBucket`. */
  readonly published: readonly string[];
  /** The SSM parameters that it reads. */
  readonly read: readonly string[];
  /** Objects of another stack's bucket that the stack looks up. @default none */
  readonly lookedUp?: {
    /** Their ARNs, or patterns of such. */
    readonly objects: readonly string[];
    /** The tag `Stack` of the key that encrypts them. */
    readonly keyStack: string;
  };
  /**
   * The domains and addresses from which the stack mails: what SES calls the identities that it makes. @default none
   */
  readonly mailIdentities?: readonly string[];
  /** The hosted zones in which the stack writes names. @default none */
  readonly hostedZones?: readonly string[];
  /** The services to which the stack's resources hand roles, such as `lambda.amazonaws.com`. */
  readonly roleServices: readonly string[];
  /**
   * The tag `Stack` of the key that encrypts what the stack makes: its own, or where it has none, that of the stack
   * whose key it reads.
   */
  readonly keyStack: string;
}

/** The words of a text: a long list of actions or patterns reads best so. */
export const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== "");

/**
 * The ARNs of a stack's resources.
 * @param patterns words such as `iam:role/{name}`: the service, and what follows the account in an ARN. Each word in
 * braces stands for all that the stack has of it. `*` and whole ARNs stand for themselves.
 * @throws Error for another word in braces
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
 * A statement that types of resources need. Several types share one, and a stack with any of them gets all of it: each
 * with a statement of its own would be longer than IAM's policies may be.
 */
export interface Permissions {
  /** Names the statement, in letters and digits. */
  readonly sid: string;
  /** Actions of whoever plans and deploys, as words; they only look. */
  readonly reads?: string;
  /** Actions of whoever deploys, as words. */
  readonly writes?: string;
  /**
   * The resources on which both are allowed: patterns for `arnsOf`; `*` where AWS takes no resource, but a condition.
   * @default none: the statement is left out
   */
  readonly on?: string | ((scope: DeployScope) => string);
  /** @default that of the stack */
  readonly region?: string;
  readonly conditions?: (scope: DeployScope) => Conditions;
  /**
   * Actions that look, for which AWS takes no resource: in the Service Authorization Reference, their column "Resource
   * types" is empty.
   */
  readonly readsAnywhere?: string;
  /** Such actions that change something. */
  readonly writesAnywhere?: string;
}

/** What bears the stack's tag. */
export const ownTag = ({ stack }: DeployScope): Conditions => ({ StringEquals: { "aws:ResourceTag/Stack": stack } });

/** What is made only now has no tag yet; what a neighbour made has another. */
export const ownTagOrNone = ({ stack }: DeployScope): Conditions => ({
  StringEqualsIfExists: { "aws:ResourceTag/Stack": stack },
});

/**
 * The use, through a service, of the key that encrypts what the stack makes. The other statements limit what of the
 * service is used.
 * @param service as host names have it: `dynamodb`
 */
export const useKey = (
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

/** The service-linked role that a service makes for itself in an account. */
export const serviceRole = (sid: string, service: string, role: string): Permissions => ({
  sid,
  writes: "iam:CreateServiceLinkedRole",
  on: `iam:role/aws-service-role/${service}/${role}`,
  conditions: () => ({ StringEquals: { "iam:AWSServiceName": service } }),
});
