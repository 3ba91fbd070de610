/**
 * Releases to an endpoint under load, with the alarms of the platform's own emulator: canary, baking period, alarms
 * that turn them back, kills in their middle.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CloudWatch } from "@aws-sdk/client-cloudwatch";
import type { DeploymentConfig, DescribeEndpointCommandOutput, TrafficRoutingConfig } from "@aws-sdk/client-sagemaker";
import { childrenOf, clientOptions, eventually, image, isRunning, Platform, role } from "sagemaker-local/testing";
import { Emulator } from "../workflow/support/emulator";

let platform: Platform;
let cloudWatch: CloudWatch;
const poisons = ["crashes", "fails", "is slow"] as const;

beforeAll(async () => {
  platform = await Platform.start({}, (url) => Emulator.start(url));
  cloudWatch = new CloudWatch(clientOptions(platform.emulator.endpoint));
  await putModel("old", { factor: 2 });
  await putModel("new", { factor: 3 });
  for (const poison of poisons) {
    await putModel(poison.replace(" ", "-"), { factor: 666, poison });
  }
  await putModel("unstartable", { factor: 666 }, { SERVE_MODE: "broken" });
}, 180_000);
afterAll(() => platform.stop(), 60_000);
jest.setTimeout(180_000);

/** A model, and a configuration of four instances with it. */
async function putModel(name: string, content: object, environment?: Record<string, string>): Promise<void> {
  const folder = mkdtempSync(join(platform.folder, "model-"));
  writeFileSync(join(folder, "model.json"), JSON.stringify(content));
  execFileSync("tar", ["-czf", `${folder}.tar.gz`, "-C", folder, "."]);
  const ModelDataUrl = await platform.put(`models/${name}/model.tar.gz`, readFileSync(`${folder}.tar.gz`));
  await platform.sagemaker.createModel({
    ModelName: name,
    PrimaryContainer: { Image: image, ModelDataUrl, Environment: environment },
    ExecutionRoleArn: role,
  });
  await createConfig(`${name}-config`, name);
}

async function createConfig(name: string, ModelName: string, VariantName = "champion"): Promise<void> {
  await platform.sagemaker.createEndpointConfig({
    EndpointConfigName: name,
    ProductionVariants: [{ VariantName, ModelName, InitialInstanceCount: 4, InstanceType: "ml.t2.medium" }],
  });
}

/** Alarms on the new fleet alone, as the stacks make them: on its errors, and on its latency above 200 ms. */
async function watch(endpoint: string, config: string): Promise<string[]> {
  const common = {
    Namespace: "AWS/SageMaker",
    Dimensions: [
      { Name: "EndpointName", Value: endpoint },
      { Name: "VariantName", Value: "champion" },
      { Name: "EndpointConfigName", Value: config },
    ],
    Period: 60,
    EvaluationPeriods: 1,
    ComparisonOperator: "GreaterThanThreshold" as const,
    TreatMissingData: "notBreaching",
  };
  const [errors, latency] = [`${endpoint}-errors`, `${endpoint}-latency`];
  await cloudWatch.putMetricAlarm({
    ...common,
    AlarmName: errors,
    MetricName: "Invocation5XXErrors",
    Statistic: "Sum",
    Threshold: 0,
  });
  await cloudWatch.putMetricAlarm({
    ...common,
    AlarmName: latency,
    MetricName: "ModelLatency",
    ExtendedStatistic: "p99",
    Threshold: 200_000,
  });
  return [errors, latency];
}

const canary: Partial<TrafficRoutingConfig> = { Type: "CANARY", CanarySize: { Type: "INSTANCE_COUNT", Value: 1 } };
const allAtOnce: Partial<TrafficRoutingConfig> = { Type: "ALL_AT_ONCE" };

/** Moves the endpoint over by a policy, with the alarms on. */
async function release(
  endpoint: string,
  config: string,
  routing: Partial<TrafficRoutingConfig> = canary,
  { bake = 2, alarms, ...rest }: { bake?: number; alarms?: string[]; [member: string]: unknown } = {},
): Promise<void> {
  const names = alarms ?? (await watch(endpoint, config));
  const policy = {
    BlueGreenUpdatePolicy: {
      TrafficRoutingConfiguration: { ...routing, WaitIntervalInSeconds: bake },
      ...rest,
    },
    AutoRollbackConfiguration: { Alarms: names.map((AlarmName) => ({ AlarmName })) },
  } as DeploymentConfig;
  await platform.sagemaker.updateEndpoint({
    EndpointName: endpoint,
    EndpointConfigName: config,
    DeploymentConfig: policy,
  });
}

const describeEndpoint = (name: string): Promise<DescribeEndpointCommandOutput> =>
  platform.sagemaker.describeEndpoint({ EndpointName: name });
