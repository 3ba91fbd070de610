/** Amazon Simple Notification Service. */
import type { Permissions } from "./permissions";
import { identity, keyArgument, type Service } from "./record";

const topics: Permissions = {
  sid: "Topics",
  reads: "sns:GetSubscriptionAttributes sns:GetTopicAttributes sns:ListSubscriptionsByTopic sns:ListTagsForResource",
  writes: `
    sns:CreateTopic sns:DeleteTopic sns:SetSubscriptionAttributes sns:SetTopicAttributes sns:Subscribe sns:TagResource
    sns:Unsubscribe sns:UntagResource`,
  on: "sns:{name}",
};

export const sns: Service = {
  aws_sns_topic: {
    permissions: [topics],
    price: { free: "the first million requests and thousand e-mails of a month are always free" },
    encryption: keyArgument("kms_master_key_id", "none"),
  },
  aws_sns_topic_policy: { permissions: [topics], price: identity },
  aws_sns_topic_subscription: {
    permissions: [topics],
    price: { free: "the first thousand e-mails of a month are always free" },
  },
};
