import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import {
  account,
  awsEnvironment,
  cleanEnvironment,
  type Instance,
  readJson,
  region,
  root,
  writeJson,
} from "./instance";
import { processHeader } from "sagemaker-local/process-identity";
import { childrenFolder, stopOrphans } from "sagemaker-local/processes";
import { checkSetPorts, choosePort, frontDoorHealth, isToMove, knownPorts, onOwnPorts, type ServerName } from "./ports";
import { isRunning, recordedProcess, type ServiceCommand, startService, stopService } from "./processes";

/** The services in their start order. They stop in reverse: SageMaker's last records go to S3. */
export const serviceNames = ["emulator", "sagemaker", "pipeline", "front-door"] as const;

/** A background service of an instance. */
export type ServiceName = (typeof serviceNames)[number];

/** Services that every deployment needs, and whose address each receives when it starts. */
const backgroundServices = {
  emulator: ["sagemaker", "pipeline"],
  sagemaker: ["emulator"],
  pipeline: [],
} as const satisfies Readonly<Partial<Record<ServiceName, readonly ServerName[]>>>;

type BackgroundService = keyof typeof backgroundServices;

/** The pipeline's name, which the stack `data-workflow` assumes if no stack makes one. */
export const pipelineName = "acme-local-pipeline";

/** The image repository that the local platform replaces with the checkout's code. */
export const modelImageRepository = "acme-local-model-image-abalone";

/** Python of the model image's environment. */
export const modelPython = join(root, ".venv/model/bin/python");

/** Python of the emulator's environment. */
export const emulatorPython = join(root, ".venv/emulator/bin/python");

/** Address of a server of the instance at its last start. */
export function addressOf(instance: Instance, server: ServerName): string {
  const port = knownPorts(instance)[server];
  if (port === undefined) {
    throw new Error(`${server} has never been started here: type \`make up\`.`);
  }
  return `http://127.0.0.1:${port}`;
}

/** The AWS service models that the services use to validate requests. */
function botocoreData(): string {
  const library = join(root, ".venv/emulator/lib");
  const python = existsSync(library) ? readdirSync(library).find((name) => name.startsWith("python")) : undefined;
  return join(library, python ?? "python3", "site-packages/botocore/data");
}

/** Whether this process answers at an address: another platform may have taken the port. */
async function answers(pid: number, address: string): Promise<boolean> {
  try {
    // It is listening, otherwise the connection would be refused; on a busy machine an answer may take seconds.
    const response = await fetch(address, { signal: AbortSignal.timeout(10_000) });
    await response.arrayBuffer();
    return response.ok && response.headers.get(processHeader) === String(pid);
  } catch {
    return false;
  }
}

/** Whether a service of this instance is ready now. */
export async function isHealthy(instance: Instance, name: ServiceName): Promise<boolean> {
  const recorded = recordedProcess(instance, name);
  if (!isRunning(recorded)) {
    return false;
  }
  const ports = knownPorts(instance);
  switch (name) {
    case "emulator":
      return answers(recorded.pid, `http://127.0.0.1:${ports.emulator}/_ministack/health`);
    case "sagemaker":
      return answers(recorded.pid, `http://127.0.0.1:${ports.sagemaker}/health`);
    case "pipeline":
      return answers(recorded.pid, `http://127.0.0.1:${ports.pipeline}/health`);
    case "front-door":
      return answers(recorded.pid, `http://127.0.0.1:${ports.website}${frontDoorHealth}`);
  }
}

/** SageMaker's shortest schedule is an hour, which is too long to wait for an alarm after test traffic. */
function monitoringSeconds(): string {
  const requested = process.env.MONITORING_SECONDS ?? "60";
  if (!/^[1-9]\d{0,8}$/.test(requested)) {
    throw new Error(
      `MONITORING_SECONDS: '${requested}' is not a time between two comparisons; expected a whole number of seconds from 1.`,
    );
  }
  return requested;
}

