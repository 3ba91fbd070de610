/** AWS Key Management Service. */
import { ownTag, type Permissions, type Scope, type Statement } from "./permissions";
import { fixed, partOfAnother, use } from "./price";
import type { Service } from "./resource-type";

/** Keys that bear the stack's tag. */
export const keys: Permissions = {
  sid: "Keys",
  service: "kms",
  reads: ["DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "ListResourceTags"],
  writes: [
    "CreateAlias",
    "DeleteAlias",
    "EnableKeyRotation",
    "PutKeyPolicy",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateKeyDescription",
  ],
  on: ["key/*"],
  conditions: ownTag,
  more: (scope) => [
    {
      sid: "CreateKeys",
      actions: ["kms:CreateKey"],
      resources: ["*"],
      conditions: { StringEquals: { "aws:RequestTag/Stack": scope.of.stack } },
    },
    tagNewKeys(scope, "TagNewKeys"),
    {
      // Services go on using a key by a grant of whoever makes their resource.
      sid: "GrantKeys",
      actions: ["kms:CreateGrant"],
      resources: scope.arns("kms", "key/*"),
      conditions: { ...ownTag(scope.of), Bool: { "kms:GrantIsForAWSResource": "true" } },
    },
  ],
};

/** A key gets its tags before it has any. One that has them belongs to somebody, who could lose it to a new tag. */
export function tagNewKeys(scope: Scope, sid: string): Statement {
  return {
    sid,
    actions: ["kms:TagResource"],
    resources: scope.arns("kms", "key/*"),
    conditions: {
      StringEquals: { "aws:RequestTag/Stack": scope.of.stack },
      Null: { "aws:ResourceTag/Stack": "true" },
    },
  };
}

const aliases: Permissions = {
  sid: "KeyAliases",
  service: "kms",
  writes: ["CreateAlias", "DeleteAlias", "UpdateAlias"],
  on: ["alias/{name}"],
  readsAnywhere: ["kms:ListAliases"],
};

export const kms: Service = {
  aws_kms_key: {
    permissions: [keys],
    price: { charges: (_, { keyRequests }) => [fixed("keyMonth", 1), use("keyRequest", keyRequests)] },
    madeByOneCall: true,
    holds: { what: "all that the key encrypted", lostBy: ["kms:DisableKey", "kms:ScheduleKeyDeletion"] },
  },
  aws_kms_alias: { permissions: [aliases], price: partOfAnother, importId: "name" },
};
