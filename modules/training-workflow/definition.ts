/**
 * The ML workflow as a state machine: it reads the survey data of a feature group, and ends with a registered model, a
 * kept champion, or an error.
 *
 * A pure function, so that tests run the same definition as AWS, and the docs draw it.
 */
import type {
  CreateProcessingJobRequest,
  CreateTrainingJobRequest,
  ProcessingInstanceType,
  TrainingInstanceType,
  VpcConfig,
} from "@aws-sdk/client-sagemaker";
import { hasLocalStorage } from "../../aws-services/sagemaker";
import {
  type Catcher,
  type ChoiceState,
  type Expression,
  type FailState,
  type Json,
  jsonata,
  type Retrier,
  type StateMachineDefinition,
  type SucceedState,
  type TaskState,
  type Templated,
} from "./states-language";

/** A job's instance and time limit. */
export interface JobSettings {
  /** SageMaker instance type, for example `ml.m5.large`. */
  readonly instanceType: string;
  /** Size of the volume beside the instance, in GiB. */
  readonly volumeGibibytes: number;
  /** Seconds after which SageMaker stops the container. */
  readonly maximumSeconds: number;
}

/**
 * The VPC subnets and security groups of the jobs. Several instances of one job would need a rule that lets the group's
 * members talk to each other.
 */
export interface JobNetwork {
  /** One in each zone. */
  readonly subnetIds: readonly string[];
  /** One to five (API reference, VpcConfig). */
  readonly securityGroupIds: readonly string[];
}

/** Seconds after which the whole execution ends. */
const timeoutSeconds = 3_600;

/** The definition's inputs. ARNs and names may be references to other resources. */
export interface TrainingWorkflowDefinitionProps {
  /** ARNs of the functions behind the Lambda tasks. */
  readonly functions: {
    /** Names the run, makes its experiment and trial, finds the champion. */
    readonly prepareRun: string;
    /** Judges `evaluation.json` against the threshold and the champion. */
    readonly evaluateResults: string;
    /** Registers the model and makes it the champion. */
    readonly registerModel: string;
  };
  /** Role with which SageMaker runs the jobs. */
  readonly jobRoleArn: string;
  /** The model image, by digest. */
  readonly imageUri: string;
  /** Name of the feature group with the data. */
  readonly featureGroup: string;
  /** Athena workgroup in which the feature group is queried. */
  readonly athenaWorkgroup: string;
  /** KMS key for the jobs' outputs and volumes. */
  readonly keyArn: string;
  /** The region, for the containers' AWS clients. */
  readonly region: string;
  /** The processing and the evaluation job. */
  readonly processing: JobSettings;
  /** The training job. */
  readonly training: JobSettings;
  /** Where the jobs run. @default outside our VPCs, with internet access */
  readonly network?: JobNetwork;
  /**
   * Tags on each job; Terraform's default tags don't reach what Step Functions creates. @default only the run's name
   */
  readonly jobTags?: Readonly<Record<string, string>>;
}

/** The states by name, in the order of a run. */
export interface TrainingWorkflowStates {
  readonly PrepareRun: TaskState<LambdaArguments>;
  readonly Process: TaskState<Templated<CreateProcessingJobRequest>>;
  readonly Train: TaskState<Templated<CreateTrainingJobRequest>>;
  readonly Evaluate: TaskState<Templated<CreateProcessingJobRequest>>;
  readonly Judge: TaskState<LambdaArguments>;
  readonly IsGoodEnough: ChoiceState;
  readonly IsBetter: ChoiceState;
  readonly Register: TaskState<LambdaArguments>;
  readonly Registered: SucceedState;
  readonly ChampionKept: SucceedState;
  readonly BelowThreshold: FailState;
  readonly WorkflowFailed: FailState;
}

/** The training workflow's definition, typed state by state. */
export type TrainingWorkflowDefinition = StateMachineDefinition<TrainingWorkflowStates>;

/** Arguments of `arn:aws:states:::lambda:invoke`. */
export interface LambdaArguments {
  readonly FunctionName: string;
  readonly Payload: Json;
}

/**
 * The error of an execution whose model misses the threshold. It is not a fault of the workflow, so it has its own
 * alarm.
 */
export const belowThresholdError = "BelowQualityThreshold";

