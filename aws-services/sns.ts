/** Amazon Simple Notification Service. */
import { keyArgument } from "./encryption";
import type { Permissions } from "./permissions";
import { identity } from "./price";
import type { Service } from "./resource-type";

const topics: Permissions = {
  sid: "Topics",
  service: "sns",
  reads: ["GetSubscriptionAttributes", "GetTopicAttributes", "ListSubscriptionsByTopic", "ListTagsForResource"],
  writes: [
    "CreateTopic",
    "DeleteTopic",
    "SetSubscriptionAttributes",
    "SetTopicAttributes",
    "Subscribe",
    "TagResource",
    "Unsubscribe",
    "UntagResource",
  ],
  on: ["{name}"],
};

export const sns: Service = {
  aws_sns_topic: {
    permissions: [topics],
    price: { free: "the first million requests and thousand e-mails of a month cost nothing, for ever" },
    encryption: keyArgument("kms_master_key_id", "none"),
  },
  aws_sns_topic_policy: { permissions: [topics], price: identity },
  aws_sns_topic_subscription: {
    permissions: [topics],
    price: { free: "the first thousand e-mails of a month cost nothing, for ever" },
  },
};
