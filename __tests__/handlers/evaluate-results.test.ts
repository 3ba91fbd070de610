import { type AwsServer, s3Error, startAws } from "./support/aws-server";
import { type Call, collectOutput, loadHandler } from "./support/lambda";

const uri = "s3://acme-test-data/runs/run-1/evaluation";
const packageArn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/acme-test-abalone/3";
const newest = { older: "2026-03-01T09:30:00.000Z", newer: "2026-03-01T09:30:00.001Z" };
const trained = (newest_event: string | null): object => ({ training: { rows: 2500, newest_event } });
/** A model's scores; those that a test is not about are the same for all. */
const metricsOf = (rmse: unknown, r2 = 0.55): object => ({
  mae: { value: 1.5, standard_deviation: 0.05 },
  mse: { value: 4.4, standard_deviation: 0.4 },
  rmse: { value: rmse, standard_deviation: 0.1 },
  r2: { value: r2, standard_deviation: 0.03 },
});
const levels = [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.975, 0.99];
/** Standard normal distribution at these levels. */
const deviations = [-2.326, -1.96, -1.645, -1.282, -0.842, 0, 0.842, 1.282, 1.645, 1.96, 2.326];
/** A difference with a normal distribution about its value. */
const differenceOf = (value: number, deviation: number, lower_is_better = true): object => ({
  lower_is_better,
  value,
  standard_deviation: deviation,
  quantiles: Object.fromEntries(levels.map((level, index) => [level, value + deviation * deviations[index]!])),
});
const evaluation = (rmse: unknown, champion: unknown = null, r2 = 0.55): object => ({
  model: "run-1-train",
  ...trained(newest.older),
  regression_metrics: metricsOf(rmse, r2),
  rows: 500,
  interval: { confidence: 0.9, coverage: 0.91 },
  champion,
});
/** Champion and challenger, the deviation of whose difference is known. */
const against = (rmse: number, champion: number, deviation: number, changes: object = {}): object =>
  evaluation(rmse, {
    model_package: packageArn,
    ...trained(newest.older),
    regression_metrics: metricsOf(champion),
    differences: {
      rmse: differenceOf(rmse - champion, deviation),
      mae: differenceOf(0, 0.1),
      mse: differenceOf(0, 0.1),
      r2: differenceOf(0, 0.1, false),
    },
    ...changes,
  });
/** What the stack gives the function where nobody prefers newer data. */
const gate = {
  QUALITY_THRESHOLD: "2.3",
  GATE_METRIC: "rmse",
  GATE_CONFIDENCE: "0.95",
  GATE_MARGIN: "0",
  GATE_NEWER_TOLERANCE: "none",
};

const output = collectOutput();
let aws: AwsServer;
let judge: Call;

beforeAll(async () => {
  aws = await startAws();
  judge = loadHandler("evaluate-results", gate, aws);
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
    { outcome: "no champion yet", goodEnough: true, better: true, champion: null, comparison: null },
  ],
  ["a model at the threshold", evaluation(2.3), { outcome: "no champion yet", goodEnough: true, better: true }],
  [
    "a model just above the threshold",
    evaluation(2.3001),
    { outcome: "above the threshold", goodEnough: false, better: true },
  ],
  [
    "a better model",
    against(2.1, 2.2, 0.06),
    {
      outcome: "challenger better",
      goodEnough: true,
      better: true,
      champion: { modelPackageArn: packageArn, rmse: 2.2 },
      comparison: {
        metric: "rmse",
        lowerIsBetter: true,
        challenger: 2.1,
        champion: 2.2,
        confidence: 0.95,
        worseByAtMost: expect.closeTo(-0.1 + 1.645 * 0.06, 9),
        margin: 0,
        tolerance: null,
        newerData: false,
        verdict: "better",
      },
    },
  ],
  [
    "a model that is better by chance",
    against(2.1, 2.2, 0.062),
    { outcome: "challenger not shown to be better", goodEnough: true, better: false },
  ],
  [
    "a worse model",
    against(2.2, 2.1, 0.02),
    {
      outcome: "challenger not shown to be better",
      goodEnough: true,
      better: false,
      champion: { modelPackageArn: packageArn, rmse: 2.1 },
    },
  ],
  [
    "the very same model",
    against(2.1, 2.1, 0),
    {
      outcome: "challenger not shown to be better",
      goodEnough: true,
      better: false,
      comparison: { worseByAtMost: 0, verdict: "not better" },
    },
  ],
  [
    "another model with the same score",
    against(2.1, 2.1, 0.03),
    { outcome: "challenger not shown to be better", better: false },
  ],
  [
    "a model above the threshold that is better than the champion",
    against(2.5, 2.6, 0.01),
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
      comparison: null,
    },
  ],
])("%s", async (_name, document, judgement) => {
  serve(document);
  expect(await judge({ evaluationUri: uri })).toMatchObject({ threshold: 2.3, rows: 500, ...judgement });
  expect(aws.requests).toMatchObject([
    { method: "GET", path: "/acme-test-data/runs/run-1/evaluation/evaluation.json" },
  ]);
});

