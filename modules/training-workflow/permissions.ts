/**
 * The rights of a state machine's role, derived from the tasks of its definition: no task has too few rights, and a
 * removed task leaves none behind.
 *
 *     integrationStatements(definition, { place: placeOf(this), jobPrefix: "acme-local" });
 */
import type { Place } from "../place";
import { passRole, type Statement } from "../policy";

export interface IntegrationScope {
  readonly place: Place;
  /** Name prefix of every SageMaker job; full names are known only in the run. */
  readonly jobPrefix: string;
}

/** A job that Step Functions starts and waits for (`.sync`). */
interface Job {
  /** As in the API's action names: `CreateTrainingJob`. */
  readonly noun: string;
  /** As in its ARN. */
  readonly resource: string;
  /** As in the name of the managed rule that notifies Step Functions of its end. */
  readonly rule: string;
  /** Whether it is given a role; a transform job uses its model's role. */
  readonly takesRole: boolean;
}

/**
 * The integrations that wait for a job ("IAM policies for calling Amazon SageMaker AI" in the Step Functions Developer
 * Guide).
 */
const jobs: Readonly<Record<string, Job>> = {
  createProcessingJob: { noun: "ProcessingJob", resource: "processing-job", rule: "ProcessingJobs", takesRole: true },
  createTrainingJob: { noun: "TrainingJob", resource: "training-job", rule: "TrainingJobs", takesRole: true },
  createTransformJob: { noun: "TransformJob", resource: "transform-job", rule: "TransformJobs", takesRole: false },
};

interface Task {
  readonly name: string;
  readonly resource: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** All tasks of a definition, including those in Map and Parallel states. */
function tasksOf(definition: unknown): readonly Task[] {
  if (Array.isArray(definition)) {
    return definition.flatMap(tasksOf);
  }
  if (!isObject(definition)) {
    return [];
  }
  const { States: states } = definition;
  if (!isObject(states)) {
    return [];
  }
  return Object.entries(states).flatMap(([name, state]) => {
    if (!isObject(state)) {
      return [];
    }
    const { Type: type, Resource: resource, Arguments: given } = state;
    if (type === "Task" && typeof resource === "string") {
      return [{ name, resource, arguments: isObject(given) ? given : {} }];
    }
    return [state.Branches, state.ItemProcessor].flatMap(tasksOf);
  });
}

/** A task's argument that must be a constant: IAM can't allow what a state decides in the run. */
function fixed({ name, arguments: given }: Task, argument: string): string {
  const value = given[argument];
  if (typeof value !== "string" || value.startsWith("{%")) {
    throw new Error(
      `The state ${name} has ${value === undefined ? "no" : "an expression for its"} ${argument}: ` +
        "give it an ARN, so that the state machine's role gets a right for exactly this one.",
    );
  }
  return value;
}

const unique = (values: readonly string[]): readonly string[] => [...new Set(values)];

/**
 * Exactly the statements that the tasks of a definition need.
 * @throws Error when a task uses another integration than `lambda:invoke` and SageMaker's `.sync` jobs, or decides in
 * the run which function it calls or which role it passes
 */
export function integrationStatements(definition: unknown, scope: IntegrationScope): readonly Statement[] {
  const { place, jobPrefix } = scope;
  const functions: string[] = [];
  const roles: string[] = [];
  const used = new Set<Job>();
  for (const task of tasksOf(definition)) {
    const [, integration = ""] = /^arn:[^:]+:states:::(.+)$/.exec(task.resource) ?? [];
    const [, api = ""] = /^sagemaker:(\w+)\.sync$/.exec(integration) ?? [];
    const job = Object.hasOwn(jobs, api) ? jobs[api] : undefined;
    if (integration === "lambda:invoke") {
      functions.push(fixed(task, "FunctionName"));
    } else if (job) {
      used.add(job);
      if (job.takesRole) {
        roles.push(fixed(task, "RoleArn"));
      }
    } else {
      throw new Error(
        `The state ${task.name} uses ${task.resource}, whose rights modules/training-workflow/permissions.ts does not know: ` +
          "add them there, from the Step Functions Developer Guide.",
      );
    }
  }

  const jobArn = ({ resource }: Job): string => place.arn("sagemaker", `${resource}/${jobPrefix}-*`);
  const all = [...used];
  return [
    ...(functions.length === 0
      ? []
      : [{ sid: "InvokeFunctions", actions: ["lambda:InvokeFunction"], resources: unique(functions) }]),
    ...all.map((job) => ({
      sid: `Run${job.noun}s`,
      actions: ["Create", "Describe", "Stop"].map((verb) => `sagemaker:${verb}${job.noun}`),
      resources: [jobArn(job)],
    })),
    ...(all.length === 0
      ? []
      : [
          {
            // Step Functions tags the jobs that it waits for.
            sid: "TagJobs",
            actions: ["sagemaker:AddTags", "sagemaker:ListTags"],
            resources: all.map(jobArn),
          },
          {
            // The rules that notify Step Functions of ended jobs.
            sid: "HearOfEndedJobs",
            actions: ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
            resources: all.map(({ rule }) => place.arn("events", `rule/StepFunctionsGetEventsForSageMaker${rule}Rule`)),
          },
        ]),
    ...unique(roles).map((role, index) =>
      passRole(role, "sagemaker.amazonaws.com", `PassJobRole${index === 0 ? "" : String(index + 1)}`),
    ),
  ];
}
