import type { HandlerDeclaration } from "../shared/declaration";
import { name, number } from "../shared/environment";

/** What the stack sets. */
export const variables = {
  CONTACT_TABLE: name,
  CONTACT_RETENTION_DAYS: number(1, 3650),
  /** Counts messages by visitor code. */
  CONTACT_VISITORS_TABLE: name,
  /** Messages that one visitor may send within an hour. */
  CONTACT_MESSAGES_PER_HOUR: number(1, 100_000),
};

export const route = "/api/contact";

export const declaration = {
  name: "contact",
  purpose: "Stores a visitor's message to us",
  owners: ["front-end"],
  variables,
  route,
  failure: {
    means: "A visitor's message could not be stored. The page told the visitor so, and still has the text.",
    look: "`/aws/lambda/<function>`; it never holds visitors' messages. Does the table exist? May the function use its key?",
    do: "Correct the access to the table or the key. Nothing has to be sent again: a message answered with 202 is stored.",
  },
} satisfies HandlerDeclaration;