/**
 * Checks every setting of a service, before any work starts.
 * @throws Error when one can't be used; see {@link checkSetPorts}.
 */
export async function checkSettings(instance: Instance): Promise<void> {
  await checkSetPorts(instance);
  monitoringSeconds();
}

/**
 * Starts the emulator, SageMaker and the pipeline if they don't run.
 * @param calling The service that calls this, if any: it must not be stopped during its own work.
 * @returns The names of the started services.
 * @throws Error with a service's last log lines when it does not start.
 */
export async function startServices(instance: Instance, calling?: BackgroundService): Promise<ServiceName[]> {
  const names = (Object.keys(backgroundServices) as BackgroundService[]).filter((name) => name !== calling);
  const started = new Set<ServiceName>();
  await onOwnPorts(instance, () => startMissing(instance, names, started));
  return [...started];
}

/** Starts the given services that don't run, and adds their names to `started`. */
async function startMissing(
  instance: Instance,
  names: readonly BackgroundService[],
  started: Set<ServiceName>,
): Promise<void> {
  const before = knownPorts(instance);
  for (const name of names) {
    if (isToMove(instance, name)) {
      // Chosen first: a setting that cannot be met stops nothing.
      await choosePort(instance, name);
      await stopService(instance, name);
    } else if (!(await isHealthy(instance, name))) {
      await stopService(instance, name);
      await choosePort(instance, name);
    }
  }
  const ports = knownPorts(instance);
  // Restart a running service if a service whose address it received has moved.
  for (const name of names) {
    if (backgroundServices[name].some((other) => before[other] !== ports[other])) {
      await stopService(instance, name);
    }
  }
  if (before.emulator !== ports.emulator) {
    await stopService(instance, "front-door");
  }
  const endpoint = `http://127.0.0.1:${ports.emulator}`;
  const sagemaker = `http://127.0.0.1:${ports.sagemaker}`;
  const services: (ServiceCommand & { readonly name: BackgroundService })[] = [
    {
      name: "emulator",
      command: emulatorPython,
      arguments: [join(root, "local/emulator/launcher.py")],
      environment: cleanEnvironment(instance, {
        BIND_HOST: "127.0.0.1",
        GATEWAY_PORT: String(ports.emulator),
        MINISTACK_REGION: region,
        MINISTACK_ACCOUNT_ID: account,
        PERSIST_STATE: "1",
        STATE_DIR: instance.path("emulator/state"),
        S3_PERSIST: "1",
        S3_DATA_DIR: instance.path("emulator/s3"),
        MAIL_DIR: instance.path("mail"),
        LAMBDA_EXECUTOR: "local",
        LOG_LEVEL: "WARNING",
        IOT_MTLS_ENABLED: "0",
        SFTP_ENABLED: "0",
        SAGEMAKER_URL: sagemaker,
        PIPELINE_URL: `http://127.0.0.1:${ports.pipeline}`,
      }),
      isHealthy: () => isHealthy(instance, "emulator"),
    },
    {
      name: "sagemaker",
      command: join(root, "node_modules/.bin/node"),
      arguments: [join(root, "node_modules/.bin/sagemaker-local")],
      environment: cleanEnvironment(instance, {
        ...awsEnvironment(endpoint),
        AWS_ACCOUNT_ID: account,
        SAGEMAKER_PORT: String(ports.sagemaker),
        SAGEMAKER_STATE_DIRECTORY: instance.path("sagemaker"),
        // Outside of the instance: compiling scikit-learn and its like takes many seconds, once for all instances.
        SAGEMAKER_BYTECODE_DIRECTORY: join(root, ".venv/model/pycache"),
        SAGEMAKER_LOG_DIRECTORY: instance.path("logs/jobs"),
        MODEL_IMAGE_DIRECTORY: join(root, "model-image"),
        MODEL_IMAGE_PYTHON: modelPython,
        MODEL_IMAGE_REPOSITORY: modelImageRepository,
        SAGEMAKER_MONITORING_SECONDS: monitoringSeconds(),
        // The emulator has the stacks' roles, and judges what they ask for.
        SAGEMAKER_ASSUME_ROLES: "yes",
        BOTOCORE_DATA: botocoreData(),
      }),
      isHealthy: () => isHealthy(instance, "sagemaker"),
    },
    {
      name: "pipeline",
      command: join(root, "node_modules/.bin/node"),
      arguments: ["--import", "tsx", join(root, "local/codepipeline/main.ts")],
      environment: cleanEnvironment(instance, {
        PLATFORM_DIRECTORY: instance.directory,
        PIPELINE_PORT: String(ports.pipeline),
      }),
      isHealthy: () => isHealthy(instance, "pipeline"),
    },
  ];
  for (const service of services.filter(({ name }) => names.includes(name))) {
    // They start during synth, which uses most of a slow machine's CPU.
    if (await startService(instance, { ...service, startSeconds: 90 })) {
      started.add(service.name);
    }
  }
}

