import { type AwsServer, s3Error, startAws } from "./support/aws-server";
import { type Call, collectOutput, loadHandler } from "./support/lambda";

const uri = "s3://acme-test-data/runs/run-1/evaluation";
const packageArn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/acme-test-abalone/3";
const metricsOf = (rmse: unknown): object => ({
  mae: { value: 1.5, standard_deviation: 0.05 },
  mse: { value: 4.4, standard_deviation: 0.4 },
  rmse: { value: rmse, standard_deviation: 0.1 },
  r2: { value: 0.55, standard_deviation: 0.03 },
});
const evaluation = (rmse: unknown, champion: unknown = null): object => ({
  regression_metrics: metricsOf(rmse),
  rows: 500,
  interval: { confidence: 0.9, coverage: 0.91 },
  champion,
});
const championWith = (rmse: unknown): object => ({ model_package: packageArn, regression_metrics: metricsOf(rmse) });

const output = collectOutput();
let aws: AwsServer;
let judge: Call;

beforeAll(async () => {
  aws = await startAws();
  judge = loadHandler("evaluate-results", { QUALITY_THRESHOLD: "2.3" }, aws);
});
afterAll(() => aws.close());
beforeEach(() => {
  aws.requests.length = 0;
});
const serve = (document: unknown): void => {
  aws.respond = () => ({ body: typeof document === "string" ? document : JSON.stringify(document) });
};

test.each<[string, object, object]>([
  [
    "the first good model",
    evaluation(2.1),
    { outcome: "no champion yet", goodEnough: true, better: true, champion: null },
  ],
  ["a model at the threshold", evaluation(2.3), { outcome: "no champion yet", goodEnough: true, better: true }],
  [
    "a model just above the threshold",
    evaluation(2.3001),
    { outcome: "above the threshold", goodEnough: false, better: true },
  ],
  [
    "a better model",
    evaluation(2.1, championWith(2.2)),
    {
      outcome: "challenger better",
      goodEnough: true,
      better: true,
      champion: { modelPackageArn: packageArn, rmse: 2.2 },
    },
  ],
  [
    "a worse model",
    evaluation(2.2, championWith(2.1)),
    {
      outcome: "champion better",
      goodEnough: true,
      better: false,
      champion: { modelPackageArn: packageArn, rmse: 2.1 },
    },
  ],
  [
    "an equal model",
    evaluation(2.1, championWith(2.1)),
    { outcome: "champion better", goodEnough: true, better: false },
  ],
  [
    "a model above the threshold that is better than the champion",
    evaluation(2.5, championWith(2.6)),
    { outcome: "above the threshold", goodEnough: false, better: true },
  ],
  [
    "a champion that could not be scored",
    evaluation(2.1, { model_package: packageArn, error: "the artefact is unreadable" }),
    {
      outcome: "challenger judged alone, for the champion could not be scored: the artefact is unreadable",
      goodEnough: true,
      better: true,
      champion: { modelPackageArn: packageArn, rmse: null },
    },
  ],
])("%s", async (_name, document, judgement) => {
  serve(document);
  expect(await judge({ evaluationUri: uri })).toMatchObject({ threshold: 2.3, rows: 500, ...judgement });
  expect(aws.requests).toMatchObject([
    { method: "GET", path: "/acme-test-data/runs/run-1/evaluation/evaluation.json" },
  ]);
});

test("the scores are kept as metrics", async () => {
  output.clear();
  serve(evaluation(2.1, championWith(2.2)));
  await judge({ evaluationUri: `${uri}/` });
  expect(output.lines()).toContainEqual(expect.objectContaining({ ChallengerRmse: 2.1, ChampionRmse: 2.2 }));
});

describe("a report that cannot be judged is an error, and no verdict", () => {
  test.each<[string, unknown, RegExp]>([
    [
      "NaN",
      JSON.stringify(evaluation(2.1)).replace("2.1", "NaN"),
      /evaluation\.json is not valid JSON, which has no NaN/,
    ],
    ["an endless RMSE", JSON.stringify(evaluation(2.1)).replace("2.1", "1e999"), /regression_metrics\.rmse\.value/],
    ["text for the RMSE", evaluation("2.1"), /regression_metrics\.rmse\.value: .*expected number/],
    ["a negative RMSE", evaluation(-1), /regression_metrics\.rmse\.value/],
    ["no RMSE", { ...evaluation(2), regression_metrics: {} }, /regression_metrics\.rmse/],
    ["no rows", { ...evaluation(2), rows: 0 }, /rows/],
    ["a champion without score or reason", evaluation(2, { model_package: packageArn }), /champion/],
    ["a champion with null for its score", evaluation(2, championWith(null)), /champion/],
    ["no word of a champion", { ...evaluation(2), champion: undefined }, /champion/],
    ["a list", [], /the document/],
    ["nothing", "", /not valid JSON/],
  ])("%s", async (_name, document, message) => {
    serve(document);
    await expect(judge({ evaluationUri: uri })).rejects.toMatchObject({
      name: "InvalidEvaluation",
      message: expect.stringMatching(message),
    });
  });

  test("a missing one", async () => {
    aws.respond = () => s3Error(404, "NoSuchKey");
    await expect(judge({ evaluationUri: uri })).rejects.toMatchObject({
      name: "InvalidEvaluation",
      message: `${uri}/evaluation.json is missing: look at the evaluation job's log`,
    });
  });
});

test("a failing service is not taken for a bad report", async () => {
  aws.respond = () => s3Error(403, "AccessDenied");
  await expect(judge({ evaluationUri: uri })).rejects.toMatchObject({ name: "AccessDenied" });
});

test.each([
  {},
  { evaluationUri: "runs/run-1" },
  { evaluationUri: "s3://" },
  { evaluationUri: "s3://acme-test-data/\ud800" },
  null,
])("the event %j is refused", async (event) => {
  await expect(judge(event)).rejects.toThrow(/evaluationUri|the event|not an S3 URI/);
});

test.each(["", "low", "-1", "0", "NaN"])("a threshold of '%s' does not start", (QUALITY_THRESHOLD) => {
  expect(() => loadHandler("evaluate-results", { QUALITY_THRESHOLD }, aws)).toThrow(/QUALITY_THRESHOLD: '.*' is wrong/);
});
