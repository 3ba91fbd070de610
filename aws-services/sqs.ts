/** Amazon Simple Queue Service. */
import type { Permissions } from "./permissions";
import { keyArgument, partOfAnother, type Service } from "./record";

const queues: Permissions = {
  sid: "Queues",
  reads: "sqs:GetQueueAttributes sqs:GetQueueUrl sqs:ListQueueTags",
  writes: "sqs:CreateQueue sqs:DeleteQueue sqs:SetQueueAttributes sqs:TagQueue sqs:UntagQueue",
  on: "sqs:{name}",
};

export const sqs: Service = {
  aws_sqs_queue: {
    permissions: [queues],
    price: { free: "it only holds failures; the first million requests of a month are free" },
    encryption: keyArgument("kms_master_key_id"),
  },
  aws_sqs_queue_policy: { permissions: [queues], price: partOfAnother },
};
