import { AthenaClient } from "@aws-sdk/client-athena";
import { CodePipelineClient } from "@aws-sdk/client-codepipeline";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { S3Client } from "@aws-sdk/client-s3";
import { SageMakerClient } from "@aws-sdk/client-sagemaker";
import { SFNClient } from "@aws-sdk/client-sfn";
import { ParameterNotFound, GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";

import { harmlessCredentials, region } from "./instance";

/** The AWS clients of the platform's own stages, each bound to the emulator's address and to nothing else. */
export interface Clients {
  readonly athena: AthenaClient;
  readonly codePipeline: CodePipelineClient;
  readonly lambda: LambdaClient;
  readonly s3: S3Client;
  readonly sagemaker: SageMakerClient;
  readonly stepFunctions: SFNClient;
  readonly ssm: SSMClient;
}

/** Makes the clients for the emulator at `endpoint`. */
export function makeClients(endpoint: string): Clients {
  const settings = { endpoint, region, credentials: harmlessCredentials, maxAttempts: 5 };
  return {
    athena: new AthenaClient(settings),
    codePipeline: new CodePipelineClient(settings),
    lambda: new LambdaClient(settings),
    s3: new S3Client(settings),
    sagemaker: new SageMakerClient(settings),
    stepFunctions: new SFNClient(settings),
    ssm: new SSMClient(settings),
  };
}

/**
 * Reads a value of the stacks' contract.
 * @param name Name in the contract, for example `DataBucket`.
 * @returns The value, undefined where nothing has published it yet.
 */
export async function readContract(clients: Clients, name: string): Promise<string | undefined> {
  try {
    const { Parameter } = await clients.ssm.send(new GetParameterCommand({ Name: `/acme/local/${name}` }));
    return Parameter?.Value;
  } catch (error) {
    if (error instanceof ParameterNotFound) {
      return undefined;
    }
    throw error;
  }
}

/** Reads a value of the contract that must be there by now. */
export async function requireContract(clients: Clients, name: string): Promise<string> {
  const value = await readContract(clients, name);
  if (value === undefined) {
    throw new Error(`/acme/local/${name} is not published; the stack that publishes it has not been deployed.`);
  }
  return value;
}
