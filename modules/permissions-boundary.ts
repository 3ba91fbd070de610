/**
 * The most that a role can do, whatever its own policies say: IAM's permissions boundary (IAM User Guide, "Permissions
 * boundaries for IAM entities").
 *
 *     const boundary = new PermissionsBoundary(this, "boundary", { name, description, statements, protect });
 *     boundRoles(this, boundary.arn);   // every role made below `this` from now on has it
 *     boundaryOf(role);                 // for a construct that makes a role
 *
 * A boundary grants nothing. If somebody may make roles only with this boundary, no role can do more than the boundary
 * allows, so this right is safe to give.
 */
import { IamPolicy } from "@cdktf/provider-aws/lib/iam-policy";
import { Construct, type IConstruct } from "constructs";
import { policyDocument, type Statement } from "./policy";

/** Maximum characters of a managed policy, without spaces (IAM User Guide, "IAM and AWS STS quotas"). */
export const managedPolicyCharacters = 6_144;

export interface PermissionsBoundaryProps {
  /** 1 to 128 letters, digits and `+=,.@_-`. Others refer to the policy by it. */
  readonly name: string;
  readonly description: string;
  /** What a role can do at most, and what it can never do. */
  readonly statements: readonly Statement[];
  /** Whether Terraform refuses to destroy it. @default false */
  readonly protect?: boolean;
}

/** A managed policy that is the permissions boundary of roles. */
export class PermissionsBoundary extends Construct {
  readonly arn: string;

  /** @throws Error when the policy is longer than IAM allows */
  constructor(scope: Construct, id: string, { name, description, statements, protect }: PermissionsBoundaryProps) {
    super(scope, id);
    const policy = policyDocument(statements);
    if (policy.length > managedPolicyCharacters) {
      throw new Error(
        `The boundary ${name} has ${policy.length} characters; IAM allows ${managedPolicyCharacters}, and a role has only one boundary. ` +
          "Merge statements, or replace lists of actions with patterns.",
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

/** Gives a boundary to every role made below a construct from now on. A construct further down may set another. */
export function boundRoles(scope: IConstruct, policyArn: string): void {
  boundaries.set(scope, policyArn);
}

/** The ARN of the boundary for a role made in this scope; undefined if none is set. */
export function boundaryOf(scope: IConstruct): string | undefined {
  return scope.node.scopes
    .toReversed()
    .map((each) => boundaries.get(each))
    .find((arn) => arn !== undefined);
}
