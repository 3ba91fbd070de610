/** Amazon EventBridge: rules and their targets. */
import type { Permissions } from "./permissions";
import type { Price } from "./price";
import type { Service } from "./resource-type";

const rules: Permissions = {
  sid: "EventRules",
  service: "events",
  reads: ["DescribeRule", "ListTagsForResource", "ListTargetsByRule"],
  writes: ["DeleteRule", "PutRule", "PutTargets", "RemoveTargets", "TagResource", "UntagResource"],
  on: ["rule/{name}"],
};

const price: Price = { free: "events of AWS's own services cost nothing" };

export const eventbridge: Service = {
  aws_cloudwatch_event_rule: { permissions: [rules], price },
  aws_cloudwatch_event_target: { permissions: [rules], price },
};
