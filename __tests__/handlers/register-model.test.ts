import { modelCardContent } from "sagemaker-local/model-card";
import { type AwsAnswer, type AwsServer, awsError, type Json, s3Error, startAws } from "./support/aws-server";
import { type Call, collectOutput, loadHandler } from "./support/lambda";

const group = "acme-test-abalone";
const variables = {
  MODEL_PACKAGE_GROUP: group,
  MODEL_IMAGE_URI: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme-test-abalone@sha256:0123",
  MODEL_PACKAGE_PARAMETER: "/acme/test/ModelPackageName",
  BASELINE_DATA_PARAMETER: "/acme/test/BaselineDataUri",
  MONITORING_BASELINE_PARAMETER: "/acme/test/MonitoringBaselineUri",
  FIGURES_PARAMETER: "/acme/test/FiguresKey",
  FIGURES_PREFIX: "figures/",
  INFERENCE_INSTANCE_TYPES: "ml.t2.medium, ml.c5.large",
};
const arnOf = (version: number): string => `arn:aws:sagemaker:eu-west-1:123456789012:model-package/${group}/${version}`;
const event = {
  runName: "acme-test-run-0123abcd",
  trainingJobName: "acme-test-run-0123abcd-train-1",
  modelDataUrl: "s3://acme-test-data/runs/run/model/job/output/model.tar.gz",
  datasetUri: "s3://acme-test-data/runs/run/dataset",
  evaluationUri: "s3://acme-test-data/runs/run/evaluation",
  baselineUri: "s3://acme-test-data/runs/run/baseline",
  judgement: {
    outcome: "challenger better",
    rmse: 2.1,
    threshold: 2.3,
    rows: 500,
    goodEnough: true,
    better: true,
    champion: null,
    comparison: null,
  },
};

/** What the evaluation job writes, as far as the handler adds to it. */
const card = {
  model_overview: { model_creator: "Training job" },
  intended_uses: { risk_rating: "Low" },
  training_details: {
    training_observations: "400 rows",
    training_job_details: { hyper_parameters: [{ name: "seed", value: "7" }] },
  },
  evaluation_details: [{ name: "Held-out rows", metric_groups: [] }],
  additional_information: { custom_details: { features: "sex, length" } },
};

const measured = { value: 2.1, low: 2, high: 2.2, confidence: 0.9 };
const covered = { rows: 100, coverage: 0.9 };
/** The public figures that the evaluation job writes. */
const figures = {
  version: 1,
  model: {
    name: "acme-test-run-0123abcd-train-1",
    run: "acme-test-run-0123abcd-train-1",
    trainedAt: "2026-11-22T22:05:07Z",
  },
  data: {
    rows: 700,
    trainingRows: 400,
    heldOutRows: 100,
    origins: [{ rows: 700, simulated: false, source: "Abalone", licence: "CC BY 4.0" }],
  },
  quality: {
    rmse: measured,
    meanAbsoluteError: measured,
    coverage: { confidence: 0.9, overall: 0.9, bySex: { F: covered }, byThird: [{ from: 4, to: 9, ...covered }] },
  },
  limits: ["Old animals look younger."],
  survey: {
    lengths: { unit: "mm" },
    points: [[91.5, 10.5]],
    bands: [{ from: 90, to: 100, rows: 30, low: 8.5, median: 10.5, high: 14.5 }],
  },
};

const output = collectOutput();
let aws: AwsServer;
let register: Call;
let packages: Json[];
let parameters: Map<string, string>;
/** The model card in S3, or the error in its place. */
let stored: AwsAnswer;
/** The public figures in S3, or the error in their place. */
let storedFigures: AwsAnswer;
/** What the handler put into S3, by path. */
let put: Map<string, { readonly type: unknown; readonly text: string }>;
/** Operations that fail. */
let failures: Record<string, AwsAnswer>;

