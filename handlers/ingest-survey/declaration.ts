import type { HandlerDeclaration } from "../shared/declaration";
import { name } from "../shared/environment";

/** What the stack sets. */
export const variables = { DATA_BUCKET: name, FEATURE_GROUP: name };

export const declaration = {
  name: "ingest-survey",
  purpose: "Checks a survey file, puts its rows into the feature group, and lists rejected rows",
  owners: ["data"],
  variables,
  // A large file takes several calls, each of which stops shortly before this limit. NAT gateways and endpoints drop a
  // connection that is idle for 350 seconds (VPC User Guide, "NAT gateway basics"), so a caller that waits longer never
  // gets the answer.
  timeoutSeconds: 300,
  // Enough for the records of the largest survey. The CPU share grows with memory: half as much would be half as fast.
  memoryMebibytes: 1_024,
  failure: {
    means:
      "A survey could not be read, or its records could not be stored. Rejected rows are not an error: they are " +
      "listed under `surveys/rejected/`.",
    look: "`/aws/lambda/<function>`: the survey's key and the record that failed.",
    do: "Call it again with the same survey: the call is idempotent.",
  },
} satisfies HandlerDeclaration;
