/** AWS Identity and Access Management: roles and their policies. */
import { arnOf } from "./arn";
import type { Conditions, Permissions } from "./permissions";
import { identity } from "./price";
import type { Service } from "./resource-type";

/** IAM User Guide, "Delegating responsibility to others using permissions boundaries". */
const withBoundary = (boundary: string): Conditions => ({ StringEquals: { "iam:PermissionsBoundary": boundary } });

const roles: Permissions = {
  sid: "Roles",
  service: "iam",
  reads: [
    "GetRole",
    "GetRolePolicy",
    "ListAttachedRolePolicies",
    "ListInstanceProfilesForRole",
    "ListRolePolicies",
    "ListRoleTags",
  ],
  // Those of which IAM can't ask the boundary: they give a role no right (Service Authorization Reference, "Actions
  // defined by AWS Identity and Access Management (IAM)", condition keys).
  writes: ["DeleteRole", "TagRole", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription"],
  on: ["role/{name}"],
  more: (scope) => {
    const { boundary, roleServices } = scope.of;
    const resources = scope.arns("iam", "role/{name}");
    return [
      ...(boundary === undefined
        ? []
        : [
            {
              // Of a role without it only the boundary itself can be set: so one comes under it that was made before
              // there was a boundary.
              sid: "BoundedRoles",
              actions: [
                "iam:CreateRole",
                "iam:DeleteRolePolicy",
                "iam:PutRolePermissionsBoundary",
                "iam:PutRolePolicy",
              ],
              resources,
              conditions: withBoundary(boundary),
            },
          ]),
      ...(roleServices.length === 0
        ? []
        : [
            {
              sid: "PassRoles",
              actions: ["iam:PassRole"],
              resources,
              conditions: { StringEquals: { "iam:PassedToService": roleServices } },
            },
          ]),
    ];
  },
};

const policies: Permissions = {
  sid: "Policies",
  service: "iam",
  reads: ["GetPolicy", "GetPolicyVersion", "ListPolicyTags", "ListPolicyVersions"],
  writes: ["CreatePolicy", "CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion", "TagPolicy", "UntagPolicy"],
  on: ["policy/{name}"],
};

const attachments: Permissions = {
  sid: "PolicyAttachments",
  service: "iam",
  reads: ["ListAttachedRolePolicies"],
  on: ["role/{name}"],
  // The stack's own policies, and none that AWS manages.
  more: (scope) =>
    scope.of.boundary === undefined
      ? []
      : [
          {
            sid: "AttachOwnPolicies",
            actions: ["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
            resources: scope.arns("iam", "role/{name}"),
            conditions: {
              ...withBoundary(scope.of.boundary),
              ArnLike: { "iam:PolicyARN": scope.arns("iam", "policy/{name}") },
            },
          },
        ],
};

export const iam: Service = {
  aws_iam_role: { permissions: [roles], price: identity, importId: "name" },
  aws_iam_role_policy: { permissions: [roles], price: identity },
  aws_iam_policy: {
    permissions: [policies],
    price: identity,
    importId: ({ name }, place) => arnOf(place, "iam", `policy/${String(name)}`),
  },
  aws_iam_role_policy_attachment: { permissions: [attachments], price: identity },
};
