/** AWS Step Functions, and the SageMaker jobs that its state machines start. */
import { type Arguments, filled, isArguments, keyed, numberOf, parseObject, textOf, values, walk } from "./arguments";
import { arnOf } from "./arn";
import { logDelivery } from "./cloudwatch-logs";
import { ownKeyIf, type Service, usageCharge } from "./record";
import { instanceCharges, volumes } from "./sagemaker";

/** A task of a state machine that calls an API. */
export interface Task {
  /** The state's name. */
  readonly name: string;
  /** ARN of the service integration. */
  readonly integration: string;
  /** The API's arguments. */
  readonly arguments: unknown;
}

const definitionOf = ({ definition }: Arguments): Arguments => parseObject(textOf(definition)) ?? {};

/** All tasks of a state machine, including those in Map and Parallel states. */
export function tasksOf(machine: Arguments): readonly Task[] {
  const found: Task[] = [];
  walk(definitionOf(machine), (value) => {
    if (!isArguments(value) || !isArguments(value.States)) {
      return;
    }
    for (const [name, state] of Object.entries(value.States)) {
      if (isArguments(state) && state.Type === "Task" && typeof state.Resource === "string") {
        found.push({ name, integration: state.Resource, arguments: state.Arguments ?? state.Parameters });
      }
    }
  });
  return found;
}

/** Where the arguments of each SageMaker job have the instances, and the keys of outputs. */
const jobs: Readonly<Record<string, { readonly instances: readonly string[]; readonly output: readonly string[] }>> = {
  createProcessingJob: {
    instances: ["ProcessingResources", "ClusterConfig"],
    output: ["ProcessingOutputConfig", "KmsKeyId"],
  },
  createTrainingJob: { instances: ["ResourceConfig"], output: ["OutputDataConfig", "KmsKeyId"] },
  createTransformJob: { instances: ["TransformResources"], output: ["TransformOutput", "KmsKeyId"] },
};

export const stepFunctions: Service = {
  aws_sfn_state_machine: {
    permissions: {
      sid: "StateMachines",
      reads: "states:DescribeStateMachine states:ListStateMachineVersions states:ListTagsForResource",
      writes: `
        states:CreateStateMachine states:DeleteStateMachine states:TagResource states:UntagResource
        states:UpdateStateMachine`,
      on: "states:stateMachine:{name}",
      readsAnywhere: "states:ValidateStateMachineDefinition",
      writesAnywhere: logDelivery,
    },
    price: {
      charges: (block, { stateTransitions, workflowJobHours }) => {
        const machines: Arguments[] = [];
        walk(definitionOf(block), (value) => {
          if (isArguments(value) && "InstanceType" in value) {
            machines.push(value);
          }
        });
        return [
          usageCharge("stateTransition", stateTransitions),
          ...machines.flatMap(({ InstanceType, InstanceCount, VolumeSizeInGB }) =>
            instanceCharges(InstanceType, workflowJobHours * numberOf(InstanceCount, 1), VolumeSizeInGB),
          ),
        ];
      },
    },
    importId: ({ name }, place) => arnOf(place, "states", `stateMachine:${String(name)}`),
    // The history contains names of jobs and addresses but no data, so an AWS key encrypts it.
    encryption: ({ arguments: block }) =>
      tasksOf(block).flatMap(({ name, integration, arguments: given }) => {
        const job = jobs[/:sagemaker:(create\w+Job)(?:\.|$)/.exec(integration)?.[1] ?? ""];
        if (!job) {
          return [];
        }
        const instanceTypes = values(given, ...job.instances, "InstanceType");
        const hasKey = filled(given, ...job.instances, "VolumeKmsKeyId");
        return [
          volumes(instanceTypes, hasKey, `the volumes of the task ${name}`),
          ownKeyIf(filled(given, ...job.output), `the output of the task ${name}`),
        ];
      }),
    images: (block) =>
      tasksOf(block)
        .filter(({ integration }) => integration.includes(":sagemaker:"))
        .flatMap((task) => keyed(task.arguments, /^(?:ImageUri|TrainingImage|Image)$/)),
  },
};
