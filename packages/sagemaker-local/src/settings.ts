import { join, resolve } from "node:path";

/** Where the service listens, keeps its state and finds the model image. */
export interface Settings {
  /** Loopback port of the service; 0 takes a free one. */
  readonly port: number;
  /** Folder of everything that must survive a restart. */
  readonly stateDirectory: string;
  /** Folder of the logs of jobs and endpoints, one file each. */
  readonly logDirectory: string;
  /** Address of the AWS emulator, which holds S3, Glue and CloudWatch Logs. */
  readonly awsEndpoint: string;
  readonly region: string;
  /** Twelve digits. */
  readonly account: string;
  /** Folder of the model image's code, with its executables under `bin/`. */
  readonly imageDirectory: string;
  /** Interpreter of the model image's Python environment. */
  readonly imagePython: string;
  /** Name of the repository whose images are `imageDirectory`. */
  readonly imageRepository: string;
  /** Seconds after which every monitoring schedule runs again. @default as its expression says */
  readonly monitoringSeconds?: number;
  /** botocore's folder of service models, from which requests are validated. */
  readonly botocoreData: string;
}

/** A setting that is missing or wrong; its message says which one and what was expected. */
export class SettingsError extends Error {}

/**
 * Reads the service's settings from environment variables.
 *
 * @throws SettingsError naming the variable, its value and what was expected
 */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const text = (name: string, expected: string, pattern = /./): string => {
    const value = environment[name];
    if (value === undefined || !pattern.test(value)) {
      throw new SettingsError(`${name} is ${value === undefined ? "not set" : `'${value}'`}: expected ${expected}.`);
    }
    return value;
  };
  const folder = (name: string, expected: string): string => resolve(text(name, expected));

  const port = Number(text("SAGEMAKER_PORT", "a port number from 0 to 65535 (0 takes a free one)", /^\d{1,5}$/));
  if (port > 65535) {
    throw new SettingsError(`SAGEMAKER_PORT is '${port}': expected a port number from 0 to 65535.`);
  }
  const monitoring = environment.SAGEMAKER_MONITORING_SECONDS;
  const monitoringSeconds = Number(monitoring);
  if (monitoring !== undefined && !(Number.isInteger(monitoringSeconds) && monitoringSeconds >= 1)) {
    throw new SettingsError(
      `SAGEMAKER_MONITORING_SECONDS is '${monitoring}': expected the seconds between two comparisons, a whole number from 1.`,
    );
  }
  const stateDirectory = folder("SAGEMAKER_STATE_DIRECTORY", "a folder for the service's state");
  return {
    port,
    stateDirectory,
    logDirectory: resolve(environment.SAGEMAKER_LOG_DIRECTORY ?? join(stateDirectory, "logs")),
    awsEndpoint: text(
      "AWS_ENDPOINT_URL",
      "the AWS emulator's address, such as http://127.0.0.1:4566",
      /^https?:\/\/\S+$/,
    ),
    region: text("AWS_REGION", "a region, such as eu-west-1", /^[a-z]{2}(-[a-z]+)+-\d$/),
    account: text("AWS_ACCOUNT_ID", "an account number of twelve digits", /^\d{12}$/),
    imageDirectory: folder("MODEL_IMAGE_DIRECTORY", "the folder of the model image's code"),
    imagePython: text("MODEL_IMAGE_PYTHON", "the interpreter of the model image's Python environment"),
    imageRepository: text("MODEL_IMAGE_REPOSITORY", "the name of the model image's repository"),
    ...(monitoring !== undefined && { monitoringSeconds }),
    botocoreData: folder("BOTOCORE_DATA", "botocore's data folder (site-packages/botocore/data)"),
  };
}
