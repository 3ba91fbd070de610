/**
 * Mails what lies in a table of messages: a function behind the table's stream, and behind a clock for what could not
 * be mailed at once.
 *
 *     new ContactMail(this, "mail", { name, table: { name, arn, streamArn }, to, from, identity: "domain", website: "abalone website", … });
 */
import { CloudwatchEventRule } from "@cdktf/provider-aws/lib/cloudwatch-event-rule";
import { CloudwatchEventTarget } from "@cdktf/provider-aws/lib/cloudwatch-event-target";
import { LambdaEventSourceMapping } from "@cdktf/provider-aws/lib/lambda-event-source-mapping";
import { LambdaPermission } from "@cdktf/provider-aws/lib/lambda-permission";
import { Sesv2ConfigurationSet } from "@cdktf/provider-aws/lib/sesv2-configuration-set";
import { Sesv2ConfigurationSetEventDestination } from "@cdktf/provider-aws/lib/sesv2-configuration-set-event-destination";
import { Sesv2EmailIdentity } from "@cdktf/provider-aws/lib/sesv2-email-identity";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { SqsQueuePolicy } from "@cdktf/provider-aws/lib/sqs-queue-policy";
import { Construct } from "constructs";
import { declaration } from "../handlers/mail-contact/declaration";
import { Alarm, functionErrors } from "./alarm";
import type { EncryptionKey } from "./encryption-key";
import { placeOf } from "./place";
import { policyDocument } from "./policy";
import { TypeScriptFunction } from "./typescript-function";

/**
 * What SES has to know of us before it sends: the whole domain of the sender, the sender's address alone, or what
 * somebody made before.
 */
export type MailIdentity = "domain" | "address" | "existing";

export interface ContactMailProps {
  /** Names what belongs to it, 1 to 50 letters, digits and hyphens. */
  readonly name: string;
  /** The messages; its stream holds keys. */
  readonly table: { readonly name: string; readonly arn: string; readonly streamArn: string };
  /** Who gets the mails. */
  readonly to: string;
  /** Our own address, from which they come. */
  readonly from: string;
  readonly identity: MailIdentity;
  /** How subjects call the website. */
  readonly website: string;
  readonly logRetentionDays: number;
  /** Encrypts the table, its stream, logs and the queue. */
  readonly encryptionKey: EncryptionKey;
  readonly alarmTopicArn: string;
}

/**
 * Tries of a batch of the stream, halves included, before it goes to the queue: some minutes. Then the clock takes
 * over.
 */
const maximumRetries = 5;

/** Seconds after which a record is old: the clock has been by. */
const maximumRecordAge = 3_600;

/** The longest that SQS keeps a message: 14 days. */
const queueRetentionSeconds = 1_209_600;

/** What SES counts of our mails, and what each alarm says. */
const outcomes = {
  BOUNCE: { metric: "Bounce", id: "mail-bounced", says: "SES could not deliver a mail from the contact form" },
  COMPLAINT: { metric: "Complaint", id: "mail-complaint", says: "A mail from the contact form was marked as spam" },
  REJECT: { metric: "Reject", id: "mail-rejected", says: "SES took a mail from the contact form for harmful" },
} as const;

const domainOf = (address: string): string => address.slice(address.indexOf("@") + 1);

type Mailer = TypeScriptFunction<typeof declaration.variables>;

/** A function that mails each message once, and what tells when it can't. */
export class ContactMail extends Construct {
  readonly function: Mailer;

  constructor(scope: Construct, id: string, props: ContactMailProps) {
    super(scope, id);
    const { name, table, encryptionKey: key } = props;
    const functionName = `${name}-mail-contact`;
    const configurationSet = this.sender(props);
    const queue = this.failures(functionName, key);
    const mailer = this.mailer(props, configurationSet, queue);
    this.function = mailer;

    new LambdaEventSourceMapping(this, "stream", {
      eventSourceArn: table.streamArn,
      functionName: mailer.name,
      // From the oldest record on: what is written while this is made is not passed over.
      startingPosition: "TRIM_HORIZON",
      batchSize: 10,
      filterCriteria: { filter: [{ pattern: JSON.stringify({ eventName: ["INSERT"] }) }] },
      maximumRetryAttempts: maximumRetries,
      maximumRecordAgeInSeconds: maximumRecordAge,
      bisectBatchOnFunctionError: true,
      destinationConfig: { onFailure: { destinationArn: queue.arn } },
      // Lambda checks at once whether the role may read the stream and write to the queue.
      dependsOn: [mailer.role.policy],
    });

    this.tryAgain(functionName, mailer);
    this.watch(props, mailer, queue, configurationSet);
  }

