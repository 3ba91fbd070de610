/**
 * The rights that a role needs to deploy a stack with Terraform, from the stack's resource types and name prefixes.
 *
 *     deployStatements(["aws_lambda_function", "aws_iam_role"], where);  // create, change, delete
 *     planStatements(["aws_lambda_function", "aws_iam_role"], where);    // only read
 *
 * The records of aws-services/ hold the actions and the resources. Such a role cannot delete what can't be made again:
 * buckets, keys, tables, repositories, feature groups, model package groups, Airflow environments.
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
 * The statements that let Terraform create, change and delete a stack's resources.
 * @param types the stack's Terraform resource types, and its data sources with the prefix `data.`
 * @throws Error that names the types of which aws-services/ has no record
 */
export function deployStatements(types: readonly string[], scope: DeployScope): readonly Statement[] {
  return statementsFor(types, scope, true);
}

/**
 * The statements that let Terraform plan a stack: it reads the resources, and changes nothing.
 * @throws Error that names the types of which aws-services/ has no record
 */
export function planStatements(types: readonly string[], scope: DeployScope): readonly Statement[] {
  return statementsFor(types, scope, false);
}

/** Maximum length of a managed policy, and maximum number per role (IAM User Guide, "IAM and AWS STS quotas"). */
const policyLimits = { characters: managedPolicyCharacters, policies: 10 } as const;

/**
 * Distributes statements, in order, over as few policies as IAM's length limit allows.
 * @throws Error when one statement is too long, or a role can't have that many policies
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
        `The statement ${statement.sid} of the role ${role} has ${length} characters; a policy may have ${policyLimits.characters}. ` +
          "Split its permissions in aws-services/.",
      );
    }
    policies.push([statement]);
  }
  if (policies.length > policyLimits.policies) {
    throw new Error(
      `The role ${role} needs ${policies.length} policies; IAM allows ${policyLimits.policies}. Split the stack that it deploys.`,
    );
  }
  return policies;
}
