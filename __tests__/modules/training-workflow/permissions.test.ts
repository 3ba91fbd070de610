import { App, TerraformStack, Testing } from "cdktf";

import { TrainingWorkflow, type TrainingWorkflowProps } from "../../../modules/training-workflow";
import { setPlace } from "../../../modules/place";
import { testPlace } from "../../support/synthesize";
import { exampleProps } from "./example";

const account = "123456789012";
const region = "eu-west-1";

const props: TrainingWorkflowProps = {
  name: "acme-test-training",
  jobPrefix: "acme-test",
  functions: exampleProps.functions,
  imageUri: exampleProps.imageUri,
  imageRepository: "acme-test-abalone",
  featureGroup: "acme-test-abalone",
  athenaWorkgroup: "acme-test-abalone",
  bucket: "acme-test-data",
  encryptionKeyArn: exampleProps.keyArn,
  processing: exampleProps.processing,
  training: exampleProps.training,
  logRetentionDays: 30,
};

interface Statement {
  readonly Sid: string;
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: string | string[];
  readonly Condition?: Record<string, Record<string, string | string[]>>;
}

const listOf = (value: string | string[]): string[] => [value].flat();

const stack = new TerraformStack(new App({ stackTraces: false }), "workflow");
setPlace(stack, testPlace);
new TrainingWorkflow(stack, "training", props);
const document = JSON.parse(Testing.synth(stack));
const resources = document.resource as Record<string, Record<string, any>>; // eslint-disable-line @typescript-eslint/no-explicit-any

const roleNames = Object.fromEntries(Object.values(resources.aws_iam_role!).map(({ name }) => [name, true]));

function statementsOf(role: string): readonly Statement[] {
  expect(roleNames).toHaveProperty(role);
  const suffix = role === "acme-test-training" ? /training_role_/ : /job-role/;
  const [policy] = Object.entries(resources.aws_iam_role_policy!).filter(([id]) => suffix.test(id));
  return JSON.parse(policy![1].policy).Statement;
}

const machine = Object.values(resources.aws_sfn_state_machine!)[0]!;

/** What a role must be allowed for one integration: an action, and the kind of resource that its ARN names. */
type Needs = Readonly<Record<string, readonly string[]>>;

/**
 * AWS's own lists, "IAM policies for integrated services" in the Step Functions Developer Guide: pages lambda-iam.html
 * and sagemaker-iam.html (CreateTrainingJob and CreateProcessingJob, "Run a Job (.sync)"). `sagemaker:AddTags` is not
 * on the latter page's oldest editions: Step Functions needs it since it tags the jobs that it waits for
 * (MANAGED_BY_AWS = STARTED_BY_STEP_FUNCTIONS).
 */
const documented: Readonly<Record<string, Needs>> = {
  "arn:aws:states:::lambda:invoke": { "lambda:InvokeFunction": [`arn:aws:lambda:${region}:${account}:function:`] },
  "arn:aws:states:::sagemaker:createProcessingJob.sync": {
    "sagemaker:CreateProcessingJob": [`arn:aws:sagemaker:${region}:${account}:processing-job/`],
    "sagemaker:DescribeProcessingJob": [`arn:aws:sagemaker:${region}:${account}:processing-job/`],
    "sagemaker:StopProcessingJob": [`arn:aws:sagemaker:${region}:${account}:processing-job/`],
    "sagemaker:ListTags": [`arn:aws:sagemaker:${region}:${account}:processing-job/`],
    "sagemaker:AddTags": [`arn:aws:sagemaker:${region}:${account}:processing-job/`],
    "iam:PassRole": ["${aws_iam_role"],
    ...eventsRule("StepFunctionsGetEventsForSageMakerProcessingJobsRule"),
  },
  "arn:aws:states:::sagemaker:createTrainingJob.sync": {
    "sagemaker:CreateTrainingJob": [`arn:aws:sagemaker:${region}:${account}:training-job/`],
    "sagemaker:DescribeTrainingJob": [`arn:aws:sagemaker:${region}:${account}:training-job/`],
    "sagemaker:StopTrainingJob": [`arn:aws:sagemaker:${region}:${account}:training-job/`],
    "sagemaker:ListTags": [`arn:aws:sagemaker:${region}:${account}:training-job/`],
    "sagemaker:AddTags": [`arn:aws:sagemaker:${region}:${account}:training-job/`],
    "iam:PassRole": ["${aws_iam_role"],
    ...eventsRule("StepFunctionsGetEventsForSageMakerTrainingJobsRule"),
  },
};

