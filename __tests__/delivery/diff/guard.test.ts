import { awsServices } from "../../../aws-services";
import { enforceGuard, howToAllow, readAllowed, RefusedError, refusalsOf } from "../../../delivery/diff/guard";
import { summarizeStack } from "../../../delivery/diff/summarize";
import type { StackSummary } from "../../../delivery/diff/summary";
import { data, everyAction, plan, still } from "./plans";

const lost = (type: string, action: "delete" | "replace"): StackSummary => {
  const changes = plan("data").resource_changes!.filter(({ address }) => address === "aws_s3_bucket.logs_bucket");
  const actions = action === "delete" ? (["delete"] as const) : (["delete", "create"] as const);
  return summarizeStack("data", {
    ...plan("data"),
    resource_changes: changes.map((resource) => ({
      ...resource,
      type,
      address: `${type}.it`,
      change: { ...resource.change, actions: [...actions] },
    })),
  });
};

test.each(awsServices.having("holds").map(([type]) => type))(
  "%s is neither replaced nor deleted unless somebody allows it",
  (type) => {
    for (const action of ["delete", "replace"] as const) {
      expect(refusalsOf([lost(type, action)])).toMatchObject([{ stack: "data", address: `${type}.it`, action }]);
      expect(refusalsOf([lost(type, action)], [`data/${type}.it`])).toEqual([]);
    }
  },
);

test("resources without data may be deleted", () => {
  expect(refusalsOf([lost("aws_cloudwatch_metric_alarm", "delete")])).toEqual([]);
  expect(refusalsOf([everyAction()]).map(({ address }) => address)).toEqual([
    "aws_dynamodb_table.table",
    "aws_kms_key.key",
  ]);
});

test("a permission for one stack doesn't reach another with the same address", () => {
  const stacks = [
    { ...data(), stack: "website-test" as const },
    { ...data(), stack: "website-production" as const },
  ];
  const allowed = readAllowed(
    "website-test/aws_s3_bucket.logs_bucket website-test/aws_sagemaker_feature_group.features_group",
  );
  expect(new Set(refusalsOf(stacks, allowed).map(({ stack }) => stack))).toEqual(new Set(["website-production"]));
});

test("the refusal names what is lost and how to allow it, and what it says to type is taken", () => {
  const stacks = [data()];
  const command = "make deploy ENVIRONMENT=production";
  let refusal: unknown;
  try {
    enforceGuard({ command, allowed: [] }, stacks);
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(RefusedError);
  const { message, exitStatus } = refusal as RefusedError;
  expect(exitStatus).toBe(2);
  expect(message).toContain("data/aws_s3_bucket.logs_bucket would be replaced, and holds objects");
  const typed = /ALLOW_REPLACE=(\S+)/.exec(message)?.[1];
  expect(() => {
    enforceGuard({ command, allowed: readAllowed(typed) }, stacks);
  }).not.toThrow();
});

test("without losses, there is no message", () => {
  expect(() => {
    enforceGuard({ command: "make deploy", allowed: [] }, [still("data")]);
  }).not.toThrow();
});

test("keys of for_each keep their spaces, commas and quotes", () => {
  const refused = [
    {
      stack: "data" as const,
      address: `aws_s3_bucket.b["it's, one"]`,
      action: "delete" as const,
      holds: "x",
      protected: false,
    },
  ];
  const typed = howToAllow("make diff", refused, ["data/aws_kms_key.a"]);
  expect(typed).toBe(`make diff ALLOW_REPLACE='data/aws_kms_key.a,data/aws_s3_bucket.b["it'\\''s, one"]'`);
  expect(readAllowed(`data/aws_kms_key.a,data/aws_s3_bucket.b["it's, one"]`)).toEqual([
    "data/aws_kms_key.a",
    `data/aws_s3_bucket.b["it's, one"]`,
  ]);
});

test.each(["aws_s3_bucket.logs_bucket", "nowhere/aws_s3_bucket.b", "data/", "data/bucket", "yes", "*"])(
  "ALLOW_REPLACE=%s allows nothing: it is refused with an example",
  (value) => {
    expect(() => readAllowed(value)).toThrow(/ALLOW_REPLACE is .*expected a stack and an address, such as data\/aws_/);
  },
);

test("nothing given allows nothing", () => {
  expect(readAllowed(undefined)).toEqual([]);
  expect(readAllowed(" , ")).toEqual([]);
});
