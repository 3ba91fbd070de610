/** AWS Systems Manager: parameters, by which the stacks hand values to one another. */
import { ownTag, type Permissions } from "./permissions";
import type { Service } from "./resource-type";

const parameters: Permissions = {
  sid: "Parameters",
  service: "ssm",
  reads: ["GetParameter", "GetParameters", "ListTagsForResource"],
  writes: ["PutParameter", "DeleteParameter", "AddTagsToResource", "RemoveTagsFromResource"],
  on: ["parameter{published}"],
  readsAnywhere: ["ssm:DescribeParameters"],
  more: (scope) => [
    {
      sid: "RemovedParameters",
      actions: ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:ListTagsForResource"],
      resources: scope.arns("ssm", `parameter${scope.of.parameterPath}*`),
      conditions: ownTag(scope.of),
    },
  ],
};

const contract: Permissions = {
  sid: "Contract",
  service: "ssm",
  reads: ["GetParameter", "GetParameters"],
  on: ["parameter{read}"],
};

export const systemsManager: Service = {
  aws_ssm_parameter: {
    permissions: [parameters],
    price: { free: "a standard parameter costs nothing" },
    importId: "name",
    encryption: {
      elsewhere: "The contract between the stacks is public to the account: names and ARNs, nothing secret.",
    },
  },
  "data.aws_ssm_parameter": { permissions: [contract] },
};
