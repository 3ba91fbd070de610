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
 * The region of all resources for CloudFront (WAF developer guide, "How to use AWS WAF with Amazon CloudFront
 * features").
 */
export const firewallRegion = "us-east-1";

/** A rule group that AWS maintains, and its rules that only count. */
interface ManagedGroup {
  readonly name: string;
  readonly counting: readonly string[];
}

/**
 * AWS's free rule groups ("AWS Managed Rules rule groups list"). The common group's rules on bodies only count, because
 * visitors may write `../`, `<script>` and more than 8 KB to us. Handlers check each field of a body, and never send it
 * back as HTML.
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
  // Samples would show whole requests in the console, headers included and not redacted.
  sampledRequestsEnabled: false,
  metricName,
});

/** The rate rule counts over this many seconds, which is also the longest time that it blocks an address. */
const windowSeconds = 300;

/** The answer above the rate limit, in the API's problem format (RFC 9457). */
const tooMany = {
  type: "about:blank",
  title: "Too Many Requests",
  status: 429,
  detail: "Your address has asked too often. Please try again in five minutes",
} as const;

/**
 * A firewall in front of a CloudFront distribution: it limits the request rate and blocks known attacks. Its logs are
 * in us-east-1 too. They hold only blocked or counted requests, without cookies, authorization and query.
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
              rule_action_override:
                counting.length > 0
                  ? counting.map((rule) => ({ name: rule, action_to_use: { count: {} } }))
                  : undefined,
            },
          },
          visibilityConfig: visibility(`${props.name}-${name}`),
        })),
      ],
      visibilityConfig: visibility(props.name),
    });
    const logs = new CloudwatchLogGroup(this, "logs", {
      region: firewallRegion,
      // WAF requires this prefix.
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
