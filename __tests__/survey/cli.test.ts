import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConversionReport } from "../../survey/cli";
import { surveyHeader } from "../../survey/survey-file";
import { simulateSurvey } from "../../survey/simulator";

const root = join(__dirname, "../..");
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "survey-cli-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function survey(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", "tsx", join(root, "survey/cli.ts"), ...words],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  return { status, stdout, stderr };
}

test("simulate writes the library's survey", () => {
  const output = join(folder, "survey.csv");
  expect(survey("simulate", "--rows", "500", "--seed", "7", "--shift", "0.1", "--output", output)).toEqual({
    status: 0,
    stdout: "",
    stderr: "",
  });
  expect(readFileSync(output, "utf8")).toBe([...simulateSurvey({ rows: 500, seed: 7, shift: 0.1 })].join(""));
  expect(readdirSync(folder)).toEqual(["survey.csv"]);
});

test("without a file the survey goes to standard output", () => {
  const { status, stdout } = survey("simulate", "--rows", "3", "--start", "2026-01-01T00:00:00Z");
  expect(status).toBe(0);
  expect(stdout.split("\n").map((line) => line.split(",")[1])).toEqual([
    "surveyed_at",
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:01Z",
    "2026-01-01T00:00:02Z",
    undefined,
  ]);
});

test("convert loads UCI's form, and says which lines it left out", () => {
  const input = join(folder, "abalone.data");
  writeFileSync(input, "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\nM,0.1\n");
  const output = join(folder, "survey.csv");
  const { status, stderr } = survey("convert", input, "--output", output);
  expect(status).toBe(0);
  expect(stderr).toBe(`${input}:2: left out: expected 9 columns, found 2\n`);
  expect(readFileSync(output, "utf8").trimEnd().split("\n")).toHaveLength(2);
});

test("the report of a conversion has every omitted line, by its number in the converted file", () => {
  const input = join(folder, "abalone.data");
  const line = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15";
  writeFileSync(input, `${line}\n\n${"M,0.1\n".repeat(50)}${line}\n`);
  const report = join(folder, "report.json");
  expect(survey("convert", input, "--output", join(folder, "survey.csv"), "--report", report).status).toBe(0);
  const { unreadable, ...rest } = JSON.parse(readFileSync(report, "utf8")) as ConversionReport;
  expect(rest).toEqual({ form: "uci", linesBefore: 1 });
  expect(unreadable.map(({ line: number }) => number)).toEqual(Array.from({ length: 50 }, (_, index) => index + 3));
});

test("the report says of a file that is not a survey why it will be refused", () => {
  const input = join(folder, "prices.csv");
  writeFileSync(input, "name;price\nmussel;3\n");
  const report = join(folder, "report.json");
  expect(survey("convert", input, "--output", join(folder, "survey.csv"), "--report", report).status).toBe(0);
  const { form, fileProblem } = JSON.parse(readFileSync(report, "utf8")) as ConversionReport;
  expect([form, fileProblem]).toEqual(["survey", expect.stringMatching(/^the header lacks the columns record_id/)]);
});

test("a file that cannot be read is an error, and an older output stays as it was", () => {
  const output = join(folder, "survey.csv");
  writeFileSync(output, surveyHeader);
  const { status, stderr } = survey("convert", join(folder, "nothing.data"), "--output", output);
  expect(status).toBe(1);
  expect(stderr).toContain("nothing.data");
  expect(stderr).not.toContain("    at ");
  expect(readFileSync(output, "utf8")).toBe(surveyHeader);
  expect(readdirSync(folder)).toEqual(["survey.csv"]);
});

test.each<[string[], RegExp]>([
  [[], /Say what to do/],
  [["simulate"], /--rows is missing/],
  [["simulate", "--rows", "many"], /--rows: 'many' is not a number/],
  [["simulate", "--rows", "0"], /rows: 0 is not a whole number/],
  [["simulate", "--rows", "1", "--colour", "red"], /colour/],
  [["simulate", "--rows", "1", "--start", "yesterday"], /--start: 'yesterday' is not an ISO 8601 time/],
  [["convert"], /'convert' is not a command/],
  [["convert", "a", "b"], /'convert a b' is not a command/],
  [["convert", "a", "--seed", "1"], /--seed belongs to simulate/],
  [["simulate", "--rows", "1", "--report", "a"], /--report belongs to convert/],
  [["convert", "a", "--report", "b"], /--report needs --output/],
])("%j is refused with the usage", (words, message) => {
  const { status, stdout, stderr } = survey(...words);
  expect(status).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toMatch(message);
  expect(stderr).toContain("Usage:");
});
