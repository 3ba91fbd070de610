/**
 * The mail that a message becomes: plain text, whose header holds nothing of the visitor's but the address to answer
 * to.
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import * as z from "../../survey/zod";

/** What a mail says. */
export interface Mail {
  readonly subject: string;
  /** One address, without a name. */
  readonly replyTo: string;
  readonly body: string;
}

const string = z.pipe(
  z.object({ S: z.string() }),
  z.transform(({ S }) => S),
);

const storedSchema = z.object({
  id: z.pipe(string, z.string().check(z.regex(/^[0-9a-f-]{36}$/))),
  name: z.pipe(string, z.string().check(z.regex(/^\P{Cc}*$/u))),
  // Checked once more: a line break in it would begin a header of its own.
  email: z.pipe(string, z.email()),
  message: string,
  receivedAt: z.pipe(string, z.iso.datetime()),
  expiresAt: z.pipe(
    z.object({ N: z.string().check(z.regex(/^\d+$/)) }),
    z.transform(({ N }) => new Date(Number(N) * 1000)),
  ),
});

/**
 * Writes the mail of a message as the table holds it.
 * @param website how the subject calls the website
 * @throws ZodError when it is not a message; the error quotes nothing of it
 */
export function writeMail(item: Readonly<Record<string, AttributeValue>>, website: string): Mail {
  const { id, name, email, message, receivedAt, expiresAt } = storedSchema.parse(item);
  const lines = [
    `A visitor of the ${website} wrote to us. To answer this mail is to answer the visitor.`,
    "",
    `Name:      ${name}`,
    `Address:   ${email} (typed by the visitor, checked by nobody)`,
    `Received:  ${receivedAt.slice(0, 16).replace("T", " ")} UTC`,
    `Number:    ${id}`,
    `Deleted:   on the website after ${expiresAt.toISOString().slice(0, 10)}; here by whoever reads this mailbox`,
    "",
    "All that follows was written by the visitor.",
    "",
    message.replace(/\r\n?/g, "\n"),
    "",
  ];
  // Mails of their own: mail programs gather those of one subject.
  return { subject: `Message from the ${website} (${id.slice(0, 8)})`, replyTo: email, body: lines.join("\n") };
}