const settled = (name: string): Promise<DescribeEndpointCommandOutput> =>
  eventually(`endpoint ${name} to settle`, async () => {
    const endpoint = await describeEndpoint(name);
    return endpoint.EndpointStatus === "InService" && endpoint;
  });

async function createEndpoint(name: string): Promise<void> {
  await platform.sagemaker.createEndpoint({ EndpointName: name, EndpointConfigName: "old-config" });
  await settled(name);
}

/** What the endpoint's model is: the factor by which it multiplies. */
async function ask(name: string): Promise<number> {
  const { Body } = await platform.runtime.invokeEndpoint({
    EndpointName: name,
    ContentType: "text/csv",
    Body: Buffer.from("1"),
  });
  return Number(Buffer.from(Body).toString().split(" ")[0]);
}

/** Clients that ask without a pause. */
class Load {
  readonly answers = new Map<number, number>();
  readonly failures: Error[] = [];
  private going = true;
  private readonly clients: Promise<void>[];

  constructor(
    private readonly endpoint: string,
    count = 4,
  ) {
    this.clients = Array.from({ length: count }, () => this.client());
  }

  private async client(): Promise<void> {
    while (this.going) {
      try {
        const answer = await ask(this.endpoint);
        this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
      } catch (error) {
        this.failures.push(error as Error);
      }
      await sleep(5);
    }
  }

  of(answer: number): number {
    return this.answers.get(answer) ?? 0;
  }

  async stop(): Promise<this> {
    this.going = false;
    await Promise.all(this.clients);
    return this;
  }
}

describe("a release of a good model", () => {
  test("goes to the canary first, then to all, without a request lost; meanwhile nothing else can be released", async () => {
    await createEndpoint("good");
    const load = new Load("good");
    // Long enough for all that is looked at while it bakes, on a busy machine too.
    await release("good", "new-config", canary, { bake: 10 });
    const pending = await eventually("the canary", async () => {
      const endpoint = await describeEndpoint("good");
      return endpoint.PendingDeploymentSummary?.ProductionVariants && endpoint;
    });
    expect(pending).toMatchObject({
      EndpointStatus: "Updating",
      EndpointConfigName: "old-config",
      PendingDeploymentSummary: {
        EndpointConfigName: "new-config",
        ProductionVariants: [
          {
            VariantName: "champion",
            CurrentInstanceCount: 1,
            DesiredInstanceCount: 4,
            VariantStatus: [{ Status: "Baking" }],
          },
        ],
      },
    });
    load.answers.clear();
    await eventually("some answers", () => Promise.resolve(load.of(2) + load.of(3) > 60));
    // One in four, give or take those in flight.
    expect(Math.abs(load.of(3) - (load.of(2) + load.of(3)) / 4)).toBeLessThanOrEqual(4);
    await expect(release("good", "new-config")).rejects.toThrow(/^Cannot update in-progress endpoint/);
    expect(await settled("good")).toMatchObject({
      EndpointConfigName: "new-config",
      LastDeploymentConfig: { AutoRollbackConfiguration: { Alarms: [{ AlarmName: "good-errors" }, {}] } },
    });
    load.answers.clear();
    await eventually("answers of the new model", () => Promise.resolve(load.of(3) > 20));
    const { failures, answers } = await load.stop();
    expect(failures).toEqual([]);
    expect(answers.get(2) ?? 0).toBeLessThanOrEqual(4); // those in flight
  });

  test("is counted for CloudWatch, the new fleet by itself", async () => {
    await createEndpoint("counted");
    await release("counted", "new-config", allAtOnce, { bake: 3 });
    await eventually("the new model", async () => (await ask("counted")) === 3);
    await Promise.all(Array.from({ length: 19 }, () => ask("counted")));
    await settled("counted");
    const sum = async (MetricName: string, Statistic: "Sum" | "SampleCount"): Promise<number> => {
      const { Datapoints = [] } = await cloudWatch.getMetricStatistics({
        Namespace: "AWS/SageMaker",
        MetricName,
        Dimensions: [
          { Name: "EndpointName", Value: "counted" },
          { Name: "VariantName", Value: "champion" },
          { Name: "EndpointConfigName", Value: "new-config" },
        ],
        StartTime: new Date(Date.now() - 3_600_000),
        EndTime: new Date(Date.now() + 60_000),
        Period: 3600,
        Statistics: [Statistic],
      });
      return Datapoints.reduce((total, point) => total + (point[Statistic] ?? 0), 0);
    };
    expect(await sum("Invocations", "Sum")).toBe(20);
    expect(await sum("ModelLatency", "SampleCount")).toBe(20);
    expect(await sum("Invocation5XXErrors", "Sum")).toBe(0);
  });
});

