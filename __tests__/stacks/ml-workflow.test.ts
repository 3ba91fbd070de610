import { App, Testing } from "cdktf";
import validate from "asl-validator";

import { environmentNames, loadEnvironment } from "../../environments";
import { trainingWorkflowDefinition } from "../../modules/training-workflow/definition";
import { MlWorkflowStack } from "../../stacks/ml-workflow";
import { Platform } from "../../stacks/platform";
import { exampleProps } from "../modules/training-workflow/example";
import { synthesizePlatform } from "../support/synthesize";
import { endpointInstanceTypes, taskFaults } from "../workflow/support/task-faults";

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Resource = Record<string, any>;

function synthesize(name: (typeof environmentNames)[number]): Record<string, Record<string, Resource>> {
  const platform = new Platform(new App({ stackTraces: false }), loadEnvironment(name));
  return JSON.parse(Testing.synth(new MlWorkflowStack(platform))).resource;
}

const resources = synthesize("local");
const all = (type: string): Resource[] => Object.values(resources[type] ?? {});
const listOf = (value: string | string[]): string[] => [value].flat();

/** The statements of a policy, by its id in the stack. */
function statementsIn(id: string): { Sid: string; Action: string[]; Resource: string[] }[] {
  const policy = resources.aws_iam_role_policy![id];
  return JSON.parse(policy!.policy).Statement.map((statement: Resource) => ({
    ...statement,
    Action: listOf(statement.Action),
    Resource: listOf(statement.Resource),
  }));
}

/** The statements of a function's role. */
const statementsOf = (name: string): ReturnType<typeof statementsIn> => statementsIn(`${name}_role_policy`);

test("publishes what the contract asks of it", () => {
  expect(
    Object.fromEntries(all("aws_ssm_parameter").map(({ name, insecure_value }) => [name, insecure_value])),
  ).toEqual({
    "/acme/local/StateMachine": expect.stringContaining("aws_sfn_state_machine"),
    "/acme/local/IngestSurveyFunction": expect.stringContaining("aws_lambda_function"),
    "/acme/local/ModelPackageGroup": expect.stringContaining("aws_sagemaker_model_package_group"),
    "/acme/local/ModelPackageName": "PLACEHOLDER",
    "/acme/local/BaselineDataUri": "PLACEHOLDER",
    "/acme/local/MonitoringBaselineUri": "PLACEHOLDER",
    "/acme/local/FiguresKey": "figures/none.json",
  });
});

test("Terraform leaves alone what the workflow changes at run time, and nothing else", () => {
  const ignoring = all("aws_ssm_parameter").filter(({ lifecycle }) =>
    lifecycle?.ignore_changes?.includes("insecure_value"),
  );
  expect(ignoring.map(({ name }) => name).sort()).toEqual([
    "/acme/local/BaselineDataUri",
    "/acme/local/FiguresKey",
    "/acme/local/ModelPackageName",
    "/acme/local/MonitoringBaselineUri",
  ]);
});

test("threshold, gate and instance types come from the settings", () => {
  const environmentOf = (name: string): Resource =>
    all("aws_lambda_function").find(({ function_name }) => function_name === `acme-local-ml-workflow-${name}`)!
      .environment.variables;
  const settings = loadEnvironment("local");
  expect(environmentOf("evaluate-results")).toMatchObject({
    QUALITY_THRESHOLD: String(settings.qualityThreshold),
    GATE_METRIC: settings.gate.metric,
    GATE_CONFIDENCE: String(settings.gate.confidence),
    GATE_MARGIN: String(settings.gate.margin),
    GATE_NEWER_TOLERANCE: "none",
  });
  expect(environmentOf("register-model").INFERENCE_INSTANCE_TYPES.split(",")).toContain(
    settings.websites.production.endpoint.instanceType,
  );
});

test("where newer data are preferred, the function knows how much worse a challenger may be", () => {
  const gate = { metric: "mae", confidence: 0.9, margin: 0.1, preferNewer: { tolerance: 0.05 } } as const;
  const functions = Object.values(
    synthesizePlatform("local", { gate })["ml-workflow"]!.resources("aws_lambda_function"),
  );
  expect(
    functions.find(({ function_name }) => function_name === "acme-local-ml-workflow-evaluate-results")?.environment
      .variables,
  ).toMatchObject({
    GATE_METRIC: "mae",
    GATE_CONFIDENCE: "0.9",
    GATE_MARGIN: "0.1",
    GATE_NEWER_TOLERANCE: "0.05",
  });
});