beforeAll(async () => {
  aws = await startAws();
  register = loadHandler("register-model", variables, aws);
});
afterAll(() => aws.close());
beforeEach(() => {
  packages = [];
  failures = {};
  stored = { body: JSON.stringify(card) };
  storedFigures = { body: JSON.stringify(figures) };
  put = new Map();
  parameters = new Map([
    ["/acme/test/ModelPackageName", "PLACEHOLDER"],
    ["/acme/test/BaselineDataUri", "PLACEHOLDER"],
    ["/acme/test/MonitoringBaselineUri", "PLACEHOLDER"],
    ["/acme/test/FiguresKey", "figures/none.json"],
  ]);
  aws.requests.length = 0;
  aws.respond = ({ operation, json, method, path, headers, body }) => {
    if (method === "GET") {
      if (path === "/acme-test-data/runs/run/evaluation/public-figures.json") {
        return storedFigures;
      }
      expect(path).toBe("/acme-test-data/runs/run/evaluation/model-card.json");
      return stored;
    }
    const failure = failures[operation || method];
    if (failure) {
      return failure;
    }
    if (method === "PUT") {
      put.set(path, { type: headers["content-type"], text: body });
      return { body: "" };
    }
    switch (operation) {
      case "CreateModelPackage":
        packages.push(json);
        return { body: { ModelPackageArn: arnOf(packages.length) } };
      case "ListModelPackages": {
        // Pages of two, the newest first, as SageMaker gives them.
        const newest = packages.map((made, index) => ({ ...made, ModelPackageArn: arnOf(index + 1) })).reverse();
        const start = Number(json.NextToken ?? 0);
        const next = start + 2 < newest.length ? { NextToken: String(start + 2) } : {};
        return { body: { ModelPackageSummaryList: newest.slice(start, start + 2), ...next } };
      }
      case "GetParameter":
        return parameters.has(json.Name)
          ? { body: { Parameter: { Name: json.Name, Value: parameters.get(json.Name) } } }
          : awsError(400, "ParameterNotFound");
      case "PutParameter":
        expect(json).toMatchObject({ Type: "String", Overwrite: true });
        parameters.set(json.Name, json.Value);
        return { body: { Version: 2 } };
      default:
        return awsError(400, "UnexpectedRequest", operation);
    }
  };
  output.clear();
});

test("a challenger becomes an approved package with its metrics, and the champion", async () => {
  expect(await register(event)).toEqual({ modelPackageArn: arnOf(1), version: 1 });
  expect(packages).toEqual([
    {
      ModelPackageGroupName: group,
      ModelPackageDescription: "Registered by run acme-test-run-0123abcd",
      ModelApprovalStatus: "Approved",
      InferenceSpecification: {
        Containers: [{ Image: variables.MODEL_IMAGE_URI, ModelDataUrl: event.modelDataUrl }],
        SupportedContentTypes: ["text/csv", "application/json"],
        SupportedResponseMIMETypes: ["text/csv", "application/json"],
        SupportedRealtimeInferenceInstanceTypes: ["ml.t2.medium", "ml.c5.large"],
      },
      ModelMetrics: {
        ModelQuality: {
          Statistics: { ContentType: "application/json", S3Uri: `${event.evaluationUri}/evaluation.json` },
        },
        ModelDataQuality: {
          Statistics: { ContentType: "application/json", S3Uri: `${event.baselineUri}/statistics.json` },
          Constraints: { ContentType: "application/json", S3Uri: `${event.baselineUri}/constraints.json` },
        },
      },
      ModelCard: { ModelCardStatus: "PendingReview", ModelCardContent: expect.any(String) },
      CustomerMetadataProperties: {
        runName: event.runName,
        trainingJobName: event.trainingJobName,
        rmse: "2.1",
        threshold: "2.3",
        rows: "500",
      },
      ClientToken: expect.stringMatching(/^[a-zA-Z0-9-]{1,36}$/),
    },
  ]);
  expect(Object.fromEntries(parameters)).toEqual({
    "/acme/test/ModelPackageName": arnOf(1),
    "/acme/test/BaselineDataUri": `${event.evaluationUri}/baseline.csv`,
    "/acme/test/MonitoringBaselineUri": event.baselineUri,
    "/acme/test/FiguresKey": "figures/acme-test-run-0123abcd.json",
  });
});

