/** The mail for a message: plain text, whose only header from the visitor is the reply address. */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import * as z from "../../survey/zod";

/** A mail's content. */
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
  // Checked again: a line break would start another header.
  email: z.pipe(string, z.email()),
  message: string,
  receivedAt: z.pipe(string, z.iso.datetime()),
  expiresAt: z.pipe(
    z.object({ N: z.string().check(z.regex(/^\d+$/)) }),
    z.transform(({ N }) => new Date(Number(N) * 1000)),
  ),
});

/**
 * Writes the mail for a message in the table.
 * @param website the website's name in the subject
 * @throws ZodError when it is not a message; the error quotes none of its content
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
  // The id keeps mail programs from grouping messages by subject.
  return { subject: `Message from the ${website} (${id.slice(0, 8)})`, replyTo: email, body: lines.join("\n") };
}
