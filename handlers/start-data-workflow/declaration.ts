import * as z from "../../survey/zod";
import type { HandlerDeclaration } from "../shared/declaration";
import { name } from "../shared/environment";

/** What the stack sets. */
export const variables = {
  /** The website's stage whose traffic is watched. */
  STAGE: z.string().check(z.regex(/^[a-z]{1,20}$/, "expected a name of lower-case letters")),
  /** Name of Airflow's environment; nothing where there is none. */
  AIRFLOW_ENVIRONMENT: z.optional(name),
  DAG: z.optional(name),
  /** ARN of the ML workflow, for where there is no Airflow. */
  STATE_MACHINE: z.optional(name),
};

export const declaration = {
  name: "start-data-workflow",
  purpose: "Starts the data workflow when visitors ask about other animals than the model was trained on",
  owners: ["data"],
  variables,
  timeoutSeconds: 30,
  failure: {
    report: "The function <function> failed, so that drift started nothing: read /aws/lambda/<function>.",
    means: "Drift in production should have started the data workflow, and did not.",
    look: "`/aws/lambda/<name>`: `AirflowRefused` has Airflow's answer. Is the stack " + "`data-workflow` deployed?",
    do:
      "Correct the cause, then start the DAG `acme-data-workflow` in Airflow by hand. The alarm itself " +
      "starts it again tomorrow, or when it goes off again.",
  },
} satisfies HandlerDeclaration;
