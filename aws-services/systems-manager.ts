/** AWS Systems Manager: parameters, which pass values between stacks. */
import { ownTag, type Permissions } from "./permissions";
import type { Service } from "./record";

const parameters: Permissions = {
  sid: "Parameters",
  reads: "ssm:GetParameter ssm:GetParameters ssm:ListTagsForResource",
  writes: "ssm:PutParameter ssm:DeleteParameter ssm:AddTagsToResource ssm:RemoveTagsFromResource",
  on: "ssm:parameter{published}",
  readsAnywhere: "ssm:DescribeParameters",
};

const removedParameters: Permissions = {
  sid: "RemovedParameters",
  writes: "ssm:DeleteParameter ssm:GetParameter ssm:ListTagsForResource",
  on: "ssm:parameter{parameterPath}*",
  conditions: ownTag,
};

const contract: Permissions = {
  sid: "Contract",
  reads: "ssm:GetParameter ssm:GetParameters",
  on: "ssm:parameter{read}",
};

export const systemsManager: Service = {
  aws_ssm_parameter: {
    permissions: [parameters, removedParameters],
    price: { free: "a standard parameter is free" },
    importId: "name",
    encryption: {
      elsewhere: "The contract between the stacks is public within the account: names and ARNs, no secrets.",
    },
  },
  "data.aws_ssm_parameter": { permissions: [contract] },
};
