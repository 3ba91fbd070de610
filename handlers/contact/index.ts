/** POST /api/contact: keeps a message from a visitor. Nothing that people write is logged, traced or sent back. */
import { createHash } from "node:crypto";
import { MetricUnit } from "@aws-lambda-powertools/metrics";
import { ConditionalCheckFailedException, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import * as z from "zod";
import { contactLimits } from "../../web/contact-limits";
import { clientOptions, errorName } from "../shared/clients";
import { name, number, readEnvironment } from "../shared/environment";
import { fieldProblem, HttpProblem, postJson } from "../shared/http";
import { text } from "../shared/input";
import { logger, metrics } from "../shared/observability";

const environment = readEnvironment({ CONTACT_TABLE: name, CONTACT_RETENTION_DAYS: number(1, 3650) });
// Not traced: a trace would keep the messages of DynamoDB's errors, which may quote an item.
const client = new DynamoDBClient(clientOptions);

/**
 * Every message within the limits fits into it, however it is written: JSON may write each character as six (`\u00e9`), and what is trimmed and what
 * stands between the fields gets a KiB.
 */
const maximumBodyBytes = 6 * (contactLimits.name + contactLimits.email + contactLimits.message) + 1024;

/** What each field takes: the words of an answer that refuses it. */
const expected = {
  name: `1 to ${contactLimits.name} characters on one line`,
  email: `an address like name@example.com, of at most ${contactLimits.email} characters`,
  message: `1 to ${contactLimits.message} characters`,
} as const;

const contactSchema = z.strictObject({
  name: text
    .trim()
    .min(1)
    .max(contactLimits.name)
    .regex(/^\P{Cc}*$/u),
  email: text.trim().max(contactLimits.email).pipe(z.email()),
  // Line breaks and tabs belong to a message, other control characters don't.
  message: text
    .trim()
    .min(1)
    .max(contactLimits.message)
    .regex(/^(?:\P{Cc}|[\r\n\t])*$/u),
});

type ContactMessage = z.infer<typeof contactSchema>;

function readContact(body: unknown): ContactMessage {
  const result = contactSchema.safeParse(body);
  if (result.success) return result.data;
  const fields = Object.keys(expected) as (keyof typeof expected)[];
  const places = new Set(result.error.issues.map(({ path }) => path[0]));
  const wrong = fields.filter((field) => places.has(field)).map((field) => ({ field, expected: expected[field] }));
  if (wrong.length > 0) throw fieldProblem(wrong);
  throw fieldProblem([{ field: "", expected: `a JSON object with the fields ${fields.join(", ")} and no other` }]);
}

/**
 * An identifier in the form of a UUID (version 8, RFC 9562) from the message and its day: a form that is sent twice, by a double click or a retry, is
 * stored once, and the same words are a new message tomorrow.
 */
function identify(message: ContactMessage, day: string): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([day, message.name, message.email, message.message]))
    .digest();
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x80, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  return hash.toString("hex", 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

async function store(id: string, message: ContactMessage, receivedAt: Date): Promise<void> {
  const retention = environment.CONTACT_RETENTION_DAYS * 24 * 60 * 60;
  try {
    await client.send(
      new PutItemCommand({
        TableName: environment.CONTACT_TABLE,
        Item: {
          id: { S: id },
          name: { S: message.name },
          email: { S: message.email },
          message: { S: message.message },
          receivedAt: { S: receivedAt.toISOString() },
          // DynamoDB deletes the item after this second.
          expiresAt: { N: String(Math.floor(receivedAt.getTime() / 1000) + retention) },
        },
        ConditionExpression: "attribute_not_exists(id)",
      }),
    );
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return;
    // DynamoDB's messages may quote the item, so only the error's name goes into the log.
    logger.error("A contact message could not be stored", { errorName: errorName(error) });
    metrics.addMetric("ContactNotStored", MetricUnit.Count, 1);
    throw new HttpProblem(503, "Your message could not be stored. Please try again in a minute", {
      headers: { "retry-after": "60" },
    });
  }
}

/** Answers a request of the HTTP API. */
export const handler = postJson(
  "/api/contact",
  async (body) => {
    const message = readContact(body);
    const receivedAt = new Date();
    const id = identify(message, receivedAt.toISOString().slice(0, 10));
    await store(id, message, receivedAt);
    logger.info("A contact message was stored", { id });
    metrics.addMetric("ContactStored", MetricUnit.Count, 1);
    return { status: 202, body: { id } };
  },
  { maximumBodyBytes },
);
