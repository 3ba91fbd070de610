import { Construct } from "constructs";
import { ExecutionRole, type ExecutionRoleProps } from "../../modules/execution-role";
import { boundRoles } from "../../modules/permissions-boundary";
import { Policy } from "../support/policy";
import { synthesize, type Template } from "../support/synthesize";

function make(
  changes: Partial<ExecutionRoleProps> = {},
  use: (role: ExecutionRole) => void = () => undefined,
): Template {
  return synthesize((stack) => {
    use(
      new ExecutionRole(stack, "reader", {
        name: "acme-reader",
        description: "Reads",
        service: "sagemaker.amazonaws.com",
        statements: [{ sid: "Read", actions: ["s3:GetObject"], resources: ["arn:aws:s3:::acme/*"] }],
        ...changes,
      }),
    );
  });
}

const trust = (template: Template): unknown =>
  JSON.parse(template.resource("aws_iam_role").assume_role_policy).Statement;

test("one service assumes it", () => {
  expect(trust(make())).toEqual([
    {
      Sid: "Assume",
      Effect: "Allow",
      Principal: { Service: "sagemaker.amazonaws.com" },
      Action: "sts:AssumeRole",
      // The service can't be used as a confused deputy.
      Condition: { StringEquals: { "aws:SourceAccount": "123456789012" } },
    },
  ]);
});

test("a service that sends no account can assume it, too", () => {
  expect(trust(make({ forThisAccount: false }))).toEqual([
    { Sid: "Assume", Effect: "Allow", Principal: { Service: "sagemaker.amazonaws.com" }, Action: "sts:AssumeRole" },
  ]);
});

test("it may do what it was given, at once or later, and nothing else", () => {
  const template = make({}, (role) => {
    role.grant({ sid: "Write", actions: ["s3:PutObject"], resources: ["arn:aws:s3:::acme/runs/*"] });
  });
  const policy = template.policyOf("reader_policy");
  expect(policy.allows("s3:GetObject", "arn:aws:s3:::acme/a")).toBe(true);
  expect(policy.allows("s3:PutObject", "arn:aws:s3:::acme/runs/a")).toBe(true);
  expect(policy.allows("s3:PutObject", "arn:aws:s3:::acme/a")).toBe(false);
  expect(template.resource("aws_iam_role_policy").role).toBe("${aws_iam_role.reader_role.name}");
});

test("a role without permissions has no policy, because AWS would refuse an empty one", () => {
  expect(() => make({ statements: [] })).toThrow("A policy needs at least one statement.");
});

test("two statements of one name are refused: a plan could not tell them apart", () => {
  expect(() =>
    make({}, (role) => {
      role.grant({ sid: "Read", actions: ["s3:PutObject"], resources: ["arn:aws:s3:::acme/*"] });
    }),
  ).toThrow("two statements named Read");
});

test.each([["a".repeat(65)], [""], ["name with spaces"], ["ümlaut"]])("the name %j is refused", (name) => {
  expect(() => make({ name })).toThrow("IAM takes 1 to 64");
});

test("the longest name is taken", () => {
  expect(make({ name: "a".repeat(64) }).resource("aws_iam_role").name).toHaveLength(64);
});

test("it has the boundary of whatever holds it, the nearest of several, and none where there is none", () => {
  const boundary = (...arns: readonly string[]): unknown =>
    synthesize((stack) => {
      const inner = new Construct(stack, "inner");
      for (const [index, arn] of arns.entries()) {
        boundRoles(index === 0 ? stack : inner, arn);
      }
      new ExecutionRole(inner, "reader", {
        name: "acme-reader",
        description: "Reads",
        service: "sagemaker.amazonaws.com",
        statements: [{ sid: "Read", actions: ["s3:GetObject"], resources: ["arn:aws:s3:::acme/*"] }],
      });
    }).resource("aws_iam_role").permissions_boundary;
  expect(boundary("arn:one")).toBe("arn:one");
  expect(boundary("arn:one", "arn:two")).toBe("arn:two");
  expect(boundary()).toBeUndefined();
});

test("its policy renders as IAM would keep it, so that a second plan finds no difference", () => {
  const { statements } = new Policy(make().resource("aws_iam_role_policy").policy);
  expect(statements).toEqual([
    { Sid: "Read", Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::acme/*" },
  ]);
});
