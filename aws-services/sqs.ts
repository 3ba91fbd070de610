/** Amazon Simple Queue Service. */
import { keyArgument } from "./encryption";
import type { Permissions } from "./permissions";
import { partOfAnother } from "./price";
import type { Service } from "./resource-type";

const queues: Permissions = {
  sid: "Queues",
  service: "sqs",
  reads: ["GetQueueAttributes", "GetQueueUrl", "ListQueueTags"],
  writes: ["CreateQueue", "DeleteQueue", "SetQueueAttributes", "TagQueue", "UntagQueue"],
  on: ["{name}"],
};

export const sqs: Service = {
  aws_sqs_queue: {
    permissions: [queues],
    price: { free: "it holds what failed; the first million requests of a month cost nothing" },
    encryption: keyArgument("kms_master_key_id"),
  },
  aws_sqs_queue_policy: { permissions: [queues], price: partOfAnother },
};
