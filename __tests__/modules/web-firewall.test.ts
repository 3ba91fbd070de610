import { WebFirewall } from "../../modules/web-firewall";
import { type Arguments, synthesize } from "../support/synthesize";

const template = synthesize((stack) => {
  new WebFirewall(stack, "firewall", {
    name: "acme-test",
    requestsPerFiveMinutes: 500,
    logRetentionDays: 30,
    encryptionKeyArn: "arn:key",
  });
});
const acl = template.resource("aws_wafv2_web_acl");
const rules: readonly Arguments[] = acl.rule;
const rule = (name: string): Arguments => rules.find((each) => each.name === name)!;

test("all of it is in us-east-1, where CloudFront expects it", () => {
  expect(acl.scope).toBe("CLOUDFRONT");
  for (const [, , resource] of template.all()) {
    expect(resource.region).toBe("us-east-1");
  }
});

test("it allows what no rule refuses", () => {
  expect(acl.default_action).toEqual({ allow: {} });
  expect(new Set(rules.map(({ priority }) => priority)).size).toBe(rules.length);
});

test("too many requests get a time to retry, in the format of the API's problems", () => {
  expect(rule("rate").statement).toEqual({
    rate_based_statement: { aggregate_key_type: "IP", limit: 500, evaluation_window_sec: 300 },
  });
  const response = rule("rate").action.block.custom_response;
  expect(response).toMatchObject({ response_code: 429, response_header: [{ name: "Retry-After", value: "300" }] });
  const body = acl.custom_response_body.find(({ key }: Arguments) => key === response.custom_response_body_key);
  expect(body.content_type).toBe("APPLICATION_JSON");
  expect(JSON.parse(body.content)).toMatchObject({ type: "about:blank", status: 429 });
});

test("AWS's managed rules refuse known attackers, known attacks and common ones", () => {
  const groups = rules.slice(1).map(({ statement }) => statement.managed_rule_group_statement);
  expect(groups.map(({ vendor_name: vendor, name }) => `${vendor}/${name}`)).toEqual([
    "AWS/AWSManagedRulesAmazonIpReputationList",
    "AWS/AWSManagedRulesKnownBadInputsRuleSet",
    "AWS/AWSManagedRulesCommonRuleSet",
  ]);
  for (const { override_action: action } of rules.slice(1)) {
    expect(action).toEqual({ none: {} });
  }
});

test("only rules that could refuse visitors' messages just count", () => {
  const overrides = rules.flatMap(
    ({ statement }) => statement.managed_rule_group_statement?.rule_action_override ?? [],
  );
  expect(overrides.length).toBeGreaterThan(0);
  for (const { name, action_to_use: action } of overrides) {
    expect(name).toMatch(/_BODY$/);
    expect(action).toEqual({ count: {} });
  }
});

test("its logs are encrypted, expire, and contain neither cookies nor queries nor allowed requests", () => {
  expect(template.resource("aws_cloudwatch_log_group")).toMatchObject({
    name: "aws-waf-logs-acme-test",
    retention_in_days: 30,
    kms_key_id: "arn:key",
  });
  const logging = template.resource("aws_wafv2_web_acl_logging_configuration");
  expect(logging.log_destination_configs).toEqual(["${aws_cloudwatch_log_group.firewall_logs.arn}"]);
  expect(logging.redacted_fields).toEqual([
    { single_header: { name: "cookie" } },
    { single_header: { name: "authorization" } },
    { query_string: {} },
  ]);
  expect(logging.logging_filter).toMatchObject({ default_behavior: "DROP", filter: [{ behavior: "KEEP" }] });
  const kept = logging.logging_filter.filter[0].condition.map(({ action_condition: { action } }: Arguments) => action);
  expect(kept).toEqual(["BLOCK", "COUNT", "EXCLUDED_AS_COUNT"]);
  for (const { visibility_config: shown } of [acl, ...rules]) {
    expect(shown).toMatchObject({ cloudwatch_metrics_enabled: true, sampled_requests_enabled: false });
  }
});