function eventsRule(name: string): Needs {
  const rule = [`arn:aws:events:${region}:${account}:rule/${name}`];
  return { "events:PutTargets": rule, "events:PutRule": rule, "events:DescribeRule": rule };
}

/**
 * Actions for which AWS knows no resource: "Logging in CloudWatch Logs" and "Tracing with AWS X-Ray" in the Step
 * Functions Developer Guide.
 */
const withoutResource = [
  "logs:CreateLogDelivery",
  "logs:GetLogDelivery",
  "logs:UpdateLogDelivery",
  "logs:DeleteLogDelivery",
  "logs:ListLogDeliveries",
  "logs:PutResourcePolicy",
  "logs:DescribeResourcePolicies",
  "logs:DescribeLogGroups",
  "xray:PutTraceSegments",
  "xray:PutTelemetryRecords",
  "xray:GetSamplingRules",
  "xray:GetSamplingTargets",
];

const integrations = [
  ...new Set(
    Object.values(JSON.parse(machine.definition).States as Record<string, { Resource?: string }>).flatMap(
      ({ Resource }) => Resource ?? [],
    ),
  ),
];

describe("the state machine's role", () => {
  const statements = statementsOf("acme-test-training");
  const allowed = (action: string): string[] =>
    statements.filter(({ Action }) => listOf(Action).includes(action)).flatMap(({ Resource }) => listOf(Resource));

  test.each(integrations)("may do what AWS lists for %s, on those resources", (integration) => {
    expect(documented).toHaveProperty([integration]);
    for (const [action, starts] of Object.entries(documented[integration]!)) {
      for (const start of starts) {
        expect([action, allowed(action)]).toEqual([action, expect.arrayContaining([expect.stringContaining(start)])]);
      }
    }
  });

  test("may do nothing else", () => {
    const needed = new Set([...integrations.flatMap((name) => Object.keys(documented[name]!)), ...withoutResource]);
    expect(new Set(statements.flatMap(({ Action }) => listOf(Action)))).toEqual(needed);
  });

  test("reaches its own functions and jobs only", () => {
    expect(allowed("lambda:InvokeFunction")).toEqual(Object.values(exampleProps.functions));
    for (const action of ["sagemaker:CreateTrainingJob", "sagemaker:StopProcessingJob", "sagemaker:AddTags"]) {
      for (const resource of allowed(action)) {
        expect(resource).toMatch(/-job\/acme-test-\*$/);
      }
    }
  });

  test("passes the jobs' role to SageMaker alone", () => {
    const [pass] = statements.filter(({ Action }) => listOf(Action).includes("iam:PassRole"));
    expect(pass?.Condition).toEqual({ StringEquals: { "iam:PassedToService": "sagemaker.amazonaws.com" } });
    expect(listOf(pass!.Resource)).toEqual([expect.stringMatching(/job-role/)]);
  });
});

