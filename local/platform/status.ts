import { existsSync } from "node:fs";

import type { SageMaker } from "@aws-sdk/client-sagemaker";

import { makeClients } from "./clients";
import { type Instance, readJson, shown } from "./instance";
import { knownPorts, type ServerName } from "./ports";
import { isRunning, recordedProcess } from "./processes";
import { type WorkflowFailure, workflowFailureFile } from "./progress";
import { addressOf, isHealthy, type ServiceName, serviceNames } from "./services";
import type { PlatformFile } from "./up";

/** Formats a table with aligned columns. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const portsOf: Readonly<Record<ServiceName, readonly ServerName[]>> = {
  emulator: ["emulator"],
  sagemaker: ["sagemaker"],
  pipeline: ["pipeline"],
  "front-door": ["website", "website-test"],
};

/**
 * What runs, where, and with which model, for a terminal of 80 columns.
 * @returns The text, and whether every service is healthy.
 */
export async function status(instance: Instance): Promise<{ text: string; healthy: boolean }> {
  const ports = knownPorts(instance);
  const rows = [["SERVICE", "STATE", "PROCESS", "ADDRESS"]];
  let healthy = true;
  for (const name of serviceNames) {
    const process = recordedProcess(instance, name);
    const state = (await isHealthy(instance, name)) ? "healthy" : isRunning(process) ? "not answering" : "stopped";
    healthy &&= state === "healthy";
    const addresses = portsOf[name].map((server) => (ports[server] === undefined ? "-" : `127.0.0.1:${ports[server]}`));
    rows.push([name, state, isRunning(process) ? String(process.pid) : "-", addresses.join(" ")]);
  }
  const parts = [table(rows)];
  if (rows.slice(1, 3).every(([, state]) => state === "healthy")) {
    parts.push(await endpointTable(instance));
  }
  const failure = readJson<WorkflowFailure | undefined>(workflowFailureFile(instance), undefined);
  const file = instance.path("platform.json");
  if (existsSync(file)) {
    const platform = readJson<Partial<PlatformFile>>(file, {});
    const { outcome, evaluation } = platform;
    const lastRun =
      failure === undefined
        ? [
            ["Last run", outcome ?? "-"],
            ["Scores", evaluation ? describeScores(outcome, evaluation) : "-"],
          ]
        : [["Last run", "failed, see below"]];
    parts.push(
      table([
        ["Website", platform.website ?? "-"],
        ["Test website", platform.websiteTest ?? "-"],
        ["API", platform.api ?? "-"],
        ["Champion", packageVersion(platform.modelPackageArn)],
        ...lastRun,
        ["Mails", existsSync(instance.path("mail")) ? shown(instance.path("mail")) : "none so far"],
        ["Logs", shown(instance.path("logs"))],
      ]),
    );
  }
  if (failure !== undefined) {
    parts.push(`The last run of the ML workflow failed: ${failure.reason}`);
  }
  if (!healthy) {
    parts.push("Not everything runs: `make up` starts it.");
  }
  return { text: parts.join("\n\n"), healthy };
}

/** Group and version of a model package, from the end of its ARN. */
export function packageVersion(arn: string | undefined): string {
  return arn?.split(":model-package/")[1] ?? "-";
}

/** The last run's scores on the held-out rows: the challenger's, and those of the champion at that time. */
function describeScores(outcome: string | undefined, { rmse, rows, champion }: PlatformFile["evaluation"]): string {
  const other = champion === null ? "none" : (champion.rmse?.toFixed(2) ?? "not scored");
  const before = outcome === "registered" ? " before it" : "";
  return `RMSE ${rmse.toFixed(2)} rings on ${rows} rows, champion${before}: ${other}`;
}

async function endpointTable(instance: Instance): Promise<string> {
  const { sagemaker } = makeClients(addressOf(instance, "emulator"));
  const { Endpoints: endpoints = [] } = await sagemaker.listEndpoints({});
  if (endpoints.length === 0) {
    return "No endpoint is deployed.";
  }
  const rows = await Promise.all(
    endpoints.map(async ({ EndpointName }) => {
      const endpoint = await sagemaker.describeEndpoint({ EndpointName });
      // If the configuration or model of an endpoint was deleted, it is shown as unknown.
      const model = await servedPackage(sagemaker, endpoint.EndpointConfigName).catch(() => undefined);
      return [EndpointName ?? "-", endpoint.EndpointStatus ?? "-", packageVersion(model)];
    }),
  );
  return table([["ENDPOINT", "STATE", "MODEL"], ...rows]);
}

/** The ARN of the model package that an endpoint answers with now. */
export async function answeringPackage(sagemaker: SageMaker, EndpointName: string): Promise<string | undefined> {
  const { EndpointConfigName } = await sagemaker.describeEndpoint({ EndpointName });
  return servedPackage(sagemaker, EndpointConfigName);
}

/** The ARN of the model package behind a configuration's first variant. */
async function servedPackage(
  sagemaker: SageMaker,
  EndpointConfigName: string | undefined,
): Promise<string | undefined> {
  const config = await sagemaker.describeEndpointConfig({ EndpointConfigName });
  const ModelName = config.ProductionVariants?.[0]?.ModelName;
  const model = await sagemaker.describeModel({ ModelName });
  return model.PrimaryContainer?.ModelPackageName;
}
