/** Registers a challenger that passed the gate as an approved model package, and names it champion. */
import { createHash } from "node:crypto";
import {
  CreateModelPackageCommand,
  type CreateModelPackageCommandInput,
  paginateListModelPackages,
  SageMakerClient,
} from "@aws-sdk/client-sagemaker";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetParameterCommand, ParameterNotFound, PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import * as z from "../../survey/zod";
import { clientOptions } from "../shared/clients";
import { readEnvironment } from "../shared/environment";
import { baselineFile, evaluationFile, judgementSchema } from "../shared/evaluation";
import { parseEvent, s3Uri, someText } from "../shared/input";
import { logger, observed } from "../shared/observability";
import { traced, tracer } from "../shared/tracing";
import { parseS3Uri, under } from "../shared/s3-uri";
import { variables } from "./declaration";
import { cardFile, completeModelCard, InvalidModelCard } from "./model-card";
import {
  figuresFile,
  InvalidPublicFigures,
  namePublicFigures,
  type PublicFigures,
  readPublicFigures,
} from "./public-figures";

const environment = readEnvironment(variables);
const sageMaker = tracer.captureAWSv3Client(new SageMakerClient(clientOptions));
const objects = tracer.captureAWSv3Client(new S3Client(clientOptions));
const parameters = tracer.captureAWSv3Client(new SSMClient(clientOptions));

const eventSchema = z.object({
  runName: someText,
  trainingJobName: someText,
  modelDataUrl: s3Uri,
  /** Folder with the dataset's splits. */
  datasetUri: s3Uri,
  evaluationUri: s3Uri,
  /** Folder with the statistics and constraints of the training rows. */
  baselineUri: s3Uri,
  judgement: judgementSchema.check(
    z.refine(
      ({ goodEnough, better }) => goodEnough && better,
      "only a challenger that is good enough and better than the champion may be registered",
    ),
  ),
});

type RegisterEvent = z.infer<typeof eventSchema>;

/** The package that this handler created or found. */
export interface Registration {
  readonly modelPackageArn: string;
  readonly version: number;
}

/** Tells which run made a package: the only text of a package in SageMaker's list. */
const describeRun = (runName: string): string => `Registered by run ${runName}`;

/** The version at the end of a package's ARN. */
function versionOf(modelPackageArn: string): number {
  const version = /\/(\d+)$/.exec(modelPackageArn)?.[1];
  if (version === undefined) {
    throw new Error(`${modelPackageArn} is not the ARN of a version in a model package group`);
  }
  return Number(version);
}

/** The package that an earlier attempt of this run registered. */
async function findPackage(runName: string): Promise<string | undefined> {
  const pages = paginateListModelPackages(
    { client: sageMaker },
    {
      ModelPackageGroupName: environment.MODEL_PACKAGE_GROUP,
      SortBy: "CreationTime",
      SortOrder: "Descending",
      MaxResults: 100,
    },
  );
  for await (const { ModelPackageSummaryList = [] } of pages) {
    const found = ModelPackageSummaryList.find(
      ({ ModelPackageDescription }) => ModelPackageDescription === describeRun(runName),
    );
    if (found) {
      return found.ModelPackageArn;
    }
  }
  return undefined;
}

/**
 * Reads a file of the evaluation job.
 * @param Invalid error to throw when the file is missing
 */
async function readEvaluationFile(
  { evaluationUri }: RegisterEvent,
  file: string,
  Invalid: new (message: string, options: ErrorOptions) => Error,
): Promise<string> {
  const uri = under(evaluationUri, file);
  const { bucket, key } = parseS3Uri(uri);
  try {
    const { Body } = await objects.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return (await Body?.transformToString()) ?? "";
  } catch (error) {
    if ((error as Error).name !== "NoSuchKey") {
      throw error;
    }
    throw new Invalid(`${uri} is missing: look at the evaluation job's log`, { cause: error });
  }
}

/** The evaluation job's model card, completed with what only this function knows. */
async function modelCard(event: RegisterEvent): Promise<string> {
  const text = await readEvaluationFile(event, cardFile, InvalidModelCard);
  return completeModelCard(text, { ...event, imageUri: environment.MODEL_IMAGE_URI });
}

/** Puts the named figures where a deployment of the website reads them, and returns their key. */
async function layFigures(content: string, { runName, evaluationUri }: RegisterEvent): Promise<string> {
  const Key = `${environment.FIGURES_PREFIX}${runName}.json`;
  const { bucket: Bucket } = parseS3Uri(evaluationUri);
  // Terraform's data source aws_s3_object only reads objects with a text content type.
  await objects.send(new PutObjectCommand({ Bucket, Key, Body: content, ContentType: "application/json" }));
  return Key;
}

