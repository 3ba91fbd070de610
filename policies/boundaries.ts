/** Finds the policies that are permissions boundaries, and the policies that are attached to something. */
import { type Documents, type Resource, texts } from "./documents";

/** Whether an argument refers to a policy: by a reference in its own stack, or by its ARN. */
function means(value: string, stack: string, policy: Resource): boolean {
  if (value === `\${${policy.address}.arn}`) {
    return stack === policy.stack;
  }
  const { name } = policy.arguments;
  return typeof name === "string" && value.startsWith("arn:") && value.endsWith(`:policy/${name}`);
}

/** The types and arguments that attach a policy. */
const attachments: Readonly<Record<string, string>> = {
  aws_iam_group_policy_attachment: "policy_arn",
  aws_iam_policy_attachment: "policy_arn",
  aws_iam_role: "managed_policy_arns",
  aws_iam_role_policy_attachment: "policy_arn",
  aws_iam_role_policy_attachments_exclusive: "policy_arns",
  aws_iam_user_policy_attachment: "policy_arn",
};

/** The managed policy that a value refers to; undefined if no stack makes it. */
export function policyMeant(documents: Documents, value: unknown, stack: string): Resource | undefined {
  return typeof value === "string"
    ? documents.resources("aws_iam_policy").find((policy) => means(value, stack, policy))
    : undefined;
}

/** The resources that attach a policy. */
export function attachmentsOf(documents: Documents, policy: Resource): readonly Resource[] {
  return documents
    .resources(...Object.keys(attachments))
    .filter((resource) =>
      texts(resource.arguments[attachments[resource.type] ?? ""]).some((value) => means(value, resource.stack, policy)),
    );
}

const found = new WeakMap<Documents, ReadonlySet<Resource>>();

/**
 * The policies that are only boundaries: "a permissions boundary sets the maximum permissions that an identity-based
 * policy can grant to an IAM entity" and grants none itself (IAM User Guide, "Permissions boundaries for IAM
 * entities").
 */
export function boundaries(documents: Documents): ReadonlySet<Resource> {
  const known = found.get(documents);
  if (known) {
    return known;
  }
  const policies = documents
    .resources("aws_iam_role", "aws_iam_user")
    .flatMap(({ arguments: { permissions_boundary: value }, stack }) => policyMeant(documents, value, stack) ?? []);
  const bounding = new Set(policies.filter((policy) => attachmentsOf(documents, policy).length === 0));
  found.set(documents, bounding);
  return bounding;
}
