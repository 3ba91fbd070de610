import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execFileSync } from "node:child_process";
import type { DescribeEndpointCommandOutput } from "@aws-sdk/client-sagemaker";
import type { InvokeEndpointCommandInput } from "@aws-sdk/client-sagemaker-runtime";
import { account, bucket, childrenOf, eventually, image, isRunning, Platform, region, role } from "./support/service";

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
  for (const factor of [2, 3]) {
    await putModel(factor);
  }
  await createModel("double", 2);
  await createModel("triple", 3);
  await createConfig("double-config", [["AllTraffic", "double"]]);
  await createConfig("triple-config", [["AllTraffic", "triple"]]);
}, 180_000);
afterAll(() => platform.stop(), 60_000);
jest.setTimeout(120_000);

async function putModel(factor: number): Promise<void> {
  const folder = mkdtempSync(join(platform.folder, "model-"));
  writeFileSync(join(folder, "model.json"), JSON.stringify({ factor }));
  const archive = `${folder}.tar.gz`;
  execFileSync("tar", ["-czf", archive, "-C", folder, "."]);
  await platform.put(`models/${factor}/model.tar.gz`, readFileSync(archive));
}

async function createModel(name: string, factor: number, environment?: Record<string, string>): Promise<void> {
  await platform.sagemaker.createModel({
    ModelName: name,
    PrimaryContainer: {
      Image: image,
      ModelDataUrl: `s3://${bucket}/models/${factor}/model.tar.gz`,
      Environment: environment,
    },
    ExecutionRoleArn: role,
  });
}

async function createConfig(
  name: string,
  variants: [variant: string, model: string, weight?: number][],
): Promise<void> {
  await platform.sagemaker.createEndpointConfig({
    EndpointConfigName: name,
    ProductionVariants: variants.map(([VariantName, ModelName, InitialVariantWeight]) => ({
      VariantName,
      ModelName,
      InitialVariantWeight,
      InitialInstanceCount: 1,
      InstanceType: "ml.t2.medium",
    })),
  });
}

const describeEndpoint = (name: string): Promise<DescribeEndpointCommandOutput> =>
  platform.sagemaker.describeEndpoint({ EndpointName: name });
const settled = (name: string): Promise<DescribeEndpointCommandOutput> =>
  eventually(`endpoint ${name} to settle`, async () => {
    const endpoint = await describeEndpoint(name);
    return ["InService", "Failed"].includes(endpoint.EndpointStatus ?? "") && endpoint;
  });

async function createEndpoint(name: string, config = "double-config"): Promise<DescribeEndpointCommandOutput> {
  await platform.sagemaker.createEndpoint({ EndpointName: name, EndpointConfigName: config });
  return settled(name);
}

const update = (name: string, config: string): Promise<unknown> =>
  platform.sagemaker.updateEndpoint({ EndpointName: name, EndpointConfigName: config });

async function invoke(
  name: string,
  body: string,
  changes: Partial<InvokeEndpointCommandInput> = {},
): Promise<{ text: string; variant: string | undefined; type: string | undefined; attributes: string | undefined }> {
  const answer = await platform.runtime.invokeEndpoint({
    EndpointName: name,
    ContentType: "text/csv",
    Body: Buffer.from(body),
    ...changes,
  });
  return {
    text: Buffer.from(answer.Body).toString(),
    variant: answer.InvokedProductionVariant,
    type: answer.ContentType,
    attributes: answer.CustomAttributes,
  };
}
/** What the fixture answers: the number times the model's factor, and the server's process. */
async function predict(name: string, value: number): Promise<{ value: number; pid: number }> {
  const [product, pid] = (await invoke(name, String(value))).text.split(" ").map(Number);
  return { value: product ?? NaN, pid: pid ?? 0 };
}

