/** Amazon DynamoDB. */
import { filled, isTrue } from "./arguments";
import { keyUseThrough } from "./permissions";
import { ownKeyIf, type Service, usageCharge } from "./record";

export const dynamodb: Service = {
  aws_dynamodb_table: {
    permissions: [
      {
        sid: "Tables",
        reads: `
          dynamodb:DescribeContinuousBackups dynamodb:DescribeTable dynamodb:DescribeTimeToLive
          dynamodb:ListTagsOfResource`,
        writes: `
          dynamodb:CreateTable dynamodb:TagResource dynamodb:UntagResource dynamodb:UpdateContinuousBackups
          dynamodb:UpdateTable dynamodb:UpdateTimeToLive`,
        on: "dynamodb:table/{name}",
      },
      // DynamoDB Developer Guide, "Authorizing use of a customer managed key": creating a table needs it.
      keyUseThrough("EncryptTables", "dynamodb"),
    ],
    price: {
      charges: ({ point_in_time_recovery: recovery }, { tableGigabytes, tableReads, tableWrites }) => [
        usageCharge("tableWrite", tableWrites),
        usageCharge("tableRead", tableReads),
        usageCharge("tableGigabyteMonth", tableGigabytes),
        ...(recovery === undefined ? [] : [usageCharge("tableRecoveryGigabyteMonth", tableGigabytes)]),
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
