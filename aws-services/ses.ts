/** Amazon Simple Email Service. */
import { ownTag, ownTagOrNone, type Permissions } from "./permissions";
import { use } from "./price";
import type { Service } from "./resource-type";

const configurationSets: Permissions = {
  sid: "Mail",
  service: "ses",
  reads: ["GetConfigurationSet", "GetConfigurationSetEventDestinations", "ListTagsForResource"],
  writes: [
    "CreateConfigurationSet",
    "CreateConfigurationSetEventDestination",
    "DeleteConfigurationSet",
    "DeleteConfigurationSetEventDestination",
    "PutConfigurationSetDeliveryOptions",
    "PutConfigurationSetReputationOptions",
    "PutConfigurationSetSendingOptions",
    "PutConfigurationSetSuppressionOptions",
    "PutConfigurationSetTrackingOptions",
    "PutConfigurationSetVdmOptions",
    "TagResource",
    "UntagResource",
    "UpdateConfigurationSetEventDestination",
  ],
  on: ["configuration-set/{name}"],
};

const identities: Permissions = {
  sid: "MailIdentities",
  service: "ses",
  reads: ["GetEmailIdentity", "ListTagsForResource"],
  writes: [
    "CreateEmailIdentity",
    "DeleteEmailIdentity",
    "PutEmailIdentityConfigurationSetAttributes",
    "PutEmailIdentityDkimSigningAttributes",
    "TagResource",
    "UntagResource",
  ],
  on: ["identity/{mailIdentity}"],
  conditions: ownTagOrNone,
  more: (scope) => [
    {
      // From which the settings no longer mail.
      sid: "RemovedMailIdentities",
      actions: ["ses:DeleteEmailIdentity", "ses:GetEmailIdentity", "ses:ListTagsForResource"],
      resources: scope.arns("ses", "identity/*"),
      conditions: ownTag(scope.of),
    },
  ],
};

export const ses: Service = {
  aws_sesv2_configuration_set: {
    permissions: [configurationSets],
    price: { charges: (_, { mails }) => [use("mail", mails)] },
    importId: "configuration_set_name",
  },
  aws_sesv2_configuration_set_event_destination: {
    permissions: [configurationSets],
    price: { notPriced: "a metric for each outcome of a mail that is no good one: none in a good month" },
    importId: ({ configuration_set_name: set, event_destination_name: destination }) =>
      `${String(set)}|${String(destination)}`,
  },
  aws_sesv2_email_identity: {
    permissions: [identities],
    price: { free: "AWS asks for the mails only, at the configuration set" },
    importId: "email_identity",
  },
};
