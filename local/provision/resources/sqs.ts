import type { QueueAttributeName } from "@aws-sdk/client-sqs";
import type { Arguments } from "../arguments";
import { type ResourceKind, settled, textOf, unlessMissing } from "../resource-kind";

/** Arguments that are attributes of the queue, with SQS's names for them. */
const queueAttributes: Readonly<Record<string, QueueAttributeName>> = {
  kms_master_key_id: "KmsMasterKeyId",
  message_retention_seconds: "MessageRetentionPeriod",
};

function attributesOf(list: Arguments): Record<string, string> {
  return Object.fromEntries(
    Object.entries(queueAttributes).flatMap(([argument, attribute]) => {
      const value = list.text(argument);
      return value === undefined ? [] : [[attribute, value] as const];
    }),
  );
}

const queue: ResourceKind = settled({
  type: "aws_sqs_queue",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 80 },
  replacedBy: ["name"],
  async put({ arguments: list, clients, tags, arnOf }) {
    const QueueName = list.requireText("name");
    const found = await unlessMissing(clients.sqs.getQueueUrl({ QueueName }));
    const { QueueUrl = "" } = found ?? (await clients.sqs.createQueue({ QueueName }));
    const Attributes = attributesOf(list);
    if (Object.keys(Attributes).length > 0) {
      await clients.sqs.setQueueAttributes({ QueueUrl, Attributes });
    }
    if (Object.keys(tags).length > 0) {
      await clients.sqs.tagQueue({ QueueUrl, Tags: tags });
    }
    return { id: QueueUrl, url: QueueUrl, arn: arnOf("sqs", QueueName) };
  },
  exists: ({ attributes, clients }) => clients.sqs.getQueueAttributes({ QueueUrl: textOf(attributes, "url") }),
  delete: ({ attributes, clients }) => clients.sqs.deleteQueue({ QueueUrl: textOf(attributes, "url") }),
});

const queuePolicy: ResourceKind = settled({
  type: "aws_sqs_queue_policy",
  replacedBy: ["queue_url"],
  async put({ arguments: list, clients }) {
    const QueueUrl = list.requireText("queue_url");
    await clients.sqs.setQueueAttributes({ QueueUrl, Attributes: { Policy: list.requireText("policy") } });
    return { id: QueueUrl };
  },
  async exists({ attributes, clients }) {
    const query = { QueueUrl: attributes.id, AttributeNames: ["Policy" as const] };
    // A queue that was made again has no policy.
    return (await clients.sqs.getQueueAttributes(query)).Attributes?.Policy;
  },
  delete: ({ attributes, clients }) =>
    clients.sqs.setQueueAttributes({ QueueUrl: attributes.id, Attributes: { Policy: "" } }),
});

/** SQS: queues and their policies. */
export const sqsKinds: readonly ResourceKind[] = [queue, queuePolicy];
