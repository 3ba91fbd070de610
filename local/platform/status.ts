import { existsSync } from "node:fs";

import { DescribeEndpointCommand, ListEndpointsCommand } from "@aws-sdk/client-sagemaker";

import { makeClients } from "./clients";
import { type Instance, readJson } from "./instance";
import { knownPorts } from "./ports";
import { isRunning, logFile, recordedProcess } from "./processes";
import { addressOf, isHealthy, type ServiceName, serviceNames } from "./services";
import type { PlatformFile } from "./up";

/** The rows of a table with columns as wide as their widest cell. */
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

const portsOf: Readonly<Record<ServiceName, readonly ("emulator" | "sagemaker" | "website" | "website-test")[]>> = {
  emulator: ["emulator"],
  sagemaker: ["sagemaker"],
  "front-door": ["website", "website-test"],
};

/**
 * What runs, where, and since which model, as text for a terminal.
 * @returns The text, and whether every service is healthy.
 */
export async function status(instance: Instance): Promise<{ text: string; healthy: boolean }> {
  const ports = knownPorts(instance);
  const rows = [["SERVICE", "STATE", "PROCESS", "ADDRESS", "LOG"]];
  let healthy = true;
  for (const name of serviceNames) {
    const process = recordedProcess(instance, name);
    const state = (await isHealthy(instance, name)) ? "healthy" : isRunning(process) ? "not answering" : "stopped";
    healthy &&= state === "healthy";
    const addresses = portsOf[name].map((server) => (ports[server] === undefined ? "-" : `127.0.0.1:${ports[server]}`));
    rows.push([
      name,
      state,
      isRunning(process) ? String(process.pid) : "-",
      addresses.join(" "),
      logFile(instance, name),
    ]);
  }
  const parts = [table(rows)];
  if (rows.slice(1, 3).every(([, state]) => state === "healthy")) {
    parts.push(await endpointTable(instance));
  }
  const file = instance.path("platform.json");
  if (existsSync(file)) {
    const platform = readJson<Partial<PlatformFile>>(file, {});
    const evaluation = platform.evaluation;
    parts.push(
      table([
        ["Website", platform.website ?? "-"],
        ["Test website", platform.websiteTest ?? "-"],
        ["API", platform.api ?? "-"],
        ["Champion", platform.modelPackageArn ?? "-"],
        ["Last run", evaluation ? describeEvaluation(evaluation) : "-"],
      ]),
    );
  }
  if (!healthy) {
    parts.push("Not everything runs: `make up` starts it.");
  }
  return { text: parts.join("\n\n"), healthy };
}

/** The last run's scores in words. */
export function describeEvaluation({ rmse, rows, champion }: PlatformFile["evaluation"]): string {
  const other =
    champion === null
      ? "no champion before it"
      : champion.rmse === null
        ? "the champion before it could not be scored"
        : `the champion's ${champion.rmse.toFixed(2)}`;
  return `challenger's RMSE ${rmse.toFixed(2)} rings, ${other}, on ${rows} held-out rows`;
}

async function endpointTable(instance: Instance): Promise<string> {
  const { sagemaker } = makeClients(addressOf(instance, "emulator"));
  const { Endpoints: endpoints = [] } = await sagemaker.send(new ListEndpointsCommand({}));
  if (endpoints.length === 0) {
    return "No endpoint is deployed.";
  }
  const rows = await Promise.all(
    endpoints.map(async ({ EndpointName }) => {
      const endpoint = await sagemaker.send(new DescribeEndpointCommand({ EndpointName }));
      return [EndpointName ?? "-", endpoint.EndpointStatus ?? "-", endpoint.EndpointConfigName ?? "-"];
    }),
  );
  return table([["ENDPOINT", "STATE", "CONFIGURATION"], ...rows]);
}
