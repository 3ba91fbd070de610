/**
 * The SageMaker service for a test: a process with a port, a state folder and an emulator of its own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Athena } from "@aws-sdk/client-athena";
import { Glue } from "@aws-sdk/client-glue";
import { S3 } from "@aws-sdk/client-s3";
import { SageMaker } from "@aws-sdk/client-sagemaker";
import { SageMakerFeatureStoreRuntime } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { SageMakerRuntime } from "@aws-sdk/client-sagemaker-runtime";
import { account, type AwsEndpoint, freePort, python, region, startMinistack } from "./aws";

export { account, freePort, python, region };

/** An image that the service runs: its code is the folder fixtures/image. */
export const image = `${account}.dkr.ecr.${region}.amazonaws.com/acme-test-image:1`;
export const role = `arn:aws:iam::${account}:role/acme-test`;
export const bucket = "acme-test-data";

/** How any client of the SDK asks an address of the platform. */
export function clientOptions(endpoint: string): {
  endpoint: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
} {
  return { endpoint, region, credentials: { accessKeyId: account, secretAccessKey: "test" } };
}

/** Waits until `check` gives something, and returns that. */
export async function eventually<Result>(
  what: string,
  check: () => Promise<Result | undefined | false>,
  seconds = 60,
): Promise<Result> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const result = await check();
    if (result !== undefined && result !== false) {
      return result;
    }
    if (Date.now() > deadline) {
      throw new Error(`Waited ${seconds} seconds in vain for: ${what}`);
    }
    await sleep(50);
  }
}

/** The service as a process. */
export class ServiceProcess {
  output = "";
  private child: ChildProcess | undefined;

  constructor(readonly environment: Readonly<Record<string, string>>) {
    // A test run that ends before its hooks leaves no process behind.
    process.once("exit", () => this.child?.kill("SIGKILL"));
  }

  /** Settings for a service of its own on a port. */
  static settings(port: number, folder: string, awsEndpoint: string): Record<string, string> {
    return {
      PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
      HOME: folder,
      SAGEMAKER_PORT: String(port),
      SAGEMAKER_STATE_DIRECTORY: join(folder, "state"),
      SAGEMAKER_BYTECODE_DIRECTORY: join(folder, "bytecode"),
      SAGEMAKER_LOG_DIRECTORY: join(folder, "logs"),
      AWS_ENDPOINT_URL: awsEndpoint,
      AWS_REGION: region,
      AWS_ACCOUNT_ID: account,
      MODEL_IMAGE_DIRECTORY: resolve(__dirname, "../fixtures/image"),
      MODEL_IMAGE_PYTHON: python,
      MODEL_IMAGE_REPOSITORY: "acme-test-image",
    };
  }

