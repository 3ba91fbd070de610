import validate from "asl-validator";

import {
  belowThresholdError,
  trainingMetrics,
  trainingWorkflowDefinition,
  type TrainingWorkflowDefinition,
} from "../../../modules/training-workflow/definition";
import { exampleProps } from "./example";
import { passed, preparedRun } from "../../workflow/support/scripted-services";
import { taskFaults } from "../../workflow/support/task-faults";

const definition = trainingWorkflowDefinition(exampleProps);
const tasks = Object.entries(definition.States).filter(([, state]) => state.Type === "Task");

/** The definition as anyone could have written it by hand: nothing keeps a mistake out. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Untyped = any;

/** A copy with one change. */
function changed(change: (copy: Untyped) => void): TrainingWorkflowDefinition {
  const copy = structuredClone(definition);
  change(copy);
  return copy;
}

describe("the definition is one that Step Functions accepts", () => {
  test("the validator finds nothing", () => {
    const { isValid, errorsText } = validate(structuredClone(definition));
    expect(isValid ? "" : errorsText("\n")).toBe("");
  });

  test.each<[string, (copy: Untyped) => void]>([
    ["a state that nothing leads to or that leads nowhere", (copy) => (copy.States.Judge.Next = "IsGoodEnuf")],
    ["a JSONPath field", (copy) => (copy.States.Train.ResultPath = "$.x")],
    ["an expression that doesn't parse", (copy) => (copy.States.Judge.Output = "{% $states.result.( %}")],
  ])("the validator would find %s", (_name, change) => {
    expect(validate(changed(change)).isValid).toBe(false);
  });

  test("every task calls an integration that waits, with parameters that its API has", () => {
    expect(taskFaults(definition)).toEqual([]);
  });

  test.each<[string, (copy: Untyped) => void, RegExp]>([
    [
      "a misspelt parameter deep inside",
      ({ States: { Train } }) => {
        Train.Arguments.ResourceConfig.VolumeSizeInGb = 10;
      },
      /^Train: CreateTrainingJob\.ResourceConfig\.VolumeSizeInGb: no such parameter$/,
    ],
    [
      "a misspelt parameter whose value is an expression",
      ({ States: { Evaluate } }) => {
        Evaluate.Arguments.ProcessingInputs[0].S3Input.S3Url = "{% 1 %}";
      },
      /ProcessingInputs\[0\]\.S3Input\.S3Url: no such parameter/,
    ],
    [
      "a missing parameter",
      ({ States: { Process } }) => {
        delete Process.Arguments.RoleArn;
      },
      /^Process: CreateProcessingJob: RoleArn is missing$/,
    ],
    [
      "a value outside of its enumeration",
      ({ States: { Train } }) => {
        Train.Arguments.InputDataConfig[0].InputMode = "file";
      },
      /"file" is not one of/,
    ],
    [
      "an instance type that SageMaker doesn't have",
      ({ States: { Process } }) => {
        Process.Arguments.ProcessingResources.ClusterConfig.InstanceType = "ml.m5.huge";
      },
      /"ml\.m5\.huge" is not one of/,
    ],
    [
      "a number as text",
      ({ States: { Train } }) => {
        Train.Arguments.StoppingCondition.MaxRuntimeInSeconds = "60";
      },
      /"60" is not a whole number/,
    ],
    [
      "an integration that doesn't wait",
      ({ States: { Train } }) => {
        Train.Resource = "arn:aws:states:::sagemaker:createTrainingJob";
      },
      /is not an integration that waits/,
    ],
  ])("the check would find %s", (_name, change, message) => {
    expect(taskFaults(changed(change))).toEqual([expect.stringMatching(message)]);
  });
});

describe("a failure never goes unseen", () => {
  test.each(tasks)("%s catches everything and keeps error and cause", (_name, state) => {
    expect(state).toMatchObject({
      Catch: [
        {
          ErrorEquals: ["States.ALL"],
          Next: "WorkflowFailed",
          Output: { error: "{% $states.errorOutput.Error %}", cause: expect.stringContaining("errorOutput.Cause") },
        },
      ],
    });
  });

  test.each(tasks)("%s ends in time and retries with patience", (_name, state) => {
    if (state.Type !== "Task") {
      throw new Error("not a task");
    }
    expect(state.TimeoutSeconds).toBeGreaterThan(0);
    expect(state.TimeoutSeconds).toBeLessThanOrEqual(definition.TimeoutSeconds);
    expect(state.Retry.length).toBeGreaterThan(0);
    for (const retrier of state.Retry) {
      // Catch-all retriers would also repeat what can never succeed.
      expect(retrier.ErrorEquals).not.toContain("States.ALL");
      expect(retrier.MaxDelaySeconds).toBeGreaterThanOrEqual(retrier.IntervalSeconds);
      expect(retrier.JitterStrategy).toBe("FULL");
    }
  });

  test("the whole run has an hour", () => {
    expect(definition.TimeoutSeconds).toBe(3_600);
  });

  test("a job outlives its own limit by the minutes that SageMaker needs, but never the run's", () => {
    const seconds = (maximumSeconds: number): number =>
      trainingWorkflowDefinition({ ...exampleProps, training: { ...exampleProps.training, maximumSeconds } }).States
        .Train.TimeoutSeconds;
    expect(seconds(900)).toBe(1_500);
    expect(seconds(3_600)).toBe(3_600);
  });

  test("the gate's refusal has its own error name", () => {
    expect(definition.States.BelowThreshold.Error).toBe(belowThresholdError);
  });
});

