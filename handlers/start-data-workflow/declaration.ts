import * as z from "../../survey/zod";
import type { HandlerDeclaration } from "../shared/declaration";
import { name } from "../shared/environment";

/** What the stack sets. */
export const variables = {
  /** The website's stage whose traffic is watched. */
  STAGE: z.string().check(z.regex(/^[a-z]{1,20}$/, "expected a name of lower-case letters")),
  /** Name of Airflow's environment; unset without Airflow. */
  AIRFLOW_ENVIRONMENT: z.optional(name),
  DAG: z.optional(name),
  /** ARN of the ML workflow, used without Airflow. */
  STATE_MACHINE: z.optional(name),
};

export const declaration = {
  name: "start-data-workflow",
  purpose: "Starts the data workflow when visitors ask about animals unlike those in the training data",
  owners: ["data"],
  variables,
  timeoutSeconds: 30,
  failure: {
    report: "The function <function> failed, so drift did not start the data workflow: read /aws/lambda/<function>.",
    means: "Drift in production did not start the data workflow.",
    look: "`/aws/lambda/<function>`: `AirflowRefused` has Airflow's answer. Is the stack `data-workflow` deployed?",
    do:
      "Correct the cause, then start the DAG `acme-data-workflow` in Airflow by hand. Otherwise the alarm " +
      "starts it again tomorrow, or when it goes off again.",
  },
} satisfies HandlerDeclaration;