/**
 * Makes the emulator write its state to disk now. It does so every two seconds anyway, but a step's state must be on
 * disk before the step is recorded.
 */
export async function saveState(instance: Instance): Promise<void> {
  const response = await fetch(`${addressOf(instance, "emulator")}/_ministack/save`, { method: "POST" });
  if (!response.ok) {
    throw new Error(`The emulator could not save its state: ${response.status} ${await response.text()}`);
  }
}

/**
 * Opens the websites' addresses on 127.0.0.1, as DNS and CloudFront's edge do on AWS.
 * @param domains CloudFront's domain of each deployed website.
 */
export async function openFrontDoor(
  instance: Instance,
  domains: Readonly<Partial<Record<"website" | "website-test", string>>>,
): Promise<void> {
  await onOwnPorts(instance, () => startFrontDoor(instance, domains));
}

async function startFrontDoor(
  instance: Instance,
  domains: Readonly<Partial<Record<"website" | "website-test", string>>>,
): Promise<void> {
  const sitesFile = instance.path("sites.json");
  const doors = ["website", "website-test"] as const;
  const before = knownPorts(instance);
  const known = readJson<Record<string, string>>(sitesFile, {});
  const moving = doors.filter((door) => isToMove(instance, door));
  // Chosen first: a setting that cannot be met stops nothing.
  for (const door of moving) {
    await choosePort(instance, door);
  }
  if (moving.length > 0 || !(await isHealthy(instance, "front-door"))) {
    await stopService(instance, "front-door");
    for (const door of doors.filter((name) => !moving.includes(name))) {
      await choosePort(instance, door);
    }
  }
  const ports = knownPorts(instance);
  const sites: Record<string, string> = {};
  for (const site of doors) {
    sites[String(ports[site])] = domains[site] ?? known[String(before[site])] ?? "";
  }
  writeJson(sitesFile, sites);
  try {
    await startService(instance, {
      name: "front-door",
      command: join(root, "node_modules/.bin/node"),
      arguments: ["--import", "tsx", join(root, "local/front-door.ts")],
      environment: cleanEnvironment(instance, {
        EMULATOR_URL: addressOf(instance, "emulator"),
        FRONT_DOOR_SITES: sitesFile,
      }),
      isHealthy: () => isHealthy(instance, "front-door"),
    });
  } catch (error) {
    // The sites file refers to the ports, so both are restored.
    writeJson(instance.path("ports.json"), before);
    writeJson(sitesFile, known);
    throw error;
  }
}

/** Stops all running services of the instance, the last started first. */
export async function stopServices(instance: Instance): Promise<ServiceName[]> {
  const stopped: ServiceName[] = [];
  for (const name of [...serviceNames].reverse()) {
    if (await stopService(instance, name)) {
      stopped.push(name);
    }
  }
  // Nothing else would stop the jobs and model servers of a killed SageMaker service.
  await stopOrphans(childrenFolder(instance.path("sagemaker")));
  return stopped;
}
