/**
 * Handles a drift alarm: starts the data workflow, which ingests waiting surveys and releases them. Without Airflow, it
 * starts the ML workflow, which trains on the feature store.
 *
 * It starts at most one run per day and stage, however often the alarm goes off: the run is named after stage and day,
 * and neither Airflow nor Step Functions accepts a name twice. So a run can't cause the next one.
 */
import { createHash, createHmac } from "node:crypto";
import { ExecutionAlreadyExists, SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { SignatureV4 } from "@smithy/signature-v4";
import * as z from "../../survey/zod";
import { clientOptions } from "../shared/clients";
import { name, readEnvironment } from "../shared/environment";
import { parseEvent, someText, text } from "../shared/input";
import { logger, observed } from "../shared/observability";
import { traced, tracer } from "../shared/tracing";
import { variables } from "./declaration";

const environment = readEnvironment({
  ...variables,
  // Lambda sets these; the endpoint is set only on a laptop.
  AWS_REGION: name,
  AWS_ACCESS_KEY_ID: name,
  AWS_SECRET_ACCESS_KEY: name,
  /** Only temporary credentials have one. */
  AWS_SESSION_TOKEN: z.optional(z.string()),
  AWS_ENDPOINT_URL: z.optional(name),
});
const stepFunctions = tracer.captureAWSv3Client(new SFNClient(clientOptions));

/** MWAA allows Airflow's REST API ten seconds (MWAA User Guide, "Using the Apache Airflow REST API"). */
const airflowPatience = 12_000;

const eventSchema = z.object({
  Records: z.array(z.object({ Sns: z.object({ Message: text.check(z.minLength(2)) }) })).check(z.minLength(1)),
});
const alarmSchema = z.object({
  AlarmName: someText,
  NewStateValue: z.enum(["ALARM", "OK", "INSUFFICIENT_DATA"]),
  StateChangeTime: text.check(z.refine((value) => !Number.isNaN(Date.parse(value)), "expected a time")),
});

/** The run that this alarm, or an earlier one of the same day, started. */
export interface StartedRun {
  readonly workflow: "airflow" | "step-functions";
  readonly run: string;
  readonly alreadyStarted: boolean;
}

/** Airflow did not start a run. */
export class AirflowRefused extends Error {
  override readonly name = "AirflowRefused";
}

/** SHA-256 and HMAC, with the signer's interface. */
class Sha256 {
  private readonly hash: ReturnType<typeof createHash | typeof createHmac>;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.hash =
      secret === undefined
        ? createHash("sha256")
        : createHmac("sha256", typeof secret === "string" ? secret : bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(typeof data === "string" ? data : bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.hash.digest());
  }

  reset(): void {
    throw new Error("the signer never uses a hash twice");
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

const signer = new SignatureV4({
  service: "airflow",
  region: environment.AWS_REGION,
  sha256: Sha256,
  credentials: {
    accessKeyId: environment.AWS_ACCESS_KEY_ID,
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    sessionToken: environment.AWS_SESSION_TOKEN,
  },
});

const answerSchema = z.catch(
  z.object({ RestApiStatusCode: z.optional(z.int()), RestApiResponse: z.optional(z.unknown()) }),
  {},
);

/**
 * Calls MWAA's InvokeRestApi (see its API reference): AWS credentials give access to Airflow's REST API, whether its
 * web server is private or public.
 */
async function startDagRun(airflow: string, dag: string, run: string, time: Date): Promise<boolean> {
  const url = new URL(
    `/restapi/${encodeURIComponent(airflow)}`,
    environment.AWS_ENDPOINT_URL ?? `https://env.airflow.${environment.AWS_REGION}.amazonaws.com`,
  );
  const body = JSON.stringify({
    Method: "POST",
    Path: `/dags/${dag}/dagRuns`,
    // Airflow 3 requires a logical date, Airflow 2 accepts one.
    Body: { dag_run_id: run, logical_date: time.toISOString(), conf: { reason: "drift", stage: environment.STAGE } },
  });
  const { headers } = await signer.sign({
    method: "POST",
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    headers: { host: url.host, "content-type": "application/json" },
    body,
  });
  const response = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(airflowPatience) });
  const answer = await response.text();
  const { RestApiStatusCode: status } = answerSchema.parse(parseJson(answer));
  // A run with this name exists.
  if (status === 409) {
    return false;
  }
  if (!response.ok || status === undefined || status >= 300) {
    throw new AirflowRefused(
      `Airflow ${airflow} did not start ${dag}: HTTP ${response.status}: ${answer.slice(0, 500)}. ` +
        "Is the stack data-workflow deployed, and may the function use the Airflow role User?",
    );
  }
  return true;
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

async function startExecution(stateMachineArn: string, run: string): Promise<boolean> {
  try {
    await stepFunctions.send(new StartExecutionCommand({ stateMachineArn, name: run, input: "{}" }));
    return true;
  } catch (error) {
    if (error instanceof ExecutionAlreadyExists) {
      return false;
    }
    throw error;
  }
}

async function start(run: string, time: Date): Promise<StartedRun> {
  const { AIRFLOW_ENVIRONMENT: airflow, DAG: dag, STATE_MACHINE: stateMachine } = environment;
  if (airflow !== undefined && dag !== undefined) {
    return { workflow: "airflow", run, alreadyStarted: !(await startDagRun(airflow, dag, run, time)) };
  }
  if (stateMachine !== undefined) {
    return { workflow: "step-functions", run, alreadyStarted: !(await startExecution(stateMachine, run)) };
  }
  throw new Error(
    "Neither AIRFLOW_ENVIRONMENT with DAG nor STATE_MACHINE is set. Correct the stack that deploys the function.",
  );
}

/** Handles the messages of the alarm's topic. */
export const handler = observed(
  traced(async (event: unknown): Promise<readonly StartedRun[]> => {
    const { Records: records } = parseEvent(eventSchema, event);
    const started: StartedRun[] = [];
    for (const { Sns } of records) {
      const alarm = parseEvent(alarmSchema, parseJson(Sns.Message));
      if (alarm.NewStateValue !== "ALARM") {
        continue;
      }
      const time = new Date(alarm.StateChangeTime);
      const run = await start(`drift-${environment.STAGE}-${time.toISOString().slice(0, 10)}`, time);
      logger.info(run.alreadyStarted ? "Today's run was started before" : "The data workflow is started", {
        alarm: alarm.AlarmName,
        ...run,
      });
      started.push(run);
    }
    return started;
  }),
);
