/**
 * The most that a role can do, whatever its own policies say: IAM's permissions boundary (IAM User Guide, "Permissions
 * boundaries for IAM entities").
 *
 *     const boundary = new PermissionsBoundary(this, "boundary", { name, description, statements, protect });
 *     boundRoles(this, boundary.arn);   // every role that is made below `this` from now on has it
 *     boundaryOf(role);                 // by which a construct that makes a role asks for it
 *
 * A boundary grants nothing. Whoever may make roles only with it can give no role more than it has, which is what makes
 * it safe to let them.
 */
import { IamPolicy } from "@cdktf/provider-aws/lib/iam-policy";
import { Construct, type IConstruct } from "constructs";
import { policyDocument, type Statement } from "./policy";

/** Characters of one managed policy, spaces not counted (IAM User Guide, "IAM and AWS STS quotas"). */
export const managedPolicyCharacters = 6_144;

export interface PermissionsBoundaryProps {
  /** 1 to 128 letters, digits and `+=,.@_-`: by it others name the policy. */
  readonly name: string;
  readonly description: string;
  /** What a role can do at most, and what it never can. */
  readonly statements: readonly Statement[];
  /** Whether Terraform refuses to destroy it. @default false */
  readonly protect?: boolean;
}

/** A managed policy that roles have as their boundary. */
export class PermissionsBoundary extends Construct {
  readonly arn: string;

  /** @throws Error when the policy is longer than IAM takes */
  constructor(scope: Construct, id: string, { name, description, statements, protect }: PermissionsBoundaryProps) {
    super(scope, id);
    const policy = policyDocument(statements);
    if (policy.length > managedPolicyCharacters) {
      throw new Error(
        `The boundary ${name} has ${policy.length} characters; IAM takes ${managedPolicyCharacters}, and a role has one boundary. ` +
          "Join statements, or end lists of actions with *.",
      );
    }
    this.arn = new IamPolicy(this, "policy", {
      name,
      description,
      policy,
      lifecycle: protect === true ? { preventDestroy: true } : undefined,
    }).arn;
  }
}

const boundaries = new WeakMap<IConstruct, string>();

/**
 * Gives a boundary to every role that is made below a construct from now on; a construct further down may have another.
 */
export function boundRoles(scope: IConstruct, policyArn: string): void {
  boundaries.set(scope, policyArn);
}

/** The ARN of the boundary that a role has which is made here; undefined where nobody has set one. */
export function boundaryOf(scope: IConstruct): string | undefined {
  return scope.node.scopes
    .toReversed()
    .map((each) => boundaries.get(each))
    .find((arn) => arn !== undefined);
}
