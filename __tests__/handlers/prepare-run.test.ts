import fc from "fast-check";
import { type AwsAnswer, type AwsRequest, type AwsServer, awsError, startAws } from "./support/aws-server";
import { type Call, collectOutput, loadHandler } from "./support/lambda";

const variables = {
  DATA_BUCKET: "acme-test-data",
  EXPERIMENT_NAME: "acme-test-abalone",
  MODEL_PACKAGE_PARAMETER: "/acme/test/ModelPackageName",
  RESOURCE_PREFIX: "acme-test",
};
const packageArn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/acme-test-abalone/3";
const arnOf = (execution: string): string =>
  `arn:aws:states:eu-west-1:123456789012:execution:acme-test-training:${execution}`;
const event = { executionArn: arnOf("first-run"), startedAt: "2026-03-01T09:30:00Z" };
/** SageMaker's pattern for the names of jobs, trials and experiments. */
const sageMakerName = /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/;

const output = collectOutput();
let aws: AwsServer;
let prepare: Call;
/** Answers by operation; the others are refused. */
let answers: Record<string, (request: AwsRequest) => AwsAnswer>;
/** Experiments and trials that exist. */
let existing: Set<string>;

beforeAll(async () => {
  aws = await startAws();
  prepare = loadHandler("prepare-run", variables, aws);
});
afterAll(() => aws.close());
beforeEach(() => {
  existing = new Set();
  const create = (name: string): AwsAnswer => {
    if (existing.has(name)) {
      return awsError(400, "ValidationException", `${name} already exists`);
    }
    existing.add(name);
    return { body: {} };
  };
  const describe = (name: string): AwsAnswer =>
    existing.has(name) ? { body: {} } : awsError(400, "ResourceNotFound", `${name} does not exist`);
  answers = {
    GetParameter: () => ({ body: { Parameter: { Value: "PLACEHOLDER" } } }),
    CreateExperiment: ({ json }) => create(json.ExperimentName),
    DescribeExperiment: ({ json }) => describe(json.ExperimentName),
    CreateTrial: ({ json }) => create(json.TrialName),
    DescribeTrial: ({ json }) => describe(json.TrialName),
  };
  aws.requests.length = 0;
  aws.respond = (request) =>
    answers[request.operation]?.(request) ?? awsError(400, "UnexpectedRequest", request.operation);
  output.clear();
});

test("a run gets names and places of its own execution", async () => {
  const run = await prepare(event);
  expect(run.runName).toMatch(/^acme-test-first-run-[0-9a-f]{8}$/);
  const folder = `s3://acme-test-data/runs/${run.runName}`;
  expect(run).toEqual({
    runName: run.runName,
    experimentName: "acme-test-abalone",
    trialName: run.runName,
    processingJobName: `${run.runName}-process`,
    trainingJobName: `${run.runName}-train`,
    evaluationJobName: `${run.runName}-evaluate`,
    datasetUri: `${folder}/dataset`,
    baselineUri: `${folder}/baseline`,
    modelUri: `${folder}/model`,
    evaluationUri: `${folder}/evaluation`,
    queryOutputUri: `s3://acme-test-data/athena/${run.runName}/`,
    champion: { modelPackageArn: "none", modelDataUrl: "none" },
  });
  expect([...existing]).toEqual(["acme-test-abalone", run.runName]);
  expect(aws.requests.find(({ operation }) => operation === "CreateTrial")?.json).toEqual({
    ExperimentName: "acme-test-abalone",
    TrialName: run.runName,
  });
});

test("a repeated call gives the same run, and its experiment and trial are no obstacle", async () => {
  const first = await prepare(event);
  expect(await prepare({ ...event, startedAt: "2026-03-02T00:00:00Z" })).toEqual(first);
  expect(existing.size).toBe(2);
});

test("two runs share the experiment and nothing else", async () => {
  const [one, other] = [await prepare(event), await prepare({ ...event, executionArn: arnOf("second-run") })];
  const names = [
    "runName",
    "processingJobName",
    "trainingJobName",
    "evaluationJobName",
    "datasetUri",
    "baselineUri",
    "modelUri",
    "evaluationUri",
  ];
  for (const name of names) {
    expect(one[name]).not.toBe(other[name]);
  }
});

