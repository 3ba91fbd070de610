import * as z from "../../survey/zod";
import type { HandlerDeclaration } from "../shared/declaration";
import { name } from "../shared/environment";

/** What the stack sets. */
export const variables = {
  CONTACT_TABLE: name,
  MAIL_TO: z.email(),
  MAIL_FROM: z.email(),
  MAIL_CONFIGURATION_SET: name,
  /** The website's name in mail subjects. */
  MAIL_WEBSITE: name,
};

export const declaration = {
  name: "mail-contact",
  purpose: "Mails visitors' messages to us",
  owners: ["front-end"],
  variables,
  timeoutSeconds: 60,
  failure: {
    report: "Visitors' messages could not be mailed. They are kept and retried: read /aws/lambda/<function>.",
    means:
      "A visitor's message could not be mailed, or could not be marked as mailed. It is kept. The stream retries " +
      "five times within minutes, then the schedule every hour, as long as the message is kept " +
      "(`contactRetentionDays`).",
    look:
      "`/aws/lambda/<function>`: `A contact message could not be mailed` has the message's " +
      "id and SES's error, never the message itself. `MessageRejected`: the sender's identity, " +
      "or in SES's sandbox the receiver's, is not verified (`aws sesv2 get-email-identity --email-identity " +
      "<domain>`). `AccountSuspended`, `SendingPaused`: SES's console says why. `AccessDenied`: the " +
      "addresses of `environments/` and of the deployed stack differ. `BadRequestException` or `$ZodError` " +
      "for some ids only: SES refuses the content of these messages, for example an address. The others are " +
      "mailed. Answer these from the table, or delete them by their ids, because they are retried every hour.",
    do:
      "Correct the cause. Nothing is lost: the next hourly run mails all waiting messages. To mail them now, see " +
      "[messages that were not mailed](#messages-that-were-not-mailed).",
  },
} satisfies HandlerDeclaration;
