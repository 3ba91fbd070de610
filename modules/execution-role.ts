/**
 * A role that one AWS service assumes, with exactly the given statements.
 *
 *     const role = new ExecutionRole(this, "role", { name, description, service: "sagemaker.amazonaws.com", statements });
 *     role.grant(…more statements…);      // until synth
 *     new Something(this, "thing", { roleArn: role.arn, dependsOn: [role.policy] });
 */
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { Lazy } from "cdktf";
import { Construct } from "constructs";
import { boundaryOf } from "./permissions-boundary";
import { placeOf } from "./place";
import { type Conditions, policyDocument, type Statement } from "./policy";

export interface ExecutionRoleProps {
  /** 1 to 64 letters, digits and `+=,.@_-`. */
  readonly name: string;
  /** What it may do and for whom; at most 1,000 characters. */
  readonly description: string;
  /** Who assumes it, such as `lambda.amazonaws.com`. */
  readonly service: string;
  /**
   * Whether the service must act for this account when it assumes the role (`aws:SourceAccount`). This stops other
   * accounts from using the role through the service, the "confused deputy". False for a service that does not send
   * this key, such as Lambda.
   * @default true
   */
  readonly forThisAccount?: boolean;
  /** What it may do; `grant` adds more. @default nothing yet */
  readonly statements?: readonly Statement[];
}

/**
 * An IAM role for one AWS service, with one inline policy and the permissions boundary of its scope (`boundRoles` in
 * permissions-boundary.ts).
 */
export class ExecutionRole extends Construct {
  readonly arn: string;
  readonly name: string;
  /** Depend on it if AWS checks the role's permissions on creation. */
  readonly policy: IamRolePolicy;
  private readonly statements: Statement[];

  constructor(scope: Construct, id: string, props: ExecutionRoleProps) {
    super(scope, id);
    if (!/^[\w+=,.@-]{1,64}$/.test(props.name)) {
      throw new Error(
        `The role name ${JSON.stringify(props.name)} has ${props.name.length} characters; IAM takes 1 to 64 letters, digits and +=,.@_-. Shorten it.`,
      );
    }
    this.statements = [...(props.statements ?? [])];
    const conditions: Conditions | undefined =
      (props.forThisAccount ?? true) ? { StringEquals: { "aws:SourceAccount": placeOf(this).account } } : undefined;
    const role = new IamRole(this, "role", {
      name: props.name,
      description: props.description,
      permissionsBoundary: boundaryOf(this),
      assumeRolePolicy: JSON.stringify({
        Version: "2012-10-17",
        Statement: [
          {
            Sid: "Assume",
            Effect: "Allow",
            Principal: { Service: props.service },
            Action: "sts:AssumeRole",
            Condition: conditions,
          },
        ],
      }),
    });
    this.policy = new IamRolePolicy(this, "policy", {
      name: "permissions",
      role: role.name,
      policy: Lazy.stringValue({ produce: () => policyDocument(this.statements) }),
    });
    this.arn = role.arn;
    this.name = props.name;
  }

  /** Adds statements. */
  grant(...statements: readonly Statement[]): void {
    this.statements.push(...statements);
  }
}