/** The numbers that a training job prints and SageMaker records (log line `validation:rmse=2.05;`). */
export const trainingMetrics = ["train:rmse", "validation:rmse", "validation:mae", "validation:coverage"] as const;

/**
 * Where SageMaker mounts a processing job's data; inputs and outputs must be below it (API reference,
 * ProcessingS3Input).
 */
const processingFolder = "/opt/ml/processing";

/**
 * Seconds that a task's time limit exceeds its job's: SageMaker needs some minutes to start an instance and to upload
 * results.
 */
const provisioningSeconds = 600;

/** Time limit of a Lambda task in seconds; the functions' own limits are lower. */
const lambdaSeconds = 120;

/** Errors of a call that are not the function's fault (AWS's advice: always retry these). */
const lambdaRetry: readonly Retrier[] = [
  {
    ErrorEquals: [
      "Lambda.ServiceException",
      "Lambda.AWSLambdaException",
      "Lambda.SdkClientException",
      "Lambda.ClientExecutionTimeoutException",
      "Lambda.TooManyRequestsException",
      // The function's process died. All our functions are idempotent.
      "Lambda.Unknown",
    ],
    IntervalSeconds: 2,
    MaxAttempts: 5,
    BackoffRate: 2,
    MaxDelaySeconds: 30,
    JitterStrategy: "FULL",
  },
];

const jobRetry: readonly Retrier[] = [
  {
    // The account's instance quota is used up: another job must end first.
    ErrorEquals: ["SageMaker.ResourceLimitExceededException"],
    IntervalSeconds: 60,
    MaxAttempts: 10,
    BackoffRate: 1.5,
    MaxDelaySeconds: 300,
    JitterStrategy: "FULL",
  },
  {
    // SageMaker's throttling and internal errors. Step Functions uses the same name for a rejected request, so the
    // waits are short.
    ErrorEquals: ["SageMaker.AmazonSageMakerException", "SageMaker.SdkClientException"],
    IntervalSeconds: 3,
    MaxAttempts: 4,
    BackoffRate: 2,
    MaxDelaySeconds: 30,
    JitterStrategy: "FULL",
  },
  {
    // A failed job. "CapacityError" and "InternalServerError" are transient, but a retrier can't read the reason: one
    // retry for all.
    ErrorEquals: ["States.TaskFailed"],
    IntervalSeconds: 10,
    MaxAttempts: 1,
    BackoffRate: 1,
    MaxDelaySeconds: 10,
    JitterStrategy: "FULL",
  },
];

/** Every failure ends in the same state, which keeps the original error and cause. */
const catchAll: readonly Catcher[] = [
  {
    ErrorEquals: ["States.ALL"],
    Output: {
      state: jsonata("$states.context.State.Name"),
      error: jsonata("$states.errorOutput.Error"),
      cause: jsonata("$exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : ''"),
    },
    Next: "WorkflowFailed",
  },
];

/** The evaluation in the output of a successful execution. */
const evaluation: Json = {
  rmse: jsonata("$judgement.rmse"),
  threshold: jsonata("$judgement.threshold"),
  rows: jsonata("$judgement.rows"),
  champion: jsonata("$judgement.champion"),
  comparison: jsonata("$judgement.comparison"),
};

/**
 * A job's name for this attempt: SageMaker never accepts a name twice, so a retry and a redrive each add a suffix.
 * @param name field with the job's name, at most 57 of SageMaker's 63 characters
 */
function attemptName(name: string): Expression {
  const redrives = "$states.context.Execution.RedriveCount";
  const retries = "$states.context.State.RetryCount";
  return jsonata(
    `$run.${name} & (${redrives} > 0 ? '-r' & $string(${redrives})) & (${retries} > 0 ? '-' & $string(${retries}))`,
  );
}

/**
 * A job's result, or an error if a person or a time limit stopped the job: the outputs of a stopped job must not count.
 */
function completed(kind: "Processing" | "Training"): Expression {
  const [name, status] = [`$states.result.${kind}JobName`, `$states.result.${kind}JobStatus`];
  return jsonata(
    `${status} = 'Completed' ? {'jobName': ${name}} : $error(${name} & ' ended as ' & ${status} & ' and not as Completed')`,
  );
}

function volumeKey(settings: JobSettings, keyArn: string): { readonly VolumeKmsKeyId?: string } {
  return hasLocalStorage(settings.instanceType) ? {} : { VolumeKmsKeyId: keyArn };
}

