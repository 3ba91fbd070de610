/** The most that a role can do: a boundary, which its own policies can't widen. */
import { attachmentsOf, policyMeant } from "../boundaries";
import type { Rule } from "../rule";

/**
 * Roles and users without a boundary. A service-linked role has another type: AWS defines its policy, and allows no
 * boundary.
 */
export const boundedRoles: Rule = {
  id: "bounded-roles",
  promise: "Every role has a permissions boundary, which one of the stacks makes and which grants nothing itself.",
  source: 'IAM User Guide, "Delegating responsibility to others using permissions boundaries"',
  remedy:
    "Make roles with ExecutionRole (modules/execution-role.ts), which uses the boundary of its stack, and never attach a boundary. The stack governance makes the boundaries: an environment on AWS needs the setting governance.",
  *check(documents, { boundedRoles: wanted }) {
    if (!wanted) {
      return;
    }
    for (const role of documents.resources("aws_iam_role", "aws_iam_user")) {
      const { permissions_boundary: boundary } = role.arguments;
      if (typeof boundary !== "string" || boundary === "") {
        yield { place: role, found: "has no permissions_boundary" };
        continue;
      }
      const policy = policyMeant(documents, boundary, role.stack);
      if (!policy) {
        yield { place: role, found: `has the permissions_boundary ${boundary}, which no stack makes` };
        continue;
      }
      for (const { address, stack } of attachmentsOf(documents, policy)) {
        yield { place: role, found: `has a permissions_boundary that ${stack}/${address} attaches, so that it grants` };
      }
    }
  },
};
