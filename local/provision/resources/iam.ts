import type { IAM, Role } from "@aws-sdk/client-iam";
import { isSamePolicy, type ResourceKind, settled, tagList, unlessMissing } from "../resource-kind";

/** Whether a policy that IAM answers is the wanted one: it answers URL-encoded documents. */
const isDocument = (found: string | undefined, wanted: string): boolean =>
  isSamePolicy(found && decodeURIComponent(found), wanted);

async function findRole(iam: IAM, RoleName: string): Promise<Role | undefined> {
  return (await unlessMissing(iam.getRole({ RoleName })))?.Role;
}

const role: ResourceKind = settled({
  type: "aws_iam_role",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 64 },
  replacedBy: ["name"],
  async put({ arguments: list, clients: { iam }, tags, account }) {
    const RoleName = list.requireText("name");
    const AssumeRolePolicyDocument = list.requireText("assume_role_policy");
    const Description = list.text("description");
    const MaxSessionDuration = list.number("max_session_duration");
    const PermissionsBoundary = list.text("permissions_boundary");
    const before = await findRole(iam, RoleName);
    if (before === undefined) {
      await iam.createRole({
        RoleName,
        AssumeRolePolicyDocument,
        Description,
        MaxSessionDuration,
        PermissionsBoundary,
      });
    } else {
      await iam.updateAssumeRolePolicy({ RoleName, PolicyDocument: AssumeRolePolicyDocument });
      await iam.updateRole({ RoleName, Description, MaxSessionDuration });
      if (PermissionsBoundary !== undefined) {
        await iam.putRolePermissionsBoundary({ RoleName, PermissionsBoundary });
      } else if (before.PermissionsBoundary !== undefined) {
        await iam.deleteRolePermissionsBoundary({ RoleName });
      }
    }
    if (Object.keys(tags).length > 0) {
      await iam.tagRole({ RoleName, Tags: tagList(tags) });
    }
    return { id: RoleName, name: RoleName, arn: `arn:aws:iam::${account}:role/${RoleName}` };
  },
  async exists({ attributes, arguments: list, clients: { iam } }) {
    const found = await findRole(iam, attributes.id);
    return (
      isDocument(found?.AssumeRolePolicyDocument, list.requireText("assume_role_policy")) &&
      found?.PermissionsBoundary?.PermissionsBoundaryArn === list.text("permissions_boundary")
    );
  },
  delete: ({ attributes, clients: { iam } }) => iam.deleteRole({ RoleName: attributes.id }),
});

const rolePolicy: ResourceKind = settled({
  type: "aws_iam_role_policy",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 128 },
  replacedBy: ["name", "role"],
  async put({ arguments: list, clients: { iam } }) {
    const RoleName = list.requireText("role");
    const PolicyName = list.requireText("name");
    const PolicyDocument = list.requireText("policy");
    await iam.putRolePolicy({ RoleName, PolicyName, PolicyDocument });
    return { id: `${RoleName}:${PolicyName}`, role: RoleName, name: PolicyName };
  },
  async exists({ arguments: list, clients: { iam } }) {
    const RoleName = list.requireText("role");
    const { PolicyDocument } = await iam.getRolePolicy({ RoleName, PolicyName: list.requireText("name") });
    return isDocument(PolicyDocument, list.requireText("policy"));
  },
  delete: ({ arguments: list, clients: { iam } }) =>
    iam.deleteRolePolicy({ RoleName: list.requireText("role"), PolicyName: list.requireText("name") }),
});

/** IAM: roles with their policies, by which the emulator judges every request of a function, a job or an endpoint. */
export const iamKinds: readonly ResourceKind[] = [role, rolePolicy];