test("names are SageMaker's, at most 57 characters, and differ, whatever an execution is called", async () => {
  const execution = fc.oneof(
    fc.uuid(),
    fc.string({ minLength: 1, maxLength: 80 }).filter((text) => !/[:\n\r\u2028\u2029]/.test(text)),
    fc.constantFrom("-", "---a---", "ä", "a".repeat(80), `${"a".repeat(79)}b`),
  );
  const seen = new Map<string, string>();
  await fc.assert(
    fc.asyncProperty(execution, async (name) => {
      const run = await prepare({ ...event, executionArn: arnOf(name) });
      for (const key of ["trialName", "processingJobName", "trainingJobName", "evaluationJobName"]) {
        expect(run[key]).toMatch(sageMakerName);
        expect(run[key].length).toBeLessThanOrEqual(57);
      }
      expect(run.runName).toMatch(/^acme-test-.*[0-9a-f]{8}$/);
      expect(seen.get(run.runName) ?? name).toBe(name);
      seen.set(run.runName, name);
    }),
    { numRuns: 60 },
  );
});

test("a refusal that is no 'already exists' is an error", async () => {
  answers.CreateTrial = () => awsError(400, "ResourceLimitExceeded", "too many trials");
  await expect(prepare(event)).rejects.toMatchObject({ name: "ResourceLimitExceeded", message: "too many trials" });
});

describe("the champion", () => {
  const champion = (value: string, describe: AwsAnswer): void => {
    answers.GetParameter = () => ({ body: { Parameter: { Value: value } } });
    answers.DescribeModelPackage = () => describe;
  };
  const approved = {
    ModelApprovalStatus: "Approved",
    InferenceSpecification: {
      Containers: [{ Image: "image", ModelDataUrl: "s3://acme-test-data/runs/x/model.tar.gz" }],
    },
  };

  test("is the package that the parameter names, with its model", async () => {
    champion(packageArn, { body: approved });
    expect((await prepare(event)).champion).toEqual({
      modelPackageArn: packageArn,
      modelDataUrl: "s3://acme-test-data/runs/x/model.tar.gz",
    });
    expect(aws.requests.find(({ operation }) => operation === "GetParameter")?.json).toEqual({
      Name: "/acme/test/ModelPackageName",
    });
    expect(aws.requests.find(({ operation }) => operation === "DescribeModelPackage")?.json).toEqual({
      ModelPackageName: packageArn,
    });
  });

  test.each<[string, AwsAnswer, string]>([
    [
      "deleted",
      awsError(400, "ValidationException", `ModelPackage ${packageArn} does not exist.`),
      "its model package was deleted",
    ],
    ["not found", awsError(404, "ResourceNotFound"), "its model package was deleted"],
    [
      "rejected by people",
      { body: { ...approved, ModelApprovalStatus: "Rejected" } },
      "its model package was rejected",
    ],
    ["without a model", { body: { ModelApprovalStatus: "Approved" } }, "its model package has no model data"],
  ])("that is %s does not count, with a warning", async (_name, answer, reason) => {
    champion(packageArn, answer);
    expect((await prepare(event)).champion).toEqual({ modelPackageArn: "none", modelDataUrl: "none" });
    expect(output.lines()).toContainEqual(
      expect.objectContaining({
        level: "WARN",
        message: "The run goes on without a champion",
        modelPackageArn: packageArn,
        reason,
      }),
    );
  });

  test("that cannot be looked up for another reason stops the run: it must not be overlooked", async () => {
    champion(packageArn, awsError(403, "AccessDeniedException", "not allowed"));
    await expect(prepare(event)).rejects.toMatchObject({ name: "AccessDeniedException" });
  });

  test("has a parameter: a missing one is a fault of the deployment", async () => {
    answers.GetParameter = () => awsError(400, "ParameterNotFound");
    await expect(prepare(event)).rejects.toThrow(
      "The parameter /acme/test/ModelPackageName, which names the champion, is missing: deploy the ml-workflow stack again",
    );
  });
});

test.each([
  [{}, /executionArn: .*; startedAt: /],
  [{ ...event, executionArn: "first-run" }, /executionArn: expected the ARN of an execution/],
  [undefined, /the event: /],
])("the event %j is refused", async (wrong, message) => {
  await expect(prepare(wrong)).rejects.toMatchObject({ name: "InvalidEvent", message: expect.stringMatching(message) });
});

test("a prefix that would leave no room for names does not start", () => {
  expect(() => loadHandler("prepare-run", { ...variables, RESOURCE_PREFIX: "x".repeat(31) }, aws)).toThrow(
    /RESOURCE_PREFIX/,
  );
});
