/**
 * Mails visitors' messages. Called with the records of the table's stream, and every hour for messages that SES
 * refused. What visitors write is never logged or traced.
 *
 * A call marks a message as being mailed, mails it, and marks it as mailed. So neither a repeated batch nor two calls
 * at once mail it twice. One window is left: if SES accepted a mail, and its answer or the following mark is lost, the
 * message is mailed again.
 */
import { MetricUnit } from "@aws-lambda-powertools/metrics";
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DynamoDBClient,
  paginateScan,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { SendEmailCommand, SESv2Client } from "@aws-sdk/client-sesv2";
import * as z from "../../survey/zod";
import { clientOptions, errorName, httpStatus } from "../shared/clients";
import { name, readEnvironment } from "../shared/environment";
import { parseEvent } from "../shared/input";
import { logger, metrics, observed } from "../shared/observability";
import { variables } from "./declaration";
import { writeMail } from "./mail";

const environment = readEnvironment(variables);
const client = new DynamoDBClient(clientOptions);
// No retries here: after a late answer, SES may have accepted the mail. The stream and the hourly run retry.
const mailer = new SESv2Client({ ...clientOptions, maxAttempts: 1 });

const record = z.object({
  eventName: z.string(),
  dynamodb: z.object({ Keys: z.object({ id: z.object({ S: name }) }) }),
});

const eventSchema = z.union(
  [
    /** New messages from the table's stream. */
    z.object({ Records: z.array(record) }),
    /** All messages that were not mailed yet. */
    z.strictObject({ unsent: z.literal(true) }),
    /** These messages again, mailed or not: their mails bounced. */
    z.strictObject({ again: z.array(name).check(z.minLength(1), z.maxLength(1_000)) }),
  ],
  { error: 'expected Records of a stream, {"unsent": true}, or {"again": ["<id of a message>"]}' },
);

/** Seconds after which another call may take over a message: longer than the function can run. */
const claimSeconds = 120;

/** Longest time in ms for one message: no message is started with less time left. */
const reserve = 25_000;

/** After this many refusals in a row, the rest waits for the next call: SES accepts nothing at the moment. */
const refusalsInARow = 3;

/**
 * Whether a refusal concerns only its message, such as one for an invalid address: the following messages can still be
 * mailed.
 */
function isOfMessage(error: unknown): boolean {
  return error instanceof z.ZodError || errorName(error) === "BadRequestException";
}

/** Some messages were not mailed. Lambda retries the same records; those already mailed are skipped. */
class MessagesNotMailed extends Error {
  override readonly name = "MessagesNotMailed";
}

/** `gone`: deleted, or mailed before; `busy`: another call is mailing it; `unfit`: refused because of its content. */
type Outcome = "mailed" | "gone" | "busy" | "refused" | "unfit";

const now = (): string => new Date().toISOString();

/** Changes a message. @returns the changed message, or why it must not be mailed */
async function change(
  id: string,
  UpdateExpression: string,
  ConditionExpression: string,
  values: Readonly<Record<string, string>>,
): Promise<Record<string, AttributeValue> | Extract<Outcome, "gone" | "busy">> {
  try {
    const { Attributes = {} } = await client.send(
      new UpdateItemCommand({
        TableName: environment.CONTACT_TABLE,
        Key: { id: { S: id } },
        UpdateExpression,
        ConditionExpression,
        ExpressionAttributeValues: Object.fromEntries(
          Object.entries(values).map(([key, value]) => [key, { S: value }] as const),
        ),
        ReturnValues: "ALL_NEW",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      }),
    );
    return Attributes;
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) {
      throw error;
    }
    return error.Item?.mailingSince === undefined ? "gone" : "busy";
  }
}

/** Marks a message as being mailed, unless it is already mailed or another call is mailing it. */
async function claim(id: string, since: string, again: boolean): ReturnType<typeof change> {
  const lapsed = new Date(Date.parse(since) - claimSeconds * 1000).toISOString();
  return change(
    id,
    "SET mailingSince = :since",
    `attribute_exists(id) AND (attribute_not_exists(mailingSince) OR mailingSince < :lapsed)${again ? "" : " AND attribute_not_exists(mailedAt)"}`,
    { ":since": since, ":lapsed": lapsed },
  );
}

