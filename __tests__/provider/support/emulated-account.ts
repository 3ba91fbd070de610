/**
 * AWS as the real provider meets it in these tests: the emulator and SageMaker of `make up`, in a temporary folder, on
 * free ports.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BucketAlreadyOwnedByYou, type BucketLocationConstraint, S3 } from "@aws-sdk/client-s3";
import { SSM } from "@aws-sdk/client-ssm";
import type { Environment } from "../../../environments";
import { type Clients, makeClients } from "../../../local/platform/clients";
import { awsEnvironment, cleanEnvironment, type Instance, openInstance } from "../../../local/platform/instance";
import { addressOf, startServices, stopServices } from "../../../local/platform/services";
import { publicFigures } from "../../../stacks/contract";
import { stateBucketName } from "../../../stacks/platform";
import { plausibleValue } from "./stacks";

/** The services of one test file. */
export class EmulatedAccounts {
  private constructor(readonly instance: Instance) {}

  /** Starts the services; `stop` ends them. */
  static async start(): Promise<EmulatedAccounts> {
    const accounts = new EmulatedAccounts(openInstance(mkdtempSync(join(tmpdir(), "provider-"))));
    await startServices(accounts.instance);
    return accounts;
  }

  /** The address of every AWS service. */
  get endpoint(): string {
    return addressOf(this.instance, "emulator");
  }

  /** Clients for the local environment's account. */
  get clients(): Clients {
    return makeClients(this.endpoint);
  }

  /**
   * The whole environment for terraform and what starts it: nothing of the shell's but where the providers are.
   * @param environment in whose account it works: the emulator takes the access key for the account's number
   */
  variables({ account, region }: Pick<Environment, "account" | "region">): Record<string, string> {
    const configuration = process.env.TF_CLI_CONFIG_FILE;
    return cleanEnvironment(this.instance, {
      ...awsEnvironment(this.endpoint),
      AWS_ACCESS_KEY_ID: account,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      // S3 Control's host names begin with the account; the emulator is the proxy that knows them.
      HTTP_PROXY: this.endpoint,
      NO_PROXY: "",
      CHECKPOINT_DISABLE: "1",
      TF_IN_AUTOMATION: "1",
      TF_INPUT: "0",
      ...(configuration === undefined ? {} : { TF_CLI_CONFIG_FILE: configuration }),
    });
  }

  /** Makes the bucket that holds an environment's states. */
  async makeStateBucket(environment: Environment): Promise<void> {
    await this.makeBucket(environment, stateBucketName(environment.account, environment.region));
  }

  /**
   * Puts a document without public figures where the plan of a website looks for it, and makes the bucket if need be.
   */
  async putFigures(environment: Environment): Promise<void> {
    const bucket = plausibleValue(environment, "DataBucket");
    await this.makeBucket(environment, bucket);
    const s3 = new S3(this.clientSettings(environment));
    try {
      const document = { Bucket: bucket, Key: publicFigures.none, Body: "{}", ContentType: "application/json" };
      await s3.putObject(document);
    } finally {
      s3.destroy();
    }
  }

  private async makeBucket(environment: Environment, bucket: string): Promise<void> {
    const s3 = new S3(this.clientSettings(environment));
    try {
      await s3.createBucket({
        Bucket: bucket,
        CreateBucketConfiguration: { LocationConstraint: environment.region as BucketLocationConstraint },
      });
    } catch (error) {
      if (!(error instanceof BucketAlreadyOwnedByYou)) {
        throw error;
      }
    } finally {
      s3.destroy();
    }
  }

  /** Publishes parameters as other stacks would. */
  async publish(environment: Environment, parameters: Readonly<Record<string, string>>): Promise<void> {
    const ssm = new SSM(this.clientSettings(environment));
    try {
      for (const [Name, Value] of Object.entries(parameters)) {
        await ssm.putParameter({ Name, Value, Type: "String", Overwrite: true });
      }
    } finally {
      ssm.destroy();
    }
  }

  private clientSettings({ account, region }: Environment) {
    const credentials = { accessKeyId: account, secretAccessKey: "test" };
    return { endpoint: this.endpoint, region, credentials, forcePathStyle: true };
  }

  /** Stops the services and removes their folder. */
  async stop(): Promise<void> {
    await stopServices(this.instance);
    rmSync(this.instance.directory, { recursive: true, force: true });
  }
}
