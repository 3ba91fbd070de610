/** POST /api/contact: stores a visitor's message. What visitors write is never logged, traced or sent back. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { MetricUnit } from "@aws-lambda-powertools/metrics";
import {
  DynamoDBClient,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  type TransactWriteItem,
} from "@aws-sdk/client-dynamodb";
import * as z from "../../survey/zod";
import { contactLimits } from "../../web/contact-limits";
import { clientOptions, errorName } from "../shared/clients";
import { readEnvironment } from "../shared/environment";
import { fieldProblem, HttpProblem, postJson } from "../shared/http";
import { text } from "../shared/input";
import { logger, metrics } from "../shared/observability";
import { route, variables } from "./declaration";
import { addressesOf, VisitorCodes } from "./visitor";

const environment = readEnvironment(variables);
// Not traced: a trace would keep DynamoDB's error messages, which may quote an item.
const client = new DynamoDBClient(clientOptions);
const codes = new VisitorCodes(client, environment.CONTACT_VISITORS_TABLE);

/**
 * Time limit in ms for all DynamoDB requests, retries included. It is shorter than the function's, so that a visitor
 * gets our answer.
 */
const patience = 8_000;

/**
 * Every valid message fits, however it is encoded: JSON may write each character as six (`\u00e9`). White space and
 * field names get a KiB.
 */
const maximumBodyBytes = 6 * (contactLimits.name + contactLimits.email + contactLimits.message) + 1024;

/** What each field accepts, for error answers. */
const expected = {
  name: `1 to ${contactLimits.name} characters on one line`,
  email: `an address like name@example.com, of at most ${contactLimits.email} characters`,
  message: `1 to ${contactLimits.message} characters`,
} as const;

/**
 * No mail server accepts longer parts (RFC 5321, section 4.5.3.1.1), and no domain has them (RFC 1035, section 2.3.4).
 */
const mailable = /^[^@]{1,64}@(?:[^@.]{1,63}\.)+[^@.]{1,63}$/;

const contactSchema = z.strictObject({
  name: text.check(z.trim(), z.minLength(1), z.maxLength(contactLimits.name), z.regex(/^\P{Cc}*$/u)),
  email: z.pipe(text.check(z.trim(), z.maxLength(contactLimits.email), z.regex(mailable)), z.email()),
  // Line breaks and tabs are allowed, other control characters are not.
  message: text.check(z.trim(), z.minLength(1), z.maxLength(contactLimits.message), z.regex(/^(?:\P{Cc}|[\r\n\t])*$/u)),
  /** A hidden field: only bots fill it. */
  website: z.optional(z.unknown()),
});

type ContactMessage = Omit<z.infer<typeof contactSchema>, "website">;

function readContact(body: unknown): { readonly message: ContactMessage; readonly byProgram: boolean } {
  const result = contactSchema.safeParse(body);
  if (result.success) {
    const { website, ...message } = result.data;
    return { message, byProgram: ![undefined, null, ""].includes(website as string) };
  }
  const fields = Object.keys(expected) as (keyof typeof expected)[];
  const places = new Set(result.error.issues.map(({ path }) => path[0]));
  const wrong = fields.filter((field) => places.has(field)).map((field) => ({ field, expected: expected[field] }));
  if (wrong.length > 0) {
    throw fieldProblem(wrong);
  }
  throw fieldProblem([{ field: "", expected: `a JSON object with the fields ${fields.join(", ")} and no other` }]);
}

/**
 * A UUID (version 8, RFC 9562) from the message and its day. A form sent twice, by a double click or a retry, is stored
 * once; the same words tomorrow are a new message.
 */
