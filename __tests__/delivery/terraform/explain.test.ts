/**
 * What needs AWS, a name server or a token to be provoked, in the words of terraform 1.11.4 and its AWS provider 6.25.0
 * as they were recorded. What the real terraform can be made to say on this machine is in workspace.test.ts.
 */
import { ExistsError } from "../../../delivery/terraform";
import { explain, lockIn, since, unframe } from "../../../delivery/terraform/explain";

const at = { environmentName: "development", stack: "website-test", operation: "plan" } as const;
const ended = (errors: string) => ({ output: "", errors, late: false, interrupted: false });

test.each([
  [
    "no credentials",
    `╷
│ Error: No valid credential sources found
│ 
│   with provider["registry.terraform.io/hashicorp/aws"],
│   on cdk.tf.json line 12, in provider.aws[0]:
│ 
│ Please see https://registry.terraform.io/providers/hashicorp/aws
│ for more information about providing credentials.
╵`,
    "There are no AWS credentials, or they can't be read.",
    "Sign in (aws sso login), or set AWS_PROFILE, and run it again.",
  ],
  [
    "another account",
    `Error: AWS account ID not allowed: 999988887777

  with provider["registry.terraform.io/hashicorp/aws"],`,
    "The credentials belong to account 999988887777, which is not the account of development.",
    "Set AWS_PROFILE to a profile of the environment's account (environments/), and run it again.",
  ],
  [
    "an expired token",
    `Error: Retrieving AWS account details: validating provider credentials: retrieving caller identity from STS: operation error STS: GetCallerIdentity, https response error StatusCode: 403, RequestID: 1, api error ExpiredToken: The security token included in the request is expired`,
    "AWS does not accept the credentials (ExpiredToken).",
    "Sign in again (aws sso login), or correct AWS_PROFILE, and run it again.",
  ],
  [
    "a parameter that nobody has published",
    `╷
│ Error: reading SSM Parameter (/acme/development/DataBucket): couldn't find resource
│ 
│   with data.aws_ssm_parameter.DataBucket,
│   on cdk.tf.json line 30, in data.aws_ssm_parameter.DataBucket:
╵`,
    "website-test reads a parameter that no other stack has published yet.",
    "Deploy the stacks before it first; this deploys all in order: make deploy ENVIRONMENT=development",
  ],
  [
    "a permissions boundary that nobody has made",
    `╷
│ Error: creating IAM Role (acme-development-predict): operation error IAM: CreateRole, https response error StatusCode: 404, RequestID: 1, NoSuchEntityException: Scope ARN:
│ arn:aws:iam::111122223333:policy/acme-development-governance-boundary does not exist or
│ is not attachable.
╵`,
    "The roles of website-test need the permissions boundary arn:aws:iam::111122223333:policy/acme-development-governance-boundary, which does not exist: the stack governance of development creates it.",
    "make deploy ENVIRONMENT=development STACK=governance, with an engineer's rights; then make deploy ENVIRONMENT=development STACK=website-test",
  ],
  [
    "something that is there already",
    `Error: creating IAM Role (acme-development-predict): operation error IAM: CreateRole, https response error StatusCode: 409, RequestID: 1, EntityAlreadyExists: Role with name acme-development-predict already exists.`,
    "Something that website-test wants to create already exists (EntityAlreadyExists): a deploy that was killed may have created it.",
    "Import it into the state (terraform -chdir=cdktf.out/development/stacks/website-test import ADDRESS ID), or remove it from AWS; then make deploy ENVIRONMENT=development STACK=website-test",
  ],
  [
    "a plan that somebody has overtaken",
    `╷
│ Error: Saved plan is stale
│ 
│ The given plan file can no longer be applied because the state was changed by
│ another operation after the plan was created.
╵`,
    "Somebody else has changed website-test in development since this plan was made, so it was not applied.",
    "make deploy ENVIRONMENT=development STACK=website-test",
  ],
  [
    "no token for Terraform Cloud",
    `╷
│ Error: Required token could not be found
│ 
│ Run the following command to generate a token for app.terraform.io:
│     terraform login
╵`,
    "There is no token for Terraform Cloud.",
    "terraform login (or set TF_TOKEN_app_terraform_io), and run it again.",
  ],
])("%s", (_, said, problem, next) => {
  const error = explain(at, ended(said));
  expect([error.problem, error.next]).toEqual([problem, next]);
  expect(error.details).toMatch(/^Error: /);
  expect(error.details).not.toMatch(/[│╷╵]/);
});

test.each([
  "WAFDuplicateItemException: AWS WAF couldn\u2019t perform the operation because some resource in your request is a duplicate of an existing one.",
  "DuplicateRecordException: Error creating budget: acme-development - the budget already exists.",
  "RepositoryNameExistsException: Repository named acme-development-source already exists",
  "PipelineNameInUseException: A pipeline with that name is there",
  'ValidationException: Cannot create already existing model "arn:aws:sagemaker:eu-west-1:111122223333:model/acme"',
  "InvalidRequestException: WorkGroup is already created",
])("whatever AWS calls it, an existing resource is recognised: %s", (said) => {
  expect(explain(at, ended(`Error: creating it: https response error StatusCode: 400, ${said}`))).toBeInstanceOf(
    ExistsError,
  );
});

test("an unknown error is reported in terraform's words, without its other output", () => {
  const said =
    'aws_iam_role.one: Creating...\n  "EntityAlreadyExists" in a plan\n\nError: something new\n\nfor a reason\n';
  const error = explain(at, { ...ended(""), output: said });
  expect(error.problem).toBe("The plan of website-test in development failed.");
  expect(error.details).toBe("Error: something new\n\nfor a reason");
});

test("an end without any error shows the last lines", () => {
  expect(explain(at, ended("one\ntwo\n")).details).toBe("one\ntwo");
});

test("timeouts and interrupts are reported as such", () => {
  expect(explain(at, { ...ended("Error: interrupted"), late: true }).problem).toContain("exceeded its time limit");
  expect(explain(at, { ...ended("Error: interrupted"), interrupted: true }).problem).toBe(
    "The plan of website-test in development was interrupted.",
  );
});

test("a lock is read from a framed, coloured error", () => {
  const framed = unframe(
    "\u001b[31m│\u001b[0m Error: Error acquiring the state lock\n│ Lock Info:\n│   ID:        9d1f\n│   Path:      b/k\n│   Operation: OperationTypeApply\n" +
      "│   Who:       maria@laptop\n│   Version:   1.11.4\n│   Created:   2026-11-22 19:45:54.206357018 +0000 UTC\n│   Info:      \n",
  );
  expect(lockIn(framed)).toEqual({
    id: "9d1f",
    path: "b/k",
    operation: "OperationTypeApply",
    who: "maria@laptop",
    created: "2026-11-22T19:45:54Z",
  });
});

test("a time has the unit that people would use", () => {
  const created = "2026-03-01T12:00:00.123Z";
  const after = (minutes: number): string => since(created, new Date(Date.parse(created) + 60_000 * minutes));
  expect(after(0)).toBe("2026-03-01 12:00:00 UTC (less than a minute ago)");
  expect(after(1)).toContain("(1 minute ago)");
  expect(after(119)).toContain("(119 minutes ago)");
  expect(after(180)).toContain("(3 hours ago)");
  expect(after(3 * 1_440)).toContain("(3 days ago)");
  // Another machine's clock may be ahead.
  expect(after(-5)).toContain("less than a minute ago");
  expect(since("")).toBe("an unknown time");
  expect(since("yesterday")).toBe("yesterday");
});
