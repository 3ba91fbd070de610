/**
 * What a state machine's role must be allowed: read off the definition's tasks, so that a task never has too little and
 * a task that is taken out leaves nothing behind.
 *
 *     integrationStatements(definition, { place: placeOf(this), jobPrefix: "acme-local" });
 */
import type { Place } from "../place";
import { passRole, type Statement } from "../policy";

export interface IntegrationScope {
  readonly place: Place;
  /** With which the name of every SageMaker job begins; the names themselves are known only in the run. */
  readonly jobPrefix: string;
}

/** A job that Step Functions starts, and waits for until it has ended (`.sync`). */
interface Job {
  /** As in the names of its API's actions: `CreateTrainingJob`. */
  readonly noun: string;
  /** As in its ARN. */
  readonly resource: string;
  /** As in the name of the managed rule by which Step Functions hears of its end. */
  readonly rule: string;
  /** Whether SageMaker is handed a role with it; a transform job takes that of its model. */
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

/** The tasks of a definition, those within Map and Parallel states too. */
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

/**
 * What a task is given under a name, which has to be known before the run: a role can't be allowed what a state
 * decides.
 */
function fixed({ name, arguments: given }: Task, argument: string): string {
  const value = given[argument];
  if (typeof value !== "string" || value.startsWith("{%")) {
    throw new Error(
      `The state ${name} has ${value === undefined ? "no" : "an expression for its"} ${argument}: ` +
        "give it an ARN, so that the state machine's role can be allowed this one.",
    );
  }
  return value;
}

const unique = (values: readonly string[]): readonly string[] => [...new Set(values)];

/**
 * The statements that the tasks of a definition need, and none besides.
 * @throws Error when a task uses another integration than `lambda:invoke` and SageMaker's jobs with `.sync`, or decides
 * in the run which function it calls or which role it passes
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
        `The state ${task.name} uses ${task.resource}, of which modules/training-workflow/permissions.ts does not know what it needs: ` +
          "add it there, from the Step Functions Developer Guide.",
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
            // Step Functions marks the jobs that it waits for, and finds them by the mark.
            sid: "TagJobs",
            actions: ["sagemaker:AddTags", "sagemaker:ListTags"],
            resources: all.map(jobArn),
          },
          {
            // The rules by which Step Functions hears that a job has ended.
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
