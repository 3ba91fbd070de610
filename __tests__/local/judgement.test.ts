import { execFileSync } from "node:child_process";
import { resolve } from "node:path";

import fc from "fast-check";

import { Policy, type RequestContext } from "../support/policy";

const root = resolve(__dirname, "../..");

/** Judges pairs of a policy and a request as the emulator does: the same function, without its servers. */
const judge = `
import json, sys
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document
answers = []
for policy, action, resource, context in json.load(sys.stdin):
    asked = EvalContext(
        principal_arn="arn:aws:sts::123456789012:assumed-role/role/session", principal_type="AssumedRole",
        principal_account="123456789012", action=action, resource_arn=resource, region="eu-west-1",
        service_context={key.lower(): value for key, value in context.items()},
    )
    answers.append(evaluate(asked, [parse_policy_document(policy)]).decision == "Allow")
json.dump(answers, sys.stdout)
`;

const bucket = "arn:aws:s3:::acme-data";
const actions = ["s3:GetObject", "s3:PutObject", "s3:*", "s3:Get*", "*", "iam:PassRole", "kms:Decrypt", "kms:*ecrypt"];
const resources = [bucket, `${bucket}/*`, `${bucket}/runs/?/a`, `${bucket}/runs/*`, "*", "arn:aws:iam::1:role/acme-*"];
const conditions = [
  undefined,
  { StringEquals: { "iam:PassedToService": "sagemaker.amazonaws.com" } },
  { StringLike: { "s3:prefix": ["runs/*", "models/?"] } },
  { StringEqualsIfExists: { "aws:ResourceTag/Stack": "data" } },
  { Null: { "aws:ResourceTag/Stack": "true" } },
  { StringNotEquals: { "aws:ResourceTag/Stack": "state" } },
  { "ForAllValues:StringEquals": { "ses:Recipients": "office@acme.example" } },
  { NumericLessThan: { "sagemaker:MaxRuntimeInSeconds": "3600" } },
  { ArnLike: { "aws:SourceArn": "arn:aws:sns:*:1:acme-*" }, Bool: { "kms:GrantIsForAWSResource": "true" } },
];
const contexts: RequestContext[] = [
  {},
  { "iam:PassedToService": "sagemaker.amazonaws.com" },
  { "iam:PassedToService": "lambda.amazonaws.com", "aws:ResourceTag/Stack": "state" },
  { "s3:prefix": "runs/1", "aws:ResourceTag/Stack": "data" },
  { "s3:prefix": "models/12", "ses:Recipients": "office@acme.example" },
  { "ses:Recipients": "else@acme.example", "sagemaker:MaxRuntimeInSeconds": "600" },
  { "sagemaker:MaxRuntimeInSeconds": "7200", "aws:ResourceTag/Stack": "data" },
  { "aws:SourceArn": "arn:aws:sns:eu-west-1:1:acme-x", "kms:GrantIsForAWSResource": "true" },
  { "aws:SourceArn": "arn:aws:sns:eu-west-1:2:acme-x", "kms:GrantIsForAWSResource": "true" },
];
const concrete = actions.filter((action) => !action.includes("*"));

const statement = fc.record({
  Effect: fc.constantFrom("Allow", "Allow", "Allow", "Allow", "Deny"),
  Action: fc.subarray(actions, { minLength: 1 }),
  Resource: fc.subarray(resources, { minLength: 1 }),
  Condition: fc.constantFrom(...conditions),
});
const pair = fc.tuple(
  fc
    .array(statement, { minLength: 1, maxLength: 4 })
    .map((Statement) => JSON.stringify({ Version: "2012-10-17", Statement })),
  fc.constantFrom(...concrete),
  fc.constantFrom(bucket, `${bucket}/runs/1/a`, "arn:aws:iam::1:role/acme-job"),
  fc.constantFrom(...contexts),
);
const pairs = fc.sample(pair, { numRuns: 400, seed: 12 });

test("the emulator judges generated policies and requests as an evaluation of our own does", () => {
  const ours = pairs.map(([policy, action, resource, context]) => new Policy(policy).allows(action, resource, context));
  const python = resolve(root, ".venv/emulator/bin/python");
  const theirs = JSON.parse(
    execFileSync(python, ["-c", judge], { input: JSON.stringify(pairs) }).toString(),
  ) as boolean[];
  const different = pairs.filter((_, index) => ours[index] !== theirs[index]);
  expect(different).toEqual([]);
  // Neither answer is rare, so that both evaluations have had to decide.
  expect(ours.filter(Boolean).length).toBeGreaterThan(100);
  expect(ours.filter((allowed) => !allowed).length).toBeGreaterThan(100);
});
