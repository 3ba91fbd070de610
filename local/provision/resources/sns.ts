import {
  CreateTopicCommand,
  DeleteTopicCommand,
  GetTopicAttributesCommand,
  paginateListSubscriptionsByTopic,
  SetSubscriptionAttributesCommand,
  SetTopicAttributesCommand,
  SubscribeCommand,
  type Subscription,
  TagResourceCommand,
  UnsubscribeCommand,
  type SNSClient,
} from "@aws-sdk/client-sns";
import { type ResourceKind, settled, tagList, unlessMissing } from "../resource-kind";

/** Arguments that are attributes of the topic, with SNS's names for them. */
const topicAttributes: Readonly<Record<string, string>> = {
  content_based_deduplication: "ContentBasedDeduplication",
  delivery_policy: "DeliveryPolicy",
  display_name: "DisplayName",
  kms_master_key_id: "KmsMasterKeyId",
  policy: "Policy",
  signature_version: "SignatureVersion",
  tracing_config: "TracingConfig",
};

const topic: ResourceKind = settled({
  type: "aws_sns_topic",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 256 },
  replacedBy: ["fifo_topic"],
  async put({ arguments: list, clients, tags, account, region, partition }) {
    const Name = list.requireText("name");
    // Creating a topic that exists gives its ARN.
    const { TopicArn = `arn:${partition}:sns:${region}:${account}:${Name}` } = await clients.sns.send(
      new CreateTopicCommand({
        Name,
        ...(list.boolean("fifo_topic") ? { Attributes: { FifoTopic: "true" } } : {}),
      }),
    );
    for (const [argument, AttributeName] of Object.entries(topicAttributes)) {
      const AttributeValue = list.text(argument);
      if (AttributeValue !== undefined) {
        await clients.sns.send(new SetTopicAttributesCommand({ TopicArn, AttributeName, AttributeValue }));
      }
    }
    if (Object.keys(tags).length > 0) {
      await clients.sns.send(new TagResourceCommand({ ResourceArn: TopicArn, Tags: tagList(tags) }));
    }
    return { id: TopicArn, arn: TopicArn, owner: account };
  },
  async read({ attributes, clients }) {
    const found = await unlessMissing(clients.sns.send(new GetTopicAttributesCommand({ TopicArn: attributes.id })));
    return found && attributes;
  },
  async delete({ attributes, clients }) {
    await unlessMissing(clients.sns.send(new DeleteTopicCommand({ TopicArn: attributes.id })));
  },
});

const topicPolicy: ResourceKind = settled({
  type: "aws_sns_topic_policy",
  replacedBy: ["arn"],
  async put({ arguments: list, clients, account }) {
    const TopicArn = list.requireText("arn");
    await clients.sns.send(
      new SetTopicAttributesCommand({
        TopicArn,
        AttributeName: "Policy",
        AttributeValue: list.requireText("policy"),
      }),
    );
    return { id: TopicArn, owner: account };
  },
  async read({ attributes, arguments: list, clients }) {
    const found = await unlessMissing(clients.sns.send(new GetTopicAttributesCommand({ TopicArn: attributes.id })));
    // A topic that was made anew has SNS's own policy.
    return found && isSamePolicy(found.Attributes?.Policy, list.requireText("policy")) ? attributes : undefined;
  },
  async delete({ attributes, clients, account }) {
    // Terraform, too, puts back the policy that SNS gives to a new topic: the account may do everything with it.
    const policy = {
      Version: "2012-10-17",
      Statement: [
        {
          Sid: "__default_statement_ID",
          Effect: "Allow",
          Principal: { AWS: "*" },
          Action: ["SNS:Publish", "SNS:Subscribe", "SNS:GetTopicAttributes", "SNS:SetTopicAttributes"],
          Resource: attributes.id,
          Condition: { StringEquals: { "AWS:SourceOwner": account } },
        },
      ],
    };
    await unlessMissing(
      clients.sns.send(
        new SetTopicAttributesCommand({
          TopicArn: attributes.id,
          AttributeName: "Policy",
          AttributeValue: JSON.stringify(policy),
        }),
      ),
    );
  },
});

function isSamePolicy(found: string | undefined, wanted: string): boolean {
  return found !== undefined && JSON.stringify(JSON.parse(found)) === JSON.stringify(JSON.parse(wanted));
}

const subscriptionAttributes: Readonly<Record<string, string>> = {
  delivery_policy: "DeliveryPolicy",
  filter_policy: "FilterPolicy",
  filter_policy_scope: "FilterPolicyScope",
  raw_message_delivery: "RawMessageDelivery",
  redrive_policy: "RedrivePolicy",
  subscription_role_arn: "SubscriptionRoleArn",
};

const subscription: ResourceKind = settled({
  type: "aws_sns_topic_subscription",
  replacedBy: ["endpoint", "protocol", "topic_arn"],
  async put({ arguments: list, clients, account }) {
    const TopicArn = list.requireText("topic_arn");
    const Protocol = list.requireText("protocol");
    const Endpoint = list.requireText("endpoint");
    list.accept("endpoint_auto_confirms", "confirmation_timeout_in_minutes");
    const found = await findSubscription(clients.sns, TopicArn, Protocol, Endpoint);
    const SubscriptionArn =
      found?.SubscriptionArn ??
      (await clients.sns.send(new SubscribeCommand({ TopicArn, Protocol, Endpoint, ReturnSubscriptionArn: true })))
        .SubscriptionArn ??
      "";
    for (const [argument, AttributeName] of Object.entries(subscriptionAttributes)) {
      const AttributeValue = list.text(argument);
      if (AttributeValue !== undefined) {
        await clients.sns.send(
          new SetSubscriptionAttributesCommand({ SubscriptionArn, AttributeName, AttributeValue }),
        );
      }
    }
    return { id: SubscriptionArn, arn: SubscriptionArn, owner_id: account };
  },
  async read({ attributes, arguments: list, clients }) {
    const found = await unlessMissing(
      findSubscription(
        clients.sns,
        list.requireText("topic_arn"),
        list.requireText("protocol"),
        list.requireText("endpoint"),
      ),
    );
    return found && attributes;
  },
  async delete({ attributes, clients }) {
    await unlessMissing(clients.sns.send(new UnsubscribeCommand({ SubscriptionArn: attributes.id })));
  },
});

async function findSubscription(
  sns: SNSClient,
  TopicArn: string,
  protocol: string,
  endpoint: string,
): Promise<Subscription | undefined> {
  for await (const { Subscriptions = [] } of paginateListSubscriptionsByTopic({ client: sns }, { TopicArn })) {
    const found = Subscriptions.find(({ Protocol, Endpoint }) => Protocol === protocol && Endpoint === endpoint);
    if (found) {
      return found;
    }
  }
  return undefined;
}

/** SNS: topics, their policies and subscriptions. */
export const snsKinds: readonly ResourceKind[] = [topic, topicPolicy, subscription];
