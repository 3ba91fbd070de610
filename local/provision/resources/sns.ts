import { paginateListSubscriptionsByTopic, type Subscription, type SNS } from "@aws-sdk/client-sns";
import { isSamePolicy, type ResourceKind, settled, tagList } from "../resource-kind";

const topic: ResourceKind = settled({
  type: "aws_sns_topic",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 256 },
  async put({ arguments: list, clients, tags, arnOf }) {
    const Name = list.requireText("name");
    // Creating an existing topic returns its ARN.
    const { TopicArn = arnOf("sns", Name) } = await clients.sns.createTopic({ Name });
    const AttributeValue = list.text("kms_master_key_id");
    if (AttributeValue !== undefined) {
      const AttributeName = "KmsMasterKeyId";
      await clients.sns.setTopicAttributes({ TopicArn, AttributeName, AttributeValue });
    }
    if (Object.keys(tags).length > 0) {
      await clients.sns.tagResource({ ResourceArn: TopicArn, Tags: tagList(tags) });
    }
    return { id: TopicArn, arn: TopicArn };
  },
  exists: ({ attributes, clients }) => clients.sns.getTopicAttributes({ TopicArn: attributes.id }),
  delete: ({ attributes, clients }) => clients.sns.deleteTopic({ TopicArn: attributes.id }),
});

const topicPolicy: ResourceKind = settled({
  type: "aws_sns_topic_policy",
  replacedBy: ["arn"],
  async put({ arguments: list, clients }) {
    const TopicArn = list.requireText("arn");
    await clients.sns.setTopicAttributes({
      TopicArn,
      AttributeName: "Policy",
      AttributeValue: list.requireText("policy"),
    });
    return { id: TopicArn };
  },
  async exists({ attributes, arguments: list, clients }) {
    const { Attributes } = await clients.sns.getTopicAttributes({ TopicArn: attributes.id });
    // A topic that was made again has SNS's default policy.
    return isSamePolicy(Attributes?.Policy, list.requireText("policy"));
  },
  async delete({ attributes, clients, account }) {
    // Like Terraform, restore SNS's default policy: the account may do everything with it.
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
    await clients.sns.setTopicAttributes({
      TopicArn: attributes.id,
      AttributeName: "Policy",
      AttributeValue: JSON.stringify(policy),
    });
  },
});

const subscription: ResourceKind = settled({
  type: "aws_sns_topic_subscription",
  replacedBy: ["endpoint", "protocol", "topic_arn"],
  async put({ arguments: list, clients }) {
    const TopicArn = list.requireText("topic_arn");
    const Protocol = list.requireText("protocol");
    const Endpoint = list.requireText("endpoint");
    const found = await findSubscription(clients.sns, TopicArn, Protocol, Endpoint);
    const SubscriptionArn =
      found?.SubscriptionArn ??
      (await clients.sns.subscribe({ TopicArn, Protocol, Endpoint, ReturnSubscriptionArn: true })).SubscriptionArn ??
      "";
    return { id: SubscriptionArn, arn: SubscriptionArn };
  },
  exists: ({ arguments: list, clients }) =>
    findSubscription(
      clients.sns,
      list.requireText("topic_arn"),
      list.requireText("protocol"),
      list.requireText("endpoint"),
    ),
  delete: ({ attributes, clients }) => clients.sns.unsubscribe({ SubscriptionArn: attributes.id }),
});

async function findSubscription(
  sns: SNS,
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