describe("an endpoint", () => {
  test("serves its model, passes on the headers and names the variant", async () => {
    expect(await createEndpoint("serving")).toMatchObject({
      EndpointStatus: "InService",
      EndpointConfigName: "double-config",
      EndpointArn: `arn:aws:sagemaker:${region}:${account}:endpoint/serving`,
      ProductionVariants: [{ VariantName: "AllTraffic", CurrentInstanceCount: 1, CurrentWeight: 1 }],
    });
    expect((await predict("serving", 21)).value).toBe(42);
    const echoed = await invoke("serving", "headers", {
      ContentType: "application/json",
      Accept: "application/jsonlines",
      CustomAttributes: "trace=1",
      InferenceId: "abc",
    });
    expect(echoed).toMatchObject({ variant: "AllTraffic", type: "text/csv", attributes: "trace=1" });
    expect(JSON.parse(echoed.text)).toMatchObject({
      "Content-Type": "application/json",
      Accept: "application/jsonlines",
      "X-Amzn-SageMaker-Custom-Attributes": "trace=1",
      "X-Amzn-SageMaker-Inference-Id": "abc",
    });
  });

  test("reports the deployment policy of its last release, which Terraform compares with its own", async () => {
    const policy = (alarm: string) => ({
      BlueGreenUpdatePolicy: {
        TrafficRoutingConfiguration: { Type: "ALL_AT_ONCE" as const, WaitIntervalInSeconds: 0 },
      },
      AutoRollbackConfiguration: { Alarms: [{ AlarmName: alarm }] },
    });
    await platform.sagemaker.createEndpoint({
      EndpointName: "guarded",
      EndpointConfigName: "double-config",
      DeploymentConfig: policy("errors"),
    });
    expect((await settled("guarded")).LastDeploymentConfig).toEqual(policy("errors"));
    await platform.sagemaker.updateEndpoint({
      EndpointName: "guarded",
      EndpointConfigName: "triple-config",
      DeploymentConfig: policy("latency"),
    });
    expect(await settled("guarded")).toMatchObject({
      EndpointConfigName: "triple-config",
      LastDeploymentConfig: policy("latency"),
    });
    await update("guarded", "double-config");
    expect((await settled("guarded")).LastDeploymentConfig).toEqual(policy("latency"));
  });

  test("passes its container's refusals on as a ModelError with the container's own words", async () => {
    await expect(invoke("serving", "abc")).rejects.toMatchObject({
      name: "ModelError",
      $metadata: { httpStatusCode: 424 },
      OriginalStatusCode: 400,
      OriginalMessage: expect.stringContaining("could not convert string to float: 'abc'"),
      message: expect.stringMatching(/^Received client error \(400\) from primary with message ".*abc.*"/),
    });
  });

  test("accepts bodies of up to six megabytes", async () => {
    const limit = 6 * 1024 * 1024;
    expect((await invoke("serving", "1".padStart(limit, " "))).text).toMatch(/^2\.0 /);
    await expect(invoke("serving", "1".padStart(limit + 1, " "))).rejects.toMatchObject({
      name: "ValidationError",
      message: expect.stringContaining("less than or equal to 6291456"),
    });
  });

  test("whose server is killed answers the next request with a new one", async () => {
    const { pid } = await predict("serving", 1);
    process.kill(pid, "SIGKILL");
    const next = await predict("serving", 4);
    expect(next.value).toBe(8);
    expect(next.pid).not.toBe(pid);
    expect((await describeEndpoint("serving")).EndpointStatus).toBe("InService");
  });

  test("whose server is ended by a request says so after a second attempt, and serves the next one", async () => {
    const { pid } = await predict("serving", 1);
    await expect(invoke("serving", "die")).rejects.toMatchObject({
      name: "ModelError",
      message: expect.stringContaining("ended or closed the connection before it answered"),
    });
    expect((await predict("serving", 4)).value).toBe(8);
    const restarts = platform.service.output.split(`Endpoint serving: its server ended (exit code 9)`).length - 1;
    expect(restarts).toBe(2);
    expect(isRunning(pid)).toBe(false);
  });

  test("that does not exist is named", async () => {
    await expect(invoke("nowhere", "1")).rejects.toMatchObject({
      name: "ValidationError",
      message: `Endpoint nowhere of account ${account} not found.`,
    });
    await expect(describeEndpoint("nowhere")).rejects.toMatchObject({
      name: "ValidationException",
      message: `Could not find endpoint "arn:aws:sagemaker:${region}:${account}:endpoint/nowhere".`,
    });
  });
});

