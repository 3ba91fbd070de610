import type { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import type { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import type { GlueClient } from "@aws-sdk/client-glue";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Settings } from "./settings";

/**
 * Clients of the AWS emulator. They are made when first used, since their packages take longer to load than the whole
 * service takes to start; and always with harmless credentials, whatever the machine's own profiles hold.
 */
export class AwsClients {
  private s3Client: Promise<S3Client> | undefined;
  private glueClient: Promise<GlueClient> | undefined;
  private cloudWatchClient: Promise<CloudWatchClient> | undefined;
  private logsClient: Promise<CloudWatchLogsClient> | undefined;

  constructor(private readonly settings: Settings) {}

  s3(): Promise<S3Client> {
    return (this.s3Client ??= import("@aws-sdk/client-s3").then(
      ({ S3Client }) => new S3Client({ ...this.options(), forcePathStyle: true }),
    ));
  }

  glue(): Promise<GlueClient> {
    return (this.glueClient ??= import("@aws-sdk/client-glue").then(
      ({ GlueClient }) => new GlueClient(this.options()),
    ));
  }

  cloudWatch(): Promise<CloudWatchClient> {
    return (this.cloudWatchClient ??= import("@aws-sdk/client-cloudwatch").then(
      // Whoever asks it asks again soon.
      ({ CloudWatchClient }) => new CloudWatchClient({ ...this.options(), maxAttempts: 2 }),
    ));
  }

  logs(): Promise<CloudWatchLogsClient> {
    return (this.logsClient ??= import("@aws-sdk/client-cloudwatch-logs").then(
      // Lines that can't be sent are dropped, as the log file has them all: no job waits long for that.
      ({ CloudWatchLogsClient }) => new CloudWatchLogsClient({ ...this.options(), maxAttempts: 2 }),
    ));
  }

  private options(): {
    endpoint: string;
    region: string;
    credentials: { accessKeyId: string; secretAccessKey: string };
    maxAttempts: number;
  } {
    return {
      endpoint: this.settings.awsEndpoint,
      region: this.settings.region,
      credentials: { accessKeyId: this.settings.account, secretAccessKey: "test" },
      // About twenty seconds: the emulator may be restarting.
      maxAttempts: 9,
    };
  }
}