describe("each function may do its own work and no more", () => {
  const actionsOf = (id: string): string[] =>
    statementsOf(id)
      .flatMap(({ Action }) => Action)
      .filter((action) => !/^(logs|xray):/.test(action))
      .sort();

  test("prepare-run", () => {
    expect(actionsOf("prepare-run")).toEqual([
      "sagemaker:CreateExperiment",
      "sagemaker:CreateTrial",
      "sagemaker:CreateTrial",
      "sagemaker:DescribeExperiment",
      "sagemaker:DescribeModelPackage",
      "sagemaker:DescribeTrial",
      "ssm:GetParameter",
    ]);
  });

  test("evaluate-results reads runs and writes nothing", () => {
    expect(actionsOf("evaluate-results")).toEqual(["kms:Decrypt", "s3:GetObject", "s3:ListBucket"]);
    expect(statementsOf("evaluate-results").find(({ Action }) => Action.includes("s3:GetObject"))?.Resource).toEqual([
      expect.stringMatching(/^arn:aws:s3:::.+\/runs\/\*$/),
    ]);
  });

  test("register-model changes the parameters of the champion and no other, and writes public figures alone", () => {
    expect(actionsOf("register-model")).toEqual([
      "ecr:BatchGetImage",
      "ecr:DescribeImages",
      "kms:Decrypt",
      "kms:GenerateDataKey",
      "s3:AbortMultipartUpload",
      "s3:GetObject",
      "s3:ListBucket",
      "s3:PutObject",
      "sagemaker:CreateModelPackage",
      "sagemaker:ListModelPackages",
      "ssm:GetParameter",
      "ssm:PutParameter",
    ]);
    expect(statementsOf("register-model").find(({ Action }) => Action.includes("ssm:PutParameter"))?.Resource).toEqual([
      "arn:aws:ssm:eu-west-1:123456789012:parameter/acme/local/ModelPackageName",
      "arn:aws:ssm:eu-west-1:123456789012:parameter/acme/local/BaselineDataUri",
      "arn:aws:ssm:eu-west-1:123456789012:parameter/acme/local/MonitoringBaselineUri",
      "arn:aws:ssm:eu-west-1:123456789012:parameter/acme/local/FiguresKey",
    ]);
    expect(statementsOf("register-model").find(({ Action }) => Action.includes("s3:PutObject"))?.Resource).toEqual([
      expect.stringMatching(/^arn:aws:s3:::.+\/figures\/\*$/),
    ]);
  });

  test("ingest-survey writes refused rows and records, and no survey", () => {
    expect(actionsOf("ingest-survey")).toEqual([
      "kms:Decrypt",
      "kms:GenerateDataKey",
      "s3:AbortMultipartUpload",
      "s3:GetObject",
      "s3:ListBucket",
      "s3:PutObject",
      "sagemaker:BatchWriteRecord",
      "sagemaker:PutRecord",
    ]);
    expect(statementsOf("ingest-survey").find(({ Action }) => Action.includes("s3:PutObject"))?.Resource).toEqual([
      expect.stringMatching(/\/surveys\/rejected\/\*$/),
    ]);
  });

  test("a wildcard stands only where AWS knows no resource", () => {
    const everything = Object.keys(resources.aws_iam_role_policy!)
      .flatMap(statementsIn)
      .filter(({ Resource }) => Resource.includes("*"))
      .flatMap(({ Action }) => Action);
    expect(new Set(everything.filter((action) => !/^(logs|xray):/.test(action)))).toEqual(
      new Set(["sagemaker:ListModelPackages", "ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"]),
    );
  });
});

test("a function's own time limit ends before the task that waits for it", () => {
  const definition = JSON.parse(all("aws_sfn_state_machine")[0]!.definition);
  const timeouts = all("aws_lambda_function")
    .filter(({ function_name }) => function_name !== "acme-local-ml-workflow-ingest-survey")
    .map(({ timeout }) => timeout as number);
  for (const name of ["PrepareRun", "Judge", "Register"]) {
    expect(Math.max(...timeouts)).toBeLessThan(definition.States[name].TimeoutSeconds);
  }
});

test("every failure sets off an alarm", () => {
  const topic = Object.keys(resources.aws_sns_topic!)[0]!;
  const alarms = all("aws_cloudwatch_metric_alarm");
  expect(
    alarms
      .map(({ alarm_name }) => alarm_name)
      .filter((name) => !name.endsWith("-errors"))
      .sort(),
  ).toEqual([
    "acme-local-ml-workflow-training-below-threshold",
    "acme-local-ml-workflow-training-failed",
    "acme-local-ml-workflow-training-throttled",
    "acme-local-ml-workflow-training-timed-out",
  ]);
  for (const { alarm_actions } of alarms) {
    expect(alarm_actions).toEqual([`\${aws_sns_topic.${topic}.arn}`]);
  }
});

