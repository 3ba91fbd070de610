/**
 * First state of the workflow: names the run and its folders after the execution, creates its experiment and trial, and
 * finds the champion.
 */
import { createHash } from "node:crypto";
import {
  CreateExperimentCommand,
  CreateTrialCommand,
  DescribeExperimentCommand,
  DescribeModelPackageCommand,
  DescribeTrialCommand,
  SageMakerClient,
} from "@aws-sdk/client-sagemaker";
import { GetParameterCommand, ParameterNotFound, SSMClient } from "@aws-sdk/client-ssm";
import * as z from "../../survey/zod";
import { clientOptions, errorMessage, errorName } from "../shared/clients";
import { readEnvironment } from "../shared/environment";
import { parseEvent } from "../shared/input";
import { logger, observed } from "../shared/observability";
import { traced, tracer } from "../shared/tracing";
import { variables } from "./declaration";

const environment = readEnvironment(variables);
const sageMaker = tracer.captureAWSv3Client(new SageMakerClient(clientOptions));
const parameters = tracer.captureAWSv3Client(new SSMClient(clientOptions));

const eventSchema = z.object({
  executionArn: z
    .string()
    .check(z.regex(/^arn:[a-z-]+:states:[a-z0-9-]+:\d{12}:execution:[^:]+:.+$/, "expected the ARN of an execution")),
  startedAt: z.string().check(z.minLength(1)),
});

/** The model that a challenger must beat; `none` if there is none. */
export interface Champion {
  readonly modelPackageArn: string;
  readonly modelDataUrl: string;
}

/** A run's data in the workflow: names for SageMaker, and S3 URIs without a trailing slash. */
export interface Run {
  readonly runName: string;
  readonly experimentName: string;
  readonly trialName: string;
  readonly processingJobName: string;
  readonly trainingJobName: string;
  readonly evaluationJobName: string;
  readonly datasetUri: string;
  /** Statistics and constraints of the training rows, the baseline for an endpoint's traffic. */
  readonly baselineUri: string;
  readonly modelUri: string;
  readonly evaluationUri: string;
  readonly queryOutputUri: string;
  readonly champion: Champion;
}

/** SageMaker allows 63 characters; a retried job adds a suffix of at most six. */
const longestName = 57;
const suffixes = { process: "-process", train: "-train", evaluate: "-evaluate" } as const;
const noChampion: Champion = { modelPackageArn: "none", modelDataUrl: "none" };

/**
 * A name that is the same for every attempt of an execution, and different for every other execution: it contains a
 * hash of the ARN.
 */
function nameRun(executionArn: string): string {
  const hash = createHash("sha256").update(executionArn).digest("hex").slice(0, 8);
  const room = longestName - environment.RESOURCE_PREFIX.length - hash.length - "--".length - suffixes.evaluate.length;
  const execution = (executionArn.split(":").at(-1) ?? "")
    .replace(/[^a-zA-Z0-9]+/g, "-")
    .replace(/^-/, "")
    .slice(0, room)
    .replace(/-$/, "");
  return [environment.RESOURCE_PREFIX, execution, hash].filter((part) => part !== "").join("-");
}

/**
 * Creates something that an earlier attempt or another run may have created: SageMaker's refusal only counts if it does
 * not exist.
 */
async function ensure(create: () => Promise<unknown>, describe: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (refusal) {
    try {
      await describe();
    } catch {
      throw refusal;
    }
  }
}

async function openTrial(trialName: string): Promise<void> {
  const ExperimentName = environment.EXPERIMENT_NAME;
  await ensure(
    () => sageMaker.send(new CreateExperimentCommand({ ExperimentName })),
    () => sageMaker.send(new DescribeExperimentCommand({ ExperimentName })),
  );
  await ensure(
    () => sageMaker.send(new CreateTrialCommand({ ExperimentName, TrialName: trialName })),
    () => sageMaker.send(new DescribeTrialCommand({ TrialName: trialName })),
  );
}

async function readChampionParameter(): Promise<string> {
  const Name = environment.MODEL_PACKAGE_PARAMETER;
  try {
    const { Parameter } = await parameters.send(new GetParameterCommand({ Name }));
    return Parameter?.Value ?? "";
  } catch (error) {
    if (!(error instanceof ParameterNotFound)) {
      throw error;
    }
    throw new Error(`The parameter ${Name}, which names the champion, is missing: deploy the ml-workflow stack again`, {
      cause: error,
    });
  }
}

/** SageMaker reports a missing package as a validation error. */
function isMissing(error: unknown): boolean {
  return (
    errorName(error) === "ResourceNotFound" || /does not exist|not found|could not find/i.test(errorMessage(error))
  );
}

async function findChampion(): Promise<Champion> {
  const modelPackageArn = await readChampionParameter();
  if (!modelPackageArn.startsWith("arn:")) {
    return noChampion;
  }
  const without = (reason: string): Champion => {
    logger.warn("The run goes on without a champion", { modelPackageArn, reason });
    return noChampion;
  };
  try {
    const { InferenceSpecification, ModelApprovalStatus } = await sageMaker.send(
      new DescribeModelPackageCommand({ ModelPackageName: modelPackageArn }),
    );
    const modelDataUrl = InferenceSpecification?.Containers?.[0]?.ModelDataUrl;
    if (ModelApprovalStatus === "Rejected") {
      return without("its model package was rejected");
    }
    return modelDataUrl === undefined
      ? without("its model package has no model data")
      : { modelPackageArn, modelDataUrl };
  } catch (error) {
    if (!isMissing(error)) {
      throw error;
    }
    return without("its model package was deleted");
  }
}

/** Prepares a run of the workflow; calling it again for the same execution gives the same answer. */
export const handler = observed(
  traced(async (event: unknown): Promise<Run> => {
    const { executionArn, startedAt } = parseEvent(eventSchema, event);
    const runName = nameRun(executionArn);
    logger.appendKeys({ runName });
    const [champion] = await Promise.all([findChampion(), openTrial(runName)]);
    logger.info("The run is prepared", { executionArn, startedAt, champion: champion.modelPackageArn });
    const folder = `s3://${environment.DATA_BUCKET}/runs/${runName}`;
    return {
      runName,
      experimentName: environment.EXPERIMENT_NAME,
      trialName: runName,
      processingJobName: `${runName}${suffixes.process}`,
      trainingJobName: `${runName}${suffixes.train}`,
      evaluationJobName: `${runName}${suffixes.evaluate}`,
      datasetUri: `${folder}/dataset`,
      baselineUri: `${folder}/baseline`,
      modelUri: `${folder}/model`,
      evaluationUri: `${folder}/evaluation`,
      queryOutputUri: `s3://${environment.DATA_BUCKET}/athena/${runName}/`,
      champion,
    };
  }),
);
