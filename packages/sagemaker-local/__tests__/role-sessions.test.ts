/** What a request names a role for is done in the role's name, and nothing is done that the role has no right to. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CloudWatchLogs } from "@aws-sdk/client-cloudwatch-logs";
import { IAM } from "@aws-sdk/client-iam";
import type { DescribeProcessingJobCommandOutput } from "@aws-sdk/client-sagemaker";
import { packFolder } from "../src/containers/archive";
import { startMinistack } from "./support/aws";
import { account, bucket, clientOptions, eventually, image, Platform, region } from "./support/service";

interface Statement {
  readonly Effect?: "Allow" | "Deny";
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

let platform: Platform;
let iam: IAM;
beforeAll(async () => {
  platform = await Platform.start({ SAGEMAKER_ASSUME_ROLES: "yes" }, () => startMinistack({ AUTH: "true" }));
  iam = new IAM(clientOptions(platform.emulator.endpoint));
  await platform.put("input/data.csv", "M,91\n");
}, 180_000);
afterAll(() => platform.stop(), 60_000);
jest.setTimeout(120_000);

const objects = `arn:aws:s3:::${bucket}`;
const readInput: readonly Statement[] = [
  { Action: "s3:ListBucket", Resource: objects },
  { Action: "s3:GetObject", Resource: `${objects}/input/*` },
];
const writeOutput: Statement = { Action: "s3:PutObject", Resource: `${objects}/output/*` };
const writeLogs: Statement = {
  Action: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
  Resource: `arn:aws:logs:${region}:${account}:log-group:/aws/sagemaker/*`,
};
const documentOf = (statements: readonly object[]): string =>
  JSON.stringify({ Version: "2012-10-17", Statement: statements.map((each) => ({ Effect: "Allow", ...each })) });

/** Makes a role with these rights, and returns its ARN. */
async function makeRole(
  name: string,
  statements: readonly Statement[],
  principal: object = { Service: "sagemaker.amazonaws.com" },
): Promise<string> {
  const AssumeRolePolicyDocument = documentOf([{ Principal: principal, Action: "sts:AssumeRole" }]);
  await iam.createRole({ RoleName: name, AssumeRolePolicyDocument });
  await grant(name, statements);
  return `arn:aws:iam::${account}:role/${name}`;
}

const grant = (name: string, statements: readonly Statement[]): Promise<unknown> =>
  statements.length === 0
    ? Promise.resolve()
    : iam.putRolePolicy({ RoleName: name, PolicyName: "permissions", PolicyDocument: documentOf(statements) });

const logOf = (name: string): string => readFileSync(join(platform.folder, "logs", `${name}.log`), "utf8");

let jobs = 0;
/** Runs a processing job in a role's name to its end. */
async function runJob(
  role: string,
  flags: readonly string[] = [],
  environment: Record<string, string> = {},
  EnableNetworkIsolation = false,
): Promise<DescribeProcessingJobCommandOutput> {
  jobs += 1;
  const ProcessingJobName = `job-${jobs}`;
  await platform.sagemaker.createProcessingJob({
    ProcessingJobName,
    RoleArn: role,
    AppSpecification: { ImageUri: image, ContainerEntrypoint: ["process"], ContainerArguments: ["--", ...flags] },
    Environment: environment,
    NetworkConfig: { EnableNetworkIsolation },
    ProcessingInputs: [
      {
        InputName: "data",
        S3Input: {
          S3Uri: `s3://${bucket}/input`,
          LocalPath: "/opt/ml/processing/input/data",
          S3DataType: "S3Prefix",
          S3InputMode: "File",
        },
      },
    ],
    ProcessingOutputConfig: {
      Outputs: [
        {
          OutputName: "data",
          S3Output: {
            S3Uri: `s3://${bucket}/output/${ProcessingJobName}`,
            LocalPath: "/opt/ml/processing/output",
            S3UploadMode: "EndOfJob",
          },
        },
      ],
    },
    ProcessingResources: { ClusterConfig: { InstanceCount: 1, InstanceType: "ml.m5.large", VolumeSizeInGB: 1 } },
  });
  return eventually(`the job ${ProcessingJobName} to end`, async () => {
    const job = await platform.sagemaker.describeProcessingJob({ ProcessingJobName });
    return ["Completed", "Failed"].includes(job.ProcessingJobStatus ?? "") && job;
  });
}