function identify(message: ContactMessage, day: string): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([day, message.name, message.email, message.message]))
    .digest();
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x80, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  return hash.toString("hex", 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * How many visitors share one connection at most. A CloudFront host forwards requests of many visitors, so the
 * connection's address, which can't be forged, may send more messages than the address that CloudFront reports.
 */
const visitorsOfConnection = 20;

const hour = 60 * 60;

const toSeconds = (time: Date): number => Math.floor(time.getTime() / 1000);

/** Counts a message for an address, unless the address has reached the hourly limit. */
async function count(address: string, limit: number, now: Date, abortSignal: AbortSignal): Promise<TransactWriteItem> {
  return {
    Update: {
      TableName: environment.CONTACT_VISITORS_TABLE,
      Key: { id: { S: await codes.code(address, now, abortSignal) } },
      UpdateExpression: "ADD #messages :one SET #expiresAt = :expiresAt",
      ConditionExpression: "attribute_not_exists(#messages) OR #messages < :limit",
      ExpressionAttributeNames: { "#messages": "messages", "#expiresAt": "expiresAt" },
      ExpressionAttributeValues: {
        ":one": { N: "1" },
        ":limit": { N: String(limit) },
        ":expiresAt": { N: String(toSeconds(now) + hour) },
      },
    },
  };
}

type Outcome = "stored" | "known" | "too many";

/** Retries after a conflict with another write, such as the second half of a double click. */
const conflicts = 6;

/** Stores and counts in one transaction. */
async function write(items: TransactWriteItem[], abortSignal: AbortSignal): Promise<Outcome> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.send(new TransactWriteItemsCommand({ TransactItems: items }), { abortSignal });
      return "stored";
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) {
        throw error;
      }
      const reasons = (error.CancellationReasons ?? []).map(({ Code }) => Code);
      // A message that is already stored does not count.
      if (reasons[0] === "ConditionalCheckFailed") {
        return "known";
      }
      if (reasons.includes("ConditionalCheckFailed")) {
        return "too many";
      }
      if (attempt > conflicts || !reasons.includes("TransactionConflict")) {
        throw error;
      }
      await sleep(Math.random() * 20 * 2 ** attempt);
    }
  }
}

async function store(
  id: string,
  message: ContactMessage,
  receivedAt: Date,
  { connected, forwarded }: ReturnType<typeof addressesOf>,
): Promise<Outcome> {
  const limit = environment.CONTACT_MESSAGES_PER_HOUR;
  const put: TransactWriteItem = {
    Put: {
      TableName: environment.CONTACT_TABLE,
      Item: {
        id: { S: id },
        name: { S: message.name },
        email: { S: message.email },
        message: { S: message.message },
        receivedAt: { S: receivedAt.toISOString() },
        // DynamoDB deletes the item after this time.
        expiresAt: { N: String(toSeconds(receivedAt) + environment.CONTACT_RETENTION_DAYS * 24 * hour) },
      },
      ConditionExpression: "attribute_not_exists(id)",
    },
  };
  try {
    const signal = AbortSignal.timeout(patience);
    return await write(
      [
        put,
        ...(forwarded === undefined ? [] : [await count(forwarded, limit, receivedAt, signal)]),
        await count(connected, forwarded === undefined ? limit : limit * visitorsOfConnection, receivedAt, signal),
      ],
      signal,
    );
  } catch (error) {
    // DynamoDB's messages may quote the item, so only the error's name is logged.
    logger.error("A contact message could not be stored", { errorName: errorName(error) });
    metrics.addMetric("ContactNotStored", MetricUnit.Count, 1);
    throw new HttpProblem(503, "Your message could not be stored. Please try again in a minute", {
      headers: { "retry-after": "60" },
    });
  }
}

/** Answers a request of the HTTP API. */
export const handler = postJson(
  route,
  async (body, event) => {
    const { message, byProgram } = readContact(body);
    const receivedAt = new Date();
    const id = identify(message, receivedAt.toISOString().slice(0, 10));
    if (byProgram) {
      // A bot gets the same answer as a person, so it learns nothing.
      metrics.addMetric("ContactDiscarded", MetricUnit.Count, 1);
      return { status: 202, body: { id } };
    }
    const outcome = await store(id, message, receivedAt, addressesOf(event));
    if (outcome === "too many") {
      metrics.addMetric("ContactLimited", MetricUnit.Count, 1);
      const seconds = hour - (toSeconds(receivedAt) % hour);
      throw new HttpProblem(
        429,
        `Too many messages came from your network within this hour, so yours was not stored. Please try again in ${Math.ceil(seconds / 60)} minutes`,
        { headers: { "retry-after": String(seconds) } },
      );
    }
    if (outcome === "stored") {
      logger.info("A contact message was stored", { id });
      metrics.addMetric("ContactStored", MetricUnit.Count, 1);
    }
    return { status: 202, body: { id } };
  },
  { maximumBodyBytes },
);
