import type { CheckovException } from "./exceptions";
import { complaint, type Finding, judge } from "./judge";

const finding = (changes: Partial<Finding> = {}): Finding => ({
  environment: "production",
  stack: "data",
  address: "aws_s3_bucket.data_bucket",
  check: "CKV_AWS_18",
  name: "Ensure the S3 bucket has access logging enabled",
  ...changes,
});

const row = (resource: string, changes: Partial<CheckovException> = {}): CheckovException => ({
  check: "CKV_AWS_18",
  resources: [resource],
  reason: "because",
  ...changes,
});

const isExcused = (exception: CheckovException, found = finding()): boolean =>
  judge([found], [exception]).unexcused.length === 0;

test("a finding without an exception is reported, with what to do", () => {
  expect(complaint(judge([finding()], []))).toBe(
    [
      "One failure has no reason:",
      "  data/aws_s3_bucket.data_bucket (production) fails CKV_AWS_18: Ensure the S3 bucket has access logging enabled",
      "  → Mend the resource, or write in __tests__/checkov/exceptions.ts why it is right as it is.",
    ].join("\n"),
  );
});

test("the same resource of several environments is reported once, with all of them", () => {
  const text = complaint(judge([finding({ environment: "local" }), finding()], []));
  expect(text).toContain("One failure has no reason:");
  expect(text).toContain("(local, production)");
});

test("a row allows one check of one resource to fail, and nothing else", () => {
  const exception = row("data/aws_s3_bucket.data_bucket");
  expect(isExcused(exception)).toBe(true);
  expect(isExcused(exception, finding({ check: "CKV_AWS_19" }))).toBe(false);
  expect(isExcused(exception, finding({ stack: "state" }))).toBe(false);
  expect(isExcused(exception, finding({ address: "aws_s3_bucket.data_bucket2" }))).toBe(false);
  expect(isExcused(exception, finding({ address: "aws_s3_bucketxdata_bucket" }))).toBe(false);
});

test("a star matches a part of a name, within one stack and type", () => {
  expect(isExcused(row("*/aws_s3_bucket.*"))).toBe(true);
  expect(isExcused(row("d*/aws_s3_bucket.data_*"))).toBe(true);
  expect(isExcused(row("*.data_bucket"))).toBe(false);
  expect(isExcused(row("*"))).toBe(false);
  expect(isExcused(row("data/*"))).toBe(false);
});

test("a row for some environments has no effect in the others", () => {
  const exception = row("data/aws_s3_bucket.data_bucket", { environments: ["local"] });
  expect(isExcused(exception, finding({ environment: "local" }))).toBe(true);
  expect(isExcused(exception)).toBe(false);
});

test("an unused row is reported, and so is an unused resource of a row", () => {
  const exception = row("data/aws_s3_bucket.data_bucket", {
    resources: ["data/aws_s3_bucket.data_bucket", "data/aws_s3_bucket.gone"],
  });
  const judgement = judge([finding()], [exception, row("state/aws_s3_bucket.states")]);
  expect(judgement.unexcused).toEqual([]);
  const text = complaint(judgement);
  expect(text).toContain("2 exceptions excuse nothing any more:");
  expect(text).toContain("  CKV_AWS_18 for data/aws_s3_bucket.gone\n  CKV_AWS_18 for state/aws_s3_bucket.states\n");
});

test("without findings, the text is empty", () => {
  expect(complaint(judge([finding()], [row("data/aws_s3_bucket.data_bucket")]))).toBe("");
  expect(complaint(judge([], []))).toBe("");
});
