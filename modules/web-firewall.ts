import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { Wafv2WebAcl, type Wafv2WebAclVisibilityConfig } from "@cdktf/provider-aws/lib/wafv2-web-acl";
import { Wafv2WebAclLoggingConfiguration } from "@cdktf/provider-aws/lib/wafv2-web-acl-logging-configuration";
import { Construct } from "constructs";

export interface WebFirewallProps {
  /** 1 to 100 letters, digits, hyphens and underscores. */
  readonly name: string;
  /**
   * Requests that one address may make in five minutes: 10 to 2,000,000,000 (WAF developer guide, "Rate-based rule
   * high-level settings").
   */
  readonly requestsPerFiveMinutes: number;
  readonly logRetentionDays: number;
  /** Encrypts the logs: a key in us-east-1. */
  readonly encryptionKeyArn: string;
}

/**
 * Where everything for CloudFront stands, wherever the rest does (WAF developer guide, "How to use AWS WAF with Amazon
 * CloudFront features").
 */
export const firewallRegion = "us-east-1";

/** A group of rules that AWS keeps up to date, and its rules that only count. */
interface ManagedGroup {
  readonly name: string;
  readonly counting: readonly string[];
}

/**
 * AWS's rules, which cost nothing beyond the rule ("AWS Managed Rules rule groups list"). Those of the common group
 * that read bodies only count: people may write to us of `../` and `<script>` in more than 8 KB. Each field of a body
 * is checked by its handler, and is never sent back as HTML.
 */
const managedGroups: readonly ManagedGroup[] = [
  { name: "AWSManagedRulesAmazonIpReputationList", counting: [] },
  { name: "AWSManagedRulesKnownBadInputsRuleSet", counting: [] },
  {
    name: "AWSManagedRulesCommonRuleSet",
    counting: ["SizeRestrictions_BODY", "CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY"],
  },
];

const visibility = (metricName: string): Wafv2WebAclVisibilityConfig => ({
  cloudwatchMetricsEnabled: true,
  // Samples show whole requests in the console, headers included, past all redaction.
  sampledRequestsEnabled: false,
  metricName,
});

/** Seconds over which the rate rule counts; who is above it waits as long at most. */
const windowSeconds = 300;

/** The answer to who asks too often, in the form of the API's own problems (RFC 9457). */
const tooMany = {
  type: "about:blank",
  title: "Too Many Requests",
  status: 429,
  detail: "Your address has asked too often. Please try again in five minutes",
} as const;

/**
 * A firewall in front of a CloudFront distribution: it slows down who asks too often, and refuses what AWS knows to be
 * an attack. Its logs, in us-east-1 as itself, hold what it refused or counted and nothing of what it let through;
 * cookies, authorization and the query are left out of them.
 */
export class WebFirewall extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: WebFirewallProps) {
    super(scope, id);
    const acl = new Wafv2WebAcl(this, "acl", {
      region: firewallRegion,
      name: props.name,
      description: `What the website ${props.name} refuses`,
      scope: "CLOUDFRONT",
      defaultAction: { allow: {} },
      customResponseBody: [{ key: "too-many", contentType: "APPLICATION_JSON", content: JSON.stringify(tooMany) }],
      rule: [
        {
          name: "rate",
          priority: 0,
          action: {
            block: {
              customResponse: {
                responseCode: tooMany.status,
                customResponseBodyKey: "too-many",
                responseHeader: [{ name: "Retry-After", value: String(windowSeconds) }],
              },
            },
          },
          statement: {
            rate_based_statement: {
              aggregate_key_type: "IP",
              limit: props.requestsPerFiveMinutes,
              evaluation_window_sec: windowSeconds,
            },
          },
          visibilityConfig: visibility(`${props.name}-rate`),
        },
        ...managedGroups.map(({ name, counting }, index) => ({
          name,
          priority: index + 1,
          overrideAction: { none: {} },
          statement: {
            managed_rule_group_statement: {
              vendor_name: "AWS",
              name,
              ...(counting.length > 0
                ? { rule_action_override: counting.map((rule) => ({ name: rule, action_to_use: { count: {} } })) }
                : {}),
            },
          },
          visibilityConfig: visibility(`${props.name}-${name}`),
        })),
      ],
      visibilityConfig: visibility(props.name),
    });
    const logs = new CloudwatchLogGroup(this, "logs", {
      region: firewallRegion,
      // WAF writes to groups of this prefix alone.
      name: `aws-waf-logs-${props.name}`,
      retentionInDays: props.logRetentionDays,
      kmsKeyId: props.encryptionKeyArn,
    });
    new Wafv2WebAclLoggingConfiguration(this, "logging", {
      region: firewallRegion,
      resourceArn: acl.arn,
      logDestinationConfigs: [logs.arn],
      redactedFields: [
        { singleHeader: { name: "cookie" } },
        { singleHeader: { name: "authorization" } },
        { queryString: {} },
      ],
      loggingFilter: {
        defaultBehavior: "DROP",
        filter: [
          {
            behavior: "KEEP",
            requirement: "MEETS_ANY",
            condition: ["BLOCK", "COUNT", "EXCLUDED_AS_COUNT"].map((action) => ({ actionCondition: { action } })),
          },
        ],
      },
    });
    this.arn = acl.arn;
  }
}
