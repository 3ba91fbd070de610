/** AWS WAF for CloudFront: all of it is in us-east-1. */
import { list } from "./arguments";
import { logDelivery } from "./cloudwatch-logs";
import { aliases, keys, tagNewKeys } from "./kms";
import type { Permissions } from "./permissions";
import { fixedCharge, type Service, usageCharge } from "./record";

const region = "us-east-1";

const firewalls: Permissions = {
  sid: "Firewalls",
  region,
  reads: "wafv2:GetLoggingConfiguration wafv2:GetWebACL wafv2:ListTagsForResource",
  writes: `
    wafv2:CreateWebACL wafv2:DeleteLoggingConfiguration wafv2:DeleteWebACL wafv2:PutLoggingConfiguration
    wafv2:TagResource wafv2:UntagResource wafv2:UpdateWebACL`,
  // Includes AWS's managed rule groups (Service Authorization Reference, "AWS WAF V2").
  on: "wafv2:global/webacl/{name}/* wafv2:global/managedruleset/*/*",
  readsAnywhere: "wafv2:ListWebACLs",
  writesAnywhere: logDelivery,
};

/** Its logs and their key are there too. */
const logs: Permissions = {
  sid: "FirewallLogs",
  region,
  reads: "logs:ListTagsForResource",
  writes: `
    logs:AssociateKmsKey logs:CreateLogGroup logs:DeleteLogGroup logs:DeleteRetentionPolicy logs:DisassociateKmsKey
    logs:PutRetentionPolicy logs:TagResource logs:UntagResource`,
  on: "logs:log-group:aws-waf-logs-{name}",
};

export const waf: Service = {
  aws_wafv2_web_acl: {
    permissions: [
      firewalls,
      logs,
      { ...keys, sid: "FirewallKeys", region },
      { ...tagNewKeys, sid: "TagNewFirewallKeys", region },
      { ...aliases, sid: "FirewallKeyAliases", region, readsAnywhere: undefined },
    ],
    price: {
      charges: ({ rule }, { websiteRequests }) => [
        fixedCharge("firewallMonth", 1),
        fixedCharge("firewallRuleMonth", list(rule).length),
        usageCharge("firewallRequest", websiteRequests),
      ],
    },
    importId: ({ name, scope }, { address }) => `\${data.${address}.id}/${String(name)}/${String(scope)}`,
    lookUpBy: ["name", "scope"],
  },
  aws_wafv2_web_acl_logging_configuration: {
    permissions: [firewalls],
    price: { free: "only its logs are billed, which are counted at their log group" },
  },
};
