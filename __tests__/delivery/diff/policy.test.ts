import { comparePolicies, readPolicy } from "../../../delivery/diff/policy";

const document = (...statements: readonly object[]): string =>
  JSON.stringify({ Version: "2012-10-17", Statement: statements });
const read = { Sid: "Read", Effect: "Allow", Action: ["s3:GetObject"], Resource: "arn:aws:s3:::one/*" };

const compare = (before: readonly object[], after: readonly object[]) =>
  comparePolicies(readPolicy(document(...before))!, readPolicy(document(...after))!);

test("one action and a list of one are the same, and so are two orders", () => {
  const other = { ...read, Action: "s3:GetObject" };
  const two = { Effect: "Deny", Principal: "*", Action: "s3:*", Resource: ["b", "a"] };
  expect(compare([read, two], [{ ...two, Resource: ["a", "b"] }, other])).toEqual([]);
});

test("another name alone is no change", () => {
  expect(compare([read], [{ ...read, Sid: "ReadObjects" }])).toEqual([]);
});

test.each([
  ["an action", { ...read, Action: ["s3:GetObject", "s3:PutObject"] }, true],
  ["a resource", { ...read, Resource: ["arn:aws:s3:::one/*", "arn:aws:s3:::two/*"] }, true],
  ["a condition", { ...read, Condition: { Bool: { "aws:SecureTransport": "true" } } }, true],
  ["no action less", { ...read, Action: [] }, false],
])("an allowance with %s more: whether it may allow more", (_, after, mayAllowMore) => {
  expect(compare([read], [after])).toMatchObject([{ statement: "Read", change: "changed", mayAllowMore }]);
});

test.each([
  ["Action", ["s3:PutObject", "s3:GetObject"], ["s3:GetObject"], true],
  ["Action", ["s3:GetObject"], ["s3:PutObject", "s3:GetObject"], false],
  ["NotAction", ["s3:GetObject"], ["s3:GetObject", "s3:PutObject"], true],
  ["NotPrincipal", { AWS: ["a", "b"] }, { AWS: "a" }, false],
])("a denial whose %s goes from %j to %j: whether it may allow more", (part, before, after, mayAllowMore) => {
  const deny = { Sid: "No", Effect: "Deny", Resource: "*" };
  expect(compare([{ ...deny, [part]: before }], [{ ...deny, [part]: after }])).toMatchObject([{ mayAllowMore }]);
});

test("an added allowance allows more, and so does a removed denial", () => {
  const deny = { Effect: "Deny", Action: "s3:*", Resource: "*", Principal: { AWS: "x" } };
  expect(compare([read, deny], [read, { ...read, Sid: "Write", Action: "s3:PutObject" }])).toMatchObject([
    { statement: "Write", change: "added", effect: "Allow", mayAllowMore: true },
    { statement: "statement 2", change: "removed", effect: "Deny", mayAllowMore: true },
  ]);
  expect(compare([read], [deny])).toMatchObject([
    { change: "added", effect: "Deny", mayAllowMore: false },
    { change: "removed", effect: "Allow", mayAllowMore: false },
  ]);
});

test("a statement that turns from allowing to denying is both: one goes, one comes", () => {
  expect(compare([read], [{ ...read, Effect: "Deny" }]).map(({ change, effect }) => [change, effect])).toEqual([
    ["added", "Deny"],
    ["removed", "Allow"],
  ]);
});

test.each(["", "text", "[]", '{"Statement":[{"Effect":"allow"}]}', '{"Statement":["x"]}', '{"a":1}'])(
  "%j is not a policy",
  (text) => {
    expect(readPolicy(text)).toBeUndefined();
  },
);
