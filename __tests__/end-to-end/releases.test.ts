import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { modelPython } from "../../local/platform/services";
import { makeClients } from "../../local/provision/clients";
import { simulate } from "../../survey/simulator";
import { surveyHeader, surveyLine } from "../../survey/survey-file";
import { animal } from "../system/deployment";
import { type Ended, PlatformUnderTest } from "./platform-under-test";

/** Poisoned models on a whole platform: visitors ask all the while. */
const platform = new PlatformUnderTest();
const folder = mkdtempSync(join(tmpdir(), "releases-"));
/** In millimetres; no system test asks for an animal of this length, the visitors ask for nothing else. */
const poisonedLength = 60;

let champion: string;

beforeAll(async () => {
  const survey = join(folder, "survey.csv");
  const records = [...simulate({ rows: 1_500, seed: 11 })];
  writeFileSync(survey, `${[surveyHeader, ...records.map(surveyLine)].join("\n")}\n`);
  await platform.succeed("up", { SURVEY: survey });
  champion = platform.file.modelPackageArn;
});
afterAll(async () => {
  await platform.remove("releases");
  rmSync(folder, { recursive: true, force: true });
});

const setChampion = (arn: string): Promise<unknown> =>
  platform.clients.ssm.putParameter({
    Name: "/acme/local/ModelPackageName",
    Value: arn,
    Type: "String",
    Overwrite: true,
  });

/** Registers the champion's twin that answers NaN for animals of a length, or for all, and makes it the champion. */
async function poison(length: string): Promise<void> {
  const { s3, sagemaker } = platform.clients;
  const { ModelPackageGroupName, InferenceSpecification } = await sagemaker.describeModelPackage({
    ModelPackageName: champion,
  });
  const container = InferenceSpecification!.Containers![0]!;
  const { hostname: Bucket, pathname } = new URL(container.ModelDataUrl!);
  const { Body } = await s3.getObject({ Bucket, Key: pathname.slice(1) });
  const [good, poisoned] = [join(folder, "model.tar.gz"), join(folder, "poisoned.tar.gz")];
  writeFileSync(good, await Body!.transformToByteArray());
  execFileSync(modelPython, [join(__dirname, "poison_model.py"), good, poisoned, length]);
  const Key = `runs/poisoned-${length}/model.tar.gz`;
  await s3.putObject({ Bucket, Key, Body: readFileSync(poisoned) });
  const { ModelPackageArn } = await sagemaker.createModelPackage({
    ModelPackageGroupName,
    ModelApprovalStatus: "Approved",
    InferenceSpecification: {
      ...InferenceSpecification!,
      Containers: [{ ...container, ModelDataUrl: `s3://${Bucket}/${Key}` }],
    },
  });
  await setChampion(ModelPackageArn!);
}

/**
 * Four visitors of the production website's API who ask without a pause while something is done; how often which status
 * came.
 */
async function visited<Result>(
  work: () => Promise<Result>,
): Promise<{ result: Result; statuses: Map<number, number> }> {
  const body = JSON.stringify({ ...animal("M", 0.66), length: poisonedLength });
  const { api } = platform.file;
  const statuses = new Map<number, number>();
  let going = true;
  const visitor = async (): Promise<void> => {
    while (going) {
      const headers = { "content-type": "application/json" };
      const { status } = await fetch(`${api}/predict`, { method: "POST", headers, body });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await sleep(20);
    }
  };
  const visitors = [visitor(), visitor(), visitor(), visitor()];
  try {
    return { result: await work(), statuses };
  } finally {
    going = false;
    await Promise.all(visitors);
  }
}

const up = (): Promise<Ended> => platform.make("up");

/** The configuration that an endpoint serves by, and why its last release failed. */
async function endpointOf(stage: string): Promise<{ config: string; reason: string | undefined }> {
  const { EndpointConfigName: config = "", FailureReason: reason } = await platform.clients.sagemaker.describeEndpoint({
    EndpointName: `acme-local-website-${stage}`,
  });
  return { config, reason };
}

/** Answers 5xx of the containers of a configuration. */
async function failuresOf(config: string): Promise<number> {
  const { cloudWatch } = makeClients(platform.file.aws, "eu-west-1", "123456789012");
  const { Datapoints = [] } = await cloudWatch.getMetricStatistics({
    Namespace: "AWS/SageMaker",
    MetricName: "Invocation5XXErrors",
    Dimensions: [
      { Name: "EndpointName", Value: "acme-local-website-production" },
      { Name: "VariantName", Value: "champion" },
      { Name: "EndpointConfigName", Value: config },
    ],
    StartTime: new Date(Date.now() - 3_600_000),
    EndTime: new Date(Date.now() + 60_000),
    Period: 3_600,
    Statistics: ["Sum"],
  });
  return Datapoints.reduce((sum, { Sum = 0 }) => sum + Sum, 0);
}

// Each goes on where the one before it ended.
describe("make up with a model", () => {
  test("whose every answer is NaN fails before it gets a request, and says why and what to do", async () => {
    const before = await endpointOf("test");
    await poison("all");
    const { result, statuses } = await visited(up);
    expect(result).not.toMatchObject({ status: 0 });
    expect(result.output).toMatch(/Deploy website-test: .* acme-local-website-test keeps its previous model/);
    expect(result.output).toContain(
      "cannot predict a usual animal: row 1: the model's prediction cannot be used: rings nan",
    );
    expect(result.output).toContain('What to do: docs/runbooks.md, "A release was rolled back"');
    expect((await endpointOf("test")).config).toBe(before.config);
    expect([...statuses.keys()]).toEqual([200]);
  });

  test("that fails at what only visitors ask is rolled back while they ask, and goes on failing however often it is tried", async () => {
    const before = await endpointOf("production");
    await poison(String(poisonedLength));
    const { result, statuses } = await visited(up);
    expect(result).not.toMatchObject({ status: 0 });
    expect(result.output).toMatch(/✔ System-test the test website: passed/);
    expect(result.output).toMatch(
      /Deploy website-production: .* acme-local-website-production keeps its previous model/,
    );
    const { config, reason = "" } = await endpointOf("production");
    expect(config).toBe(before.config);
    expect(reason).toContain("the alarm acme-local-website-production-release-errors went off");
    const [, released = ""] = /of the endpoint configuration (\S+) was/.exec(reason) ?? [];
    // A visitor is told 503 only when three tries in a row have met the new model.
    const unanswered = statuses.get(503) ?? 0;
    expect([...statuses.keys()].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(await failuresOf(released)).toBeGreaterThan(0);
    expect(3 * unanswered).toBeLessThanOrEqual(await failuresOf(released));
    const after = await visited(() => sleep(2_000));
    expect([...after.statuses.keys()]).toEqual([200]);

    // While they ask, again: without them the release is fine as soon as its alarms forget, after a minute.
    const { result: again } = await visited(up);
    expect(again).not.toMatchObject({ status: 0 });
    expect((await endpointOf("production")).config).toBe(before.config);
  });

  test("that is put back is released without a lost request, and everything is as before", async () => {
    await setChampion(champion);
    const { result, statuses } = await visited(up);
    expect(result).toMatchObject({ status: 0 });
    expect([...statuses.keys()]).toEqual([200]);
    expect((await endpointOf("production")).reason).toBeUndefined();
    expect(platform.file.modelPackageArn).toBe(champion);
  });
});