test("a refused model differs from a failed run by the state machine's error", () => {
  const [filter] = all("aws_cloudwatch_log_metric_filter");
  const definition = JSON.parse(all("aws_sfn_state_machine")[0]!.definition);
  expect(filter!.pattern).toContain(`"${definition.States.BelowThreshold.Error}"`);
  const alarm = all("aws_cloudwatch_metric_alarm").find(({ alarm_name }) => alarm_name.endsWith("below-threshold"))!;
  expect(alarm).toMatchObject({
    namespace: filter!.metric_transformation.namespace,
    metric_name: filter!.metric_transformation.name,
  });
});

describe.each(environmentNames)("the jobs in %s", (name) => {
  const template = synthesizePlatform(name)["ml-workflow"]!;
  const { States } = JSON.parse(template.resource("aws_sfn_state_machine").definition);
  const given = [
    States.Process.Arguments.NetworkConfig.VpcConfig,
    States.Train.Arguments.VpcConfig,
    States.Evaluate.Arguments.NetworkConfig.VpcConfig,
  ];
  const policy = template.policyOf("training_job-role_policy");
  const { account, region, jobsInVpc } = loadEnvironment(name);
  const arn = (resource: string): string => `arn:aws:ec2:${region}:${account}:${resource}`;

  if (jobsInVpc) {
    test("run in the network's job subnets, from the network stack's parameters", () => {
      const expected = {
        Subnets: ["${local.job-subnet-a}", "${local.job-subnet-b}"],
        SecurityGroupIds: ["${data.aws_ssm_parameter.JobSecurityGroupId.insecure_value}"],
      };
      expect(given).toEqual([expected, expected, expected]);
      expect(template.document.locals).toMatchObject({
        "job-subnet-a": '${element(split(",", data.aws_ssm_parameter.JobSubnetIds.insecure_value), 0)}',
        "job-subnet-b": '${element(split(",", data.aws_ssm_parameter.JobSubnetIds.insecure_value), 1)}',
      });
    });

    // SageMaker Developer Guide, execution roles: what CreateTrainingJob and CreateProcessingJob need besides when they
    // are given a VPC.
    test.each([
      ["ec2:CreateNetworkInterface", arn("network-interface/eni-1")],
      ["ec2:CreateNetworkInterface", arn("subnet/${local.job-subnet-a}")],
      ["ec2:CreateNetworkInterface", arn("subnet/${local.job-subnet-b}")],
      ["ec2:CreateNetworkInterface", arn("security-group/${data.aws_ssm_parameter.JobSecurityGroupId.insecure_value}")],
      ["ec2:CreateNetworkInterfacePermission", arn("network-interface/eni-1")],
      ["ec2:DeleteNetworkInterface", arn("network-interface/eni-1")],
      ["ec2:DeleteNetworkInterfacePermission", arn("network-interface/eni-1")],
      ["ec2:DescribeNetworkInterfaces", "*"],
      ["ec2:DescribeVpcs", "*"],
      ["ec2:DescribeDhcpOptions", "*"],
      ["ec2:DescribeSubnets", "*"],
      ["ec2:DescribeSecurityGroups", "*"],
    ])("may %s on %s", (action, resource) => {
      expect(policy.allows(action, resource)).toBe(true);
    });

    test("may not go into other subnets, nor change a security group", () => {
      expect(policy.allows("ec2:CreateNetworkInterface", arn("subnet/subnet-other"))).toBe(false);
      expect(policy.allows("ec2:AuthorizeSecurityGroupEgress", arn("security-group/sg-1"))).toBe(false);
    });
  } else {
    test("run in no VPC, and may do nothing to a network", () => {
      expect(given).toEqual([undefined, undefined, undefined]);
      expect(policy.allows("ec2:CreateNetworkInterface", arn("network-interface/eni-1"))).toBe(false);
      expect(policy.allows("ec2:DescribeSubnets", "*")).toBe(false);
    });
  }
});

describe.each(environmentNames)("in %s", (name) => {
  const { processing, training, websites } = loadEnvironment(name);

  test("SageMaker knows the jobs' instance types and takes their sizes", () => {
    expect(taskFaults(trainingWorkflowDefinition({ ...exampleProps, processing, training }))).toEqual([]);
  });

  test.each(["test", "production"] as const)("SageMaker knows the instance type of the %s endpoint", (stage) => {
    expect(endpointInstanceTypes).toContain(websites[stage].endpoint.instanceType);
  });

  test("Step Functions accepts the state machine, and Terraform reads no directive into it", () => {
    const [machine] = Object.values(synthesize(name).aws_sfn_state_machine!);
    expect(validate(JSON.parse(machine!.definition)).errorsText("\n")).toBe("");
    // A percent sign before a brace would begin one, as in JSONata written the other way round.
    expect(machine!.definition).not.toContain("%{");
  });
});

test.each(environmentNames)("two synths of %s are the same", (name) => {
  expect(synthesize(name)).toEqual(synthesize(name));
});
