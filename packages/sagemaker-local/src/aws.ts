import type { Settings } from "./settings";

/** Calls `make` once; every call returns the same promise. */
function once<Made>(make: () => Promise<Made>): () => Promise<Made> {
  let made: Promise<Made> | undefined;
  return () => (made ??= make());
}

/**
 * Clients of the AWS endpoint. They are made when first used, since their packages take longer to load than the whole
 * service takes to start; and always with harmless credentials, whatever the machine's own profiles hold.
 */
export class AwsClients {
  private readonly options;

  constructor({ awsEndpoint: endpoint, region, account }: Settings) {
    const credentials = { accessKeyId: account, secretAccessKey: "test" };
    // About twenty seconds: the emulator may be restarting.
    this.options = { endpoint, region, credentials, maxAttempts: 9 };
  }

  readonly s3 = once(async () => {
    const { S3 } = await import("@aws-sdk/client-s3");
    return new S3({ ...this.options, forcePathStyle: true });
  });

  readonly glue = once(async () => new (await import("@aws-sdk/client-glue")).Glue(this.options));

  // The caller polls, so it asks again soon.
  readonly cloudWatch = once(async () => {
    const { CloudWatch } = await import("@aws-sdk/client-cloudwatch");
    return new CloudWatch({ ...this.options, maxAttempts: 2 });
  });

  // Few retries, so that no job waits long: lines that can't be sent are dropped, and the log file has them all.
  readonly logs = once(async () => {
    const { CloudWatchLogs } = await import("@aws-sdk/client-cloudwatch-logs");
    return new CloudWatchLogs({ ...this.options, maxAttempts: 2 });
  });
}
