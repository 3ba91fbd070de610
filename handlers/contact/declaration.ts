import type { HandlerDeclaration } from "../shared/declaration";
import { name, number } from "../shared/environment";

/** What the stack sets. */
export const variables = {
  CONTACT_TABLE: name,
  CONTACT_RETENTION_DAYS: number(1, 3650),
  /** Counts messages, by codes of their visitors. */
  CONTACT_VISITORS_TABLE: name,
  /** Messages that one visitor may send within an hour. */
  CONTACT_MESSAGES_PER_HOUR: number(1, 100_000),
};

export const route = "/api/contact";

export const declaration = {
  name: "contact",
  purpose: "Keeps what a visitor writes to us",
  owners: ["front-end"],
  variables,
  route,
  failure: {
    report: "The function <function> failed: read /aws/lambda/<function>.",
    means:
      "A visitor's message could not be stored. The page has reported that to the visitor, who still has " +
      "the text.",
    look: "`/aws/lambda/<name>`; it never holds what people write. Is the table there, may the function use its key?",
    do: "Correct the access to table or key. Nothing has to be sent again: what was answered 202 is stored.",
  },
} satisfies HandlerDeclaration;
