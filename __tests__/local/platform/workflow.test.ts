import { describeOutcome } from "../../../local/platform/workflow";

const evaluation = { rmse: 2.153, threshold: 2.3, rows: 516, champion: null, comparison: null };
const first = { outcome: "registered", modelPackageArn: "arn", evaluation };
const against = (champion: number, changes: object = {}): typeof first => ({
  outcome: "champion kept",
  modelPackageArn: "arn",
  evaluation: {
    ...evaluation,
    champion: { modelPackageArn: "arn", rmse: champion },
    comparison: {
      metric: "rmse",
      lowerIsBetter: true,
      challenger: 2.153,
      champion,
      confidence: 0.95,
      margin: 0,
      tolerance: null,
      verdict: "not better",
      ...changes,
    },
  } as unknown as typeof evaluation,
});

test("a first model is reported with its score, its rows and the limit", () => {
  expect(describeOutcome(first)).toBe("registered, RMSE 2.15 rings on 516 held-out rows (limit 2.3)");
});

test("a champion without a score is not a comparison", () => {
  const alone = { ...evaluation, champion: { modelPackageArn: "arn", rmse: null } };
  expect(describeOutcome({ ...first, evaluation: alone })).not.toContain("champion");
});

test.each<[string, number, object, string]>([
  ["worse", 2.12, {}, "2.15 rings is above the champion's 2.12 on the same 516 held-out rows (limit 2.3)"],
  [
    "better by chance",
    2.17,
    {},
    "2.15 rings is below the champion's 2.17, but not with 95 % confidence, on the same 516 held-out rows (limit 2.3)",
  ],
  [
    "not better by enough",
    2.17,
    { margin: 0.05, confidence: 0.975 },
    "is below the champion's 2.17, but not with 97.5 % confidence by more than 0.05, on the same",
  ],
  ["surely better", 2.3, { verdict: "better" }, "is with 95 % confidence below the champion's 2.30 on the same"],
  [
    "surely better by enough",
    2.3,
    { verdict: "better", margin: 0.05 },
    "is with 95 % confidence more than 0.05 below the champion's 2.30 on the same",
  ],
  [
    "not worse, and newer",
    2.14,
    { verdict: "newer", tolerance: 0.03 },
    "is from newer data and with 95 % confidence at most 0.03 above the champion's 2.14 on the same",
  ],
  [
    "compared by R²",
    0.5,
    { metric: "r2", lowerIsBetter: false, challenger: 0.52 },
    "R² 0.52 is above the champion's 0.50, but not with 95 % confidence, on the same 516 held-out rows (RMSE 2.15, limit 2.3)",
  ],
])("a challenger that is %s is reported with the reason", (_case, champion, changes, words) => {
  expect(describeOutcome(against(champion, changes))).toContain(words);
});

test.each([
  [2.1529, "2.1530 rings is above the champion's 2.1529"],
  [2.154, "2.153 rings is below the champion's 2.154"],
  [2.153, "2.15 rings is equal to the champion's 2.15"],
])("a close decision against %d shows the digits that made it", (champion, words) => {
  expect(describeOutcome(against(champion))).toContain(words);
});
