/** Amazon Athena. */
import { filled, values } from "./arguments";
import { ownKeyIf, type Service, usageCharge } from "./record";

export const athena: Service = {
  aws_athena_workgroup: {
    permissions: {
      sid: "Workgroups",
      reads: "athena:GetWorkGroup athena:ListTagsForResource",
      writes: `
        athena:CreateWorkGroup athena:DeleteWorkGroup athena:TagResource athena:UntagResource athena:UpdateWorkGroup`,
      on: "athena:workgroup/{name}",
    },
    price: { charges: (_, { queryTerabytes }) => [usageCharge("queryTerabyte", queryTerabytes)] },
    importId: "name",
    encryption: ({ arguments: block }) => {
      const path = ["configuration", "result_configuration", "encryption_configuration"];
      const [option] = values(block, ...path, "encryption_option");
      const ownKey = option !== "SSE_S3" && filled(block, ...path, "kms_key_arn");
      return option === undefined ? [{ by: "none" }] : [ownKeyIf(ownKey)];
    },
  },
};
