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
    // Those of which IAM can't ask the boundary: they give a role no right (Service Authorization Reference, "Actions
    // defined by AWS Identity and Access Management (IAM)", condition keys).
    writes: `
      iam:DeleteRole iam:TagRole iam:UntagRole iam:UpdateAssumeRolePolicy iam:UpdateRole iam:UpdateRoleDescription`,
    on: "iam:role/{name}",
  },
  {
    // Of a role without it only the boundary itself can be set: so one comes under it that was made before there was a
    // boundary (IAM User Guide, "Delegating responsibility to others using permissions boundaries").
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
    // The stack's own policies, and none that AWS manages.
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