describe("the settings of the gate", () => {
  const judgeWith = async (changes: object, document: object): Promise<object> => {
    const call = loadHandler("evaluate-results", { ...gate, ...changes }, aws);
    serve(document);
    return call({ evaluationUri: uri });
  };
  afterAll(() => {
    judge = loadHandler("evaluate-results", gate, aws);
  });

  test.each([
    ["0.9", true],
    ["0.95", false],
    ["0.99", false],
  ])("a confidence of %s lets a better model through: %s", async (GATE_CONFIDENCE, better) => {
    expect(await judgeWith({ GATE_CONFIDENCE }, against(2.1, 2.2, 0.07))).toMatchObject({ better });
  });

  test.each([
    ["0", true],
    ["0.05", true],
    ["0.1", false],
  ])("a margin of %s rings lets a model through that is surely better by 0.08: %s", async (GATE_MARGIN, better) => {
    const judgement = await judgeWith({ GATE_MARGIN }, against(2.1, 2.2, 0.02 / 1.645));
    expect(judgement).toMatchObject({ better, comparison: { worseByAtMost: expect.closeTo(-0.08, 9) } });
  });

  const newer = { ...trained(newest.older) };
  const asNewer = (document: object): object => ({ ...document, ...trained(newest.newer) });
  test.each<[string, string, object, string]>([
    ["a little worse, on newer data", "0.05", asNewer(against(2.11, 2.1, 0.02)), "newer"],
    ["the same score, on newer data", "0.05", asNewer(against(2.1, 2.1, 0.03)), "newer"],
    ["no less than the tolerance, and surely", "0", asNewer(against(2.1, 2.1, 0)), "newer"],
    ["a little worse, and nobody prefers it", "none", asNewer(against(2.11, 2.1, 0.02)), "not better"],
    ["a little worse, on the same data", "0.05", against(2.11, 2.1, 0.02), "not better"],
    ["a little worse, on older data", "0.05", against(2.11, 2.1, 0.02, trained(newest.newer)), "not better"],
    ["perhaps much worse, on newer data", "0.05", asNewer(against(2.11, 2.1, 0.03)), "not better"],
    ["surely better, on newer data", "0.05", asNewer(against(2.0, 2.1, 0.02)), "better"],
    [
      "on newer data than a champion that doesn't tell",
      "0.05",
      asNewer(against(2.1, 2.1, 0.01, trained(null))),
      "not better",
    ],
    [
      "without telling from when its data are",
      "0.05",
      { ...against(2.1, 2.1, 0.01, newer), ...trained(null) },
      "not better",
    ],
  ])("a challenger %s, tolerance %s", async (_name, GATE_NEWER_TOLERANCE, document, verdict) => {
    expect(await judgeWith({ GATE_NEWER_TOLERANCE }, document)).toMatchObject({
      better: verdict !== "not better",
      comparison: { verdict, tolerance: GATE_NEWER_TOLERANCE === "none" ? null : Number(GATE_NEWER_TOLERANCE) },
    });
  });

  // The same numbers as errors and as R²: what is better by the one is worse by the other.
  test.each([
    ["rmse", -0.1, "better"],
    ["rmse", 0.1, "not better"],
    ["r2", 0.1, "better"],
    ["r2", -0.1, "not better"],
  ])("by %s a difference of %d is %s", async (GATE_METRIC, value, verdict) => {
    const differences = {
      rmse: differenceOf(value, 0.02),
      mae: differenceOf(0, 0.02),
      mse: differenceOf(0, 0.02),
      r2: differenceOf(value, 0.02, false),
    };
    const document = evaluation(
      2.1 + value,
      { model_package: packageArn, ...trained(null), regression_metrics: metricsOf(2.1, 0.5), differences },
      0.5 + value,
    );
    expect(await judgeWith({ GATE_METRIC }, document)).toMatchObject({
      better: verdict === "better",
      comparison: {
        metric: GATE_METRIC,
        verdict,
        lowerIsBetter: GATE_METRIC === "rmse",
        worseByAtMost: expect.closeTo((GATE_METRIC === "rmse" ? value : -value) + 1.645 * 0.02, 9),
      },
    });
  });

  test("swapping the models swaps the verdict", async () => {
    expect(await judgeWith({}, against(2.1, 2.2, 0.02))).toMatchObject({ better: true });
    expect(await judgeWith({}, against(2.2, 2.1, 0.02))).toMatchObject({ better: false });
  });

  test.each([
    [{ GATE_METRIC: "loss" }, /GATE_METRIC: 'loss' is wrong/],
    [{ GATE_CONFIDENCE: "1" }, /GATE_CONFIDENCE: '1' is wrong: expected a number between 0.5 and 0.999/],
    [{ GATE_MARGIN: "-1" }, /GATE_MARGIN: '-1' is wrong/],
    [{ GATE_NEWER_TOLERANCE: "" }, /GATE_NEWER_TOLERANCE: '' is wrong/],
  ])("%j does not start", (changes, message) => {
    expect(() => loadHandler("evaluate-results", { ...gate, ...changes }, aws)).toThrow(message);
  });

  test("a confidence without a quantile in the report is named", async () => {
    await expect(judgeWith({ GATE_CONFIDENCE: "0.93" }, against(2.1, 2.2, 0.02))).rejects.toMatchObject({
      name: "InvalidEvaluation",
      message: expect.stringContaining(
        "quantiles has no 0.93, which a confidence of 0.93 needs; there are 0.01, 0.025",
      ),
    });
  });
});

