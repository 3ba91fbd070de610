import { ApiGatewayV2 } from "@aws-sdk/client-apigatewayv2";
import { Athena } from "@aws-sdk/client-athena";
import { CloudFront } from "@aws-sdk/client-cloudfront";
import { CloudWatch } from "@aws-sdk/client-cloudwatch";
import { CloudWatchLogs } from "@aws-sdk/client-cloudwatch-logs";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { EventBridge } from "@aws-sdk/client-eventbridge";
import { IAM } from "@aws-sdk/client-iam";
import { KMS } from "@aws-sdk/client-kms";
import { Lambda } from "@aws-sdk/client-lambda";
import { S3 } from "@aws-sdk/client-s3";
import { SageMaker } from "@aws-sdk/client-sagemaker";
import { SESv2 } from "@aws-sdk/client-sesv2";
import { SFN } from "@aws-sdk/client-sfn";
import { SNS } from "@aws-sdk/client-sns";
import { SQS } from "@aws-sdk/client-sqs";
import { SSM } from "@aws-sdk/client-ssm";

/** The AWS clients of one region, all bound to the emulator. */
export interface Clients {
  readonly apiGateway: ApiGatewayV2;
  readonly athena: Athena;
  readonly cloudFront: CloudFront;
  readonly cloudWatch: CloudWatch;
  readonly dynamoDb: DynamoDB;
  readonly events: EventBridge;
  readonly iam: IAM;
  readonly kms: KMS;
  readonly lambda: Lambda;
  readonly logs: CloudWatchLogs;
  readonly s3: S3;
  readonly sageMaker: SageMaker;
  readonly ses: SESv2;
  readonly sns: SNS;
  readonly sqs: SQS;
  readonly ssm: SSM;
  readonly stepFunctions: SFN;
}

/**
 * Makes the clients. All settings that the environment or a profile could change are fixed, so that no request goes
 * elsewhere.
 * @param endpoint The emulator's address, for example `http://127.0.0.1:4566`.
 * @param account Account id of 12 digits; the emulator reads it from the access key.
 */
export function makeClients(endpoint: string, region: string, account: string): Clients {
  const settings = {
    endpoint,
    region,
    credentials: { accessKeyId: account, secretAccessKey: "test" },
    maxAttempts: 4,
    retryMode: "standard",
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 120_000, throwOnRequestTimeout: true },
  };
  return {
    apiGateway: new ApiGatewayV2(settings),
    athena: new Athena(settings),
    cloudFront: new CloudFront(settings),
    cloudWatch: new CloudWatch(settings),
    dynamoDb: new DynamoDB(settings),
    events: new EventBridge(settings),
    iam: new IAM(settings),
    kms: new KMS(settings),
    lambda: new Lambda(settings),
    logs: new CloudWatchLogs(settings),
    s3: new S3({ ...settings, forcePathStyle: true }),
    sageMaker: new SageMaker(settings),
    ses: new SESv2(settings),
    sns: new SNS(settings),
    sqs: new SQS(settings),
    ssm: new SSM(settings),
    stepFunctions: new SFN(settings),
  };
}

/** Closes the connections. */
export function closeClients(clients: Clients): void {
  for (const client of Object.values(clients) as { destroy(): void }[]) {
    client.destroy();
  }
}
