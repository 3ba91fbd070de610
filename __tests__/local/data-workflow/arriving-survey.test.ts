import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describeWait, writeSurvey } from "../../../local/data-workflow/arriving-survey";
import { openInstance } from "../../../local/platform/instance";

const folder = mkdtempSync(join(tmpdir(), "new-survey-"));
const instance = openInstance(join(folder, "platform"));

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("make survey", () => {
  test.each([
    [{ ROWS: "many" }, "ROWS: 'many' is not a number of animals such as 500"],
    [{ ROWS: "99999999999" }, "ROWS: '99999999999' is not a number of animals such as 500, at most 100000000"],
    [{ ROWS: "999999999" }, "ROWS: 999999999 is not a whole number between 1 and 100000000"],
    [{ SEED: "-1" }, "SEED: '-1' is not a whole number such as 7"],
    [{ SHIFT: "0.2x" }, "SHIFT: '0.2x' is not a share such as 0.2"],
    [{ SHIFT: "9" }, "SHIFT: 9 is not a number between -0.5 and 0.5"],
  ])("%p is refused with the variable's name, whether a platform runs or not", async (options, reason) => {
    await expect(writeSurvey(instance, options)).rejects.toThrow(reason);
  });

  test("says how long many rows take to arrive, and nothing for few", () => {
    expect(describeWait(500)).toBe("");
    expect(describeWait(5_000_001)).toMatch(/ some 81 minutes, at the rate of docs\/measurements\.md\.$/);
  });

  test("without a platform says how to start one", async () => {
    await expect(writeSurvey(instance, { SHIFT: "0.2" })).rejects.toThrow("type `make up` first");
  });
});
