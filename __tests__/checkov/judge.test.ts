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

test("a finding without a row is told, with what to do", () => {
  expect(complaint(judge([finding()], []))).toBe(
    [
      "One failure has no reason:",
      "  data/aws_s3_bucket.data_bucket (production) fails CKV_AWS_18: Ensure the S3 bucket has access logging enabled",
      "  → Mend the resource, or write in __tests__/checkov/exceptions.ts why it is right as it is.",
    ].join("\n"),
  );
});

test("the same resource of several environments is told once, with all of them", () => {
  const text = complaint(judge([finding({ environment: "local" }), finding()], []));
  expect(text).toContain("One failure has no reason:");
  expect(text).toContain("(local, production)");
});

test("a row excuses one check of one resource, and nothing beside it", () => {
  const exception = row("data/aws_s3_bucket.data_bucket");
  expect(isExcused(exception)).toBe(true);
  expect(isExcused(exception, finding({ check: "CKV_AWS_19" }))).toBe(false);
  expect(isExcused(exception, finding({ stack: "state" }))).toBe(false);
  expect(isExcused(exception, finding({ address: "aws_s3_bucket.data_bucket2" }))).toBe(false);
  expect(isExcused(exception, finding({ address: "aws_s3_bucketxdata_bucket" }))).toBe(false);
});

test("a star stands for a part of a name, and goes beyond neither stack nor type", () => {
  expect(isExcused(row("*/aws_s3_bucket.*"))).toBe(true);
  expect(isExcused(row("d*/aws_s3_bucket.data_*"))).toBe(true);
  expect(isExcused(row("*.data_bucket"))).toBe(false);
  expect(isExcused(row("*"))).toBe(false);
  expect(isExcused(row("data/*"))).toBe(false);
});

test("a row for some environments excuses nothing in the others", () => {
  const exception = row("data/aws_s3_bucket.data_bucket", { environments: ["local"] });
  expect(isExcused(exception, finding({ environment: "local" }))).toBe(true);
  expect(isExcused(exception)).toBe(false);
});

test("a row that excuses nothing any more is told, and so is one resource of a row", () => {
  const exception = row("data/aws_s3_bucket.data_bucket", {
    resources: ["data/aws_s3_bucket.data_bucket", "data/aws_s3_bucket.gone"],
  });
  const judgement = judge([finding()], [exception, row("state/aws_s3_bucket.states")]);
  expect(judgement.unexcused).toEqual([]);
  const text = complaint(judgement);
  expect(text).toContain("2 exceptions excuse nothing any more:");
  expect(text).toContain("  CKV_AWS_18 for data/aws_s3_bucket.gone\n  CKV_AWS_18 for state/aws_s3_bucket.states\n");
});

test("nothing to complain of is an empty text", () => {
  expect(complaint(judge([finding()], [row("data/aws_s3_bucket.data_bucket")]))).toBe("");
  expect(complaint(judge([], []))).toBe("");
});
