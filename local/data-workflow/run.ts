import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { STS } from "@aws-sdk/client-sts";

import { run } from "../platform/commands";
import {
  account,
  awsEnvironment,
  cleanEnvironment,
  harmlessCredentials,
  type Instance,
  region,
  root,
} from "../platform/instance";
import { addressOf } from "../platform/services";

const folder = join(root, "airflow-dags");
const python = join(root, ".venv/airflow/bin/python");

/** The result of one task of the run, or of one mapped task. */
export interface TaskOutcome {
  readonly task: string;
  readonly state: "success" | "failed" | "skipped";
  readonly try: number;
  /** What the task returned. */
  readonly result?: unknown;
  /** Why the attempt failed. */
  readonly reason?: string | null;
}

/** The result of the whole run. */
interface RunOutcome {
  readonly run: string;
  readonly state: string;
  /** Results of each task, by map index. */
  readonly tasks: Readonly<Record<string, readonly { readonly state: string; readonly result: unknown }[]>>;
}

/** Airflow's complete environment: as on MWAA, except for its own database. */
function airflowEnvironment(instance: Instance): Record<string, string> {
  const home = instance.path("airflow");
  return cleanEnvironment(instance, {
    ...awsEnvironment(addressOf(instance, "emulator")),
    AIRFLOW_HOME: home,
    AIRFLOW__CORE__DAGS_FOLDER: folder,
    AIRFLOW__CORE__LOAD_EXAMPLES: "False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: `sqlite:///${home}/airflow.db`,
    // As in the environment's options (modules/airflow-environment.ts).
    AIRFLOW__SECRETS__BACKEND:
      "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend",
    AIRFLOW__SECRETS__BACKEND_KWARGS: JSON.stringify({
      connections_prefix: null,
      config_prefix: null,
      variables_prefix: "/acme/local/airflow/variables",
    }),
    // No web pages, and no analytics for Airflow's developers.
    SCARF_ANALYTICS: "False",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED: "False",
  });
}

/** The role of the stack `data-workflow` for the DAGs. */
export const airflowRole = "acme-local-airflow";

/**
 * A session of the role for one run, with the name that MWAA gives its sessions.
 * @throws Error when the role doesn't exist, or doesn't trust MWAA.
 */
async function roleSession(instance: Instance): Promise<Record<string, string>> {
  const sts = new STS({ endpoint: addressOf(instance, "emulator"), region, credentials: harmlessCredentials });
  try {
    const { Credentials: session } = await sts.assumeRole({
      RoleArn: `arn:aws:iam::${account}:role/${airflowRole}`,
      RoleSessionName: "AmazonMWAA-airflow",
    });
    return {
      AWS_ACCESS_KEY_ID: session?.AccessKeyId ?? "",
      AWS_SECRET_ACCESS_KEY: session?.SecretAccessKey ?? "",
      AWS_SESSION_TOKEN: session?.SessionToken ?? "",
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Airflow can't assume its role ${airflowRole} (${reason}). The stack data-workflow makes it: type make up.`,
      { cause: error },
    );
  } finally {
    sts.destroy();
  }
}

/** Migrates Airflow's database, once for each installed version. */
async function migrate(instance: Instance): Promise<void> {
  const version = createHash("sha256")
    .update(readFileSync(join(folder, "requirements-dev.txt")))
    .digest("hex");
  const done = instance.path("airflow", `migrated-${version.slice(0, 12)}`);
  if (existsSync(done)) {
    return;
  }
  mkdirSync(instance.path("airflow"), { recursive: true });
  await run(python, ["-m", "airflow", "db", "migrate"], {
    title: "Making Airflow's database",
    environment: airflowEnvironment(instance),
    log: instance.path("logs/airflow-database.log"),
    seconds: 300,
  });
  writeFileSync(done, "");
}

/**
 * Runs the DAG once, in Airflow.
 * @param tell Called for each ended attempt of a task.
 * @throws Error when Airflow itself fails, the DAG can't be imported, or its role can't be assumed.
 */
export async function runDag(instance: Instance, tell: (outcome: TaskOutcome) => void): Promise<RunOutcome> {
  const session = await roleSession(instance);
  await migrate(instance);
  const log = createWriteStream(instance.path("logs/data-workflow.log"));
  const child = spawn(python, [join(root, "local/data-workflow/run.py")], {
    cwd: root,
    env: { ...airflowEnvironment(instance), ...session },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stderr.pipe(log);
  const ended = new Promise<string>((settle) => {
    child.once("error", (error) => {
      settle(`could not be started (${error.message})`);
    });
    child.once("close", (status, signal) => {
      settle(signal === null ? `ended with status ${status}` : `was ended by ${signal}`);
    });
  });
  let outcome: RunOutcome | undefined;
  for await (const line of createInterface(child.stdout)) {
    const event = JSON.parse(line) as TaskOutcome | RunOutcome | { readonly error: string };
    if ("error" in event) {
      throw new Error(`Airflow can't import the DAG:\n${event.error}`);
    } else if ("run" in event) {
      outcome = event;
    } else {
      tell(event);
    }
  }
  const how = await ended;
  if (outcome === undefined) {
    throw new Error(`Airflow ${how} in the middle of the run. Run the command again: finished work is not repeated.`);
  }
  return outcome;
}
