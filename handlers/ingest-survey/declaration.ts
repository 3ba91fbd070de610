import type { HandlerDeclaration } from "../shared/declaration";
import { name } from "../shared/environment";

/** What the stack sets. */
export const variables = { DATA_BUCKET: name, FEATURE_GROUP: name };

export const declaration = {
  name: "ingest-survey",
  purpose: "Checks a survey file and puts its rows into the feature group; lists those it refused",
  owners: ["data"],
  variables,
  // A large file takes several calls, each of which stops shortly before this. NAT gateways and endpoints drop a
  // connection that is quiet for 350 seconds (VPC User Guide, "NAT gateway basics"): a caller that waits longer never
  // gets the answer.
  timeoutSeconds: 300,
  // The function keeps the largest survey's records in mind, and this gives it twice the processor of half as much.
  memoryMebibytes: 1_024,
  failure: {
    means:
      "A survey could not be read, or its records could not be put. Refused rows are not an error: they are " +
      "listed under `surveys/rejected/`.",
    look: "`/aws/lambda/<name>`: the survey's key and the record that failed.",
    do: "Call it again with the same survey: what is already there is not doubled.",
  },
} satisfies HandlerDeclaration;
