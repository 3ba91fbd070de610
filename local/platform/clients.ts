import { Athena } from "@aws-sdk/client-athena";
import { CodePipeline } from "@aws-sdk/client-codepipeline";
import { Lambda } from "@aws-sdk/client-lambda";
import { S3 } from "@aws-sdk/client-s3";
import { SageMaker } from "@aws-sdk/client-sagemaker";
import { SFN } from "@aws-sdk/client-sfn";
import { ParameterNotFound, SSM } from "@aws-sdk/client-ssm";

import { harmlessCredentials, region } from "./instance";

/** The AWS clients of the platform's steps, all bound to the emulator's address. */
export interface Clients {
  readonly athena: Athena;
  readonly codePipeline: CodePipeline;
  readonly lambda: Lambda;
  readonly s3: S3;
  readonly sagemaker: SageMaker;
  readonly stepFunctions: SFN;
  readonly ssm: SSM;
}

/** Makes the clients for the emulator at `endpoint`. */
export function makeClients(endpoint: string): Clients {
  const settings = { endpoint, region, credentials: harmlessCredentials, maxAttempts: 5 };
  return {
    athena: new Athena(settings),
    codePipeline: new CodePipeline(settings),
    lambda: new Lambda(settings),
    s3: new S3(settings),
    sagemaker: new SageMaker(settings),
    stepFunctions: new SFN(settings),
    ssm: new SSM(settings),
  };
}

/**
 * Reads a value of the stacks' contract.
 * @param name Name in the contract, for example `DataBucket`.
 * @returns The value, undefined if it is not published yet.
 */
export async function readContract(clients: Clients, name: string): Promise<string | undefined> {
  try {
    const { Parameter } = await clients.ssm.getParameter({ Name: `/acme/local/${name}` });
    return Parameter?.Value;
  } catch (error) {
    if (error instanceof ParameterNotFound) {
      return undefined;
    }
    throw error;
  }
}

/** Reads a value of the contract that must be published by now. */
export async function requireContract(clients: Clients, name: string): Promise<string> {
  const value = await readContract(clients, name);
  if (value === undefined) {
    throw new Error(`/acme/local/${name} is not published; the stack that publishes it has not been deployed.`);
  }
  return value;
}