describe("a poisoned model", () => {
  test.each([
    ["crashes", canary, "errors"],
    ["fails", canary, "errors"],
    ["is slow", canary, "latency"],
    ["fails", allAtOnce, "errors"],
  ] as const)("that %s is rolled back (%j): only its own requests have failed", async (poison, routing, alarm) => {
    const name = `poisoned-${poison.replace(" ", "-")}-${routing.Type === "CANARY" ? "canary" : "all"}`;
    const config = `${poison.replace(" ", "-")}-config`;
    await createEndpoint(name);
    const load = new Load(name);
    await release(name, config, routing, { bake: 30 });
    expect(await settled(name)).toMatchObject({
      EndpointConfigName: "old-config",
      FailureReason: expect.stringMatching(
        new RegExp(
          `^The release of the endpoint configuration ${config} was rolled back to old-config: the alarm ${name}-${alarm} went off \\(Threshold`,
        ),
      ),
      LastDeploymentConfig: { AutoRollbackConfiguration: { Alarms: [{ AlarmName: `${name}-errors` }, {}] } },
    });
    expect((await describeEndpoint(name)).PendingDeploymentSummary).toBeUndefined();
    const before = load.failures.length;
    load.answers.clear();
    await eventually("answers of the old model", () => Promise.resolve(load.of(2) > 40));
    await load.stop();
    // After the endpoint is back in service nothing fails; before, only what the poisoned container was asked.
    expect(load.failures.length - before).toBeLessThanOrEqual(4);
    for (const failure of load.failures) {
      expect(failure.message).toMatch(/the poisoned model failed|ended or closed the connection before it answered/);
    }
    if (poison === "is slow") {
      expect(load.failures).toEqual([]);
    }
    await eventually("its server to be gone", async () =>
      Promise.resolve(childrenOf(platform).filter(({ purpose }) => purpose.includes(` ${name},`)).length === 1),
    );
    // The next release of a good model is not held up by the last one.
    await release(name, "new-config", routing);
    const healed = await settled(name);
    expect(healed.EndpointConfigName).toBe("new-config");
    expect(healed.FailureReason).toBeUndefined();
  });

  test("that doesn't start never gets a request", async () => {
    await createEndpoint("unstartable");
    const load = new Load("unstartable");
    await release("unstartable", "unstartable-config");
    expect(await settled("unstartable")).toMatchObject({
      EndpointConfigName: "old-config",
      FailureReason: expect.stringContaining("the model can't be read"),
    });
    expect((await load.stop()).failures).toEqual([]);
    expect([...load.answers.keys()]).toEqual([2]);
  });

  test("whose server is killed while it is watched is rolled back, and the old one answers instead", async () => {
    await createEndpoint("killed");
    await release("killed", "new-config", canary, { bake: 3 });
    const { pid: old } = childrenOf(platform).find(({ purpose }) => purpose.includes(" killed,")) ?? { pid: 0 };
    const load = new Load("killed", 2);
    const killer = setInterval(() => {
      for (const { pid, purpose } of childrenOf(platform)) {
        if (purpose.includes(" killed,") && pid !== old) {
          process.kill(pid, "SIGKILL");
        }
      }
    }, 20);
    const back = await settled("killed");
    clearInterval(killer);
    expect(back.EndpointConfigName).toBe("old-config");
    expect(isRunning(old)).toBe(true);
    await load.stop();
    for (const failure of load.failures) {
      expect(failure.message).toContain("ended or closed the connection");
    }
  });
});

describe("alarms", () => {
  test("that are already in ALARM roll a release back; so does one that is set later", async () => {
    await createEndpoint("alarmed");
    const [errors = ""] = await watch("alarmed", "new-config");
    await release("alarmed", "new-config", allAtOnce, { bake: 30 });
    await cloudWatch.setAlarmState({ AlarmName: errors, StateValue: "ALARM", StateReason: "a person says so" });
    expect((await settled("alarmed")).FailureReason).toContain("went off (a person says so)");
    await release("alarmed", "new-config", allAtOnce, { bake: 30, alarms: [errors] });
    expect((await settled("alarmed")).FailureReason).toContain("went off (a person says so)");
    const { MetricAlarms = [] } = await cloudWatch.describeAlarms({ AlarmNames: [errors] });
    expect(MetricAlarms[0]?.StateValue).toBe("ALARM");
  });

  test("that do not exist roll a release back: nothing would watch it", async () => {
    await createEndpoint("unwatched");
    await release("unwatched", "new-config", allAtOnce, { bake: 1, alarms: ["no-such-alarm"] });
    expect(await settled("unwatched")).toMatchObject({
      EndpointConfigName: "old-config",
      FailureReason: expect.stringContaining("the alarm no-such-alarm that should watch the release does not exist"),
    });
  });
});