const cardOf = (index: number): Json => JSON.parse(packages[index]!.ModelCard.ModelCardContent);

test("the package has the job's model card, with all places and what the gate decided", async () => {
  await register(event);
  const content = cardOf(0);
  expect(content).toEqual({
    ...card,
    model_overview: { model_creator: "Training job", model_artifact: [event.modelDataUrl] },
    training_details: {
      training_observations: "400 rows",
      training_job_details: {
        hyper_parameters: [{ name: "seed", value: "7" }],
        training_datasets: [`${event.datasetUri}/train/`, `${event.datasetUri}/validation/`],
        training_environment: { container_image: [variables.MODEL_IMAGE_URI] },
      },
    },
    evaluation_details: [
      {
        name: "Held-out rows",
        metric_groups: [],
        datasets: [`${event.datasetUri}/test/`],
        metadata: { gate: "challenger better", rmse: "2.1", "highest rmse allowed": "2.3" },
      },
    ],
    additional_information: {
      custom_details: {
        features: "sex, length",
        run: event.runName,
        "training job": event.trainingJobName,
        page: `${event.evaluationUri}/model-card.html`,
      },
    },
  });
  expect(modelCardContent.safeParse(content).error).toBeUndefined();
});

test.each(["better", "newer"])(
  "the card has the numbers by which a model was %s than the champion",
  async (verdict) => {
    const comparison = {
      metric: "rmse",
      lowerIsBetter: true,
      challenger: 2.1,
      champion: 2.2,
      confidence: 0.95,
      worseByAtMost: -0.06,
      margin: 0.05,
      tolerance: 0.02,
      newerData: true,
      verdict,
    };
    await register({ ...event, judgement: { ...event.judgement, outcome: "x".repeat(2_000), comparison } });
    const content = cardOf(0);
    expect(content.evaluation_details[0].metadata).toEqual({
      gate: "x".repeat(1_024),
      rmse: "2.1",
      "highest rmse allowed": "2.3",
      "compared by": "rmse",
      "this model": "2.1",
      champion: "2.2",
      "worse by at most": "-0.06 with 0.95 confidence; better is below -0.05",
      "newer data": "true, tolerance 0.02",
    });
    expect(modelCardContent.safeParse(content).error).toBeUndefined();
  },
);

