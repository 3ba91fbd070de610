import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, delimiter, join, resolve } from "node:path";
import { parseArgs } from "node:util";

/** Where the service listens, where its state is, and which image it runs. */
export interface Settings {
  /** Loopback port of the service; 0 means any free port. */
  readonly port: number;
  /** Folder of everything that must survive a restart. */
  readonly stateDirectory: string;
  /** Folder of compiled Python, which may be deleted at any time. */
  readonly bytecodeDirectory: string;
  /** Folder of the logs of jobs and endpoints, one file each. */
  readonly logDirectory: string;
  /** Address of the AWS endpoint, which has S3, Glue, CloudWatch and CloudWatch Logs. */
  readonly awsEndpoint: string;
  readonly region: string;
  /** Twelve digits. */
  readonly account: string;
  /** Folder of the image's code, with its executables under `bin/`. */
  readonly imageDirectory: string;
  /** Interpreter of the image's Python environment, by its path. */
  readonly imagePython: string;
  /** Name of the repository whose images are `imageDirectory`. */
  readonly imageRepository: string;
  /** Seconds after which every monitoring schedule runs again. @default as its expression says */
  readonly monitoringSeconds: number | undefined;
  /** Whether jobs, endpoints and offline stores use sessions of their roles instead of the account's key. */
  readonly assumeRoles: boolean;
  /** botocore's folder of service models, from which requests are validated. */
  readonly botocoreData: string;
}

/** A setting that is missing or wrong; its message names it, its value, what was expected and the next step. */
export class SettingsError extends Error {}

interface Option {
  readonly variable: string;
  /** The expected value, for the help and errors. */
  readonly expected: string;
  /** The value if it is not set. */
  readonly fallback?: string;
  /** Describes a fallback that is not a fixed text. */
  readonly fallbackHelp?: string;
  readonly pattern?: RegExp;
}