describe("a kill of the service", () => {
  test.each([
    ["before the canary", 0],
    ["while the canary bakes", 0.25],
    ["while all of it bakes", 1],
  ])("%s: the old model answers after the restart, then the new one has all", async (_when, share) => {
    const name = `interrupted-${share * 100}`;
    await createEndpoint(name);
    // Not the latency: a busy machine may be slow around a restart, which is not a fault of the release.
    const [errors = ""] = await watch(name, "new-config");
    await release(name, "new-config", canary, { bake: 3, alarms: [errors] });
    if (share > 0) {
      await eventually("the share", async () => {
        const { PendingDeploymentSummary } = await describeEndpoint(name);
        return PendingDeploymentSummary?.ProductionVariants?.[0]?.CurrentInstanceCount === share * 4;
      });
    }
    await platform.killAndRestart();
    expect([2, 3]).toContain(await ask(name));
    const { EndpointStatus, EndpointConfigName } = await describeEndpoint(name);
    expect([EndpointStatus, EndpointConfigName]).toEqual(["Updating", "old-config"]);
    const load = new Load(name, 2);
    expect(await settled(name)).toMatchObject({ EndpointConfigName: "new-config" });
    expect((await load.stop()).failures).toEqual([]);
    expect(await ask(name)).toBe(3);
  });

  test("at the swap leaves one configuration or the other, whole", async () => {
    await createEndpoint("swapped");
    await release("swapped", "new-config", allAtOnce, { bake: 1 });
    await eventually("the swap", async () => (await describeEndpoint("swapped")).EndpointStatus === "InService");
    await platform.killAndRestart();
    expect(await settled("swapped")).toMatchObject({ EndpointConfigName: "new-config" });
    expect(await ask("swapped")).toBe(3);
  });

  test("of a poisoned release still ends in the old configuration", async () => {
    await createEndpoint("poisoned-and-killed");
    await release("poisoned-and-killed", "fails-config", canary, { bake: 30 });
    await eventually("the canary", async () => {
      const { PendingDeploymentSummary } = await describeEndpoint("poisoned-and-killed");
      return PendingDeploymentSummary?.ProductionVariants !== undefined;
    });
    await platform.killAndRestart();
    const load = new Load("poisoned-and-killed");
    expect(await settled("poisoned-and-killed")).toMatchObject({
      EndpointConfigName: "old-config",
      FailureReason: expect.stringContaining("rolled back to old-config"),
    });
    await load.stop();
    expect(await ask("poisoned-and-killed")).toBe(2);
  });

  test("that asks it to stop keeps the release for the next start", async () => {
    await createEndpoint("stopped");
    await release("stopped", "new-config", canary, { bake: 2 });
    await platform.service.stop("SIGTERM");
    await platform.service.start();
    expect(await settled("stopped")).toMatchObject({ EndpointConfigName: "new-config" });
    expect((await describeEndpoint("stopped")).FailureReason).toBeUndefined();
  });
});

describe("a deployment configuration", () => {
  const size = (Value: number, Type: "INSTANCE_COUNT" | "CAPACITY_PERCENT" = "INSTANCE_COUNT") => ({ Type, Value });

  test.each([
    [{ Type: "CANARY" }, /CanarySize is missing: the Type CANARY needs it/],
    [{ Type: "CANARY", CanarySize: size(3) }, /CanarySize is 3 of 4 instances: expected at most 50 %/],
    [{ Type: "CANARY", CanarySize: size(51, "CAPACITY_PERCENT") }, /CanarySize is 51 %: expected at most 50 %/],
    [
      { Type: "LINEAR", LinearStepSize: size(5, "CAPACITY_PERCENT") },
      /LinearStepSize is 5 %: expected from 10 to 50 %/,
    ],
  ] as const)("%j is refused, and nothing has begun", async (routing, message) => {
    if (!(await describeEndpoint("refused").catch(() => undefined))) {
      await createEndpoint("refused");
    }
    await expect(release("refused", "new-config", routing, { alarms: ["any"] })).rejects.toThrow(message);
    expect((await describeEndpoint("refused")).EndpointStatus).toBe("InService");
  });

  test("that moves in steps needs the same variants", async () => {
    await createEndpoint("renamed");
    await createConfig("renamed-config", "new", "challenger");
    await expect(release("renamed", "renamed-config", canary, { alarms: ["any"] })).rejects.toThrow(
      /has the variants \[challenger\], the endpoint has \[champion\]/,
    );
  });

  test("can go in equal steps, and is given up when it takes too long", async () => {
    await createEndpoint("linear");
    await release(
      "linear",
      "new-config",
      { Type: "LINEAR", LinearStepSize: size(50, "CAPACITY_PERCENT") },
      { bake: 1 },
    );
    expect((await settled("linear")).EndpointConfigName).toBe("new-config");
    const steps = platform.service.output.match(/Endpoint linear: new-config has \d+ %/g);
    expect(steps).toEqual(["Endpoint linear: new-config has 50 %", "Endpoint linear: new-config has 100 %"]);
  });
});
