/**
 * Mails what visitors wrote: called with the records of the table's stream, and every hour for what SES refused until
 * then. Nothing that people write is logged or traced.
 *
 * Whoever mails a message first marks it as being mailed, then as mailed, so that neither a repeated batch nor two
 * calls at once mail it twice. One window is left: when SES has taken a mail and its answer, or the mark after it, is
 * lost, the message is mailed once more.
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
// Once: a late answer does not mean that SES didn't take the mail. The stream, then the clock, try again.
const mailer = new SESv2Client({ ...clientOptions, maxAttempts: 1 });

const record = z.object({
  eventName: z.string(),
  dynamodb: z.object({ Keys: z.object({ id: z.object({ S: name }) }) }),
});

const eventSchema = z.union(
  [
    /** New messages: what the table's stream says. */
    z.object({ Records: z.array(record) }),
    /** All messages that were not mailed yet. */
    z.strictObject({ unsent: z.literal(true) }),
    /** These messages once more, whether mailed or not: their mails bounced. */
    z.strictObject({ again: z.array(name).check(z.minLength(1), z.maxLength(1_000)) }),
  ],
  { error: 'expected Records of a stream, {"unsent": true}, or {"again": ["<id of a message>"]}' },
);

/** Seconds after which a message that somebody began to mail is free again: longer than the function can run. */
const claimSeconds = 120;

/** Time in ms that a message needs at most, so that none is begun which could not be finished. */
const reserve = 25_000;

/**
 * Messages that SES refuses one after another, after which the rest waits for the next call: SES takes none at the
 * moment.
 */
const refusalsInARow = 3;

/**
 * Whether a refusal concerns its message alone, such as one for an invalid address: the messages behind it can still be
 * mailed.
 */
function isOfMessage(error: unknown): boolean {
  return error instanceof z.ZodError || errorName(error) === "BadRequestException";
}

/**
 * Some messages were not mailed. Lambda calls again with the same records, of which those that were mailed are skipped.
 */
class MessagesNotMailed extends Error {
  override readonly name = "MessagesNotMailed";
}

/**
 * `gone`: deleted, or mailed before; `busy`: somebody mails it at this moment; `unfit`: refused for what it holds
 * itself.
 */
type Outcome = "mailed" | "gone" | "busy" | "refused" | "unfit";

const now = (): string => new Date().toISOString();

/** Changes a message. @returns the message as it is then, or why it isn't to be mailed */
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

/** Marks a message as being mailed, unless it is mailed already or somebody else is at it. */
async function claim(id: string, since: string, again: boolean): ReturnType<typeof change> {
  const lapsed = new Date(Date.parse(since) - claimSeconds * 1000).toISOString();
  return change(
    id,
    "SET mailingSince = :since",
    `attribute_exists(id) AND (attribute_not_exists(mailingSince) OR mailingSince < :lapsed)${again ? "" : " AND attribute_not_exists(mailedAt)"}`,
    { ":since": since, ":lapsed": lapsed },
  );
}

/** Mails one message, if it is there and was not mailed yet. */
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
    // SES's messages may quote addresses, so only the error's name goes into the log.
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

/** What became of the messages of one call. */
interface Result {
  readonly mailed: number;
}

interface Order {
  readonly again?: boolean;
  /** Whether somebody else's being at a message is enough. */
  readonly othersMayMail?: boolean;
  readonly remainingMilliseconds: () => number;
}

/**
 * Mails each message that needs it.
 * @throws MessagesNotMailed when one was not
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

/** The identifiers of the messages that were not mailed yet. */
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

/** Answers the stream, the clock, and people who mail something again. */
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