describe("an update", () => {
  test("loses no request: each is answered by the old model or the new one, and one in flight by the old", async () => {
    await createEndpoint("updated");
    const old = await predict("updated", 1);
    const slow = invoke("updated", "sleep 2");
    const values = new Set<number>();
    let asking = true;
    const asker = async (): Promise<void> => {
      while (asking) {
        values.add((await predict("updated", 1)).value);
      }
    };
    const askers = [asker(), asker(), asker()];
    await update("updated", "triple-config");
    const during = await describeEndpoint("updated");
    expect(during).toMatchObject({
      EndpointStatus: "Updating",
      EndpointConfigName: "double-config",
      PendingDeploymentSummary: { EndpointConfigName: "triple-config" },
    });
    await expect(update("updated", "triple-config")).rejects.toMatchObject({
      name: "ValidationException",
      message: expect.stringMatching(/^Cannot update in-progress endpoint/),
    });
    expect(await settled("updated")).toMatchObject({ EndpointConfigName: "triple-config" });
    expect((await slow).text).toBe(`2.0 ${old.pid}`);
    expect((await predict("updated", 1)).value).toBe(3);
    asking = false;
    await Promise.all(askers);
    expect([...values].sort()).toEqual([2, 3]);
    await eventually("the old server to be gone", async () => Promise.resolve(!isRunning(old.pid)));
  });

  test("that does not start keeps the old model in service and says why", async () => {
    await createEndpoint("kept");
    const { pid } = await predict("kept", 1);
    await createModel("broken", 2, { SERVE_MODE: "broken" });
    await createConfig("broken-config", [["AllTraffic", "broken"]]);
    await update("kept", "broken-config");
    expect(await settled("kept")).toMatchObject({
      EndpointStatus: "InService",
      EndpointConfigName: "double-config",
      FailureReason: expect.stringMatching(
        /variant AllTraffic did not pass the ping health check: it ended with exit code 1\nthe model can't be read/,
      ),
    });
    expect(await predict("kept", 2)).toEqual({ value: 4, pid });
    await update("kept", "triple-config");
    const healed = await settled("kept");
    expect(healed.EndpointConfigName).toBe("triple-config");
    expect(healed.FailureReason).toBeUndefined();
  });

  test("a new endpoint that does not start has failed, and can be deleted", async () => {
    expect(await createEndpoint("failed", "broken-config")).toMatchObject({
      EndpointStatus: "Failed",
      FailureReason: expect.stringContaining("the model can't be read"),
    });
    await expect(invoke("failed", "1")).rejects.toMatchObject({
      message: expect.stringContaining("is in status Failed"),
    });
    await platform.sagemaker.deleteEndpoint({ EndpointName: "failed" });
    await eventually("the endpoint to be gone", async () =>
      describeEndpoint("failed").then(
        () => false,
        () => true,
      ),
    );
  });

  test("a model without its data fails with their address", async () => {
    await createModel("absent", 99);
    await createConfig("absent-config", [["AllTraffic", "absent"]]);
    expect(await createEndpoint("absent", "absent-config")).toMatchObject({
      EndpointStatus: "Failed",
      FailureReason: expect.stringContaining(`s3://${bucket}/models/99/model.tar.gz`),
    });
  });
});

describe("variants", () => {
  test("share the requests by weight, and one can be chosen", async () => {
    await createConfig("both-config", [
      ["Mostly", "double", 3],
      ["Sometimes", "triple", 1],
    ]);
    await createEndpoint("both", "both-config");
    const variants = await Promise.all(Array.from({ length: 60 }, async () => (await invoke("both", "1")).variant));
    const mostly = variants.filter((variant) => variant === "Mostly").length;
    expect(mostly).toBeGreaterThan(variants.length / 2);
    expect(mostly).toBeLessThan(variants.length);
    expect((await invoke("both", "1", { TargetVariant: "Sometimes" })).text).toMatch(/^3\.0 /);
    await expect(invoke("both", "1", { TargetVariant: "Never" })).rejects.toMatchObject({
      message: "Variant Never of endpoint both not found; it has [Mostly, Sometimes].",
    });
  });
});

