/** AWS Key Management Service. */
import { ownTag, type Permissions } from "./permissions";
import { fixedCharge, partOfAnother, type Service, usageCharge } from "./record";

/** Keys with the stack's tag. */
export const keys: Permissions = {
  sid: "Keys",
  reads: "kms:DescribeKey kms:GetKeyPolicy kms:GetKeyRotationStatus kms:ListResourceTags",
  writes: `
    kms:CreateAlias kms:DeleteAlias kms:EnableKeyRotation kms:PutKeyPolicy kms:TagResource kms:UntagResource
    kms:UpdateAlias kms:UpdateKeyDescription`,
  on: "kms:key/*",
  conditions: ownTag,
};

/** Only keys without tags can be tagged: a new tag could take a key away from another stack. */
export const tagNewKeys: Permissions = {
  sid: "TagNewKeys",
  writes: "kms:TagResource",
  on: "kms:key/*",
  conditions: ({ stack }) => ({
    StringEquals: { "aws:RequestTag/Stack": stack },
    Null: { "aws:ResourceTag/Stack": "true" },
  }),
};

/** A new key has no ARN yet, so a condition on the request's tag limits the action. */
const newKeys: Permissions = {
  sid: "CreateKeys",
  writes: "kms:CreateKey",
  on: "*",
  conditions: ({ stack }) => ({ StringEquals: { "aws:RequestTag/Stack": stack } }),
};

/** Services keep using a key through a grant of the role that created their resource. */
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
    price: { charges: (_, { keyRequests }) => [fixedCharge("keyMonth", 1), usageCharge("keyRequest", keyRequests)] },
    madeByOneCall: true,
    holds: { what: "everything that the key encrypted", lostBy: ["kms:DisableKey", "kms:ScheduleKeyDeletion"] },
  },
  aws_kms_alias: { permissions: aliases, price: partOfAnother, importId: "name" },
};
