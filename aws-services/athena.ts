/** Amazon Athena. */
import { filled, values } from "./arguments";
import { ownKeyIf } from "./encryption";
import type { Permissions } from "./permissions";
import { use } from "./price";
import type { Service } from "./resource-type";

const workgroups: Permissions = {
  sid: "Workgroups",
  service: "athena",
  reads: ["GetWorkGroup", "ListTagsForResource"],
  writes: ["CreateWorkGroup", "DeleteWorkGroup", "TagResource", "UntagResource", "UpdateWorkGroup"],
  on: ["workgroup/{name}"],
};

export const athena: Service = {
  aws_athena_workgroup: {
    permissions: [workgroups],
    price: { charges: (_, { queryTerabytes }) => [use("queryTerabyte", queryTerabytes)] },
    importId: "name",
    encryption: ({ arguments: block }) => {
      const path = ["configuration", "result_configuration", "encryption_configuration"];
      const [option] = values(block, ...path, "encryption_option");
      const ownKey = option !== "SSE_S3" && filled(block, ...path, "kms_key_arn");
      return option === undefined ? [{ by: "none" }] : [ownKeyIf(ownKey)];
    },
  },
};
