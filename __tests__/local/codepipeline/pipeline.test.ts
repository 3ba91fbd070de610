import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { CodePipeline } from "@aws-sdk/client-codepipeline";

import { type Execution, ExecutionQueue, readExecutions, type Turn } from "../../../local/codepipeline/executions";
import { PipelineService } from "../../../local/codepipeline/service";

const folder = mkdtempSync(join(tmpdir(), "pipeline-"));
let file: string;
let files = 0;

/** Executions that have begun, each ended by the test. */
let turns: (Turn & { readonly end: (error?: Error) => void })[];

const runner = (turn: Turn): Promise<void> =>
  new Promise((settle, refuse) => {
    turns.push({
      ...turn,
      end: (error) => {
        if (error) {
          refuse(error);
        } else {
          settle();
        }
      },
    });
  });

const later = (): Promise<void> => new Promise((settle) => setImmediate(settle));
const statuses = (queue: ExecutionQueue): string[] => queue.list().map(({ status }) => status);

beforeEach(() => {
  turns = [];
  files += 1;
  file = join(folder, `${files}.json`);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("executions", () => {
  test("run one after the other", async () => {
    const queue = new ExecutionQueue(file, runner);
    queue.start("a");
    turns[0]!.report({ name: "Train", status: "InProgress" });
    queue.start("b");
    expect(turns).toHaveLength(1);
    turns[0]!.end();
    await later();
    expect(turns).toHaveLength(2);
    expect(statuses(queue)).toEqual(["Succeeded", "InProgress"]);
    turns[1]!.end();
    await later();
    expect(statuses(queue)).toEqual(["Succeeded", "Succeeded"]);
  });

  test("a repeated token is the same execution, also when it has ended and after a restart", async () => {
    const queue = new ExecutionQueue(file, runner);
    const first = queue.start("a");
    expect(queue.start("a").id).toBe(first.id);
    turns[0]!.end();
    await later();
    expect(new ExecutionQueue(file, runner).start("a").id).toBe(first.id);
    expect(turns).toHaveLength(1);
  });

  test("without a token each is another", () => {
    const queue = new ExecutionQueue(file, runner);
    expect(queue.start().id).not.toBe(queue.start().id);
  });

  test("a later one replaces one that waits, but not one that has begun", async () => {
    const queue = new ExecutionQueue(file, runner);
    queue.start("a");
    turns[0]!.report({ name: "Train", status: "InProgress" });
    queue.start("b");
    queue.start("c");
    expect(statuses(queue)).toEqual(["InProgress", "Superseded", "InProgress"]);
    turns[0]!.end();
    await later();
    turns[1]!.end();
    await later();
    expect(turns).toHaveLength(2);
    expect(statuses(queue)).toEqual(["Succeeded", "Superseded", "Succeeded"]);
  });

  test("one that is next but has no stage yet reports that it was replaced", () => {
    const queue = new ExecutionQueue(file, runner);
    queue.start("a");
    expect(turns[0]!.isSuperseded()).toBe(false);
    queue.start("b");
    expect(turns[0]!.isSuperseded()).toBe(true);
  });

  test("one that fails keeps its reason, and the next one runs", async () => {
    const queue = new ExecutionQueue(file, runner);
    queue.start("a");
    turns[0]!.report({ name: "Train", status: "Failed", summary: "too few rows" });
    queue.start("b");
    turns[0]!.end(new Error("Train: too few rows"));
    await later();
    expect(queue.list()[0]).toMatchObject({ status: "Failed", summary: "Train: too few rows" });
    expect(turns).toHaveLength(2);
  });

  test("an interrupted one begins again", () => {
    const queue = new ExecutionQueue(file, runner);
    const { id } = queue.start("a");
    turns[0]!.report({ name: "Train", status: "InProgress" });
    const next = new ExecutionQueue(file, runner);
    next.resume();
    expect(turns).toHaveLength(2);
    expect(next.list()).toEqual([expect.objectContaining({ id, status: "InProgress", stages: [] })]);
  });

  test("a damaged file is named, and not written over", () => {
    writeFileSync(file, '[{"id": 1');
    expect(() => new ExecutionQueue(file, runner)).toThrow(`${file} is damaged`);
    expect(readFileSync(file, "utf8")).toBe('[{"id": 1');
    expect(() => readExecutions(file)).toThrow(`${file} is damaged`);
  });
});

describe("for a client of CodePipeline", () => {
  let server: Server;
  let client: CodePipeline;
  let queue: ExecutionQueue;

  beforeEach(async () => {
    queue = new ExecutionQueue(file, runner);
    server = await new PipelineService("acme-local-pipeline", queue).listen(0);
    client = new CodePipeline({
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: "eu-west-1",
      credentials: { accessKeyId: "123456789012", secretAccessKey: "test" },
      maxAttempts: 1,
    });
  });

  afterEach(() => {
    client.destroy();
    server.close();
  });

  const start = (clientRequestToken?: string): Promise<string | undefined> =>
    client
      .startPipelineExecution({ name: "acme-local-pipeline", clientRequestToken })
      .then(({ pipelineExecutionId }) => pipelineExecutionId);

  test("starts an execution and reports its status", async () => {
    const id = await start("a".repeat(64));
    turns[0]!.report({ name: "Train", status: "Succeeded", summary: "champion kept" });
    turns[0]!.report({ name: "Deploy", status: "InProgress" });
    const { pipelineExecution } = await client.getPipelineExecution({
      pipelineName: "acme-local-pipeline",
      pipelineExecutionId: id,
    });
    expect(pipelineExecution).toMatchObject({ pipelineExecutionId: id, status: "InProgress" });
    const { stageStates } = await client.getPipelineState({ name: "acme-local-pipeline" });
    expect(
      stageStates!.map(({ stageName, latestExecution, actionStates }) => [
        stageName,
        latestExecution!.status,
        actionStates![0]!.latestExecution!.summary,
      ]),
    ).toEqual([
      ["Train", "Succeeded", "champion kept"],
      ["Deploy", "InProgress", undefined],
    ]);
  });

  test("lists executions, the latest first, with their times", async () => {
    const ids = [await start("a"), await start("b")];
    const { pipelineExecutionSummaries } = await client.listPipelineExecutions({ pipelineName: "acme-local-pipeline" });
    expect(pipelineExecutionSummaries!.map(({ pipelineExecutionId }) => pipelineExecutionId)).toEqual(ids.reverse());
    const [latest] = queue.list().slice(-1) as [Execution];
    expect(pipelineExecutionSummaries![0]!.startTime).toEqual(new Date(latest.startedAt));
  });

  test.each([
    [
      () => client.startPipelineExecution({ name: "acme-production-pipeline" }),
      "PipelineNotFoundException",
      "There is no pipeline 'acme-production-pipeline' here; there is acme-local-pipeline.",
    ],
    [
      () => client.startPipelineExecution({ name: "acme-local-pipeline", clientRequestToken: "a token" }),
      "ValidationException",
      "clientRequestToken: 'a token' is not 1 to 128 letters, digits and hyphens",
    ],
    [
      () => client.getPipelineExecution({ pipelineName: "acme-local-pipeline", pipelineExecutionId: "nobody" }),
      "PipelineExecutionNotFoundException",
      "acme-local-pipeline has no execution nobody",
    ],
  ])("%# refuses invalid requests", async (send, name, message) => {
    await expect(send()).rejects.toMatchObject({ name, message });
    expect(queue.list()).toEqual([]);
  });

  test.each([
    ["a foreign page", { origin: "https://example.com" }, "{}", 403, "AccessDeniedException"],
    ["no JSON", {}, "nonsense", 400, "SerializationException"],
    ["another operation", { "x-amz-target": "CodePipeline_20150709.DeletePipeline" }, "{}", 400, "UnknownOperation"],
    ["an operation of every object", { "x-amz-target": "CodePipeline_20150709.constructor" }, "{}", 400, "UnknownOp"],
  ])("%s is refused", async (_, headers, body, status, name) => {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
      method: "POST",
      headers: { "x-amz-target": "CodePipeline_20150709.StartPipelineExecution", ...headers },
      body,
    });
    expect(response.status).toBe(status);
    expect(response.headers.get("x-amzn-errortype")).toContain(name);
    expect(queue.list()).toEqual([]);
  });
});
