import { EncryptionKey, type EncryptionKeyProps } from "../../modules/encryption-key";
import { Place } from "../../modules/place";
import { Policy } from "../support/policy";
import { synthesize, type Template } from "../support/synthesize";

const account = "123456789012";

function make(
  changes: Partial<EncryptionKeyProps> = {},
  use: (key: EncryptionKey) => void = () => undefined,
  place?: Place,
): Template {
  return synthesize((stack) => {
    use(
      new EncryptionKey(stack, "encryption", {
        name: "acme-data",
        description: "Encrypts data",
        logGroupsNamed: "acme-local-",
        ...changes,
      }),
    );
  }, place);
}

const template = make();
const policy = new Policy(template.resource("aws_kms_key").policy);
const logs = "logs.eu-west-1.amazonaws.com";
const groupNamed = (name: string, owner = account) => ({
  "kms:EncryptionContext:aws:logs:arn": `arn:aws:logs:eu-west-1:${owner}:log-group:${name}`,
});

test("it changes its material every year, and a deletion can be taken back for 30 days", () => {
  expect(template.resource("aws_kms_key")).toMatchObject({ enable_key_rotation: true, deletion_window_in_days: 30 });
  expect(template.resource("aws_kms_alias")).toMatchObject({
    name: "alias/acme-data",
    target_key_id: "${aws_kms_key.encryption_key.key_id}",
  });
});

test("the account's own policies decide, so that nobody is locked out for ever", () => {
  expect(policy.allows("kms:PutKeyPolicy", "*", {}, `arn:aws:iam::${account}:root`)).toBe(true);
  expect(policy.allows("kms:PutKeyPolicy", "*", {}, "arn:aws:iam::999999999999:root")).toBe(false);
});

test("CloudWatch Logs encrypts this account's groups of that name, and no others", () => {
  expect(policy.allows("kms:GenerateDataKey", "*", groupNamed("/aws/lambda/acme-local-a"), logs)).toBe(true);
  expect(policy.allows("kms:GenerateDataKey", "*", groupNamed("/aws/lambda/acme-production-a"), logs)).toBe(false);
  expect(policy.allows("kms:Decrypt", "*", groupNamed("acme-local-a", "999999999999"), logs)).toBe(false);
  expect(policy.allows("kms:Decrypt", "*", {}, logs)).toBe(false);
  expect(policy.allows("kms:ScheduleKeyDeletion", "*", groupNamed("acme-local-a"), logs)).toBe(false);
});

test("CloudWatch's alarms use it for this account alone", () => {
  const alarms = "cloudwatch.amazonaws.com";
  expect(policy.allows("kms:GenerateDataKey", "*", { "aws:SourceAccount": account }, alarms)).toBe(true);
  expect(policy.allows("kms:GenerateDataKey", "*", { "aws:SourceAccount": "999999999999" }, alarms)).toBe(false);
});

test("a service that is allowed later is in its policy", () => {
  const later = make({}, (key) => {
    key.allow({
      sid: "TrailEncrypts",
      principals: { Service: "cloudtrail.amazonaws.com" },
      actions: ["kms:GenerateDataKey*"],
      resources: ["*"],
    });
  });
  const document = new Policy(later.resource("aws_kms_key").policy);
  expect(document.allows("kms:GenerateDataKey", "*", {}, "cloudtrail.amazonaws.com")).toBe(true);
  expect(policy.allows("kms:GenerateDataKey", "*", {}, "cloudtrail.amazonaws.com")).toBe(false);
});

test("a role uses it through the services that it names, in this region", () => {
  make({}, (key) => {
    expect(key.useStatement(["s3", "dynamodb"], "read")).toEqual({
      sid: "UseKey",
      actions: ["kms:Decrypt"],
      resources: [key.arn],
      conditions: {
        StringEquals: { "kms:ViaService": ["s3.eu-west-1.amazonaws.com", "dynamodb.eu-west-1.amazonaws.com"] },
      },
    });
    expect(key.useStatement(["s3"], "write", "WriteKey")).toMatchObject({
      sid: "WriteKey",
      actions: ["kms:Decrypt", "kms:GenerateDataKey"],
    });
  });
});

test("it is protected unless the environment gives its data up", () => {
  expect(template.resource("aws_kms_key").lifecycle).toEqual({ prevent_destroy: true });
  expect(make({ protect: false }).resource("aws_kms_key").lifecycle).toBeUndefined();
});

test("in another partition all its ARNs are of that partition", () => {
  const document = make({}, undefined, new Place({ account, region: "cn-north-1" })).resource("aws_kms_key")
    .policy as string;
  expect(document).toContain("arn:aws-cn:iam");
  expect(document).not.toContain("arn:aws:");
});
