/** Every branch of the training workflow, by the definition that AWS gets, in a real state machine. */
import { setTimeout as sleep } from "node:timers/promises";

import type { TrainingWorkflowDefinition } from "../../modules/training-workflow/definition";
import {
  type Call,
  type FunctionTask,
  type JobTask,
  modelOf,
  packageOf,
  passed,
  preparedRun,
  type Scenario,
} from "./support/scripted-services";
import { WorkflowUnderTest } from "./support/workflow";

// Concurrent tests begin before any hook ends, so they wait for this themselves.
const starting = WorkflowUnderTest.start();
jest.setTimeout(180_000);

afterAll(async () => {
  const workflow = await starting;
  await workflow.stop();
  // Every request for a job was one that SageMaker's API description allows, but for the one that a test spoilt.
  expect([...workflow.services.faults.keys()]).toEqual(["unprepared-trainingJobName"]);
});

const champion = {
  modelPackageArn: "arn:aws:sagemaker:eu-west-1:123456789012:model-package/acme-test-abalone/41",
  modelDataUrl: "s3://acme-test-data/runs/earlier/model/earlier-train/output/model.tar.gz",
};

const names = (calls: readonly Call[]): string[] => calls.map(({ name }) => name);
const jobNames = (calls: readonly Call[], task: JobTask): string[] =>
  calls
    .filter(({ name }) => name === task)
    .map(({ request }) => (request.TrainingJobName ?? request.ProcessingJobName) as string);

const everything = ["prepareRun", "process", "train", "evaluate", "evaluateResults", "registerModel"];