  /** What SES needs to send for us, and to count what became of it: the name of the configuration set. */
  private sender({ name, from, identity }: ContactMailProps): string {
    const settings = new Sesv2ConfigurationSet(this, "settings", {
      configurationSetName: `${name}-contact`,
      // A mail is only handed to a server that speaks TLS: it holds what people wrote to us.
      deliveryOptions: { tlsPolicy: "REQUIRE" },
      reputationOptions: { reputationMetricsEnabled: true },
      sendingOptions: { sendingEnabled: true },
      suppressionOptions: { suppressedReasons: ["BOUNCE", "COMPLAINT"] },
    });
    if (identity !== "existing") {
      new Sesv2EmailIdentity(this, "identity", { emailIdentity: identity === "domain" ? domainOf(from) : from });
    }
    // Numbers alone: SES's events by any other way quote the visitor's address.
    new Sesv2ConfigurationSetEventDestination(this, "counts", {
      configurationSetName: settings.configurationSetName,
      eventDestinationName: "counts",
      eventDestination: {
        enabled: true,
        matchingEventTypes: Object.keys(outcomes),
        cloudWatchDestination: {
          dimensionConfiguration: [
            {
              dimensionName: "ses:configuration-set",
              dimensionValueSource: "MESSAGE_TAG",
              defaultDimensionValue: settings.configurationSetName,
            },
          ],
        },
      },
    });
    return settings.configurationSetName;
  }

  /** Takes what the stream gave up. */
  private failures(functionName: string, key: EncryptionKey): SqsQueue {
    const queue = new SqsQueue(this, "queue", {
      name: `${functionName}-failed`,
      kmsMasterKeyId: key.arn,
      messageRetentionSeconds: queueRetentionSeconds,
    });
    new SqsQueuePolicy(this, "queue-policy", {
      queueUrl: queue.url,
      policy: policyDocument([
        {
          sid: "RefusePlainText",
          effect: "Deny",
          principals: "*",
          actions: ["sqs:*"],
          resources: [queue.arn],
          conditions: { Bool: { "aws:SecureTransport": "false" } },
        },
      ]),
    });
    return queue;
  }

  private mailer(props: ContactMailProps, configurationSet: string, queue: SqsQueue): Mailer {
    const { name, table, from, to, encryptionKey: key } = props;
    const ses = (resource: string): string => placeOf(this).arn("ses", resource);
    return new TypeScriptFunction(this, "mail-contact", {
      name: `${name}-mail-contact`,
      handler: declaration,
      environment: {
        CONTACT_TABLE: table.name,
        MAIL_TO: to,
        MAIL_FROM: from,
        MAIL_CONFIGURATION_SET: configurationSet,
        MAIL_WEBSITE: props.website,
      },
      statements: [
        {
          // DynamoDB Developer Guide, "IAM policy to allow an AWS Lambda function to access DynamoDB stream records".
          sid: "ReadStream",
          actions: [
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
          ],
          resources: [table.streamArn],
        },
        { sid: "ReadAndMarkMessages", actions: ["dynamodb:Scan", "dynamodb:UpdateItem"], resources: [table.arn] },
        key.useStatement(["dynamodb", "sqs"], "write"),
        {
          // Of all that an identity may send, mails from our one address to our one mailbox. In its sandbox SES asks
          // for a right on the receiver's identity too.
          sid: "MailToUs",
          actions: ["ses:SendEmail"],
          resources: [
            ...new Set(
              [from, to].flatMap((address) => [address, domainOf(address)].map((each) => ses(`identity/${each}`))),
            ),
            ses(`configuration-set/${name}-contact`),
          ],
          conditions: {
            StringEquals: { "ses:FromAddress": from },
            "ForAllValues:StringEquals": { "ses:Recipients": to },
          },
        },
        { sid: "TellOfFailures", actions: ["sqs:SendMessage"], resources: [queue.arn] },
      ],
      logRetentionDays: props.logRetentionDays,
      encryptionKeyArn: key.arn,
    });
  }

  /** Every hour, mails what could not be mailed until then. */
  private tryAgain(functionName: string, mailer: Mailer): void {
    const clock = new CloudwatchEventRule(this, "clock", {
      name: `${functionName}-unsent`,
      description: "Every hour: mail the messages that could not be mailed until then",
      scheduleExpression: "rate(1 hour)",
    });
    const permission = new LambdaPermission(this, "clock-permission", {
      statementId: "Clock",
      action: "lambda:InvokeFunction",
      functionName: mailer.name,
      principal: "events.amazonaws.com",
      sourceArn: clock.arn,
    });
    new CloudwatchEventTarget(this, "clock-target", {
      rule: clock.name,
      targetId: "mail",
      arn: mailer.arn,
      input: JSON.stringify({ unsent: true }),
      dependsOn: [permission],
    });
  }

  private watch(props: ContactMailProps, mailer: Mailer, queue: SqsQueue, configurationSet: string): void {
    const functionName = `${props.name}-mail-contact`;
    const topicArn = props.alarmTopicArn;
    functionErrors(this, "errors", { function: mailer, topicArn });
    new Alarm(this, "failed", {
      name: `${functionName}-failed`,
      description: `The stream gave up mailing some messages, the clock goes on.`,
      namespace: "AWS/SQS",
      metric: "ApproximateNumberOfMessagesVisible",
      dimensions: { QueueName: queue.name },
      statistic: "Maximum",
      threshold: 0,
      periodSeconds: 300,
      topicArn,
    });
    for (const { metric, id: outcome, says } of Object.values(outcomes)) {
      new Alarm(this, outcome, {
        name: `${props.name}-${outcome}`,
        description: `${says}.`,
        namespace: "AWS/SES",
        metric,
        dimensions: { "ses:configuration-set": configurationSet },
        statistic: "Sum",
        threshold: 0,
        periodSeconds: 300,
        topicArn,
      });
    }
  }
}