test.each<[string, () => AwsAnswer, RegExp]>([
  ["missing", () => s3Error(404, "NoSuchKey"), /model-card\.json is missing: look at the evaluation job's log/],
  ["half", () => ({ body: '{"model_overview"' }), /model-card\.json is not JSON/],
  ["no card", () => ({ body: "[]" }), /model-card\.json is not a model card: the card/],
  [
    "without its evaluation",
    () => ({ body: JSON.stringify({ ...card, evaluation_details: [] }) }),
    /is not a model card: evaluation_details/,
  ],
  [
    "too long for SageMaker",
    () => ({ body: JSON.stringify({ ...card, more: "x".repeat(100_000) }) }),
    /has become 10\d{4} characters long; SageMaker takes 100000/,
  ],
])("a card that is %s is a fault, and nothing is registered", async (_case, answer, message) => {
  stored = answer();
  await expect(register(event)).rejects.toMatchObject({
    name: "InvalidModelCard",
    message: expect.stringMatching(message),
  });
  expect(packages).toEqual([]);
  expect(parameters.get("/acme/test/ModelPackageName")).toBe("PLACEHOLDER");
});

test("the website gets the job's figures, with the version that was registered and the run that made it", async () => {
  packages = [{ ModelPackageDescription: "Registered by run of before" }];
  await register(event);
  const laid = put.get("/acme-test-data/figures/acme-test-run-0123abcd.json");
  // Terraform reads what says that it is text.
  expect(laid?.type).toBe("application/json");
  expect(JSON.parse(laid!.text)).toEqual({
    ...figures,
    model: { name: "version 2", run: event.runName, trainedAt: figures.model.trainedAt },
  });
  expect(put.size).toBe(1);
});

const changed = (change: (copy: Json) => void): AwsAnswer => {
  const copy: Json = structuredClone(figures);
  change(copy);
  return { body: JSON.stringify(copy) };
};

test.each<[string, () => AwsAnswer, RegExp]>([
  ["missing", () => s3Error(404, "NoSuchKey"), /public-figures\.json is missing: look at the evaluation job's log/],
  ["half", () => ({ body: '{"version": 1' }), /public-figures\.json is not JSON/],
  ["none", () => ({ body: "[]" }), /public-figures\.json has no public figures: the document/],
  ["of another version", () => changed((copy) => (copy.version = 2)), /version: /],
  ["without a number", () => changed((copy) => (copy.quality.rmse.value = null)), /quality\.rmse\.value: /],
  [
    "with an interval whose low end is above its high end",
    () => changed((copy) => (copy.quality.rmse.low = 3)),
    /quality\.rmse: the interval's low end is above/,
  ],
  ["without the animals' origin", () => changed((copy) => (copy.data.origins = [])), /data\.origins: /],
  ["with a share above one", () => changed((copy) => (copy.quality.coverage.overall = 90)), /coverage\.overall: /],
  ["with more than agreed", () => changed((copy) => (copy.survey.recordIds = ["uci-1"])), /survey: .*recordIds/],
  [
    "with too many animals",
    () => changed((copy) => (copy.survey.points = Array(601).fill([90, 9.5]))),
    /survey\.points: /,
  ],
  [
    "too long",
    () => changed((copy) => (copy.limits = Array(40).fill("x".repeat(1_500)))),
    /has 6\d{4} bytes; the website takes 40960/,
  ],
])("public figures that are %s are a fault, and nothing is registered", async (_case, answer, message) => {
  storedFigures = answer();
  await expect(register(event)).rejects.toMatchObject({
    name: "InvalidPublicFigures",
    message: expect.stringMatching(message),
  });
  expect(packages).toEqual([]);
  expect(put.size).toBe(0);
  expect(parameters.get("/acme/test/FiguresKey")).toBe("figures/none.json");
});

test("figures that could not be stored leave the champion unchanged, and the repetition stores them", async () => {
  failures = { PUT: s3Error(403, "AccessDenied") };
  await expect(register(event)).rejects.toMatchObject({ name: "AccessDenied" });
  expect(parameters.get("/acme/test/ModelPackageName")).toBe("PLACEHOLDER");
  failures = {};
  expect(await register(event)).toEqual({ modelPackageArn: arnOf(1), version: 1 });
  expect(put.size).toBe(1);
});

test("a card that cannot be read at the moment is not a missing one", async () => {
  stored = s3Error(403, "AccessDenied");
  await expect(register(event)).rejects.toMatchObject({ name: "AccessDenied" });
});

test("the champion is named last, when its baseline and its figures are known", async () => {
  await register(event);
  const named = aws.requests.filter(({ operation }) => operation === "PutParameter").map(({ json }) => json.Name);
  expect(named).toEqual([
    "/acme/test/BaselineDataUri",
    "/acme/test/MonitoringBaselineUri",
    "/acme/test/FiguresKey",
    "/acme/test/ModelPackageName",
  ]);
});

test("a repeated call gives the same package, however many came before it", async () => {
  for (const run of ["a", "b", "c", "d"]) {
    await register({ ...event, runName: run });
  }
  const again = await register({ ...event, runName: "a" });
  expect(again).toEqual({ modelPackageArn: arnOf(1), version: 1 });
  expect(packages).toHaveLength(4);
});

test("a call that ended after the package was made is finished by its repetition", async () => {
  failures = { PutParameter: awsError(400, "TooManyUpdates") };
  await expect(register(event)).rejects.toThrow();
  failures = {};
  expect(await register(event)).toEqual({ modelPackageArn: arnOf(1), version: 1 });
  expect(packages).toHaveLength(1);
  expect(parameters.get("/acme/test/ModelPackageName")).toBe(arnOf(1));
});

test("a repeated call does not bring an old model back", async () => {
  for (const run of ["a", "b"]) {
    await register({ ...event, runName: run });
  }
  await register({ ...event, runName: "a" });
  expect(parameters.get("/acme/test/ModelPackageName")).toBe(arnOf(2));
  expect(parameters.get("/acme/test/FiguresKey")).toBe("figures/b.json");
  expect(output.lines()).toContainEqual(
    expect.objectContaining({ level: "WARN", message: "A later model is champion already, so it stays" }),
  );
});

test("of two runs that beat the same champion, only the first to end becomes champion", async () => {
  await register({ ...event, runName: "first" });
  const judgement = { ...event.judgement, champion: { modelPackageArn: arnOf(1), rmse: 2.4 } };
  await register({ ...event, runName: "a", judgement });
  expect(await register({ ...event, runName: "b", judgement })).toEqual({ modelPackageArn: arnOf(3), version: 3 });
  expect(parameters.get("/acme/test/ModelPackageName")).toBe(arnOf(2));
  expect(parameters.get("/acme/test/FiguresKey")).toBe("figures/a.json");
  expect(output.lines()).toContainEqual(
    expect.objectContaining({ level: "WARN", message: expect.stringMatching(/^Another model than the beaten one/) }),
  );
  // A repetition of who has taken it changes nothing, and is no warning.
  output.clear();
  await register({ ...event, runName: "a", judgement });
  expect(parameters.get("/acme/test/ModelPackageName")).toBe(arnOf(2));
  expect(output.lines()).not.toContainEqual(expect.objectContaining({ level: "WARN" }));
});

test("a later version follows an earlier one even past nine", async () => {
  parameters.set("/acme/test/ModelPackageName", arnOf(9));
  packages = Array.from({ length: 9 }, (_, index) => ({ ModelPackageDescription: `Registered by run ${index}` }));
  expect((await register(event)).version).toBe(10);
  expect(parameters.get("/acme/test/ModelPackageName")).toBe(arnOf(10));
});

test.each(["older-group", `${group}-older`])("a champion of another group, %s, has no effect", async (other) => {
  parameters.set("/acme/test/ModelPackageName", arnOf(99).replace(group, other));
  await register(event);
  expect(parameters.get("/acme/test/ModelPackageName")).toBe(arnOf(1));
});

test.each([
  [{ goodEnough: false }, /only a challenger that is good enough/],
  [{ better: false }, /only a challenger that is good enough/],
  [{ rmse: "2.1" }, /judgement\.rmse/],
])("nothing is registered past the gate: %j", async (changes, message) => {
  await expect(register({ ...event, judgement: { ...event.judgement, ...changes } })).rejects.toMatchObject({
    name: "InvalidEvent",
    message: expect.stringMatching(message),
  });
  expect(aws.requests).toEqual([]);
});

test.each(["runName", "trainingJobName", "modelDataUrl", "datasetUri", "evaluationUri", "baselineUri"] as const)(
  "half a character in %s is refused",
  async (field) => {
    await expect(register({ ...event, [field]: `${event[field]}\ud800` })).rejects.toMatchObject({
      name: "InvalidEvent",
      message: expect.stringContaining(`${field}: is not well-formed Unicode text`),
    });
    expect(aws.requests).toEqual([]);
  },
);

test("a missing parameter is a fault of the deployment, and named", async () => {
  parameters.clear();
  await expect(register(event)).rejects.toThrow(
    "The parameter /acme/test/ModelPackageName is missing: deploy the ml-workflow stack again",
  );
});

test("SageMaker's refusal is passed on", async () => {
  failures = { CreateModelPackage: awsError(400, "ValidationException", "the image is not in this region") };
  await expect(register(event)).rejects.toMatchObject({ message: "the image is not in this region" });
  expect(parameters.get("/acme/test/ModelPackageName")).toBe("PLACEHOLDER");
});

test("invalid instance types do not start", () => {
  expect(() => loadHandler("register-model", { ...variables, INFERENCE_INSTANCE_TYPES: " , " }, aws)).toThrow(
    /INFERENCE_INSTANCE_TYPES/,
  );
});