describe("the jobs' role", () => {
  const statements = statementsOf("acme-test-training-job");
  const allows = (action: string, resource: string): boolean =>
    statements.some(
      ({ Action, Resource }) =>
        listOf(Action).includes(action) &&
        listOf(Resource).some((pattern) => new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(resource)),
    );
  const object = (key: string): string => `arn:aws:s3:::acme-test-data/${key}`;

  test.each([
    ["s3:GetObject", object("runs/a/dataset/train/data.csv")],
    ["s3:GetObject", object("feature-store/123456789012/sagemaker/data.parquet")],
    ["s3:GetObject", object("athena/q.csv")],
    ["s3:PutObject", object("runs/a/model/model.tar.gz")],
    ["s3:PutObject", object("athena/q.csv")],
    ["ecr:BatchGetImage", `arn:aws:ecr:${region}:${account}:repository/acme-test-abalone`],
    ["athena:StartQueryExecution", `arn:aws:athena:${region}:${account}:workgroup/acme-test-abalone`],
    ["sagemaker:DescribeFeatureGroup", `arn:aws:sagemaker:${region}:${account}:feature-group/acme-test-abalone`],
    ["logs:PutLogEvents", `arn:aws:logs:${region}:${account}:log-group:/aws/sagemaker/TrainingJobs:log-stream:a`],
    ["kms:GenerateDataKey", exampleProps.keyArn],
    ["kms:Encrypt", exampleProps.keyArn],
  ])("may %s on %s", (action, resource) => {
    expect(allows(action, resource)).toBe(true);
  });

  test.each([
    ["s3:PutObject", object("feature-store/x")],
    ["s3:PutObject", object("surveys/x.csv")],
    ["s3:GetObject", object("surveys/x.csv")],
    ["s3:DeleteObject", object("runs/a/model/model.tar.gz")],
    ["s3:GetObject", "arn:aws:s3:::another-bucket/runs/a"],
    ["sagemaker:PutRecord", `arn:aws:sagemaker:${region}:${account}:feature-group/acme-test-abalone`],
    ["athena:StartQueryExecution", `arn:aws:athena:${region}:${account}:workgroup/primary`],
    ["ecr:BatchGetImage", `arn:aws:ecr:${region}:${account}:repository/another`],
    ["ecr:PutImage", `arn:aws:ecr:${region}:${account}:repository/acme-test-abalone`],
    ["logs:PutLogEvents", `arn:aws:logs:${region}:${account}:log-group:/aws/lambda/x:log-stream:a`],
  ])("may not %s on %s", (action, resource) => {
    expect(allows(action, resource)).toBe(false);
  });

  test("knows the feature store's table by the name that SageMaker gives it", () => {
    const tables = statements.flatMap(({ Resource }) => listOf(Resource)).filter((name) => name.includes(":table/"));
    const [[local, replaced]] = Object.entries(document.locals as Record<string, string>) as [[string, string]];
    expect(tables).toEqual([expect.stringMatching(/:table\/sagemaker_featurestore\/\$\{local\.\w+-?\w*\}_\*$/)]);
    expect(tables[0]).toContain(`local.${local}`);
    expect(replaced).toBe('${replace("acme-test-abalone", "-", "_")}');
  });

  test("writes metrics in SageMaker's namespaces alone", () => {
    const [metrics] = statements.filter(({ Action }) => listOf(Action).includes("cloudwatch:PutMetricData"));
    expect(metrics?.Condition).toEqual({
      StringEquals: { "cloudwatch:namespace": ["/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs"] },
    });
  });
});

/**
 * Beside the state machine's: a registry's token (Amazon ECR) and metrics, which know namespaces only (service
 * authorization reference).
 */
const mayBeEverything = [...withoutResource, "ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"];

test.each(["acme-test-training", "acme-test-training-job"])(
  "%s has no wildcard that AWS doesn't force on it",
  (role) => {
    for (const { Action, Resource, Effect } of statementsOf(role)) {
      expect(Effect).toBe("Allow");
      for (const action of listOf(Action)) {
        expect(action).not.toContain("*");
      }
      if (listOf(Resource).includes("*")) {
        expect(mayBeEverything).toEqual(expect.arrayContaining(listOf(Action)));
      }
    }
  },
);

test.each([
  ["acme-test-training", "states.amazonaws.com"],
  ["acme-test-training-job", "sagemaker.amazonaws.com"],
])("%s can be assumed by %s on behalf of this account alone", (name, service) => {
  const role = Object.values(resources.aws_iam_role!).find((candidate) => candidate.name === name);
  expect(JSON.parse(role!.assume_role_policy).Statement).toEqual([
    expect.objectContaining({
      Principal: { Service: service },
      Condition: { StringEquals: { "aws:SourceAccount": account } },
    }),
  ]);
});

test("the state machine logs every event, encrypted, and is traced", () => {
  expect(machine).toMatchObject({
    logging_configuration: { level: "ALL", include_execution_data: true },
    tracing_configuration: { enabled: true },
    type: "STANDARD",
  });
  expect(Object.values(resources.aws_cloudwatch_log_group!)).toEqual([
    expect.objectContaining({
      name: "/aws/vendedlogs/states/acme-test-training",
      kms_key_id: exampleProps.keyArn,
      retention_in_days: 30,
    }),
  ]);
});

test("a name that would be too long for the roles stops synth", () => {
  const scope = new TerraformStack(new App({ stackTraces: false }), "other");
  expect(() => new TrainingWorkflow(scope, "training", { ...props, name: "a".repeat(59) })).toThrow(/1 to 58 letters/);
});