function describePackage(
  { runName, trainingJobName, modelDataUrl, evaluationUri, baselineUri, judgement }: RegisterEvent,
  card: string,
): CreateModelPackageCommandInput {
  const contentTypes = ["text/csv", "application/json"];
  return {
    ModelPackageGroupName: environment.MODEL_PACKAGE_GROUP,
    ModelPackageDescription: describeRun(runName),
    ModelApprovalStatus: "Approved",
    InferenceSpecification: {
      Containers: [{ Image: environment.MODEL_IMAGE_URI, ModelDataUrl: modelDataUrl }],
      SupportedContentTypes: contentTypes,
      SupportedResponseMIMETypes: contentTypes,
      SupportedRealtimeInferenceInstanceTypes: environment.INFERENCE_INSTANCE_TYPES as NonNullable<
        CreateModelPackageCommandInput["InferenceSpecification"]
      >["SupportedRealtimeInferenceInstanceTypes"],
    },
    ModelMetrics: {
      ModelQuality: { Statistics: { ContentType: "application/json", S3Uri: under(evaluationUri, evaluationFile) } },
      ModelDataQuality: {
        Statistics: { ContentType: "application/json", S3Uri: under(baselineUri, "statistics.json") },
        Constraints: { ContentType: "application/json", S3Uri: under(baselineUri, "constraints.json") },
      },
    },
    // A machine wrote the card and the gate passed the model; only a person can confirm a review.
    ModelCard: { ModelCardContent: card, ModelCardStatus: "PendingReview" },
    CustomerMetadataProperties: {
      runName,
      trainingJobName,
      rmse: String(judgement.rmse),
      threshold: String(judgement.threshold),
      rows: String(judgement.rows),
    },
    // With the same token, SageMaker treats a repeated request as the same one.
    ClientToken: createHash("sha256").update(runName).digest("hex").slice(0, 36),
  };
}

async function createPackage(event: RegisterEvent): Promise<string | undefined> {
  const request = describePackage(event, await modelCard(event));
  const { ModelPackageArn } = await sageMaker.send(new CreateModelPackageCommand(request));
  return ModelPackageArn;
}

async function readParameter(Name: string): Promise<string> {
  try {
    const { Parameter } = await parameters.send(new GetParameterCommand({ Name }));
    return Parameter?.Value ?? "";
  } catch (error) {
    if (error instanceof ParameterNotFound) {
      throw new Error(`The parameter ${Name} is missing: deploy the ml-workflow stack again`, { cause: error });
    }
    throw error;
  }
}

/**
 * Makes the package the champion, unless another run has registered a later one: a retry must not bring an old model
 * back. Also not if the champion is no longer the one that the package has beaten: of two parallel runs, the second was
 * never compared with the first.
 */
async function nameChampion(modelPackageArn: string, event: RegisterEvent, figures: PublicFigures): Promise<void> {
  const { runName, evaluationUri, baselineUri } = event;
  const current = await readParameter(environment.MODEL_PACKAGE_PARAMETER);
  const group = modelPackageArn.replace(/\/\d+$/, "/");
  if (current.startsWith(group) && versionOf(current) > versionOf(modelPackageArn)) {
    logger.warn("A later model is champion already, so it stays", { champion: current, modelPackageArn });
    return;
  }
  const beaten = event.judgement.champion?.modelPackageArn;
  if (beaten !== undefined && beaten !== current && modelPackageArn !== current) {
    logger.warn("Another model than the beaten one is champion by now, so it stays: the next run compares with it", {
      champion: current,
      beaten,
      modelPackageArn,
    });
    return;
  }
  const put = (Name: string, Value: string): Promise<unknown> =>
    parameters.send(new PutParameterCommand({ Name, Value, Type: "String", Overwrite: true }));
  // The champion comes last, so that its readers always find its baseline and figures.
  await put(environment.BASELINE_DATA_PARAMETER, under(evaluationUri, baselineFile));
  await put(environment.MONITORING_BASELINE_PARAMETER, baselineUri);
  const named = namePublicFigures(figures, versionOf(modelPackageArn), runName);
  await put(environment.FIGURES_PARAMETER, await layFigures(named, event));
  await put(environment.MODEL_PACKAGE_PARAMETER, modelPackageArn);
}

/** Registers the challenger. Idempotent per run. */
export const handler = observed(
  traced(async (event: unknown): Promise<Registration> => {
    const input = parseEvent(eventSchema, event);
    logger.appendKeys({ runName: input.runName });
    const figures = readPublicFigures(
      await readEvaluationFile(input, figuresFile, InvalidPublicFigures),
      input.evaluationUri,
    );
    const found = await findPackage(input.runName);
    const modelPackageArn = found ?? (await createPackage(input));
    if (modelPackageArn === undefined) {
      throw new Error("SageMaker created a model package without an ARN");
    }
    await nameChampion(modelPackageArn, input, figures);
    logger.info("The challenger is registered", { modelPackageArn, repeated: found !== undefined });
    return { modelPackageArn, version: versionOf(modelPackageArn) };
  }),
);
