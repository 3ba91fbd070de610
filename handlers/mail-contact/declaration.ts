import * as z from "../../survey/zod";
import type { HandlerDeclaration } from "../shared/declaration";
import { name } from "../shared/environment";

/** What the stack sets. */
export const variables = {
  CONTACT_TABLE: name,
  MAIL_TO: z.email(),
  MAIL_FROM: z.email(),
  MAIL_CONFIGURATION_SET: name,
  /** How the mails' subjects call the website. */
  MAIL_WEBSITE: name,
};

export const declaration = {
  name: "mail-contact",
  purpose: "Mails to us what visitors write",
  owners: ["front-end"],
  variables,
  timeoutSeconds: 60,
  failure: {
    report: "Messages of visitors could not be mailed, they are kept and tried again: read /aws/lambda/<function>.",
    means:
      "A message of a visitor could not be mailed to us, or nothing could be marked as mailed. It is kept; " +
      "the stream tries it five times within minutes, then the clock every hour, for as long as the message " +
      "is kept (`contactRetentionDays`).",
    look:
      "`/aws/lambda/<name>`: `A contact message could not be mailed` names the message's " +
      "number and SES's error; it never holds what people write. `MessageRejected`: the sender's identity, " +
      "or in SES's sandbox the receiver's, is not verified (`aws sesv2 get-email-identity --email-identity " +
      "<domain>`). `AccountSuspended`, `SendingPaused`: SES's console says why. `AccessDenied`: the " +
      "addresses of `environments/` and of the deployed stack differ. `BadRequestException` or `$ZodError` " +
      "of some numbers alone: SES refuses what these messages hold, an address for example. The others are " +
      "mailed; answer these from the table, or delete them by their numbers, for the clock tries them every " +
      "hour.",
    do:
      "Correct the cause. Nothing is lost, and nobody has to send anything: the next full hour mails all " +
      "that waits. To mail it now, see [messages that were not mailed](#messages-that-were-not-mailed).",
  },
} satisfies HandlerDeclaration;
