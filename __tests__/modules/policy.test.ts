import { passRole, policyDocument, readObjects, type Statement, allowKeyUse, writeObjects } from "../../modules/policy";
import { Policy } from "../support/policy";

const statement: Statement = { sid: "One", actions: ["s3:GetObject"], resources: ["arn:one"] };
const policy = (...statements: readonly Statement[]): Policy => new Policy(policyDocument(statements));
const bucketArn = "arn:aws:s3:::acme";

test("a document has IAM's own form", () => {
  expect(JSON.parse(policyDocument([statement]))).toEqual({
    Version: "2012-10-17",
    Statement: [{ Sid: "One", Effect: "Allow", Action: "s3:GetObject", Resource: "arn:one" }],
  });
});

test.each<[string, readonly Statement[], string]>([
  ["without statements", [], "A policy needs at least one statement"],
  ["with the same sid twice", [statement, statement], "The policy has two statements named One"],
  [
    "with a sid that IAM refuses",
    [{ ...statement, sid: "read it" }],
    'The sid "read it" must have only letters and digits',
  ],
])("a document %s is an error", (_, statements, message) => {
  expect(() => policyDocument(statements)).toThrow(message);
});

test("a role is passed to the service named and to no other", () => {
  const passing = policy(passRole("arn:role", "sagemaker.amazonaws.com"));
  expect(passing.allows("iam:PassRole", "arn:role", { "iam:PassedToService": "sagemaker.amazonaws.com" })).toBe(true);
  expect(passing.allows("iam:PassRole", "arn:role", { "iam:PassedToService": "ec2.amazonaws.com" })).toBe(false);
  expect(passing.allows("iam:PassRole", "arn:role")).toBe(false);
  expect(passing.allows("iam:PassRole", "arn:other", { "iam:PassedToService": "sagemaker.amazonaws.com" })).toBe(false);
});

test("a reader of some prefixes reads and lists nothing else", () => {
  const reading = policy(...readObjects({ bucketArn, prefixes: ["surveys/", "runs/"] }));
  expect(reading.allows("s3:GetObject", `${bucketArn}/surveys/a.csv`)).toBe(true);
  expect(reading.allows("s3:GetObject", `${bucketArn}/runs/a`)).toBe(true);
  expect(reading.allows("s3:GetObject", `${bucketArn}/models/a`)).toBe(false);
  expect(reading.allows("s3:PutObject", `${bucketArn}/surveys/a.csv`)).toBe(false);
  expect(reading.allows("s3:ListBucket", bucketArn, { "s3:prefix": "runs/a/" })).toBe(true);
  expect(reading.allows("s3:ListBucket", bucketArn, { "s3:prefix": "" })).toBe(false);
  expect(reading.allows("s3:ListBucket", bucketArn)).toBe(false);
});

test("a reader of the whole bucket may list all of it", () => {
  expect(policy(...readObjects({ bucketArn, prefixes: [""] })).allows("s3:ListBucket", bucketArn)).toBe(true);
});

test("a writer neither reads nor deletes", () => {
  const writing = policy(...writeObjects({ bucketArn, prefixes: ["runs/"] }));
  expect(writing.allows("s3:PutObject", `${bucketArn}/runs/a`)).toBe(true);
  expect(writing.allows("s3:PutObject", `${bucketArn}/surveys/a`)).toBe(false);
  for (const action of ["s3:GetObject", "s3:DeleteObject"]) {
    expect(writing.allows(action, `${bucketArn}/runs/a`)).toBe(false);
  }
});

test("one role can hold several grants", () => {
  expect(() =>
    policy(
      ...readObjects({ bucketArn, prefixes: ["a/"], name: "Surveys" }),
      ...readObjects({ bucketArn, prefixes: ["b/"], name: "Runs" }),
    ),
  ).not.toThrow();
});

test("a key is used through the services named, and a reader makes no new data keys", () => {
  const through = { "kms:ViaService": "s3.eu-west-1.amazonaws.com" };
  const grant = { keyArn: "arn:key", services: ["s3"], region: "eu-west-1" };
  expect(policy(allowKeyUse({ ...grant, access: "read" })).allows("kms:Decrypt", "arn:key", through)).toBe(true);
  expect(policy(allowKeyUse({ ...grant, access: "read" })).allows("kms:GenerateDataKey", "arn:key", through)).toBe(
    false,
  );
  expect(policy(allowKeyUse({ ...grant, access: "write" })).allows("kms:GenerateDataKey", "arn:key", through)).toBe(
    true,
  );
  expect(policy(allowKeyUse({ ...grant, access: "write" })).allows("kms:Decrypt", "arn:key")).toBe(false);
});
