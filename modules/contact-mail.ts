/**
 * Mails the messages in a table: a function triggered by the table's stream, and every hour for messages that could not
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
 * The identity that SES needs before it sends: the sender's whole domain, the sender's address only, or one that
 * already exists.
 */
export type MailIdentity = "domain" | "address" | "existing";

export interface ContactMailProps {
  /** Name prefix of its parts: 1 to 50 letters, digits and hyphens. */
  readonly name: string;
  /** The messages; its stream holds keys. */
  readonly table: { readonly name: string; readonly arn: string; readonly streamArn: string };
  /** Who gets the mails. */
  readonly to: string;
  /** Our own address, the sender. */
  readonly from: string;
  readonly identity: MailIdentity;
  /** The website's name in mail subjects. */
  readonly website: string;
  readonly logRetentionDays: number;
  /** Encrypts the table, its stream, logs and the queue. */
  readonly encryptionKey: EncryptionKey;
  readonly alarmTopicArn: string;
}

/**
 * Retries of a batch of the stream, including its halves, before it goes to the queue: some minutes. After that, the
 * hourly run takes over.
 */
const maximumRetries = 5;

/** Seconds after which a record is dropped: the hourly run has mailed it by then. */
const maximumRecordAge = 3_600;

/** The longest that SQS keeps a message: 14 days. */
const queueRetentionSeconds = 1_209_600;

/** The outcomes of our mails that SES counts, each with its alarm text. */
const outcomes = {
  BOUNCE: { metric: "Bounce", id: "mail-bounced", says: "SES could not deliver a mail from the contact form" },
  COMPLAINT: { metric: "Complaint", id: "mail-complaint", says: "A mail from the contact form was marked as spam" },
  REJECT: { metric: "Reject", id: "mail-rejected", says: "SES rejected a mail from the contact form as harmful" },
} as const;

const domainOf = (address: string): string => address.slice(address.indexOf("@") + 1);

type Mailer = TypeScriptFunction<typeof declaration.variables>;

/** A function that mails each message once, and alarms for when it can't. */
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
      // Start with the oldest record, so that nothing written during the deployment is skipped.
      startingPosition: "TRIM_HORIZON",
      batchSize: 10,
      filterCriteria: { filter: [{ pattern: JSON.stringify({ eventName: ["INSERT"] }) }] },
      maximumRetryAttempts: maximumRetries,
      maximumRecordAgeInSeconds: maximumRecordAge,
      bisectBatchOnFunctionError: true,
      destinationConfig: { onFailure: { destinationArn: queue.arn } },
      // Lambda checks on creation whether the role may read the stream and write to the queue.
      dependsOn: [mailer.role.policy],
    });

    this.tryAgain(functionName, mailer);
    this.watch(props, mailer, queue, configurationSet);
  }

  /** SES resources for sending and for counting outcomes; returns the name of the configuration set. */
  private sender({ name, from, identity }: ContactMailProps): string {
    const settings = new Sesv2ConfigurationSet(this, "settings", {
      configurationSetName: `${name}-contact`,
      // Mails hold what visitors wrote, so they go only to servers with TLS.
      deliveryOptions: { tlsPolicy: "REQUIRE" },
      reputationOptions: { reputationMetricsEnabled: true },
      sendingOptions: { sendingEnabled: true },
      suppressionOptions: { suppressedReasons: ["BOUNCE", "COMPLAINT"] },
    });
    if (identity !== "existing") {
      new Sesv2EmailIdentity(this, "identity", { emailIdentity: identity === "domain" ? domainOf(from) : from });
    }
    // Only metrics: other SES event destinations include the visitor's address.
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

  /** The queue for records that the function could not process. */
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
          // Only mails from our address to our mailbox. In its sandbox SES also asks for a right on the receiver's
          // identity.
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

  /** Every hour, mails what could not be mailed before. */
  private tryAgain(functionName: string, mailer: Mailer): void {
    const clock = new CloudwatchEventRule(this, "clock", {
      name: `${functionName}-unsent`,
      description: "Every hour: mail the messages that could not be mailed before",
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
