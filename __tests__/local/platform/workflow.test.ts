import { describeOutcome } from "../../../local/platform/workflow";

const evaluation = { rmse: 2.153, threshold: 2.3, rows: 516 };
const run = { modelPackageArn: "arn", evaluation: { ...evaluation, champion: null } };
const against = (rmse: number | null): typeof run.evaluation =>
  ({ ...evaluation, champion: { modelPackageArn: "arn", rmse } }) as unknown as typeof run.evaluation;

test("a first model is told with its score, its rows and the limit", () => {
  expect(describeOutcome({ ...run, outcome: "registered" })).toBe(
    "registered, RMSE 2.15 rings on 516 held-out rows (limit 2.3)",
  );
});

test("a champion that is kept is told with the scores that kept it", () => {
  expect(describeOutcome({ ...run, outcome: "champion kept", evaluation: against(2.12) })).toBe(
    "champion kept, the challenger's RMSE 2.15 rings is above the champion's 2.12 on 516 held-out rows (limit 2.3)",
  );
});

test.each([
  [2.1529, "2.1530 rings is above the champion's 2.1529"],
  [2.154, "2.153 rings is below the champion's 2.154"],
  [2.153, "2.15 rings is equal to the champion's 2.15"],
])("a close decision against %d shows the digits that made it", (champion, words) => {
  expect(describeOutcome({ ...run, outcome: "champion kept", evaluation: against(champion) })).toContain(words);
});

test("a champion without a score is no comparison", () => {
  expect(describeOutcome({ ...run, outcome: "registered", evaluation: against(null) })).not.toContain("champion");
});
