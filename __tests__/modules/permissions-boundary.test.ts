import { managedPolicyCharacters, PermissionsBoundary } from "../../modules/permissions-boundary";
import { synthesize, type Template } from "../support/synthesize";

/** A boundary whose policy has as many characters as wanted. */
function make(characters: number, protect?: boolean): Template {
  const statement = (action: string) => ({ sid: "Read", actions: [action], resources: ["arn:aws:s3:::acme-*"] });
  const shortest = JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Sid: "Read", Effect: "Allow", Action: "", Resource: "arn:aws:s3:::acme-*" }],
  }).length;
  return synthesize((stack) => {
    new PermissionsBoundary(stack, "boundary", {
      name: "acme-boundary",
      description: "What roles can do at most",
      statements: [statement("a".repeat(characters - shortest))],
      ...(protect === undefined ? {} : { protect }),
    });
  });
}

test("it is a policy of its own, with a name by which roles know it, and attached to nobody", () => {
  const template = make(200);
  expect(template.resource("aws_iam_policy")).toMatchObject({ name: "acme-boundary" });
  expect(template.all()).toHaveLength(1);
});

test("it may have IAM's maximum length, and not a character more", () => {
  expect(make(managedPolicyCharacters).resource("aws_iam_policy").policy).toHaveLength(managedPolicyCharacters);
  expect(() => make(managedPolicyCharacters + 1)).toThrow(
    "The boundary acme-boundary has 6145 characters; IAM allows 6144, and a role has only one boundary.",
  );
});

test.each([
  [true, { prevent_destroy: true }],
  [false, undefined],
  [undefined, undefined],
])("with protect %p Terraform's lifecycle is %p", (protect, lifecycle) => {
  expect(make(200, protect).resource("aws_iam_policy").lifecycle).toEqual(lifecycle);
});
