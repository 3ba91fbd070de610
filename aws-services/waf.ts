/** AWS WAF, for CloudFront: all of it stands in us-east-1. */
import { list } from "./arguments";
import { logDelivery } from "./cloudwatch-logs";
import { keys, tagNewKeys } from "./kms";
import type { Permissions } from "./permissions";
import { fixed, use } from "./price";
import type { Service } from "./resource-type";

const region = "us-east-1";

const firewalls: Permissions = {
  sid: "Firewalls",
  service: "wafv2",
  region,
  reads: ["GetLoggingConfiguration", "GetWebACL", "ListTagsForResource"],
  writes: [
    "CreateWebACL",
    "DeleteLoggingConfiguration",
    "DeleteWebACL",
    "PutLoggingConfiguration",
    "TagResource",
    "UntagResource",
    "UpdateWebACL",
  ],
  // With the groups of rules that AWS keeps (Service Authorization Reference, "AWS WAF V2").
  on: ["global/webacl/{name}/*", "global/managedruleset/*/*"],
  readsAnywhere: ["wafv2:ListWebACLs"],
  writesAnywhere: logDelivery,
};

/** Its logs and their key stand there too. */
const logs: Permissions = {
  sid: "FirewallLogs",
  service: "logs",
  region,
  reads: ["ListTagsForResource"],
  writes: [
    "AssociateKmsKey",
    "CreateLogGroup",
    "DeleteLogGroup",
    "DeleteRetentionPolicy",
    "DisassociateKmsKey",
    "PutRetentionPolicy",
    "TagResource",
    "UntagResource",
  ],
  on: ["log-group:aws-waf-logs-{name}"],
};

const logKeys: Permissions = {
  ...keys,
  sid: "FirewallKeys",
  region,
  more: (scope) => [
    tagNewKeys(scope, "TagNewFirewallKeys"),
    {
      sid: "FirewallKeyAliases",
      actions: ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"],
      resources: scope.arns("kms", "alias/{name}"),
    },
  ],
};

export const waf: Service = {
  aws_wafv2_web_acl: {
    permissions: [firewalls, logs, logKeys],
    price: {
      charges: ({ rule }, { websiteRequests }) => [
        fixed("firewallMonth", 1),
        fixed("firewallRuleMonth", list(rule).length),
        use("firewallRequest", websiteRequests),
      ],
    },
    importId: ({ name, scope }, { address }) => `\${data.${address}.id}/${String(name)}/${String(scope)}`,
    lookUpBy: ["name", "scope"],
  },
  aws_wafv2_web_acl_logging_configuration: {
    permissions: [firewalls],
    price: { free: "AWS asks for the logs: they are counted at their log group" },
  },
};