  get url(): string {
    return `http://127.0.0.1:${this.environment.SAGEMAKER_PORT ?? ""}`;
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  /** Starts the process; the promise is kept when it answers, or has ended. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [resolve(__dirname, "../../bin/sagemaker-local.mjs")], {
      env: { ...this.environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    const collect = (chunk: Buffer): void => {
      this.output += chunk.toString();
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    await eventually(
      "the service to answer",
      async () => {
        if (child.exitCode !== null) {
          return true;
        }
        return fetch(`${this.url}/health`, { signal: AbortSignal.timeout(1000) }).then(
          ({ ok }) => ok,
          () => false,
        );
      },
      120,
    );
  }

  /** Sends a signal and waits for the end; the exit code. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const child = this.child;
    if (child?.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
    }
    return child?.exitCode ?? null;
  }
}

/** An AWS endpoint, a service that uses it, and clients of both. */
export class Platform {
  readonly sagemaker: SageMaker;
  readonly runtime: SageMakerRuntime;
  readonly records: SageMakerFeatureStoreRuntime;
  readonly s3: S3;
  readonly glue: Glue;
  readonly athena: Athena;

  private constructor(
    readonly folder: string,
    readonly emulator: AwsEndpoint,
    readonly service: ServiceProcess,
  ) {
    const options = clientOptions(emulator.endpoint);
    const ownOptions = clientOptions(service.url);
    this.sagemaker = new SageMaker(ownOptions);
    this.runtime = new SageMakerRuntime(ownOptions);
    this.records = new SageMakerFeatureStoreRuntime(ownOptions);
    this.s3 = new S3({ ...options, forcePathStyle: true });
    this.glue = new Glue(options);
    this.athena = new Athena(options);
  }

  /**
   * @param changes settings of the service that differ. @default none
   * @param startAws starts the AWS endpoint, which may hand on what it is asked of SageMaker to the service's address
   */
  static async start(
    changes: Readonly<Record<string, string>> = {},
    startAws: (sagemakerUrl: string) => Promise<AwsEndpoint> = () => startMinistack(),
  ): Promise<Platform> {
    const folder = mkdtempSync(join(tmpdir(), "sagemaker-local-"));
    const port = await freePort();
    const emulator = await startAws(`http://127.0.0.1:${port}`);
    const service = new ServiceProcess({
      ...ServiceProcess.settings(port, folder, emulator.endpoint),
      ...changes,
    });
    const platform = new Platform(folder, emulator, service);
    await service.start();
    await platform.s3.createBucket({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: region } });
    return platform;
  }

  async stop(): Promise<void> {
    await this.service.stop();
    await this.emulator.stop();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Kills the service as nothing can prepare for, and starts it again. */
  async killAndRestart(): Promise<void> {
    await this.service.stop("SIGKILL");
    await this.service.start();
  }

  async put(key: string, body: string | Uint8Array): Promise<string> {
    await this.s3.putObject({ Bucket: bucket, Key: key, Body: body });
    return `s3://${bucket}/${key}`;
  }

  async text(key: string): Promise<string> {
    const { Body } = await this.s3.getObject({ Bucket: bucket, Key: key });
    return (await Body?.transformToString()) ?? "";
  }

  async bytes(key: string): Promise<Uint8Array> {
    const { Body } = await this.s3.getObject({ Bucket: bucket, Key: key });
    return (await Body?.transformToByteArray()) ?? new Uint8Array();
  }

  async keys(prefix: string): Promise<string[]> {
    const { Contents } = await this.s3.listObjectsV2({ Bucket: bucket, Prefix: prefix });
    return (Contents ?? []).map(({ Key }) => Key ?? "");
  }

  /** Rows of a query, each by column name, as Athena gives them: all text. */
  async query(database: string, sql: string): Promise<Record<string, string | undefined>[]> {
    const { QueryExecutionId } = await this.athena.startQueryExecution({
      QueryString: sql,
      QueryExecutionContext: { Database: database },
      ResultConfiguration: { OutputLocation: `s3://${bucket}/athena/` },
    });
    await eventually(`the query ${sql}`, async () => {
      const { QueryExecution } = await this.athena.getQueryExecution({ QueryExecutionId });
      const { State, StateChangeReason } = QueryExecution?.Status ?? {};
      if (State === "FAILED") {
        throw new Error(`${sql}: ${StateChangeReason ?? ""}`);
      }
      return State === "SUCCEEDED";
    });
    const { ResultSet } = await this.athena.getQueryResults({ QueryExecutionId });
    const [header, ...rows] = (ResultSet?.Rows ?? []).map(({ Data }) =>
      (Data ?? []).map(({ VarCharValue }) => VarCharValue),
    );
    return rows.map((row) => Object.fromEntries((header ?? []).map((name, index) => [name ?? "", row[index]])));
  }

  /** Database and table of a feature group's offline store. */
  async catalogOf(group: string): Promise<{ database: string; table: string }> {
    const { OfflineStoreConfig } = await this.sagemaker.describeFeatureGroup({ FeatureGroupName: group });
    const { Database = "", TableName = "" } = OfflineStoreConfig?.DataCatalogConfig ?? {};
    return { database: Database, table: TableName };
  }
}

/** Whether a process runs. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync(`/proc/${pid}/stat`) || !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

/** The children that the service has recorded, by their purpose. */
export function childrenOf(platform: Platform): { pid: number; purpose: string }[] {
  const folder = join(platform.folder, "state", "children");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as { pid: number; purpose: string });
}