/** Mails one message, if it exists and was not mailed yet. */
async function mail(id: string, { again = false } = {}): Promise<Outcome> {
  const since = now();
  const message = await claim(id, since, again);
  if (typeof message === "string") {
    return message;
  }
  try {
    const { subject, replyTo, body } = writeMail(message, environment.MAIL_WEBSITE);
    const inUtf8 = (Data: string): { Data: string; Charset: string } => ({ Data, Charset: "UTF-8" });
    await mailer.send(
      new SendEmailCommand({
        FromEmailAddress: environment.MAIL_FROM,
        Destination: { ToAddresses: [environment.MAIL_TO] },
        ReplyToAddresses: [replyTo],
        ConfigurationSetName: environment.MAIL_CONFIGURATION_SET,
        Content: { Simple: { Subject: inUtf8(subject), Body: { Text: inUtf8(body) } } },
      }),
    );
  } catch (error) {
    // SES's messages may quote addresses, so only the error's name is logged.
    logger.error("A contact message could not be mailed", {
      id,
      errorName: errorName(error),
      httpStatus: httpStatus(error),
    });
    metrics.addMetric("ContactNotMailed", MetricUnit.Count, 1);
    await change(id, "REMOVE mailingSince", "mailingSince = :since", { ":since": since });
    return isOfMessage(error) ? "unfit" : "refused";
  }
  await change(id, "SET mailedAt = :now REMOVE mailingSince", "attribute_exists(id)", { ":now": now() });
  logger.info("A contact message was mailed", { id });
  metrics.addMetric("ContactMailed", MetricUnit.Count, 1);
  return "mailed";
}

/** The results of one call. */
interface Result {
  readonly mailed: number;
}

interface Order {
  readonly again?: boolean;
  /** Whether messages that another call is mailing count as done. */
  readonly othersMayMail?: boolean;
  readonly remainingMilliseconds: () => number;
}

/**
 * Mails all given messages that need it.
 * @throws MessagesNotMailed when at least one was not
 */
async function mailAll(
  ids: AsyncIterable<string> | Iterable<string>,
  { again = false, othersMayMail = false, remainingMilliseconds }: Order,
): Promise<Result> {
  let mailed = 0;
  let left = 0;
  let refusals = 0;
  for await (const id of ids) {
    if (refusals >= refusalsInARow || remainingMilliseconds() < reserve) {
      left++;
      continue;
    }
    const outcome = await mail(id, { again });
    refusals = outcome === "refused" ? refusals + 1 : 0;
    if (outcome === "mailed") {
      mailed++;
    }
    if (outcome === "refused" || outcome === "unfit" || (outcome === "busy" && !othersMayMail)) {
      left++;
    }
  }
  if (left > 0) {
    throw new MessagesNotMailed(
      `${left} of ${left + mailed} messages could not be mailed now. They are kept, and tried again within the hour.`,
    );
  }
  return { mailed };
}

/** The ids of the messages that were not mailed yet. */
async function* unsent(): AsyncGenerator<string> {
  for await (const { Items = [] } of paginateScan(
    { client },
    {
      TableName: environment.CONTACT_TABLE,
      FilterExpression: "attribute_not_exists(mailedAt)",
      ProjectionExpression: "id",
      ConsistentRead: true,
    },
  )) {
    for (const { id } of Items) {
      if (id?.S !== undefined) {
        yield id.S;
      }
    }
  }
}

/** Handles calls of the stream, of the hourly rule, and of people who mail something again. */
export const handler = observed<unknown, Result>(async (event, context) => {
  const order = parseEvent(eventSchema, event);
  const remainingMilliseconds = (): number => context.getRemainingTimeInMillis();
  if ("Records" in order) {
    const inserted = order.Records.filter(({ eventName }) => eventName === "INSERT");
    const ids = new Set(inserted.map(({ dynamodb }) => dynamodb.Keys.id.S));
    return mailAll(ids, { remainingMilliseconds });
  }
  if ("again" in order) {
    return mailAll(new Set(order.again), { again: true, remainingMilliseconds });
  }
  return mailAll(unsent(), { othersMayMail: true, remainingMilliseconds });
});
