/**
 * What the state machine calls, played by a script: SageMaker (its wire protocol, for jobs only) and the three
 * functions.
 *
 * Every execution has a scenario under its own name, so that many run side by side. Whatever is called is recorded;
 * each job request is checked against SageMaker's own API description, and a job's name can be used once only, as on
 * AWS.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

import type { Run } from "../../../handlers/prepare-run";
import type { Registration } from "../../../handlers/register-model";
import type { Judgement } from "../../../handlers/shared/evaluation";
import { loadServiceModel, requestFaults } from "./service-model";

/** The tasks of the workflow. */
export type FunctionTask = "prepareRun" | "evaluateResults" | "registerModel";
export type JobTask = "process" | "train" | "evaluate";

/** How a function answers one call. */
export type FunctionAnswer =
  { readonly payload: unknown } | { readonly error: { readonly name: string; readonly message: string } };

/** How SageMaker answers one request for a job, or how that job ends. */
export type JobAnswer =
  | { readonly refused: { readonly status: number; readonly code: string; readonly message: string } }
  | { readonly status: "Completed" | "InProgress" }
  | { readonly status: "Failed" | "Stopped"; readonly reason: string };

/**
 * What an execution meets; `attempt` counts from 0. Everything that is left out succeeds, with no champion and a
 * challenger that is good enough.
 */
export interface Scenario {
  readonly prepareRun?: (attempt: number) => FunctionAnswer;
  readonly evaluateResults?: (attempt: number) => FunctionAnswer;
  readonly registerModel?: (attempt: number) => FunctionAnswer;
  readonly process?: (attempt: number) => JobAnswer;
  readonly train?: (attempt: number) => JobAnswer;
  readonly evaluate?: (attempt: number) => JobAnswer;
}

/** Something that was called on behalf of an execution. */
export interface Call {
  readonly name: string;
  // What arrives is JSON of any shape; the tests say what they expect of it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly request: any;
}

interface Job {
  readonly run: string;
  answer: JobAnswer;
}

const bucket = "acme-test-data";

/** With what all names of jobs begin, by which the state machine's rights to them go. */
export const jobPrefix = "acme-test";

/** What prepare-run answers for a run when there is no champion: its own type, so that the two can't part. */
export function preparedRun(run: string): Run {
  return {
    runName: run,
    experimentName: "acme-test-abalone",
    trialName: run,
    processingJobName: `${jobPrefix}-${run}-process`,
    trainingJobName: `${jobPrefix}-${run}-train`,
    evaluationJobName: `${jobPrefix}-${run}-evaluate`,
    datasetUri: `s3://${bucket}/runs/${run}/dataset`,
    baselineUri: `s3://${bucket}/runs/${run}/baseline`,
    modelUri: `s3://${bucket}/runs/${run}/model`,
    evaluationUri: `s3://${bucket}/runs/${run}/evaluation`,
    queryOutputUri: `s3://${bucket}/athena/`,
    champion: { modelPackageArn: "none", modelDataUrl: "none" },
  };
}

/** A judgement that lets the model through. */
export const passed: Judgement = {
  outcome: "no champion yet",
  rmse: 2.05,
  threshold: 2.3,
  rows: 612,
  goodEnough: true,
  better: true,
  champion: null,
  comparison: null,
};

/** The package that register-model makes of a run. */
export const packageOf = (run: string): string =>
  `arn:aws:sagemaker:eu-west-1:123456789012:model-package/acme-test-abalone/${String(run.length)}`;

/** Where SageMaker puts the model of a training job. */
export const modelOf = (run: string, job: string): string =>
  `s3://${bucket}/runs/${run}/model/${job}/output/model.tar.gz`;

/** The services, while they listen. */
export class ScriptedServices {
  /** What SageMaker's API description doesn't allow in the requests for jobs, by run. */
  readonly faults = new Map<string, readonly string[]>();
  private readonly model = loadServiceModel("sagemaker", "2017-07-24");
  private readonly scenarios = new Map<string, Scenario>();
  private readonly calls = new Map<string, Call[]>();
  private readonly attempts = new Map<string, number>();
  private readonly jobs = new Map<string, Job>();