test("everything that the states take from prepare-run, the judgement and the training is there", () => {
  const variables: Record<string, unknown> = {
    run: preparedRun("a"),
    judgement: passed,
    training: definition.States.Train.Assign!.training,
  };
  const used = [...JSON.stringify(definition).matchAll(/\$(run|judgement|training)\.(\w+)/g)];
  expect(used.length).toBeGreaterThan(20);
  for (const [, variable, field] of used) {
    expect(variables[variable!]).toHaveProperty(field!);
  }
});

describe("jobs run as they should", () => {
  const { Process, Train, Evaluate } = definition.States;

  test("what they write and the volumes they work on are encrypted with our key", () => {
    expect(Train.Arguments.OutputDataConfig?.KmsKeyId).toBe(exampleProps.keyArn);
    expect(Train.Arguments.ResourceConfig?.VolumeKmsKeyId).toBe(exampleProps.keyArn);
    for (const { Arguments } of [Process, Evaluate]) {
      expect(Arguments.ProcessingOutputConfig?.KmsKeyId).toBe(exampleProps.keyArn);
      expect(Arguments.ProcessingResources?.ClusterConfig?.VolumeKmsKeyId).toBe(exampleProps.keyArn);
    }
  });

  test.each(["ml.m5d.large", "ml.c6id.xlarge", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.p4d.24xlarge", "ml.trn1.2xlarge"])(
    "%s has a disk of its own, for which SageMaker refuses a key",
    (instanceType) => {
      const { States } = trainingWorkflowDefinition({
        ...exampleProps,
        training: { ...exampleProps.training, instanceType },
      });
      expect(States.Train.Arguments.ResourceConfig).not.toHaveProperty("VolumeKmsKeyId");
    },
  );

  test("training is cut off from the network; the others ask Athena and S3", () => {
    expect(Train.Arguments.EnableNetworkIsolation).toBe(true);
    expect(Process.Arguments.NetworkConfig?.EnableNetworkIsolation).toBe(false);
  });

  test("none has a VPC unless it is given one; then all run in it, and the validators find nothing", () => {
    const network = { subnetIds: ["subnet-0a1b", "subnet-0c2d"], securityGroupIds: ["sg-0e3f"] };
    const expected = { Subnets: network.subnetIds, SecurityGroupIds: network.securityGroupIds };
    const definition = trainingWorkflowDefinition({ ...exampleProps, network });
    expect(taskFaults(definition)).toEqual([]);
    const { States: within } = definition;
    expect(within.Process.Arguments.NetworkConfig?.VpcConfig).toEqual(expected);
    expect(within.Train.Arguments.VpcConfig).toEqual(expected);
    expect(within.Evaluate.Arguments.NetworkConfig?.VpcConfig).toEqual(expected);
    expect(within.Train.Arguments.EnableNetworkIsolation).toBe(true);
    for (const { Arguments } of [Process, Evaluate]) {
      expect(Arguments.NetworkConfig).not.toHaveProperty("VpcConfig");
    }
    expect(Train.Arguments).not.toHaveProperty("VpcConfig");
  });

  test("each is in the run's trial and has the run's name and the given tags", () => {
    for (const { Arguments } of [Process, Train, Evaluate]) {
      expect(Arguments.ExperimentConfig).toMatchObject({
        ExperimentName: "{% $run.experimentName %}",
        TrialName: "{% $run.trialName %}",
      });
      expect(Arguments.Tags).toEqual([
        { Key: "Project", Value: "acme" },
        { Key: "Environment", Value: "test" },
        { Key: "Run", Value: "{% $run.runName %}" },
      ]);
    }
  });

  test("SageMaker finds each metric in the line that the image prints", () => {
    const line = "epoch 12 train:rmse=1.93; validation:rmse=2.05; validation:mae=1.46; validation:coverage=0.90;";
    const found = (Train.Arguments.AlgorithmSpecification?.MetricDefinitions ?? []).map(({ Name, Regex }) => [
      Name,
      new RegExp(Regex!).exec(line)?.[1],
    ]);
    expect(found.map(([name]) => name)).toEqual([...trainingMetrics]);
    expect(found.map(([, value]) => value)).toEqual(["1.93", "2.05", "1.46", "0.90"]);
  });
});

describe("bad settings stop with the field, the value and what was expected", () => {
  test.each<[string, Partial<typeof exampleProps>, RegExp]>([
    [
      "a job longer than the run",
      { training: { ...exampleProps.training, maximumSeconds: 4_000 } },
      /training\.maximumSeconds is 4000; expected 1 to 3600/,
    ],
    [
      "a job of no time",
      { processing: { ...exampleProps.processing, maximumSeconds: 0 } },
      /processing\.maximumSeconds is 0; expected/,
    ],
    [
      "a time that is not a number",
      { processing: { ...exampleProps.processing, maximumSeconds: NaN } },
      /is NaN; expected/,
    ],
  ])("%s", (_name, change, message) => {
    expect(() => trainingWorkflowDefinition({ ...exampleProps, ...change })).toThrow(message);
  });
});

test("the same props give the same text, so that a second diff is empty", () => {
  expect(JSON.stringify(trainingWorkflowDefinition(exampleProps))).toBe(JSON.stringify(definition));
});
