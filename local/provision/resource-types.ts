import { allDataSources } from "./data-sources";
import { allLeftOut } from "./left-out";
import type { DataSourceKind, LeftOutKind, ResourceKind } from "./resource-kind";
import { apiGatewayKinds } from "./resources/api-gateway";
import { athenaKinds } from "./resources/athena";
import { cloudFrontKinds } from "./resources/cloudfront";
import { cloudWatchKinds } from "./resources/cloudwatch";
import { dynamoDbKinds } from "./resources/dynamodb";
import { eventKinds } from "./resources/events";
import { iamKinds } from "./resources/iam";
import { kmsKinds } from "./resources/kms";
import { lambdaKinds } from "./resources/lambda";
import { logsKinds } from "./resources/logs";
import { s3Kinds } from "./resources/s3";
import { sageMakerKinds } from "./resources/sagemaker";
import { sageMakerMonitoringKinds } from "./resources/sagemaker-monitoring";
import { sesKinds } from "./resources/ses";
import { snsKinds } from "./resources/sns";
import { sqsKinds } from "./resources/sqs";
import { ssmKinds } from "./resources/ssm";
import { stepFunctionsKinds } from "./resources/step-functions";

/** This file, for messages about unknown types. */
export const resourceTypesFile = "local/provision/resource-types.ts";

/**
 * The types made in the emulator, by file under `resources/`. A new type goes into the file of its service; a new
 * service needs a file there, a line here and a client in `clients.ts`.
 */
const kindsByFile: Readonly<Record<string, readonly ResourceKind[]>> = {
  "api-gateway": apiGatewayKinds,
  athena: athenaKinds,
  cloudfront: cloudFrontKinds,
  cloudwatch: cloudWatchKinds,
  dynamodb: dynamoDbKinds,
  events: eventKinds,
  iam: iamKinds,
  kms: kmsKinds,
  lambda: lambdaKinds,
  logs: logsKinds,
  s3: s3Kinds,
  sagemaker: sageMakerKinds,
  "sagemaker-monitoring": sageMakerMonitoringKinds,
  ses: sesKinds,
  sns: snsKinds,
  sqs: sqsKinds,
  ssm: ssmKinds,
  "step-functions": stepFunctionsKinds,
};

/** The types made in the emulator, by Terraform type. */
export const resourceKinds = byType(Object.values(kindsByFile).flat());

/** The types that are known but not made; the reasons are in `left-out.ts`. */
export const leftOutKinds = byType<LeftOutKind>(allLeftOut);

/** The data sources by type; see `data-sources.ts`. */
export const dataSourceKinds = byType<DataSourceKind>(allDataSources);

/** The file of a type. */
export function fileOf(type: string): string {
  const [name = ""] = Object.entries(kindsByFile).find(([, kinds]) => kinds.some((kind) => kind.type === type)) ?? [];
  return `local/provision/resources/${name}.ts`;
}

function byType<T extends { readonly type: string }>(kinds: readonly T[]): ReadonlyMap<string, T> {
  return new Map(kinds.map((kind) => [kind.type, kind]));
}
