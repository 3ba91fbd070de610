/**
 * The expressions with JSONata's reference engine (Step Functions implements JSONata 2.0.6), for what no execution in a
 * test can show.
 */
import jsonata from "jsonata";

import { trainingWorkflowDefinition } from "../../../modules/training-workflow/definition";
import type { State } from "../../../modules/training-workflow/states-language";
import { exampleProps } from "./example";

const { States } = trainingWorkflowDefinition(exampleProps);

/** Evaluates a field with the variables that a state sees. */
async function evaluate(field: unknown, variables: Record<string, unknown>): Promise<unknown> {
  const [, text] = /^\{%([\s\S]*)%\}$/.exec(String(field)) ?? [];
  if (text === undefined) {
    throw new Error(`${String(field)} is not an expression`);
  }
  return jsonata(text).evaluate(undefined, variables);
}

describe("a job's name", () => {
  const nameOf = (RetryCount: number, RedriveCount?: number): Promise<unknown> =>
    evaluate(States.Train.Arguments.TrainingJobName, {
      run: { trainingJobName: "acme-test-a-train" },
      states: { context: { State: { RetryCount }, Execution: RedriveCount === undefined ? {} : { RedriveCount } } },
    });

  test.each([
    ["the first attempt", 0, undefined, "acme-test-a-train"],
    ["a retry", 2, undefined, "acme-test-a-train-2"],
    ["an execution that was never redriven", 0, 0, "acme-test-a-train"],
    ["a redriven execution, whose retries count from 0 again", 0, 1, "acme-test-a-train-r1"],
    ["a retry of a redriven execution", 3, 1, "acme-test-a-train-r1-3"],
  ])("of %s", async (_name, retries, redrives, expected) => {
    expect(await nameOf(retries, redrives)).toBe(expected);
  });

  test("fits SageMaker's 63 characters with any number of retries", async () => {
    const retries = (Object.values(States) as State[]).map((state) =>
      state.Type === "Task" ? state.Retry.reduce((total, { MaxAttempts }) => total + MaxAttempts, 0) : 0,
    );
    // prepare-run leaves six characters: two digits are enough for the retries of any state.
    expect(Math.max(...retries)).toBeLessThan(100);
    expect(String(await nameOf(99, 9)).length - String(await nameOf(0)).length).toBeLessThanOrEqual(6);
  });
});

describe("a job that ended", () => {
  const result = { TrainingJobName: "a-train", TrainingJobStatus: "Completed" };

  test("as completed gives its name", async () => {
    expect(await evaluate(States.Train.Output, { states: { result } })).toEqual({ jobName: "a-train" });
  });

  test.each(["Stopped", "Failed"])(
    "as %s is an error, even if Step Functions passes it on",
    async (TrainingJobStatus) => {
      await expect(
        evaluate(States.Train.Output, { states: { result: { ...result, TrainingJobStatus } } }),
      ).rejects.toMatchObject({ message: `a-train ended as ${TrainingJobStatus} and not as Completed` });
    },
  );
});

describe("a failed task", () => {
  const caught = States.Train.Catch[0]!.Output as Record<string, unknown>;
  const failed = (errorOutput: unknown): Record<string, unknown> => ({
    states: { errorOutput, context: { State: { Name: "Train" } } },
  });

  test("keeps its cause as it was", async () => {
    const cause = '{"FailureReason":"AlgorithmError: \\"x\\"\\nline"}';
    expect(await evaluate(caught.cause, failed({ Error: "States.TaskFailed", Cause: cause }))).toBe(cause);
  });

  test("without a cause has an empty one: a Fail state takes texts only", async () => {
    expect(await evaluate(caught.cause, failed({ Error: "States.Timeout" }))).toBe("");
  });
});