describe("a kill of the service", () => {
  test("stops all servers, and every endpoint is back after the restart, with or without its model's archive", async () => {
    await createEndpoint("back");
    const old = await predict("back", 1);
    await platform.service.stop("SIGKILL");
    expect(isRunning(old.pid)).toBe(true);
    await platform.service.start();
    const next = await predict("back", 5);
    expect(next.value).toBe(10);
    expect(next.pid).not.toBe(old.pid);
    await eventually("the orphan to be gone", async () => Promise.resolve(!isRunning(old.pid)));
  });

  test("in the middle of an update is repaired: the update is done after the restart", async () => {
    await createEndpoint("interrupted");
    await update("interrupted", "triple-config");
    await platform.killAndRestart();
    expect(await settled("interrupted")).toMatchObject({ EndpointConfigName: "triple-config" });
    expect((await predict("interrupted", 1)).value).toBe(3);
  });

  test("in the middle of a creation is repaired, too", async () => {
    await platform.sagemaker.createEndpoint({ EndpointName: "newborn", EndpointConfigName: "double-config" });
    await platform.killAndRestart();
    expect((await settled("newborn")).EndpointStatus).toBe("InService");
    expect((await predict("newborn", 1)).value).toBe(2);
  });

  test("SIGTERM stops all servers, and a start brings them back", async () => {
    const pids = childrenOf(platform).map(({ pid }) => pid);
    expect(pids.length).toBeGreaterThan(3);
    expect(await platform.service.stop("SIGTERM")).toBe(0);
    expect(pids.filter(isRunning)).toEqual([]);
    await platform.service.start();
    expect((await predict("back", 5)).value).toBe(10);
  });
});

describe("models, configurations and endpoints", () => {
  const arn = (kind: string, name: string): string => `arn:aws:sagemaker:${region}:${account}:${kind}/${name}`;

  test("are refused with SageMaker's words when they exist already, or when what they need does not", async () => {
    await expect(createModel("double", 2)).rejects.toMatchObject({
      name: "ValidationException",
      message: `Cannot create already existing model "${arn("model", "double")}".`,
    });
    await expect(createConfig("double-config", [["A", "double"]])).rejects.toMatchObject({
      message: `Cannot create already existing endpoint configuration "${arn("endpoint-config", "double-config")}".`,
    });
    await expect(createConfig("orphan-config", [["A", "no-such-model"]])).rejects.toMatchObject({
      message: `Could not find model "${arn("model", "no-such-model")}".`,
    });
    await expect(createEndpoint("serving")).rejects.toMatchObject({
      message: `Cannot create already existing endpoint "${arn("endpoint", "serving")}".`,
    });
    await expect(createEndpoint("x", "no-such-config")).rejects.toMatchObject({
      message: `Could not find endpoint configuration "${arn("endpoint-config", "no-such-config")}".`,
    });
  });

  test("are gone when they are deleted; the endpoint continues to serve its model", async () => {
    await createModel("short-lived", 2);
    await createConfig("short-lived-config", [["AllTraffic", "short-lived"]]);
    await createEndpoint("surviving", "short-lived-config");
    await platform.sagemaker.deleteModel({ ModelName: "short-lived" });
    await platform.sagemaker.deleteEndpointConfig({ EndpointConfigName: "short-lived-config" });
    await expect(
      platform.sagemaker.describeEndpointConfig({ EndpointConfigName: "short-lived-config" }),
    ).rejects.toMatchObject({ message: expect.stringMatching(/^Could not find endpoint configuration/) });
    expect((await predict("surviving", 1)).value).toBe(2);
    const { pid } = await predict("surviving", 1);
    await platform.sagemaker.deleteEndpoint({ EndpointName: "surviving" });
    await eventually("its server to be gone", async () => Promise.resolve(!isRunning(pid)));
    await eventually("no endpoint in the list", async () => {
      return (await platform.sagemaker.listEndpoints({ NameContains: "surviving" })).Endpoints?.length === 0;
    });
  });
});
