import { accessFaults, compareAccess, describeAccess, mergeAccess } from "../../../local/platform/access";
import { excuses } from "../../../local/platform/access-excuses";

const policy = (...Statement: object[]): string => JSON.stringify({ Version: "2012-10-17", Statement });
const bucket = "arn:aws:s3:::acme-data";

test("a right is used when a request fits its action and its resource, and an action's case does not count", () => {
  const document = policy(
    {
      Effect: "Allow",
      Action: ["s3:getobject", "s3:PutObject"],
      Resource: [`${bucket}/surveys/*`, `${bucket}/runs/*`],
    },
    { Effect: "Deny", Action: "s3:DeleteObject", Resource: "*" },
  );
  const request = { role: "reader", action: "s3:GetObject", resource: `${bucket}/surveys/a.csv`, why: "", times: 3 };
  expect(compareAccess({ reader: [document] }, [request])).toEqual([
    {
      role: "reader",
      used: [{ action: "s3:GetObject", resource: `${bucket}/surveys/a.csv`, times: 3 }],
      unused: [
        { action: "s3:getobject", resource: `${bucket}/runs/*`, excuse: null },
        { action: "s3:PutObject", resource: `${bucket}/surveys/*`, excuse: null },
        { action: "s3:PutObject", resource: `${bucket}/runs/*`, excuse: null },
      ],
      refused: [],
    },
  ]);
});

test("what was refused uses no right, and requests of others are not the role's", () => {
  const document = policy({ Effect: "Allow", Action: "sqs:SendMessage", Resource: "*" });
  const refused = { action: "sqs:SendMessage", resource: "arn:aws:sqs:eu-west-1:1:a", why: "a statement denies it" };
  const [sender] = compareAccess({ sender: [document] }, [
    { role: "sender", times: 2, ...refused },
    { role: "other", times: 1, ...refused, why: "" },
  ]);
  expect(sender).toEqual({
    role: "sender",
    used: [],
    unused: [{ action: "sqs:SendMessage", resource: "*", excuse: null }],
    refused: [refused],
  });
});

test("a permission that can't be used here has a reason, and the text counts these", () => {
  const document = policy({ Effect: "Allow", Action: ["xray:PutTraceSegments", "sqs:SendMessage"], Resource: "*" });
  const roles = compareAccess({ role: [document] }, []);
  expect(roles[0]!.unused.map(({ excuse }) => excuse)).toEqual(["the emulator has no X-Ray", null]);
  const text = describeAccess(roles);
  expect(text).toContain("1 roles: 0 kinds of requests, 2 rights never used, of which 1 have an excuse, 0 refused.");
  expect(text).toContain("unused           xray:PutTraceSegments on *: the emulator has no X-Ray");
  expect(new Set(excuses.map(({ action, resource }) => `${action} ${resource ?? ""}`)).size).toBe(excuses.length);
});

test("an excuse for some resources excuses no others", () => {
  const group = (name: string): string => `arn:aws:logs:eu-west-1:123456789012:log-group:${name}:*`;
  const groups = ["/aws/lambda/f", "/aws/codebuild/build"].map(group);
  const document = policy({ Effect: "Allow", Action: "logs:PutLogEvents", Resource: groups });
  const [role] = compareAccess({ role: [document] }, []);
  expect(role!.unused.map(({ excuse }) => excuse)).toEqual([
    "the emulator writes the logs of functions by itself",
    null,
  ]);
});

test("what one platform has used is unused on none, whatever its keys are called", () => {
  const right = (action: string, resource: string) => ({ action, resource, excuse: null });
  const key = (id: string): string => `arn:aws:kms:eu-west-1:123456789012:key/${id}`;
  const first = { role: "a", used: [], refused: [], unused: [right("kms:Decrypt", key("1")), right("sqs:*", "*")] };
  const second = { role: "a", used: [], refused: [], unused: [right("kms:Decrypt", key("2"))] };
  const third = { ...second, role: "b" };
  expect(mergeAccess([[first], [second, third]])).toEqual([
    { role: "a", used: [], refused: [], unused: [right("kms:Decrypt", key("1"))] },
    third,
  ]);
});

test("a refusal, a right without an excuse and an excuse for what no role may do are faults, each in a sentence", () => {
  const group = "arn:aws:sqs:eu-west-1:1:a";
  const all = excuses.map(({ action, resource = "*" }) => ({
    action: action.replaceAll("*", "Any"),
    resource: resource === "*" ? "*" : resource.replaceAll("*", "any"),
    excuse: "known",
  }));
  const role = { role: "a", used: [], refused: [], unused: all };
  expect(accessFaults([role])).toEqual([]);
  const refused = [{ action: "sqs:SendMessage", resource: group, why: "no statement allows it" }];
  const unused = [...all.slice(1), { action: "sqs:SendMessage", resource: group, excuse: null }];
  const { action, resource = "any resource" } = excuses[0]!;
  expect(accessFaults([{ ...role, refused, unused }])).toEqual([
    `a was refused sqs:SendMessage on ${group}: no statement allows it.`,
    `a never used sqs:SendMessage on ${group}: take the right away, or say in local/platform/access-excuses.ts why it is needed.`,
    `local/platform/access-excuses.ts excuses ${action} on ${resource}, which no role may do.`,
  ]);
});