test("scores whose difference was rounded are judged", async () => {
  serve(against(3_000_000, 2_000_000, 0, { regression_metrics: metricsOf(2_000_000.001) }));
  expect(await judge({ evaluationUri: uri })).toMatchObject({ better: false });
});

test("the scores are kept as metrics", async () => {
  output.clear();
  serve(against(2.1, 2.2, 0.01));
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
    ["a champion with null for its score", against(2, 2, 0, { regression_metrics: metricsOf(null) }), /champion/],
    [
      "a champion with a score and a reason for none",
      against(2, 2.1, 0, { error: "gone", differences: 1 }),
      /champion/,
    ],
    ["a champion without a distribution of the difference", against(2, 2.1, 0, { differences: {} }), /champion/],
    ["a distribution that goes down", against(2, 2.1, -0.02), /champion/],
    [
      "a difference that is not that of the scores",
      against(2, 2.1, 0, { regression_metrics: metricsOf(2) }),
      /the report contradicts itself/,
    ],
    [
      "a difference off by more than rounding",
      against(3_000_000, 2_000_000, 0, { regression_metrics: metricsOf(2_000_000.01) }),
      /the report contradicts itself/,
    ],
    [
      "a time that is none",
      { ...evaluation(2), training: { rows: 9, newest_event: "yesterday" } },
      /training\.newest_event: expected a time/,
    ],
    ["no word of its training", { ...evaluation(2), training: undefined }, /training/],
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

test("a failing service is not reported as a bad report", async () => {
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
  expect(() => loadHandler("evaluate-results", { ...gate, QUALITY_THRESHOLD }, aws)).toThrow(
    /QUALITY_THRESHOLD: '.*' is wrong/,
  );
});