function vpcConfig(network: JobNetwork | undefined): { readonly VpcConfig?: VpcConfig } {
  if (!network) {
    return {};
  }
  return { VpcConfig: { Subnets: [...network.subnetIds], SecurityGroupIds: [...network.securityGroupIds] } };
}

/**
 * The state machine's definition.
 * @throws Error when a job's time limit is not below that of the workflow
 */
export function trainingWorkflowDefinition(props: TrainingWorkflowDefinitionProps): TrainingWorkflowDefinition {
  const { functions, keyArn, jobTags = {} } = props;
  for (const name of ["processing", "training"] as const) {
    const { maximumSeconds } = props[name];
    if (!(maximumSeconds >= 1 && maximumSeconds <= timeoutSeconds)) {
      throw new Error(
        `${name}.maximumSeconds is ${maximumSeconds}; expected 1 to ${timeoutSeconds}, the time limit of the whole workflow. ` +
          "Shorten the job.",
      );
    }
  }

  const jobSeconds = ({ maximumSeconds }: JobSettings): number =>
    Math.min(maximumSeconds + provisioningSeconds, timeoutSeconds);

  const tags = [
    ...Object.entries(jobTags).map(([Key, Value]) => ({ Key, Value })),
    { Key: "Run", Value: jsonata("$run.runName") },
  ];

  /** Adds a job to the run's trial, where people compare runs. */
  const experimentConfig = (step: string): CreateTrainingJobRequest["ExperimentConfig"] => ({
    ExperimentName: jsonata("$run.experimentName"),
    TrialName: jsonata("$run.trialName"),
    TrialComponentDisplayName: step,
  });

  const processingJob = (
    step: string,
    job: Pick<
      Templated<CreateProcessingJobRequest>,
      "ProcessingJobName" | "AppSpecification" | "ProcessingInputs" | "ProcessingOutputConfig"
    >,
  ): Templated<CreateProcessingJobRequest> => ({
    ...job,
    RoleArn: props.jobRoleArn,
    Environment: { AWS_DEFAULT_REGION: props.region },
    ProcessingResources: {
      ClusterConfig: {
        InstanceCount: 1,
        // The setting is a string; a test checks it against SageMaker's list.
        InstanceType: props.processing.instanceType as ProcessingInstanceType,
        VolumeSizeInGB: props.processing.volumeGibibytes,
        ...volumeKey(props.processing, keyArn),
      },
    },
    // The container calls Athena or reads the champion from S3, so it needs the network.
    NetworkConfig: {
      EnableInterContainerTrafficEncryption: true,
      EnableNetworkIsolation: false,
      ...vpcConfig(props.network),
    },
    StoppingCondition: { MaxRuntimeInSeconds: props.processing.maximumSeconds },
    ExperimentConfig: experimentConfig(step),
    Tags: tags,
  });

  const channel = (
    name: "train" | "validation",
  ): NonNullable<Templated<CreateTrainingJobRequest>["InputDataConfig"]>[number] => ({
    ChannelName: name,
    ContentType: "text/csv",
    InputMode: "File",
    DataSource: {
      S3DataSource: {
        S3DataType: "S3Prefix",
        S3Uri: jsonata(`$run.datasetUri & '/${name}/'`),
        S3DataDistributionType: "FullyReplicated",
      },
    },
  });

  return {
    Comment: "Trains a model on the survey data and registers it when it is good enough and better than the champion",
    Version: "1.0",
    QueryLanguage: "JSONata",
    TimeoutSeconds: timeoutSeconds,
    StartAt: "PrepareRun",
    States: {
      PrepareRun: {
        Comment: "Names the run after this execution, makes its experiment and trial, and finds the champion",
        Type: "Task",
        Resource: "arn:aws:states:::lambda:invoke",
        Arguments: {
          FunctionName: functions.prepareRun,
          Payload: {
            executionArn: jsonata("$states.context.Execution.Id"),
            startedAt: jsonata("$states.context.Execution.StartTime"),
          },
        },
        TimeoutSeconds: lambdaSeconds,
        Retry: lambdaRetry,
        Catch: catchAll,
        Assign: { run: jsonata("$states.result.Payload") },
        Output: jsonata("$states.result.Payload"),
        Next: "Process",
      },
      Process: {
        Comment: "Queries the latest version of each record and splits the rows into train, validation and test",
        Type: "Task",
        Resource: "arn:aws:states:::sagemaker:createProcessingJob.sync",
        Arguments: processingJob("process", {
          ProcessingJobName: attemptName("processingJobName"),
          AppSpecification: {
            ImageUri: props.imageUri,
            ContainerEntrypoint: ["process"],
            ContainerArguments: [
              "--feature-group",
              props.featureGroup,
              "--workgroup",
              props.athenaWorkgroup,
              "--query-output",
              jsonata("$run.queryOutputUri"),
            ],
          },
          ProcessingOutputConfig: {
            KmsKeyId: keyArn,
            Outputs: [
              {
                OutputName: "dataset",
                S3Output: {
                  S3Uri: jsonata("$run.datasetUri"),
                  LocalPath: `${processingFolder}/output/dataset`,
                  S3UploadMode: "EndOfJob",
                },
              },
              {
                OutputName: "baseline",
                S3Output: {
                  S3Uri: jsonata("$run.baselineUri"),
                  LocalPath: `${processingFolder}/output/baseline`,
                  S3UploadMode: "EndOfJob",
                },
              },
            ],
          },
        }),
        TimeoutSeconds: jobSeconds(props.processing),
        Retry: jobRetry,
        Catch: catchAll,
        Output: completed("Processing"),
        Next: "Train",
      },
      Train: {
        Comment: "Trains the challenger",
        Type: "Task",
        Resource: "arn:aws:states:::sagemaker:createTrainingJob.sync",
        Arguments: {
          TrainingJobName: attemptName("trainingJobName"),
          RoleArn: props.jobRoleArn,
          AlgorithmSpecification: {
            TrainingImage: props.imageUri,
            TrainingInputMode: "File",
            MetricDefinitions: trainingMetrics.map((name) => ({ Name: name, Regex: `${name}=([0-9.]+);` })),
          },
          HyperParameters: {},
          Environment: { AWS_DEFAULT_REGION: props.region },
          InputDataConfig: [channel("train"), channel("validation")],
          OutputDataConfig: { S3OutputPath: jsonata("$run.modelUri"), KmsKeyId: keyArn },
          ResourceConfig: {
            InstanceCount: 1,
            InstanceType: props.training.instanceType as TrainingInstanceType,
            VolumeSizeInGB: props.training.volumeGibibytes,
            ...volumeKey(props.training, keyArn),
          },
          // SageMaker copies the data in and the model out; the container needs no network.
          EnableNetworkIsolation: true,
          ...vpcConfig(props.network),
          EnableInterContainerTrafficEncryption: true,
          // For minutes of training, spot instances save cents, and an interruption costs the run.
          EnableManagedSpotTraining: false,
          StoppingCondition: { MaxRuntimeInSeconds: props.training.maximumSeconds },
          ExperimentConfig: experimentConfig("train"),
          Tags: tags,
        },
        TimeoutSeconds: jobSeconds(props.training),
        Retry: jobRetry,
        Catch: catchAll,
        Assign: {
          training: {
            jobName: jsonata("$states.result.TrainingJobName"),
            modelDataUrl: jsonata("$states.result.ModelArtifacts.S3ModelArtifacts"),
          },
        },
        Output: completed("Training"),
        Next: "Evaluate",
      },
      Evaluate: {
        Comment: "Scores the challenger and the champion on the same held-out rows",
        Type: "Task",
        Resource: "arn:aws:states:::sagemaker:createProcessingJob.sync",
        Arguments: processingJob("evaluate", {
          ProcessingJobName: attemptName("evaluationJobName"),
          AppSpecification: {
            ImageUri: props.imageUri,
            ContainerEntrypoint: ["evaluate"],
            ContainerArguments: [
              "--champion-model-data-url",
              jsonata("$run.champion.modelDataUrl"),
              "--champion-model-package",
              jsonata("$run.champion.modelPackageArn"),
            ],
          },
          ProcessingInputs: [
            {
              InputName: "model",
              S3Input: {
                S3Uri: jsonata("$training.modelDataUrl"),
                LocalPath: `${processingFolder}/input/model`,
                S3DataType: "S3Prefix",
                S3InputMode: "File",
              },
            },
            {
              InputName: "test",
              S3Input: {
                S3Uri: jsonata("$run.datasetUri & '/test/'"),
                LocalPath: `${processingFolder}/input/test`,
                S3DataType: "S3Prefix",
                S3InputMode: "File",
              },
            },
            {
              InputName: "summary",
              S3Input: {
                S3Uri: jsonata("$run.datasetUri & '/summary.json'"),
                LocalPath: `${processingFolder}/input/summary`,
                S3DataType: "S3Prefix",
                S3InputMode: "File",
              },
            },
          ],
          ProcessingOutputConfig: {
            KmsKeyId: keyArn,
            Outputs: [
              {
                OutputName: "evaluation",
                S3Output: {
                  S3Uri: jsonata("$run.evaluationUri"),
                  LocalPath: `${processingFolder}/output/evaluation`,
                  S3UploadMode: "EndOfJob",
                },
              },
            ],
          },
        }),
        TimeoutSeconds: jobSeconds(props.processing),
        Retry: jobRetry,
        Catch: catchAll,
        Output: completed("Processing"),
        Next: "Judge",
      },
      Judge: {
        Comment: "Compares the scores with the quality threshold and with the champion's",
        Type: "Task",
        Resource: "arn:aws:states:::lambda:invoke",
        Arguments: {
          FunctionName: functions.evaluateResults,
          Payload: { evaluationUri: jsonata("$run.evaluationUri") },
        },
        TimeoutSeconds: lambdaSeconds,
        Retry: lambdaRetry,
        Catch: catchAll,
        Assign: { judgement: jsonata("$states.result.Payload") },
        Output: jsonata("$states.result.Payload"),
        Next: "IsGoodEnough",
      },
      IsGoodEnough: {
        Comment: "Nothing above the quality threshold is registered, even if there is no champion yet",
        Type: "Choice",
        Choices: [
          {
            Comment: "At or below the threshold",
            Condition: jsonata("$judgement.goodEnough = true"),
            Next: "IsBetter",
          },
        ],
        Default: "BelowThreshold",
      },
      IsBetter: {
        Comment: "Only a challenger that the judgement calls better replaces the champion",
        Type: "Choice",
        Choices: [
          {
            Comment: "Better, or no champion yet",
            Condition: jsonata("$judgement.better = true"),
            Next: "Register",
          },
          {
            Comment: "Not better",
            Condition: jsonata("$judgement.better = false"),
            Output: {
              outcome: "champion kept",
              modelPackageArn: jsonata("$run.champion.modelPackageArn"),
              evaluation,
            },
            Next: "ChampionKept",
          },
        ],
      },
      Register: {
        Comment: "Registers the challenger as an approved model package and names it champion",
        Type: "Task",
        Resource: "arn:aws:states:::lambda:invoke",
        Arguments: {
          FunctionName: functions.registerModel,
          Payload: {
            runName: jsonata("$run.runName"),
            trainingJobName: jsonata("$training.jobName"),
            modelDataUrl: jsonata("$training.modelDataUrl"),
            datasetUri: jsonata("$run.datasetUri"),
            evaluationUri: jsonata("$run.evaluationUri"),
            baselineUri: jsonata("$run.baselineUri"),
            judgement: jsonata("$judgement"),
          },
        },
        TimeoutSeconds: lambdaSeconds,
        Retry: lambdaRetry,
        Catch: catchAll,
        Output: {
          outcome: "registered",
          modelPackageArn: jsonata("$states.result.Payload.modelPackageArn"),
          evaluation,
        },
        Next: "Registered",
      },
      Registered: { Comment: "The challenger is the new champion", Type: "Succeed" },
      ChampionKept: { Comment: "The champion stays: the challenger is no better", Type: "Succeed" },
      BelowThreshold: {
        Comment: "The challenger misses the quality threshold: look at the data and the evaluation of this run",
        Type: "Fail",
        Error: belowThresholdError,
        Cause: jsonata(
          "'The RMSE of ' & $string($round($judgement.rmse, 4)) & ' rings on ' & $string($judgement.rows) & ' held-out rows is above the threshold of ' & " +
            "$string($judgement.threshold) & ' rings, so nothing was registered. See ' & $run.evaluationUri",
        ),
      },
      WorkflowFailed: {
        Comment: "A task failed for good: the error and the cause are that task's own",
        Type: "Fail",
        Error: jsonata("$states.input.error"),
        Cause: jsonata("$states.input.cause"),
      },
    },
  };
}