describe("a job", () => {
  test("without a right to its input fails with role, action and resource, and passes once it has it", async () => {
    const rights = [readInput[0]!, writeOutput, writeLogs];
    const role = await makeRole("reader", rights);
    const refused = await runJob(role);
    expect(refused.ProcessingJobStatus).toBe("Failed");
    expect(refused.FailureReason).toMatch(
      new RegExp(
        `^ClientError: Data download failed:Unable to download s3://${bucket}/input \\(AccessDenied: ` +
          `the role reader was refused s3:GetObject on ${objects}/input/data.csv\\. Allow s3:GetObject on it`,
      ),
    );
    await grant("reader", [...rights, readInput[1]!]);
    expect((await runJob(role)).ProcessingJobStatus).toBe("Completed");
  });

  test("without a right to its output fails likewise", async () => {
    const { FailureReason, ProcessingJobName } = await runJob(await makeRole("writer", [...readInput, writeLogs]));
    expect(FailureReason).toMatch(/^ClientError: AccessDenied: the role writer was refused s3:PutObject on /);
    expect(FailureReason).toContain(`${objects}/output/${ProcessingJobName}/data/data.csv.`);
  });

  test("without a right to its logs goes on without them, and the service's log says why", async () => {
    const { ProcessingJobStatus } = await runJob(await makeRole("silent", [...readInput, writeOutput]));
    expect(ProcessingJobStatus).toBe("Completed");
    expect(platform.service.output).toMatch(
      /lines could not be sent to CloudWatch Logs: AccessDenied: the role silent was refused logs:CreateLogStream on \S*\/aws\/sagemaker\/ProcessingJobs/,
    );
  });

  test("writes its logs in the name of its role, into a group that it makes", async () => {
    const role = await makeRole("logger", [...readInput, writeOutput, writeLogs]);
    const { ProcessingJobName = "" } = await runJob(role, ["--message"]);
    const logs = new CloudWatchLogs(clientOptions(platform.emulator.endpoint));
    const logGroupName = "/aws/sagemaker/ProcessingJobs";
    const { logStreams = [] } = await logs.describeLogStreams({ logGroupName, logStreamNamePrefix: ProcessingJobName });
    const { events = [] } = await logs.getLogEvents({ logGroupName, logStreamName: logStreams[0]?.logStreamName });
    expect(events.map(({ message }) => message)).toEqual(["arguments: ['--', '--message']"]);
  });

  test.each([
    ["does not exist", undefined],
    ["trusts another one", { AWS: "999999999999" }],
  ])("whose role %s fails in SageMaker's words", async (_, principal) => {
    const role = `arn:aws:iam::${account}:role/unusable`;
    if (principal !== undefined) {
      await makeRole("unusable", readInput, principal);
    }
    const { ProcessingJobStatus, FailureReason } = await runJob(role);
    expect(ProcessingJobStatus).toBe("Failed");
    expect(FailureReason).toBe(
      `ClientError: Could not assume role ${role}. Please ensure that the role exists and allows principal ` +
        "'sagemaker.amazonaws.com' to assume the role: its trust policy must allow that principal sts:AssumeRole (STS answered AccessDenied)",
    );
  });
});

describe("a container", () => {
  test("works in its role's name, and by a token that ends with it", async () => {
    const role = await makeRole("worker", [...readInput, writeOutput, writeLogs]);
    // What a job asks for is not taken before the role.
    const { ProcessingJobName = "", ...job } = await runJob(role, ["--whoami"], {
      AWS_ACCESS_KEY_ID: account,
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_PROFILE: "other",
    });
    expect(job.FailureReason).toBeUndefined();
    const said = logOf(ProcessingJobName);
    expect(said).toContain(`identity: arn:aws:sts::${account}:assumed-role/worker/SageMaker\n`);
    const [, address = "", token = ""] = /^credentials: (\S+) (\S+)$/m.exec(said) ?? [];
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\//);
    for (const headers of [{ Authorization: token }, { Authorization: "guessed" }, {}]) {
      const answer = await fetch(address, { headers: headers as Record<string, string> });
      expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining("AccessDeniedException")]);
    }
  });

  test("that has no network has no credentials", async () => {
    const role = await makeRole("isolated", [...readInput, writeOutput, writeLogs]);
    const { ProcessingJobName = "", FailureReason } = await runJob(role, ["--whoami"], {}, true);
    expect(FailureReason).toContain("Unable to locate credentials");
    expect(logOf(ProcessingJobName)).not.toMatch(/^identity: /m);
  });
});

