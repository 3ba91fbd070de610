/** Amazon DynamoDB. */
import { filled, isTrue } from "./arguments";
import { ownKeyIf } from "./encryption";
import { type Permissions, useKey } from "./permissions";
import { use } from "./price";
import type { Service } from "./resource-type";

const tables: Permissions = {
  sid: "Tables",
  service: "dynamodb",
  reads: ["DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive", "ListTagsOfResource"],
  writes: ["CreateTable", "TagResource", "UntagResource", "UpdateContinuousBackups", "UpdateTable", "UpdateTimeToLive"],
  on: ["table/{name}"],
  // DynamoDB Developer Guide, "Authorizing use of a customer managed key": whoever makes the table needs them.
  more: (scope) => [useKey(scope, "EncryptTables", "dynamodb")],
};

export const dynamodb: Service = {
  aws_dynamodb_table: {
    permissions: [tables],
    price: {
      charges: ({ point_in_time_recovery: recovery }, { tableGigabytes, tableReads, tableWrites }) => [
        use("tableWrite", tableWrites),
        use("tableRead", tableReads),
        use("tableGigabyteMonth", tableGigabytes),
        ...(recovery === undefined ? [] : [use("tableRecoveryGigabyteMonth", tableGigabytes)]),
      ],
    },
    importId: "name",
    madeByOneCall: true,
    holds: {
      what: "items",
      lostBy: ["dynamodb:DeleteTable"],
      unguarded: (block) => (isTrue(block, "deletion_protection_enabled") ? [] : ["no deletion_protection_enabled"]),
    },
    encryption: ({ arguments: { server_side_encryption: encryption } }) => [
      ownKeyIf(isTrue(encryption, "enabled") && filled(encryption, "kms_key_arn")),
    ],
  },
};
