import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { SageMakerFeatureStoreRuntime } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { SageMakerRuntime } from "@aws-sdk/client-sagemaker-runtime";

import { makeClients, requireContract } from "../local/platform/clients";
import { harmlessCredentials, openInstance, readJson, region, root } from "../local/platform/instance";
import { ingest, makeSurvey } from "../local/platform/ingestion";
import type { PlatformFile } from "../local/platform/up";
import { camelCase, featureDefinitions, measures } from "../survey/feature-contract";
import { simulate } from "../survey/simulator";
import { surveyHeader, surveyLine } from "../survey/survey-file";
import { measure, median, quantile, table, timed, type Usage } from "./measure";

const seconds = (usage: Usage): string[] => [usage.wall.toFixed(1), usage.cpu.toFixed(1), usage.peak.toFixed(0)];

/** `make up` from a clean clone, and again; then, on that platform, ingestion and predictions. */
export async function platformBenchmark(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "clean-clone-"));
  const clone = join(folder, "clone");
  execFileSync("git", ["clone", "--quiet", "--no-hardlinks", root, clone]);
  const make = (target: string): Promise<Usage> => measure(["make", "--silent", target], { cwd: clone });
  try {
    const install = await make("install");
    const first = await make("up");
    const instance = openInstance(join(clone, ".local"));
    const stepTimes = (): Record<string, number> => readJson(instance.path("times.json"), {});
    const firstSteps = stepTimes();
    const again = await make("up");
    const againSteps = stepTimes();
    const platform = readJson<PlatformFile | undefined>(instance.path("platform.json"), undefined);
    if (platform === undefined) {
      throw new Error("make up wrote no platform.json");
    }
    const parts = [
      table(
        ["from a clean clone", "wall s", "CPU s of what has ended", "largest process MB"],
        [
          ["make install", ...seconds(install)],
          ["make up, first", ...seconds(first)],
          ["make up, again", ...seconds(again)],
        ],
      ),
      table(
        ["step of make up", "first, wall s", "again, wall s"],
        Object.entries(firstSteps).map(([step, time]) => [
          step,
          time.toFixed(1),
          (againSteps[step] ?? Number.NaN).toFixed(1),
        ]),
      ),
      await ingestionBenchmark(platform, folder),
      await predictionBenchmark(platform),
    ];
    return parts.join("\n\n");
  } finally {
    await make("clean");
    rmSync(folder, { recursive: true, force: true });
  }
}

async function ingestionBenchmark(platform: PlatformFile, folder: string): Promise<string> {
  const clients = makeClients(platform.aws);
  const FeatureGroupName = await requireContract(clients, "FeatureGroup");
  const rows = 4000;
  const file = join(folder, "ingestion.csv");
  const records = [...simulate({ rows, seed: 99 })];
  writeFileSync(file, `${[surveyHeader, ...records.map(surveyLine)].join("\n")}\n`);
  const instance = openInstance(join(folder, "ingestion"));
  const survey = await makeSurvey(instance, file);
  const ours = await timed(() => ingest(clients, survey, () => undefined));

  // The plain loop that the feature store's documentation shows: one PutRecord after the other.
  const featureStore = new SageMakerFeatureStoreRuntime({
    endpoint: platform.aws,
    region,
    credentials: harmlessCredentials,
  });
  const sample = records.slice(0, 500);
  const sequential = await timed(async () => {
    for (const record of sample) {
      const Record = featureDefinitions.map(({ featureName }) => ({
        FeatureName: featureName,
        ValueAsString: String(record[featureName]),
      }));
      await featureStore.putRecord({ FeatureGroupName, Record });
    }
  });
  const own = rows / ours;
  const other = sample.length / sequential;
  return table(
    ["ingestion", "rows a second"],
    [
      [`ingest-survey, ${rows} rows, checks included`, own.toFixed(0)],
      [`one PutRecord after the other, ${sample.length} rows`, other.toFixed(0)],
      ["ours / sequential", `${(own / other).toFixed(1)} times`],
    ],
  );
}

async function predictionBenchmark(platform: PlatformFile): Promise<string> {
  const instance = Object.fromEntries<string | number>([
    ["sex", "M"],
    ...measures.map(({ name, example }): [string, number] => [name, example]),
  ]);
  const runtime = new SageMakerRuntime({ endpoint: platform.aws, region, credentials: harmlessCredentials });
  const atEndpoint = (): Promise<unknown> =>
    runtime.invokeEndpoint({
      EndpointName: platform.endpointName,
      ContentType: "application/json",
      Accept: "application/json",
      Body: JSON.stringify({ instances: [instance] }),
    });
  const body = JSON.stringify(
    Object.fromEntries(Object.entries(instance).map(([name, value]) => [camelCase(name), value])),
  );
  const throughApi = (base: string) => async (): Promise<void> => {
    const response = await fetch(`${base}/predict`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    if (!response.ok) {
      throw new Error(`${base}/predict answered ${response.status}: ${await response.text()}`);
    }
    await response.arrayBuffer();
  };
  const rows: string[][] = [];
  for (const [name, request] of [
    ["endpoint, through the emulator", atEndpoint],
    ["API Gateway and predict function", throughApi(platform.api)],
    ["website's address, so CloudFront besides", throughApi(`${platform.website}/api`)],
  ] as const) {
    const times: number[] = [];
    for (let turn = 0; turn < 220; turn += 1) {
      const took = await timed(request);
      // The first calls are cold starts.
      if (turn >= 20) {
        times.push(1000 * took);
      }
    }
    rows.push([name, median(times).toFixed(1), quantile(times, 0.95).toFixed(1)]);
  }
  return table(["one prediction, one after the other", "median ms", "95 % under ms"], rows);
}
