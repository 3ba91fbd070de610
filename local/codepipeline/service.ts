import { createServer, type IncomingMessage, type Server } from "node:http";

import type {
  GetPipelineExecutionInput,
  GetPipelineExecutionOutput,
  GetPipelineStateInput,
  GetPipelineStateOutput,
  ListPipelineExecutionsInput,
  ListPipelineExecutionsOutput,
  StartPipelineExecutionInput,
  StartPipelineExecutionOutput,
} from "@aws-sdk/client-codepipeline";

import { listenAt } from "sagemaker-local/loopback";
import { ownProcess } from "sagemaker-local/process-identity";
import { errorAnswer, readBody, refuseForeignPages, ServiceError, toWire } from "sagemaker-local/protocol";
import type { Execution, ExecutionQueue } from "./executions";

const contentType = "application/x-amz-json-1.1";
const target = /^CodePipeline_20150709\.(\w+)$/;
/** CodePipeline API Reference, "StartPipelineExecution": format of a `clientRequestToken`. */
const tokenForm = /^[a-zA-Z0-9-]{1,128}$/;
/** Requests have only a name and a token. */
const bodyLimit = 65_536;

/** The part of CodePipeline that the platform needs: one pipeline, whose executions a queue runs. */
export class PipelineService {
  private readonly operations: Readonly<Record<string, (request: object) => unknown>> = {
    StartPipelineExecution: (request) => this.start(request as StartPipelineExecutionInput),
    GetPipelineExecution: (request) => this.execution(request as GetPipelineExecutionInput),
    GetPipelineState: (request) => this.state(request as GetPipelineStateInput),
    ListPipelineExecutions: (request) => this.executions(request as ListPipelineExecutionsInput),
  };

  /**
   * @param name The pipeline's name.
   * @param queue Its executions.
   */
  constructor(
    private readonly name: string,
    private readonly queue: ExecutionQueue,
  ) {}

  /**
   * Answers requests on a port of 127.0.0.1.
   * @throws PortError when it can't be opened.
   */
  async listen(port: number): Promise<Server> {
    const server = createServer((request, response) => {
      void this.answer(request).then(({ status, headers, body }) => {
        response.writeHead(status, headers).end(body);
      });
    });
    await listenAt(server, port, "set another PIPELINE_PORT");
    return server;
  }

  private async answer(request: IncomingMessage): Promise<ReturnType<typeof errorAnswer>> {
    try {
      refuseForeignPages(request.headers);
      if (request.method === "GET" && request.url === "/health") {
        return { status: 200, headers: { "Content-Type": "text/plain", ...ownProcess }, body: "ok" };
      }
      const body = await readBody(request, bodyLimit);
      const name = target.exec([request.headers["x-amz-target"]].flat().join())?.[1] ?? "";
      const operation = Object.hasOwn(this.operations, name) ? this.operations[name] : undefined;
      if (operation === undefined) {
        throw new ServiceError(
          "UnknownOperationException",
          `'${name}' is not available here; there are ${Object.keys(this.operations).join(", ")}.`,
        );
      }
      return { status: 200, headers: { "Content-Type": contentType }, body: toWire(operation(parse(body))) };
    } catch (error) {
      if (error instanceof ServiceError) {
        return errorAnswer(error, contentType);
      }
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      return errorAnswer(new ServiceError("InternalFailure", "The pipeline failed; see its log.", 500), contentType);
    }
  }

  private start({ name, clientRequestToken: token }: StartPipelineExecutionInput): StartPipelineExecutionOutput {
    this.requireName(name);
    if (token !== undefined && (typeof token !== "string" || !tokenForm.test(token))) {
      throw new ServiceError(
        "ValidationException",
        `clientRequestToken: '${token}' is not 1 to 128 letters, digits and hyphens`,
      );
    }
    return { pipelineExecutionId: this.queue.start(token).id };
  }

  private execution({ pipelineName, pipelineExecutionId: id }: GetPipelineExecutionInput): GetPipelineExecutionOutput {
    this.requireName(pipelineName);
    const execution = this.queue.list().find((each) => each.id === id);
    if (execution === undefined) {
      throw new ServiceError("PipelineExecutionNotFoundException", `${this.name} has no execution ${String(id)}`);
    }
    return { pipelineExecution: { ...this.describe(execution), pipelineName: this.name } };
  }

  /** The stages of the latest execution: an earlier one that waits for them would be superseded. */
  private state({ name }: GetPipelineStateInput): GetPipelineStateOutput {
    this.requireName(name);
    const latest = this.queue.list().findLast(({ stages }) => stages.length > 0);
    return {
      pipelineName: this.name,
      stageStates: (latest?.stages ?? []).map((stage) => ({
        stageName: stage.name,
        latestExecution: { pipelineExecutionId: latest?.id, status: stage.status },
        actionStates: [{ actionName: stage.name, latestExecution: { status: stage.status, summary: stage.summary } }],
      })),
    } as GetPipelineStateOutput;
  }

  private executions({ pipelineName }: ListPipelineExecutionsInput): ListPipelineExecutionsOutput {
    this.requireName(pipelineName);
    return {
      pipelineExecutionSummaries: this.queue
        .list()
        .map((execution) => ({
          ...this.describe(execution),
          startTime: new Date(execution.startedAt),
          lastUpdateTime: new Date(execution.updatedAt),
        }))
        .reverse(),
    };
  }

  private describe({ id, status, summary }: Execution): {
    pipelineExecutionId: string;
    status: Execution["status"];
    statusSummary?: string;
    executionMode: "SUPERSEDED";
  } {
    return {
      pipelineExecutionId: id,
      status,
      executionMode: "SUPERSEDED",
      statusSummary: summary,
    };
  }

  private requireName(name: unknown): void {
    if (name !== this.name) {
      throw new ServiceError(
        "PipelineNotFoundException",
        `There is no pipeline '${String(name)}' here; there is ${this.name}.`,
      );
    }
  }
}

function parse(body: Buffer): object {
  try {
    const request = JSON.parse(body.toString("utf8")) as unknown;
    if (typeof request === "object" && request !== null) {
      return request;
    }
  } catch {
    // Said below.
  }
  throw new ServiceError("SerializationException", "The request's body is not a JSON object.");
}
