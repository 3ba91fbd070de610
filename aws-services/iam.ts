/** AWS Identity and Access Management: roles and their policies. */
import { arnOf } from "./arn";
import { arnsOf, type Permissions } from "./permissions";
import { identity, type Service } from "./record";

const roles: readonly Permissions[] = [
  {
    sid: "Roles",
    reads: `
      iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies iam:ListInstanceProfilesForRole iam:ListRolePolicies
      iam:ListRoleTags`,
    // IAM can't check the boundary for these; they give a role no rights (Service Authorization Reference, "Actions
    // defined by AWS Identity and Access Management (IAM)", condition keys).
    writes: `
      iam:DeleteRole iam:TagRole iam:UntagRole iam:UpdateAssumeRolePolicy iam:UpdateRole iam:UpdateRoleDescription`,
    on: "iam:role/{name}",
  },
  {
    // For a role without a boundary, only the boundary can be set, so an older role gets one (IAM User Guide,
    // "Delegating responsibility to others using permissions boundaries").
    sid: "BoundedRoles",
    writes: "iam:CreateRole iam:DeleteRolePolicy iam:PutRolePermissionsBoundary iam:PutRolePolicy",
    on: ({ boundary }) => (boundary === undefined ? "" : "iam:role/{name}"),
    conditions: ({ boundary = "" }) => ({ StringEquals: { "iam:PermissionsBoundary": boundary } }),
  },
  {
    sid: "PassRoles",
    writes: "iam:PassRole",
    on: ({ roleServices }) => (roleServices.length === 0 ? "" : "iam:role/{name}"),
    conditions: ({ roleServices }) => ({ StringEquals: { "iam:PassedToService": roleServices } }),
  },
];

const attachments: readonly Permissions[] = [
  { sid: "PolicyAttachments", reads: "iam:ListAttachedRolePolicies", on: "iam:role/{name}" },
  {
    // Only the stack's own policies, not AWS-managed ones.
    sid: "AttachOwnPolicies",
    writes: "iam:AttachRolePolicy iam:DetachRolePolicy",
    on: ({ boundary }) => (boundary === undefined ? "" : "iam:role/{name}"),
    conditions: (scope) => ({
      StringEquals: { "iam:PermissionsBoundary": scope.boundary ?? "" },
      ArnLike: { "iam:PolicyARN": arnsOf(scope, "iam:policy/{name}") },
    }),
  },
];

export const iam: Service = {
  aws_iam_role: { permissions: roles, price: identity, importId: "name" },
  aws_iam_role_policy: { permissions: roles, price: identity },
  aws_iam_policy: {
    permissions: {
      sid: "Policies",
      reads: "iam:GetPolicy iam:GetPolicyVersion iam:ListPolicyTags iam:ListPolicyVersions",
      writes: `
        iam:CreatePolicy iam:CreatePolicyVersion iam:DeletePolicy iam:DeletePolicyVersion iam:TagPolicy iam:UntagPolicy`,
      on: "iam:policy/{name}",
    },
    price: identity,
    importId: ({ name }, place) => arnOf(place, "iam", `policy/${String(name)}`),
  },
  aws_iam_role_policy_attachment: { permissions: attachments, price: identity },
};
