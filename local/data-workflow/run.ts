import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { run } from "../platform/commands";
import { awsEnvironment, cleanEnvironment, type Instance, root } from "../platform/instance";
import { addressOf } from "../platform/services";

const folder = join(root, "airflow-dags");
const python = join(root, ".venv/airflow/bin/python");

/** What became of one task of the run, or of one of the tasks into which it was mapped. */
export interface TaskOutcome {
  readonly task: string;
  readonly state: "success" | "failed" | "skipped";
  readonly try: number;
  /** What the task returned. */
  readonly result?: unknown;
  /** Why the attempt failed. */
  readonly reason?: string | null;
}

/** How the run as a whole ended. */
interface RunOutcome {
  readonly run: string;
  readonly state: string;
  /** Results of each task by its map index. */
  readonly tasks: Readonly<Record<string, readonly { readonly state: string; readonly result: unknown }[]>>;
}

/** The whole environment of Airflow: as MWAA sets it, but for its own database. */
function airflowEnvironment(instance: Instance): Record<string, string> {
  const home = instance.path("airflow");
  return cleanEnvironment(instance, {
    ...awsEnvironment(addressOf(instance, "emulator")),
    AIRFLOW_HOME: home,
    AIRFLOW__CORE__DAGS_FOLDER: folder,
    AIRFLOW__CORE__LOAD_EXAMPLES: "False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: `sqlite:///${home}/airflow.db`,
    // As the environment's options have it (modules/airflow-environment.ts).
    AIRFLOW__SECRETS__BACKEND:
      "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend",
    AIRFLOW__SECRETS__BACKEND_KWARGS: JSON.stringify({
      connections_prefix: null,
      config_prefix: null,
      variables_prefix: "/acme/local/airflow/variables",
    }),
    // One run needs neither pages nor numbers for Airflow's makers.
    SCARF_ANALYTICS: "False",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED: "False",
  });
}

/** Brings Airflow's own database into the form that the installed version expects; once for each version. */
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
 * @param tell Told of each attempt of a task that ended.
 * @throws Error when Airflow itself fails, or the DAG can't be imported.
 */
export async function runDag(instance: Instance, tell: (outcome: TaskOutcome) => void): Promise<RunOutcome> {
  await migrate(instance);
  const log = createWriteStream(instance.path("logs/data-workflow.log"));
  const child = spawn(python, [join(root, "local/data-workflow/run.py")], {
    cwd: root,
    env: airflowEnvironment(instance),
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
    throw new Error(
      `Airflow ${how} in the middle of the run. Type the command again: what was done is not done twice.`,
    );
  }
  return outcome;
}
