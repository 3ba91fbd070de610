/** AWS Key Management Service. */
import { ownTag, type Permissions } from "./permissions";
import { fixed, partOfAnother, type Service, use } from "./record";

/** Keys that bear the stack's tag. */
export const keys: Permissions = {
  sid: "Keys",
  reads: "kms:DescribeKey kms:GetKeyPolicy kms:GetKeyRotationStatus kms:ListResourceTags",
  writes: `
    kms:CreateAlias kms:DeleteAlias kms:EnableKeyRotation kms:PutKeyPolicy kms:TagResource kms:UntagResource
    kms:UpdateAlias kms:UpdateKeyDescription`,
  on: "kms:key/*",
  conditions: ownTag,
};

/** A key gets its tags before it has any. One that has them belongs to somebody, who could lose it to a new tag. */
export const tagNewKeys: Permissions = {
  sid: "TagNewKeys",
  writes: "kms:TagResource",
  on: "kms:key/*",
  conditions: ({ stack }) => ({
    StringEquals: { "aws:RequestTag/Stack": stack },
    Null: { "aws:ResourceTag/Stack": "true" },
  }),
};

/** A key has no ARN before it is there; the tag in the request holds the action instead. */
const newKeys: Permissions = {
  sid: "CreateKeys",
  writes: "kms:CreateKey",
  on: "*",
  conditions: ({ stack }) => ({ StringEquals: { "aws:RequestTag/Stack": stack } }),
};

/** Services go on using a key by a grant of whoever makes their resource. */
const grants: Permissions = {
  sid: "GrantKeys",
  writes: "kms:CreateGrant",
  on: "kms:key/*",
  conditions: (scope) => ({ ...ownTag(scope), Bool: { "kms:GrantIsForAWSResource": "true" } }),
};

export const aliases: Permissions = {
  sid: "KeyAliases",
  writes: "kms:CreateAlias kms:DeleteAlias kms:UpdateAlias",
  on: "kms:alias/{name}",
  readsAnywhere: "kms:ListAliases",
};

export const kms: Service = {
  aws_kms_key: {
    permissions: [keys, newKeys, tagNewKeys, grants],
    price: { charges: (_, { keyRequests }) => [fixed("keyMonth", 1), use("keyRequest", keyRequests)] },
    madeByOneCall: true,
    holds: { what: "all that the key encrypted", lostBy: ["kms:DisableKey", "kms:ScheduleKeyDeletion"] },
  },
  aws_kms_alias: { permissions: aliases, price: partOfAnother, importId: "name" },
};
