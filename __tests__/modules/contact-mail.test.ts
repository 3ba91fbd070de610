import { ContactMail, type ContactMailProps } from "../../modules/contact-mail";
import { EncryptionKey } from "../../modules/encryption-key";
import { synthesize, type Template } from "../support/synthesize";

const account = "123456789012";
const region = "eu-west-1";
const table = {
  name: "acme-test-contact",
  arn: `arn:aws:dynamodb:${region}:${account}:table/acme-test-contact`,
  streamArn: `arn:aws:dynamodb:${region}:${account}:table/acme-test-contact/stream/2026-01-01T00:00:00.000`,
};
const queue = "${aws_sqs_queue.mail_queue.arn}";

function make(changes: Partial<ContactMailProps> = {}): Template {
  return synthesize((stack) => {
    new ContactMail(stack, "mail", {
      name: "acme-test",
      table,
      to: "office@acme.example",
      from: "website@acme.example",
      identity: "domain",
      website: "abalone website",
      logRetentionDays: 30,
      encryptionKey: new EncryptionKey(stack, "key", { name: "acme-test", description: "All of it" }),
      alarmTopicArn: "arn:aws:sns:eu-west-1:123456789012:alarms",
      ...changes,
    });
  });
}
const template = make();
const policy = template.policyOfRole("mail_mail-contact");

test("only new messages call the function, a few times; a batch that fails is halved, and finally goes to an encrypted queue", () => {
  expect(template.resource("aws_lambda_event_source_mapping")).toMatchObject({
    event_source_arn: table.streamArn,
    starting_position: "TRIM_HORIZON",
    filter_criteria: { filter: [{ pattern: '{"eventName":["INSERT"]}' }] },
    maximum_retry_attempts: 5,
    maximum_record_age_in_seconds: 3600,
    bisect_batch_on_function_error: true,
    destination_config: { on_failure: { destination_arn: queue } },
    depends_on: ["aws_iam_role_policy.mail_mail-contact_role_policy"],
  });
  expect(template.resource("aws_sqs_queue")).toMatchObject({
    kms_master_key_id: "${aws_kms_key.key_key.arn}",
    message_retention_seconds: 14 * 24 * 60 * 60,
  });
  expect(JSON.parse(template.resource("aws_sqs_queue_policy").policy).Statement).toEqual([
    expect.objectContaining({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
  ]);
});

test("a schedule retries unmailed messages every hour, and nobody else may call the function", () => {
  expect(template.resource("aws_cloudwatch_event_rule").schedule_expression).toBe("rate(1 hour)");
  expect(template.resource("aws_cloudwatch_event_target")).toMatchObject({
    input: '{"unsent":true}',
    arn: "${aws_lambda_function.mail_mail-contact_function.arn}",
  });
  expect(template.resource("aws_lambda_permission")).toMatchObject({
    principal: "events.amazonaws.com",
    source_arn: "${aws_cloudwatch_event_rule.mail_clock.arn}",
  });
});

test("the function mails from our address to our mailbox alone", () => {
  const identity = `arn:aws:ses:${region}:${account}:identity/acme.example`;
  const ours = { "ses:FromAddress": "website@acme.example", "ses:Recipients": "office@acme.example" };
  expect(policy.allows("ses:SendEmail", identity, ours)).toBe(true);
  expect(policy.allows("ses:SendEmail", identity, { ...ours, "ses:Recipients": "zoe@example.com" })).toBe(false);
  expect(policy.allows("ses:SendEmail", identity, { ...ours, "ses:FromAddress": "boss@acme.example" })).toBe(false);
  expect(policy.allows("ses:SendRawEmail", identity, ours)).toBe(false);
  expect(policy.allows("ses:SendEmail", `arn:aws:ses:${region}:${account}:identity/other.example`, ours)).toBe(false);
});

test("in SES's sandbox, where the receiver is verified too, it may mail to that identity, from our address alone", () => {
  const ours = { "ses:FromAddress": "website@acme.example", "ses:Recipients": "office@firm.example" };
  const elsewhere = make({ to: "office@firm.example" }).policyOfRole("mail_mail-contact");
  for (const name of ["office@firm.example", "firm.example"]) {
    const identity = `arn:aws:ses:${region}:${account}:identity/${name}`;
    expect(elsewhere.allows("ses:SendEmail", identity, ours)).toBe(true);
    expect(elsewhere.allows("ses:SendEmail", identity, { ...ours, "ses:FromAddress": "office@firm.example" })).toBe(
      false,
    );
  }
});

test("it reads and marks messages, and stores and deletes none", () => {
  for (const action of ["Scan", "UpdateItem"]) {
    expect(policy.allows(`dynamodb:${action}`, table.arn)).toBe(true);
  }
  for (const action of ["PutItem", "DeleteItem", "GetItem", "Query"]) {
    expect(policy.allows(`dynamodb:${action}`, table.arn)).toBe(false);
  }
  expect(policy.allows("dynamodb:GetRecords", table.streamArn)).toBe(true);
  expect(policy.allows("sqs:SendMessage", queue)).toBe(true);
  expect(policy.allows("sqs:ReceiveMessage", queue)).toBe(false);
});

test("a mail goes only to servers with TLS; its outcome is counted, without its content", () => {
  expect(template.resource("aws_sesv2_configuration_set")).toMatchObject({
    configuration_set_name: "acme-test-contact",
    delivery_options: { tls_policy: "REQUIRE" },
  });
  const { event_destination } = template.resource("aws_sesv2_configuration_set_event_destination");
  expect(event_destination).toMatchObject({ enabled: true, matching_event_types: ["BOUNCE", "COMPLAINT", "REJECT"] });
  expect(Object.keys(event_destination).sort()).toEqual(["cloud_watch_destination", "enabled", "matching_event_types"]);
});

test("every way in which a message can stay unread sets off an alarm", () => {
  const alarms = Object.values(template.resources("aws_cloudwatch_metric_alarm"));
  expect(
    Object.fromEntries(
      alarms.map(({ alarm_name, namespace, metric_name }) => [alarm_name, `${namespace}/${metric_name}`]),
    ),
  ).toEqual({
    "acme-test-mail-contact-errors": "AWS/Lambda/Errors",
    "acme-test-mail-contact-failed": "AWS/SQS/ApproximateNumberOfMessagesVisible",
    "acme-test-mail-bounced": "AWS/SES/Bounce",
    "acme-test-mail-complaint": "AWS/SES/Complaint",
    "acme-test-mail-rejected": "AWS/SES/Reject",
  });
  for (const { threshold, comparison_operator } of alarms) {
    expect([threshold, comparison_operator]).toEqual([0, "GreaterThanThreshold"]);
  }
});

test.each([
  ["domain", "acme.example"],
  ["address", "website@acme.example"],
] as const)("SES verifies the %s of the sender", (identity, name) => {
  expect(make({ identity }).resource("aws_sesv2_email_identity").email_identity).toBe(name);
});

test("an existing identity is used, and not made", () => {
  const used = make({ identity: "existing" });
  expect(used.resources("aws_sesv2_email_identity")).toEqual({});
  const conditions = { "ses:FromAddress": "website@acme.example", "ses:Recipients": "office@acme.example" };
  for (const name of ["acme.example", "website@acme.example"]) {
    const identity = `arn:aws:ses:${region}:${account}:identity/${name}`;
    expect(used.policyOfRole("mail_mail-contact").allows("ses:SendEmail", identity, conditions)).toBe(true);
  }
});