/** Each option is a flag and an environment variable; the flag wins. */
const options = {
  "image-directory": {
    variable: "MODEL_IMAGE_DIRECTORY",
    expected: "the folder of the image's code, whose bin/ has its executables (train, serve, …)",
    fallbackHelp: "none: it is required",
  },
  "image-python": {
    variable: "MODEL_IMAGE_PYTHON",
    expected: "the Python that runs the image's executables",
    fallback: "python3",
  },
  "image-repository": {
    variable: "MODEL_IMAGE_REPOSITORY",
    expected: "the name of the repository whose images are the image's code",
    fallbackHelp: "the name of the image's folder",
  },
  "aws-endpoint": {
    variable: "AWS_ENDPOINT_URL",
    expected: "the AWS emulator's address, such as http://127.0.0.1:4566",
    fallback: "http://127.0.0.1:4566",
    pattern: /^https?:\/\/\S+$/,
  },
  port: {
    variable: "SAGEMAKER_PORT",
    expected: "a port number from 0 to 65535 (0 means any free port)",
    fallback: "4567",
    pattern: /^(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$/,
  },
  "state-directory": {
    variable: "SAGEMAKER_STATE_DIRECTORY",
    expected: "the folder of the service's state, which a restart reads",
    fallback: ".sagemaker-local",
  },
  "log-directory": {
    variable: "SAGEMAKER_LOG_DIRECTORY",
    expected: "the folder of the logs of jobs and endpoints",
    fallbackHelp: "logs in the state folder",
  },
  "bytecode-directory": {
    variable: "SAGEMAKER_BYTECODE_DIRECTORY",
    expected: "the folder of the compiled Python of jobs and endpoints, which several services can share",
    fallbackHelp: "pycache in the state folder",
  },
  region: {
    variable: "AWS_REGION",
    expected: "the region of all ARNs, such as eu-west-1",
    fallback: "us-east-1",
    pattern: /^[a-z]{2}(-[a-z]+)+-\d$/,
  },
  account: {
    variable: "AWS_ACCOUNT_ID",
    expected: "an account number of twelve digits",
    fallback: "000000000000",
    pattern: /^\d{12}$/,
  },
  "monitoring-seconds": {
    variable: "SAGEMAKER_MONITORING_SECONDS",
    expected: "the seconds between two runs of every monitoring schedule, a whole number from 1",
    fallbackHelp: "as the schedule's expression says",
    pattern: /^[1-9]\d{0,8}$/,
  },
  "assume-roles": {
    variable: "SAGEMAKER_ASSUME_ROLES",
    expected: "yes, where the AWS endpoint has the roles that requests name and judges their rights, or no",
    fallback: "no",
    pattern: /^(yes|no)$/,
  },
  "botocore-data": {
    variable: "BOTOCORE_DATA",
    expected: "botocore's data folder, from whose service models requests are checked",
    fallbackHelp: "the one of the image's Python, or of python3",
  },
} as const satisfies Readonly<Record<string, Option>>;

type OptionName = keyof typeof options;

/** What `--help` prints. */
export function help(): string {
  const lines = Object.entries(options as Readonly<Record<string, Option>>).flatMap(
    ([name, { variable, expected, fallback, fallbackHelp = "" }]) => [
      `  --${name} <${name.split("-").at(-1) ?? ""}>`,
      `      ${expected} [${variable}] (default: ${fallback ?? fallbackHelp})`,
    ],
  );
  return [
    "sagemaker-local --image-directory <folder> [options]",
    "",
    "Runs Amazon SageMaker's API on 127.0.0.1. Jobs and endpoints are processes of one image's code.",
    "",
    ...lines,
    "  --help",
    "  --version",
    "",
    "Each option can also be set by the environment variable in brackets.",
  ].join("\n");
}

/** This package's version. */
export function version(): string {
  const file = resolve(__dirname, "../package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version;
}

/** The path of an interpreter, given by path or name. */
function interpreterAt(nameOrPath: string, path = ""): string {
  const places = nameOrPath.includes("/") ? [resolve()] : path.split(delimiter);
  const found = places.map((folder) => resolve(folder, nameOrPath)).find((file) => existsSync(file));
  if (found === undefined) {
    throw new SettingsError(
      `MODEL_IMAGE_PYTHON is '${nameOrPath}', which does not exist: expected ${options["image-python"].expected}. ` +
        "Install Python, or pass --image-python <file>.",
    );
  }
  return found;
}

/** The data folder of the botocore that an interpreter imports, if it has one. */
function botocoreOf(python: string): string | undefined {
  try {
    const script = "import botocore; print(botocore.__path__[0])";
    const folder = execFileSync(python, ["-c", script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return join(folder.trim(), "data");
  } catch {
    return undefined;
  }
}

/**
 * Reads the service's settings from a command line and environment variables.
 * @returns the settings, or the text to print instead of starting
 * @throws SettingsError naming the flag and the variable, the value, what was expected and the next step
 */
export function readSettings(
  flags: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Settings | string {
  const values = parse(flags);
  if (values.help === true) {
    return help();
  }
  if (values.version === true) {
    return version();
  }
  const find = (name: OptionName): string | undefined => {
    const option: Option = options[name];
    const flag = values[name];
    const value = typeof flag === "string" ? flag : (environment[option.variable] ?? option.fallback);
    if (value !== undefined && !(option.pattern ?? /./).test(value)) {
      const origin = typeof flag === "string" ? `--${name}` : option.variable;
      throw new SettingsError(`${origin} is '${value}': expected ${option.expected}.`);
    }
    return value;
  };
  const text = (name: OptionName, fallback?: string): string => {
    const value = find(name) ?? fallback;
    if (value === undefined) {
      const { variable, expected } = options[name];
      throw new SettingsError(
        `${variable} is not set: expected ${expected}. Pass --${name}; see sagemaker-local --help.`,
      );
    }
    return value;
  };
  const imageDirectory = resolve(text("image-directory"));
  if (!existsSync(join(imageDirectory, "bin"))) {
    throw new SettingsError(
      `MODEL_IMAGE_DIRECTORY is '${imageDirectory}', which has no folder bin: expected ` +
        `${options["image-directory"].expected}. Create bin/train and bin/serve there, or pass --image-directory.`,
    );
  }
  const imagePython = interpreterAt(text("image-python"), environment.PATH);
  const stateDirectory = resolve(text("state-directory"));
  const monitoringSeconds = find("monitoring-seconds");
  const botocoreData = find("botocore-data") ?? botocoreOf(imagePython) ?? botocoreOf("python3");
  if (botocoreData === undefined) {
    throw new SettingsError(
      `BOTOCORE_DATA is not set, and neither ${imagePython} nor python3 has botocore: expected ` +
        `${options["botocore-data"].expected}. Install it (pip install botocore), or pass --botocore-data <folder>.`,
    );
  }
  return {
    port: Number(text("port")),
    stateDirectory,
    bytecodeDirectory: resolve(text("bytecode-directory", join(stateDirectory, "pycache"))),
    logDirectory: resolve(text("log-directory", join(stateDirectory, "logs"))),
    awsEndpoint: text("aws-endpoint"),
    region: text("region"),
    account: text("account"),
    imageDirectory,
    imagePython,
    imageRepository: text("image-repository", basename(imageDirectory)),
    monitoringSeconds: monitoringSeconds === undefined ? undefined : Number(monitoringSeconds),
    assumeRoles: text("assume-roles") === "yes",
    botocoreData: resolve(botocoreData),
  };
}

function parse(flags: readonly string[]): Readonly<Record<string, unknown>> {
  const kinds = Object.fromEntries(Object.keys(options).map((name) => [name, { type: "string" } as const]));
  try {
    return parseArgs({
      args: [...flags],
      options: { ...kinds, help: { type: "boolean", short: "h" }, version: { type: "boolean" } },
    }).values;
  } catch (error) {
    throw new SettingsError(`${error instanceof Error ? error.message : String(error)}. See sagemaker-local --help.`);
  }
}
