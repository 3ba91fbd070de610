import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Instance, openInstance, root, writeJson } from "../../../local/platform/instance";
import { status } from "../../../local/platform/status";

let instance: Instance;

beforeEach(() => {
  instance = openInstance(mkdtempSync(join(tmpdir(), "instance-")));
});

afterEach(() => {
  rmSync(instance.directory, { recursive: true, force: true });
});

const platform = `'${process.execPath}' --import tsx local/platform.ts`;

function shell(line: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync("bash", ["-c", line], {
    cwd: root,
    encoding: "utf8",
    env: { PATH: process.env.PATH, HOME: "/home/ada", PLATFORM_DIRECTORY: instance.directory },
  });
}

test("logs end quietly when their reader has read enough", () => {
  const lines = Array.from({ length: 40 }, (_, index) => `${index} ${"x".repeat(20_000)}`);
  writeFileSync(instance.path("logs/emulator.log"), lines.join("\n"));
  const read = shell(`${platform} logs | head -1; exit "\${PIPESTATUS[0]}"`);
  expect(read).toEqual(expect.objectContaining({ status: 0, stderr: "" }));
  expect(read.stdout).toContain("emulator.log");
});

test("the status says why the last run of the ML workflow failed, with or without a website", async () => {
  const reason = "BelowQualityThreshold: RMSE of 3.91 on 637 held-out rows is above the threshold of 2.3.";
  writeJson(instance.path("progress/workflow-failure.json"), { reason });
  expect((await status(instance)).text).toContain(`The last run of the ML workflow failed: ${reason}`);
  const evaluation = { rmse: 2.117, threshold: 2.3, rows: 516, champion: null };
  writeJson(instance.path("platform.json"), { outcome: "registered", evaluation });
  const { text } = await status(instance);
  expect(text).toContain(reason);
  expect(text).toMatch(/^Last run +failed, see below$/m);
  expect(text).not.toContain("2.12");
});

test("a missing survey is reported at once, with the home folder instead of ~, and nothing is begun", () => {
  const { status: exit, stderr, stdout } = shell(`SURVEY='~/no such/survey.csv' ${platform} up`);
  expect([exit, stdout]).toEqual([1, ""]);
  expect(stderr.trim()).toMatch(
    /^SURVEY: there is no file \/home\/ada\/no such\/survey\.csv; expected a survey file \(CSV\)/,
  );
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(() => readFileSync(instance.path("progress/survey-requests.json"))).toThrow("ENOENT");
});

test("a stage that fails is reported once off a terminal, the names of files as they are", () => {
  const survey = join(instance.directory, 'a"b $c.csv');
  writeFileSync(survey, "a,b\n1,2\n");
  const { status: exit, stderr } = shell(`SURVEY='${survey}' ${platform} up`);
  expect(exit).toBe(1);
  expect(stderr).toContain(`Read the survey: ${survey} `);
  expect(stderr.split("the header lacks")).toHaveLength(2);
});

const scored = { modelPackageArn: "arn", rmse: 2.118 };
test.each([
  ["registered", null, "RMSE 2.12 rings on 11516 rows, champion before it: none"],
  ["registered", scored, "RMSE 2.12 rings on 11516 rows, champion before it: 2.12"],
  ["champion kept", scored, "RMSE 2.12 rings on 11516 rows, champion: 2.12"],
  ["registered", { ...scored, rmse: null }, "RMSE 2.12 rings on 11516 rows, champion before it: not scored"],
])("the status says how the last run ended (%s, against %j), within 80 columns", async (outcome, champion, scores) => {
  writeJson(instance.path("ports.json"), {
    emulator: 45_660,
    sagemaker: 45_670,
    website: 18_080,
    "website-test": 18_081,
  });
  writeJson(instance.path("platform.json"), {
    website: "http://127.0.0.1:18080",
    websiteTest: "http://127.0.0.1:18081",
    api: "http://127.0.0.1:4566/_aws/execute-api/7a7906b5/$default/api",
    modelPackageArn: "arn:aws:sagemaker:eu-west-1:123456789012:model-package/acme-local-ml-workflow-abalone/12",
    outcome,
    evaluation: { rmse: 2.117, threshold: 2.3, rows: 11_516, champion },
  });
  const { text, healthy } = await status(instance);
  expect(healthy).toBe(false);
  expect(text).toMatch(/^Champion +acme-local-ml-workflow-abalone\/12$/m);
  expect(text).toMatch(new RegExp(`^Last run +${outcome}$`, "m"));
  expect(/^Scores +(.*)$/m.exec(text)?.[1]).toBe(scores);
  for (const line of text.replace(instance.directory, ".local").split("\n")) {
    expect(line.length).toBeLessThanOrEqual(80);
  }
});
