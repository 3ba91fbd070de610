/** Amazon EventBridge: rules and their targets. */
import type { Permissions } from "./permissions";
import type { Price, Service } from "./record";

const rules: Permissions = {
  sid: "EventRules",
  reads: "events:DescribeRule events:ListTagsForResource events:ListTargetsByRule",
  writes: `
    events:DeleteRule events:PutRule events:PutTargets events:RemoveTargets events:TagResource events:UntagResource`,
  on: "events:rule/{name}",
};

const price: Price = { free: "events of AWS services are free" };

export const eventbridge: Service = {
  aws_cloudwatch_event_rule: { permissions: [rules], price },
  aws_cloudwatch_event_target: { permissions: [rules], price },
};
