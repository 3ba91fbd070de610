/** What a role needs to deploy a type of resource: statements whose ARNs are patterns, to be filled with a stack's names. */
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
  /** Patterns of the names of the stack's resources, such as `acme-production-test*`. */
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

/** What the permissions of types are made from: a stack, and its ARNs. */
export class Scope {
  constructor(
    readonly of: DeployScope,
    private readonly region = of.region,
  ) {}

  /** The same stack's resources in another region. */
  in(region: string): Scope {
    return new Scope(this.of, region);
  }

  /**
   * The ARNs of a service's resources.
   * @param patterns what follows the account; each word in braces stands for all that the stack has of it: `{name}` its
   * resources' names, `{published}` and `{read}` SSM parameters, `{mailIdentity}`, `{hostedZone}`
   * @throws Error for another word in braces
   */
  arns(service: string, ...patterns: readonly string[]): readonly string[] {
    const { names, published, read, mailIdentities = [], hostedZones = [] } = this.of;
    const lists = new Map([
      ["name", names],
      ["published", published],
      ["read", read],
      ["mailIdentity", mailIdentities],
      ["hostedZone", hostedZones],
    ]);
    return patterns.flatMap((pattern) => {
      const [placeholder, word = ""] = /\{(\w+)\}/.exec(pattern) ?? [];
      const filledIn =
        placeholder === undefined ? [pattern] : lists.get(word)?.map((each) => pattern.replace(placeholder, each));
      if (!filledIn) {
        throw new Error(`The ARN pattern ${pattern} has {${word}}; expected one of ${[...lists.keys()].join(", ")}.`);
      }
      return filledIn.map((resource) => arnOf({ ...this.of, region: this.region }, service, resource));
    });
  }
}

/**
 * What types of resources need that share one statement. A stack with any of the types gets all of it: each with
 * statements of its own would be longer than IAM's policies may be.
 */
export interface Permissions {
  /** Names the statement, in letters and digits. */
  readonly sid: string;
  /** As actions and ARNs name it: `states`, not Step Functions. */
  readonly service: string;
  /** Actions of the service that only look. */
  readonly reads?: readonly string[];
  /** Actions of the service that create, change or delete something. */
  readonly writes?: readonly string[];
  /** The service's resources on which both are allowed: patterns for `Scope.arns`, or whole ARNs. */
  readonly on?: readonly string[] | ((scope: Scope) => readonly string[]);
  /** @default that of the stack */
  readonly region?: string;
  readonly conditions?: (scope: DeployScope) => Conditions;
  /** Actions that look, and for which AWS takes no resource; with the service before them, for it may be another. */
  readonly readsAnywhere?: readonly string[];
  /** Actions that change something, and for which AWS takes no resource. */
  readonly writesAnywhere?: readonly string[];
  /** Further statements, with conditions of their own, for those who may change something. */
  readonly more?: (scope: Scope) => readonly Statement[];
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
export function useKey(scope: Scope, sid: string, service: string): Statement {
  const { keyStack, region } = scope.of;
  return {
    sid,
    actions: [
      "kms:Decrypt",
      "kms:Encrypt",
      "kms:GenerateDataKey",
      "kms:GenerateDataKeyWithoutPlaintext",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
    ],
    resources: scope.arns("kms", "key/*"),
    conditions: {
      StringEquals: { "aws:ResourceTag/Stack": keyStack, "kms:ViaService": `${service}.${region}.amazonaws.com` },
    },
  };
}

/** The service-linked role that a service makes for itself in an account. */
export function serviceRole(scope: Scope, sid: string, service: string, role: string): Statement {
  return {
    sid,
    actions: ["iam:CreateServiceLinkedRole"],
    resources: scope.arns("iam", `role/aws-service-role/${service}/${role}`),
    conditions: { StringEquals: { "iam:AWSServiceName": service } },
  };
}
