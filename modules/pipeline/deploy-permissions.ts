/**
 * What a role needs to deploy a stack with Terraform, from the types of the stack's resources and the beginnings of
 * their names.
 *
 *     deployStatements(["aws_lambda_function", "aws_iam_role"], where);  // create, change, delete
 *     planStatements(["aws_lambda_function", "aws_iam_role"], where);    // only read
 *
 * The records of aws-services/ hold the actions and the resources. What can't be made again nobody deletes with such a
 * role: no bucket, key, table, repository, feature group, model package group or Airflow environment.
 */
import { awsServices } from "../../aws-services";
import { arnsOf, type DeployScope, words } from "../../aws-services/permissions";
import { managedPolicyCharacters } from "../permissions-boundary";
import { policyDocument, type Statement } from "../policy";

function statementsFor(types: readonly string[], scope: DeployScope, write: boolean): readonly Statement[] {
  const permissions = awsServices.permissionsOf(types);
  const anywhere = permissions.flatMap(({ readsAnywhere = "", writesAnywhere = "" }) =>
    words(write ? `${readsAnywhere} ${writesAnywhere}` : readsAnywhere),
  );
  return [
    ...permissions.flatMap(({ sid, reads = "", writes = "", on = "", region, conditions }) => {
      const actions = words(write ? `${reads} ${writes}` : reads);
      const resources = arnsOf(scope, typeof on === "string" ? on : on(scope), region);
      return actions.length > 0 && resources.length > 0
        ? [{ sid, actions, resources, conditions: conditions?.(scope) }]
        : [];
    }),
    ...(anywhere.length > 0
      ? [{ sid: "WithoutResource", actions: [...new Set(anywhere)].sort(), resources: ["*"] }]
      : []),
  ];
}

/**
 * The statements with which Terraform creates, changes and deletes a stack's resources.
 * @param types Terraform's types of the stack's resources and, with `data.` before, of its data sources
 * @throws Error that names the types of which aws-services/ has no record
 */
export function deployStatements(types: readonly string[], scope: DeployScope): readonly Statement[] {
  return statementsFor(types, scope, true);
}

/**
 * The statements with which Terraform plans a stack: it looks at its resources, and changes nothing.
 * @throws Error that names the types of which aws-services/ has no record
 */
export function planStatements(types: readonly string[], scope: DeployScope): readonly Statement[] {
  return statementsFor(types, scope, false);
}

/** The length of a managed policy, and how many a role can hold (IAM User Guide, "IAM and AWS STS quotas"). */
const policyLimits = { characters: managedPolicyCharacters, policies: 10 } as const;

/**
 * Distributes statements over as few policies as IAM's limit on the length of one allows, in their order.
 * @throws Error when one statement alone is too long, or when a role can't hold as many policies
 */
export function distribute(role: string, statements: readonly Statement[]): readonly (readonly Statement[])[] {
  const policies: Statement[][] = [];
  for (const statement of statements) {
    const last = policies.at(-1);
    if (last && policyDocument([...last, statement]).length <= policyLimits.characters) {
      last.push(statement);
      continue;
    }
    const { length } = policyDocument([statement]);
    if (length > policyLimits.characters) {
      throw new Error(
        `The statement ${statement.sid} of the role ${role} has ${length} characters; a policy takes ${policyLimits.characters}. ` +
          "Divide its permissions in aws-services/.",
      );
    }
    policies.push([statement]);
  }
  if (policies.length > policyLimits.policies) {
    throw new Error(
      `The role ${role} needs ${policies.length} policies; IAM attaches ${policyLimits.policies}. Divide the stack that it deploys.`,
    );
  }
  return policies;
}