describe("an endpoint", () => {
  const modelOf = async (): Promise<string> => {
    const folder = join(platform.folder, "model");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "model.json"), JSON.stringify({ factor: 2 }));
    const archive = join(platform.folder, "model.tar.gz");
    await packFolder(folder, archive);
    return platform.put("model/model.tar.gz", readFileSync(archive));
  };
  const deploy = async (name: string, role: string): Promise<{ status: string; reason: string | undefined }> => {
    await platform.sagemaker.createModel({
      ModelName: name,
      ExecutionRoleArn: role,
      PrimaryContainer: { Image: image, ModelDataUrl: await modelOf() },
    });
    await platform.sagemaker.createEndpointConfig({
      EndpointConfigName: name,
      ProductionVariants: [
        { VariantName: "all", ModelName: name, InitialInstanceCount: 1, InstanceType: "ml.t2.medium" },
      ],
      DataCaptureConfig: {
        EnableCapture: true,
        InitialSamplingPercentage: 100,
        DestinationS3Uri: `s3://${bucket}/capture`,
        CaptureOptions: [{ CaptureMode: "Input" }],
      },
    });
    await platform.sagemaker.createEndpoint({ EndpointName: name, EndpointConfigName: name });
    return eventually(`the endpoint ${name}`, async () => {
      const { EndpointStatus, FailureReason } = await platform.sagemaker.describeEndpoint({ EndpointName: name });
      return EndpointStatus !== "Creating" && { status: EndpointStatus ?? "", reason: FailureReason };
    });
  };
  const ask = async (name: string, body: string): Promise<string> => {
    const { Body } = await platform.runtime.invokeEndpoint({ EndpointName: name, ContentType: "text/csv", Body: body });
    return Buffer.from(Body).toString();
  };
  const readModel: Statement = { Action: "s3:GetObject", Resource: `${objects}/model/*` };

  test("whose role may not read the model fails by name", async () => {
    const { status, reason } = await deploy("blind", await makeRole("blind", [writeLogs]));
    expect(status).toBe("Failed");
    expect(reason).toContain(
      `Could not access model data at s3://${bucket}/model/model.tar.gz. Please ensure that the role`,
    );
    expect(reason).toContain(`the role blind was refused s3:GetObject on ${objects}/model/model.tar.gz`);
  });

  test("serves and captures in its role's name, also after the service was killed", async () => {
    const role = await makeRole("server", [readModel, writeLogs]);
    expect((await deploy("named", role)).status).toBe("InService");
    expect(await ask("named", "identity")).toBe(`arn:aws:sts::${account}:assumed-role/server/SageMaker`);
    await eventually("the refused capture", () =>
      Promise.resolve(
        platform.service.output.includes(
          `Captured traffic could not be written to s3://${bucket}/capture/named/all/`,
        ) &&
          platform.service.output.includes(`the role server was refused s3:PutObject on ${objects}/capture/named/all/`),
      ),
    );
    await grant("server", [readModel, writeLogs, { Action: "s3:PutObject", Resource: `${objects}/capture/named/*` }]);
    await eventually("the captured file", async () => (await platform.keys("capture/named/")).length > 0);
    await platform.killAndRestart();
    expect(await ask("named", "identity")).toBe(`arn:aws:sts::${account}:assumed-role/server/SageMaker`);
  });
});

describe("a feature group", () => {
  const create = async (name: string, role: string): Promise<{ status: string; reason: string | undefined }> => {
    await platform.sagemaker.createFeatureGroup({
      FeatureGroupName: name,
      RecordIdentifierFeatureName: "id",
      EventTimeFeatureName: "at",
      FeatureDefinitions: [
        { FeatureName: "id", FeatureType: "String" },
        { FeatureName: "at", FeatureType: "String" },
      ],
      OfflineStoreConfig: { S3StorageConfig: { S3Uri: `s3://${bucket}/store` } },
      RoleArn: role,
    });
    return eventually(`the feature group ${name}`, async () => {
      const group = await platform.sagemaker.describeFeatureGroup({ FeatureGroupName: name });
      return (
        group.FeatureGroupStatus !== "Creating" && {
          status: group.FeatureGroupStatus ?? "",
          reason: group.FailureReason,
        }
      );
    });
  };
  const checkBucket: Statement = { Action: "s3:GetBucketAcl", Resource: objects };

  test("whose role can't be used is not created, and says why", async () => {
    const missing = await create("missing", `arn:aws:iam::${account}:role/missing`);
    expect(missing).toEqual({ status: "CreateFailed", reason: expect.stringContaining("Could not assume role") });
    const blind = await create("blind", await makeRole("store-blind", []));
    expect(blind.reason).toContain(`the role store-blind was refused s3:GetBucketAcl on ${objects}.`);
  });

  test("writes its rows in its role's name", async () => {
    expect((await create("rows", await makeRole("store", [checkBucket]))).status).toBe("Created");
    await platform.records.putRecord({
      FeatureGroupName: "rows",
      Record: [
        { FeatureName: "id", ValueAsString: "a" },
        { FeatureName: "at", ValueAsString: "2026-01-01T00:00:00Z" },
      ],
    });
    const blocked = await eventually("the refused rows", async () => {
      const { OfflineStoreStatus } = await platform.sagemaker.describeFeatureGroup({ FeatureGroupName: "rows" });
      return OfflineStoreStatus?.BlockedReason;
    });
    expect(blocked).toContain(`the role store was refused s3:PutObject on ${objects}/store/`);
    await grant("store", [
      checkBucket,
      { Action: ["s3:PutObject", "s3:PutObjectAcl"], Resource: `${objects}/store/*` },
    ]);
    await eventually("the rows", async () => (await platform.keys("store/")).length > 0);
  });
});