  private constructor(private readonly server: Server) {
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      void this.answer(request, response);
    });
  }

  /** Listens on a free port of 127.0.0.1. */
  static async start(): Promise<ScriptedServices> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new ScriptedServices(server);
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  /** Gives the execution of this name its scenario. */
  play(run: string, scenario: Scenario): void {
    this.scenarios.set(run, scenario);
    this.calls.set(run, []);
  }

  /** What was called for a run, in order. Questions after a job's state are left out. */
  callsOf(run: string): readonly Call[] {
    return this.calls.get(run) ?? [];
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse((await text(request)) || "{}") as Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any
    const target = request.headers["x-amz-target"];
    const [status, answer] =
      typeof target === "string"
        ? this.sagemaker(target.replace("SageMaker.", ""), body)
        : [200, this.callFunction(body.function, body.event)];
    response.writeHead(status, { "Content-Type": "application/x-amz-json-1.1" }).end(JSON.stringify(answer));
  }

  private record(run: string, name: string, request: unknown): number {
    this.calls.get(run)?.push({ name, request });
    const key = `${run} ${name}`;
    const attempt = this.attempts.get(key) ?? 0;
    this.attempts.set(key, attempt + 1);
    return attempt;
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  private callFunction(name: FunctionTask, event: any): FunctionAnswer {
    const run: string = {
      prepareRun: () => event.executionArn.split(":").at(-1),
      evaluateResults: () => event.evaluationUri.split("/").at(-2),
      registerModel: () => event.runName,
    }[name]();
    const attempt = this.record(run, name, event);
    const scripted = this.scenarios.get(run)?.[name]?.(attempt);
    if (scripted !== undefined) {
      return scripted;
    }
    switch (name) {
      case "prepareRun":
        return { payload: preparedRun(run) };
      case "evaluateResults":
        return { payload: passed };
      case "registerModel":
        return { payload: { modelPackageArn: packageOf(run), version: 1 } satisfies Registration };
    }
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  private sagemaker(operation: string, request: Record<string, any>): [number, unknown] {
    const [, action, kind] = /^(Create|Describe|Stop)(TrainingJob|ProcessingJob)$/.exec(operation) ?? [];
    if (action === undefined || kind === undefined) {
      return [400, { __type: "UnknownOperationException", message: operation }];
    }
    const name = request[`${kind}Name`] as string;
    const found = this.jobs.get(`${kind} ${name}`);
    if (action === "Create") {
      const run = (request.Tags as { Key: string; Value: string }[]).find(({ Key }) => Key === "Run")!.Value;
      const task = (kind === "TrainingJob" ? "train" : request.AppSpecification.ContainerEntrypoint[0]) as JobTask;
      const attempt = this.record(run, task, request);
      const faults = requestFaults(this.model, operation, request);
      if (faults.length > 0) {
        this.faults.set(run, faults);
        return [400, { __type: "ValidationException", message: faults.join("; ") }];
      }
      if (found !== undefined) {
        return [
          400,
          {
            __type: "ResourceInUse",
            message: `Job name must be unique within an AWS account and region, and a job with this name already exists (${name})`,
          },
        ];
      }
      const answer = this.scenarios.get(run)?.[task]?.(attempt) ?? { status: "Completed" as const };
      if ("refused" in answer) {
        return [answer.refused.status, { __type: answer.refused.code, message: answer.refused.message }];
      }
      this.jobs.set(`${kind} ${name}`, { run, answer });
      return [200, { [`${kind}Arn`]: `arn:aws:sagemaker:eu-west-1:123456789012:job/${name}` }];
    }
    if (found === undefined) {
      return [400, { __type: "ValidationException", message: "Requested resource not found." }];
    }
    if (action === "Stop") {
      this.record(found.run, `stop ${name}`, request);
      found.answer = { status: "Stopped", reason: "stopped by request" };
      return [200, {}];
    }
    const { answer } = found;
    const status = "refused" in answer ? "Failed" : answer.status;
    return [
      200,
      {
        [`${kind}Name`]: name,
        [`${kind}Status`]: status,
        ...("reason" in answer ? { FailureReason: answer.reason } : {}),
        ...(kind === "TrainingJob" && status === "Completed"
          ? { ModelArtifacts: { S3ModelArtifacts: modelOf(found.run, name) } }
          : {}),
      },
    ];
  }
}