describe("the ends of a run", () => {
  test.concurrent("the first good model is registered", async () => {
    const workflow = await starting;
    const run = "first";
    const ended = await workflow.run(run, {});
    expect(ended).toEqual({
      status: "SUCCEEDED",
      output: {
        outcome: "registered",
        modelPackageArn: packageOf(run),
        evaluation: { rmse: 2.05, threshold: 2.3, rows: 612, champion: null, comparison: null },
      },
      error: undefined,
      cause: undefined,
    });
    const calls = workflow.services.callsOf(run);
    expect(names(calls)).toEqual(everything);
    expect(calls[0]?.request).toEqual({
      executionArn: expect.stringMatching(/^arn:aws:states:eu-west-1:123456789012:execution:acme-test-.*:first$/),
      startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    expect(calls[3]?.request.AppSpecification.ContainerArguments).toEqual([
      "--champion-model-data-url",
      "none",
      "--champion-model-package",
      "none",
    ]);
    expect(calls[5]?.request).toEqual({
      runName: run,
      trainingJobName: "acme-test-first-train",
      modelDataUrl: modelOf(run, "acme-test-first-train"),
      datasetUri: "s3://acme-test-data/runs/first/dataset",
      evaluationUri: "s3://acme-test-data/runs/first/evaluation",
      baselineUri: "s3://acme-test-data/runs/first/baseline",
      judgement: passed,
    });
  });

  test.concurrent("a better model replaces the champion, scored on the same rows", async () => {
    const workflow = await starting;
    const run = "better";
    const beaten = { modelPackageArn: champion.modelPackageArn, rmse: 2.11 };
    const ended = await workflow.run(run, {
      prepareRun: () => ({ payload: { ...preparedRun(run), champion } }),
      evaluateResults: () => ({ payload: { ...passed, outcome: "challenger better", champion: beaten } }),
    });
    expect(ended).toMatchObject({
      status: "SUCCEEDED",
      output: { outcome: "registered", modelPackageArn: packageOf(run), evaluation: { champion: beaten } },
    });
    const evaluate = workflow.services.callsOf(run).find(({ name }) => name === "evaluate");
    expect(evaluate?.request.AppSpecification.ContainerArguments).toEqual([
      "--champion-model-data-url",
      champion.modelDataUrl,
      "--champion-model-package",
      champion.modelPackageArn,
    ]);
    expect(
      evaluate?.request.ProcessingInputs.map(({ S3Input }: { S3Input: { S3Uri: string } }) => S3Input.S3Uri),
    ).toEqual([
      modelOf(run, "acme-test-better-train"),
      "s3://acme-test-data/runs/better/dataset/test/",
      "s3://acme-test-data/runs/better/dataset/summary.json",
    ]);
  });

  test.concurrent("a champion that is better is kept, and nothing is registered", async () => {
    const workflow = await starting;
    const run = "kept";
    const kept = { modelPackageArn: champion.modelPackageArn, rmse: 1.99 };
    const comparison = { metric: "rmse", verdict: "not better", worseByAtMost: 0.12, tolerance: null };
    const ended = await workflow.run(run, {
      prepareRun: () => ({ payload: { ...preparedRun(run), champion } }),
      evaluateResults: () => ({ payload: { ...passed, better: false, champion: kept, comparison } }),
    });
    expect(ended).toMatchObject({
      status: "SUCCEEDED",
      output: {
        outcome: "champion kept",
        modelPackageArn: champion.modelPackageArn,
        evaluation: { rmse: 2.05, threshold: 2.3, rows: 612, champion: kept, comparison },
      },
    });
    expect(names(workflow.services.callsOf(run))).toEqual(everything.slice(0, 5));
  });

  test.concurrent("a model above the threshold is refused, in numbers, even without a champion", async () => {
    const workflow = await starting;
    const run = "weak";
    const ended = await workflow.run(run, {
      evaluateResults: () => ({ payload: { ...passed, rmse: 3.214159265358979, goodEnough: false } }),
    });
    expect(ended).toMatchObject({ status: "FAILED", error: "BelowQualityThreshold" });
    expect(ended.cause).toBe(
      "The RMSE of 3.2142 rings on 612 held-out rows is above the threshold of 2.3 rings, so nothing was registered. " +
        "See s3://acme-test-data/runs/weak/evaluation",
    );
    expect(names(workflow.services.callsOf(run))).toEqual(everything.slice(0, 5));
  });

  test.concurrent.each<[string, Record<string, unknown>, string]>([
    ["says neither better nor worse", { ...passed, better: undefined }, "States.NoChoiceMatched"],
    ["says yes in other words", { ...passed, goodEnough: "yes" }, "BelowQualityThreshold"],
    ["is empty", {}, "BelowQualityThreshold"],
  ])("a judgement that %s registers nothing", async (judgement, payload, error) => {
    const workflow = await starting;
    const run = `nonsense-${judgement.replaceAll(" ", "-")}`;
    const ended = await workflow.run(run, { evaluateResults: () => ({ payload }) });
    expect(ended).toMatchObject({ status: "FAILED", error });
    expect(names(workflow.services.callsOf(run))).not.toContain("registerModel");
  });
});

const failedOnce =
  (reason: string): NonNullable<Scenario["train"]> =>
  (attempt) =>
    attempt === 0 ? { status: "Failed", reason } : { status: "Completed" };

const refusedOnce =
  (status: number, code: string): NonNullable<Scenario["train"]> =>
  (attempt) =>
    attempt === 0 ? { refused: { status, code, message: "Slow down" } } : { status: "Completed" };

describe("temporary errors are retried", () => {
  test.concurrent.each<JobTask>(["process", "train", "evaluate"])(
    "a %s job that found no capacity runs again with a new name",
    async (task) => {
      const workflow = await starting;
      const run = `capacity-${task}`;
      const ended = await workflow.run(run, { [task]: failedOnce("CapacityError: Unable to provision instances") });
      expect(ended.status).toBe("SUCCEEDED");
      expect(jobNames(workflow.services.callsOf(run), task)).toEqual([
        `acme-test-${run}-${task}`,
        `acme-test-${run}-${task}-1`,
      ]);
    },
  );

  test.concurrent("the model of the attempt that succeeded is evaluated and registered", async () => {
    const workflow = await starting;
    const run = "second-attempt";
    await workflow.run(run, { train: failedOnce("InternalServerError: Please try again") });
    const calls = workflow.services.callsOf(run);
    const model = modelOf(run, `acme-test-${run}-train-1`);
    expect(calls.find(({ name }) => name === "evaluate")?.request.ProcessingInputs[0].S3Input.S3Uri).toBe(model);
    expect(calls.at(-1)).toMatchObject({
      name: "registerModel",
      request: { modelDataUrl: model, trainingJobName: `acme-test-${run}-train-1` },
    });
  });

  test.concurrent.each([
    [400, "ThrottlingException"],
    [400, "ResourceLimitExceeded"],
  ])("a request that SageMaker refuses with %i %s is repeated", async (status, code) => {
    const workflow = await starting;
    const run = `refused-${code}`;
    const ended = await workflow.run(run, { train: refusedOnce(status, code) });
    expect(ended.status).toBe("SUCCEEDED");
    expect(jobNames(workflow.services.callsOf(run), "train")).toHaveLength(2);
  });

  test.concurrent.each<[FunctionTask, string]>([
    ["prepareRun", "Lambda.TooManyRequestsException"],
    ["evaluateResults", "Lambda.ServiceException"],
    ["registerModel", "Lambda.SdkClientException"],
  ])("a call of %s that fails with %s is repeated", async (task, name) => {
    const workflow = await starting;
    const run = `lambda-${task}`;
    const ended = await workflow.run(run, {
      // One attempt fails; undefined lets the script's own answer follow.
      [task]: (attempt: number) => (attempt === 0 ? { error: { name, message: "Try again" } } : undefined),
    });
    expect(ended.status).toBe("SUCCEEDED");
    expect(names(workflow.services.callsOf(run)).filter((called) => called === task)).toHaveLength(2);
  });
});

describe("permanent errors end the run, with error and cause", () => {
  test.concurrent.each<JobTask>(["process", "train", "evaluate"])("a %s job that always fails", async (task) => {
    const workflow = await starting;
    const run = `failing-${task}`;
    const reason = 'AlgorithmError: exit code 1: column "height" is missing\nin data.csv';
    const ended = await workflow.run(run, { [task]: () => ({ status: "Failed", reason }) });
    expect(ended).toMatchObject({ status: "FAILED", error: "States.TaskFailed" });
    expect(JSON.parse(ended.cause!)).toMatchObject({ FailureReason: reason });
    const calls = names(workflow.services.callsOf(run));
    expect(calls).toEqual([...everything.slice(0, everything.indexOf(task)), task, task]);
  });

  test.concurrent.each<FunctionTask>(["prepareRun", "evaluateResults", "registerModel"])(
    "a fault of %s",
    async (task) => {
      const workflow = await starting;
      const run = `failing-${task}`;
      const ended = await workflow.run(run, {
        [task]: () => ({ error: { name: "AccessDenied", message: "not allowed to read the champion" } }),
      });
      expect(ended).toMatchObject({ status: "FAILED", error: "AccessDenied" });
      expect(ended.cause).toContain("not allowed to read the champion");
      const calls = names(workflow.services.callsOf(run));
      // A fault of the function's own is not repeated.
      expect(calls).toEqual(everything.slice(0, everything.indexOf(task) + 1));
    },
  );

  test.concurrent("a request that SageMaker never accepts", async () => {
    const workflow = await starting;
    const run = "invalid";
    const ended = await workflow.run(run, {
      train: () => ({ refused: { status: 400, code: "ValidationException", message: "Invalid image URI" } }),
    });
    expect(ended).toMatchObject({ status: "FAILED", error: "SageMaker.AmazonSageMakerException" });
    expect(ended.cause).toContain("Invalid image URI");
  });

  test.concurrent.each<keyof ReturnType<typeof preparedRun>>(["datasetUri", "trainingJobName", "champion"])(
    "a run prepared without %s",
    async (field) => {
      const workflow = await starting;
      const run = `unprepared-${field}`;
      const ended = await workflow.run(run, {
        prepareRun: () => ({ payload: { ...preparedRun(run), [field]: undefined } }),
      });
      expect(ended.status).toBe("FAILED");
      expect(names(workflow.services.callsOf(run))).not.toContain("evaluate");
    },
  );

  test.concurrent("a job that was stopped never counts as done", async () => {
    const workflow = await starting;
    const run = "stopped-job";
    const ended = await workflow.run(run, { train: () => ({ status: "Stopped", reason: "MaxRuntimeExceeded" }) });
    expect(ended.status).toBe("FAILED");
    expect(names(workflow.services.callsOf(run))).not.toContain("evaluate");
  });
});

/** A limit that passes within the test. */
const shortTask = (definition: TrainingWorkflowDefinition): TrainingWorkflowDefinition => ({
  ...definition,
  States: { ...definition.States, Train: { ...definition.States.Train, TimeoutSeconds: 2 } },
});
const shortRun = (definition: TrainingWorkflowDefinition): TrainingWorkflowDefinition => ({
  ...definition,
  TimeoutSeconds: 4,
});
const endless: Scenario = { train: () => ({ status: "InProgress" }) };

describe("time limits", () => {
  test.concurrent("a task past its time fails the run", async () => {
    const workflow = await starting;
    const ended = await workflow.run("slow-task", endless, shortTask);
    expect(ended).toMatchObject({ status: "FAILED", error: "States.Timeout" });
    await called(workflow, "slow-task", "stop acme-test-slow-task-train");
    // Once: a task that took too long would do so again.
    expect(jobNames(workflow.services.callsOf("slow-task"), "train")).toEqual(["acme-test-slow-task-train"]);
  });

  test.concurrent("a run past its time ends as timed out, and its job is stopped", async () => {
    const workflow = await starting;
    const ended = await workflow.run("slow-run", endless, shortRun);
    expect(ended.status).toBe("TIMED_OUT");
    await called(workflow, "slow-run", "stop acme-test-slow-run-train");
    expect(names(workflow.services.callsOf("slow-run"))).not.toContain("evaluate");
  });

  test.concurrent("a run that someone stops ends at once, and its job is stopped", async () => {
    const workflow = await starting;
    const execution = await workflow.begin("aborted", endless);
    await called(workflow, "aborted", "train");
    await workflow.abort(execution);
    expect((await workflow.end(execution)).status).toBe("ABORTED");
    await called(workflow, "aborted", "stop acme-test-aborted-train");
    expect(names(workflow.services.callsOf("aborted"))).not.toContain("evaluate");
  });
});

test.concurrent("two runs at once are independent", async () => {
  const workflow = await starting;
  const runs = ["twin-a", "twin-b"];
  const ended = await Promise.all(runs.map((run) => workflow.run(run, {})));
  expect(ended.map(({ status }) => status)).toEqual(["SUCCEEDED", "SUCCEEDED"]);
  for (const run of runs) {
    const calls = workflow.services.callsOf(run);
    expect(names(calls)).toEqual(everything);
    for (const task of ["process", "train", "evaluate"] as const) {
      expect(jobNames(calls, task)).toEqual([`acme-test-${run}-${task}`]);
    }
  }
});

/** Waits until something has been called. */
async function called(workflow: WorkflowUnderTest, run: string, name: string): Promise<void> {
  while (!names(workflow.services.callsOf(run)).includes(name)) {
    await sleep(50);
  }
}
