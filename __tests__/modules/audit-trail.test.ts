import { AuditTrail, type AuditTrailProps } from "../../modules/audit-trail";
import { EncryptionKey } from "../../modules/encryption-key";
import { SecureBucket } from "../../modules/secure-bucket";
import { synthesize, type Template } from "../support/synthesize";

function make(changes: Partial<AuditTrailProps> = {}): Template {
  return synthesize((stack) => {
    const place = { account: "123456789012", region: "eu-west-1" };
    const encryptionKey = new EncryptionKey(stack, "encryption", {
      ...place,
      name: "acme",
      description: "Encrypts",
      logGroupsNamed: "acme-",
    });
    new AuditTrail(stack, "trail", {
      ...place,
      name: "acme-trail",
      bucket: new SecureBucket(stack, "records", { name: "acme-trail", encryptionKeyArn: encryptionKey.arn }),
      encryptionKey,
      dataEvents: [
        {
          name: "Objects",
          resourceType: "AWS::S3::Object",
          arnPrefixes: ["arn:aws:s3:::acme-"],
          exceptArnPrefixes: ["arn:aws:s3:::acme-trail"],
        },
        { name: "Items", resourceType: "AWS::DynamoDB::Table", arnPrefixes: ["arn:table"] },
      ],
      logRetentionDays: 30,
      ...changes,
    });
  });
}

const template = make();
const trail = template.resource("aws_cloudtrail");

test("it records all that is done to the account, and to the data that it is given", () => {
  const fields = trail.advanced_event_selector.map(({ field_selector: each }: { field_selector: unknown }) => each);
  expect(fields).toEqual([
    [{ field: "eventCategory", equals: ["Management"] }],
    [
      { field: "eventCategory", equals: ["Data"] },
      { field: "resources.type", equals: ["AWS::S3::Object"] },
      {
        field: "resources.ARN",
        starts_with: ["arn:aws:s3:::acme-"],
        not_starts_with: ["arn:aws:s3:::acme-trail"],
      },
    ],
    [
      { field: "eventCategory", equals: ["Data"] },
      { field: "resources.type", equals: ["AWS::DynamoDB::Table"] },
      { field: "resources.ARN", starts_with: ["arn:table"] },
    ],
  ]);
});

test("it comes after the policies that CloudTrail checks as soon as it is made", () => {
  expect(trail.depends_on).toEqual(["aws_s3_bucket_policy.records_policy", "aws_iam_role_policy.trail_role_policy"]);
});

test("its role writes CloudTrail's own streams of its log group, and nothing else", () => {
  const policy = template.policyOfRole("trail");
  const group = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/cloudtrail/acme-trail";
  const stream = `${group}:log-stream:123456789012_CloudTrail_eu-west-1`;
  for (const action of ["logs:CreateLogStream", "logs:PutLogEvents"]) {
    expect(policy.allows(action, stream)).toBe(true);
    expect(policy.allows(action, `${group}:log-stream:other`)).toBe(false);
  }
  expect(policy.allows("logs:GetLogEvents", stream)).toBe(false);
  expect(template.resource("aws_cloudwatch_log_group")).toMatchObject({
    name: "/aws/cloudtrail/acme-trail",
    retention_in_days: 30,
    kms_key_id: "${aws_kms_key.encryption_key.arn}",
  });
});

test.each([["ab"], ["a--b"], ["a.-b"], ["-ab"], ["ab_"], ["a b c"], ["a".repeat(129)]])(
  "the name %j is refused",
  (name) => {
    expect(() => make({ name })).toThrow("must have 3 to 128 letters and digits");
  },
);
