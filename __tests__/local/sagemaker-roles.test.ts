/** SageMaker works in the roles' names at the platform's own emulator, which judges them as AWS does. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CloudWatch } from "@aws-sdk/client-cloudwatch";
import { IAM } from "@aws-sdk/client-iam";
import type { DescribeTrainingJobCommandOutput } from "@aws-sdk/client-sagemaker";
import { bucket, clientOptions, eventually, image, Platform } from "sagemaker-local/testing";
import { account, Emulator, region } from "../workflow/support/emulator";

let platform: Platform;
let iam: IAM;
beforeAll(async () => {
  platform = await Platform.start({ SAGEMAKER_ASSUME_ROLES: "yes" }, (url) => Emulator.start(url));
  iam = new IAM(clientOptions(platform.emulator.endpoint));
}, 180_000);
afterAll(() => platform.stop(), 60_000);
jest.setTimeout(120_000);

const objects = `arn:aws:s3:::${bucket}`;
const logs = `arn:aws:logs:${region}:${account}:log-group:/aws/sagemaker`;
const rights = [
  { Action: "s3:GetObject", Resource: `${objects}/*` },
  { Action: "s3:PutObject", Resource: `${objects}/models/*` },
  { Action: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], Resource: `${logs}/*:*` },
];
const documentOf = (...statements: readonly object[]): string =>
  JSON.stringify({ Version: "2012-10-17", Statement: statements.map((each) => ({ Effect: "Allow", ...each })) });

/** Makes a role that a service may take on for an account, as the stacks' roles are made. */
async function makeRole(RoleName: string, Service: string, sourceAccount = account): Promise<string> {
  const AssumeRolePolicyDocument = documentOf({
    Principal: { Service },
    Action: "sts:AssumeRole",
    Condition: { StringEquals: { "aws:SourceAccount": sourceAccount } },
  });
  await iam.createRole({ RoleName, AssumeRolePolicyDocument });
  await iam.putRolePolicy({ RoleName, PolicyName: "permissions", PolicyDocument: documentOf(...rights) });
  return `arn:aws:iam::${account}:role/${RoleName}`;
}

async function train(TrainingJobName: string, RoleArn: string): Promise<DescribeTrainingJobCommandOutput> {
  await platform.sagemaker.createTrainingJob({
    TrainingJobName,
    RoleArn,
    AlgorithmSpecification: { TrainingImage: image, TrainingInputMode: "File" },
    OutputDataConfig: { S3OutputPath: `s3://${bucket}/models` },
    ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 1 },
    StoppingCondition: { MaxRuntimeInSeconds: 600 },
  });
  return eventually(`the job ${TrainingJobName} to end`, async () => {
    const job = await platform.sagemaker.describeTrainingJob({ TrainingJobName });
    return ["Completed", "Failed"].includes(job.TrainingJobStatus ?? "") && job;
  });
}

test.each([
  ["this account", "trusting", "sagemaker.amazonaws.com", account, "Completed"],
  ["another account", "foreign", "sagemaker.amazonaws.com", "999999999999", "Failed"],
  ["this account", "of-lambda", "lambda.amazonaws.com", account, "Failed"],
])("a job for %s with the role '%s' of %s", async (_, name, service, sourceAccount, status) => {
  const role = await makeRole(name, service, sourceAccount);
  const { TrainingJobStatus, FailureReason } = await train(name, role);
  expect(TrainingJobStatus).toBe(status);
  if (status === "Failed") {
    expect(FailureReason).toContain(`ClientError: Could not assume role ${role}.`);
  }
});

test("a release whose role may not look at its alarms is turned back and names them; with the right it goes on", async () => {
  const role = await makeRole("serving", "sagemaker.amazonaws.com");
  const folder = mkdtempSync(join(platform.folder, "model-"));
  writeFileSync(join(folder, "model.json"), JSON.stringify({ factor: 2 }));
  execFileSync("tar", ["-czf", `${folder}.tar.gz`, "-C", folder, "."]);
  const ModelDataUrl = await platform.put("models/model.tar.gz", readFileSync(`${folder}.tar.gz`));
  await platform.sagemaker.createModel({
    ModelName: "served",
    ExecutionRoleArn: role,
    PrimaryContainer: { Image: image, ModelDataUrl },
  });
  for (const EndpointConfigName of ["old", "new"]) {
    await platform.sagemaker.createEndpointConfig({
      EndpointConfigName,
      ProductionVariants: [
        { VariantName: "all", ModelName: "served", InitialInstanceCount: 1, InstanceType: "ml.t2.medium" },
      ],
    });
  }
  const EndpointName = "served";
  const settled = (): Promise<{ config: string; reason: string }> =>
    eventually("the endpoint", async () => {
      const endpoint = await platform.sagemaker.describeEndpoint({ EndpointName });
      expect(endpoint.EndpointStatus).not.toBe("Failed");
      return (
        endpoint.EndpointStatus === "InService" && {
          config: endpoint.EndpointConfigName ?? "",
          reason: endpoint.FailureReason ?? "",
        }
      );
    });
  await platform.sagemaker.createEndpoint({ EndpointName, EndpointConfigName: "old" });
  await settled();
  const AlarmName = "served-errors";
  await new CloudWatch(clientOptions(platform.emulator.endpoint)).putMetricAlarm({
    AlarmName,
    Namespace: "AWS/SageMaker",
    MetricName: "Invocation5XXErrors",
    Statistic: "Sum",
    Period: 60,
    EvaluationPeriods: 1,
    Threshold: 0,
    ComparisonOperator: "GreaterThanThreshold",
    TreatMissingData: "notBreaching",
  });
  const release = async (): Promise<{ config: string; reason: string }> => {
    await platform.sagemaker.updateEndpoint({
      EndpointName,
      EndpointConfigName: "new",
      DeploymentConfig: {
        BlueGreenUpdatePolicy: { TrafficRoutingConfiguration: { Type: "ALL_AT_ONCE", WaitIntervalInSeconds: 1 } },
        AutoRollbackConfiguration: { Alarms: [{ AlarmName }] },
      },
    });
    return settled();
  };

  const alarm = `arn:aws:cloudwatch:${region}:${account}:alarm:${AlarmName}`;
  const { config, reason } = await release();
  expect(config).toBe("old");
  expect(reason).toContain(
    "The release of the endpoint configuration new was rolled back to old: its alarms can't be read (AccessDenied: " +
      "the role serving was refused cloudwatch:DescribeAlarms on ",
  );
  await iam.putRolePolicy({
    RoleName: "serving",
    PolicyName: "permissions",
    PolicyDocument: documentOf(...rights, { Action: "cloudwatch:DescribeAlarms", Resource: alarm }),
  });
  expect((await release()).config).toBe("new");
});
