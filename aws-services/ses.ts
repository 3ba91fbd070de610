/** Amazon Simple Email Service. */
import { ownTag, ownTagOrNone, type Permissions } from "./permissions";
import { type Service, usageCharge } from "./record";

const configurationSets: Permissions = {
  sid: "Mail",
  reads: "ses:GetConfigurationSet ses:GetConfigurationSetEventDestinations ses:ListTagsForResource",
  writes: `
    ses:CreateConfigurationSet ses:CreateConfigurationSetEventDestination ses:DeleteConfigurationSet
    ses:DeleteConfigurationSetEventDestination ses:PutConfigurationSetDeliveryOptions
    ses:PutConfigurationSetReputationOptions ses:PutConfigurationSetSendingOptions
    ses:PutConfigurationSetSuppressionOptions ses:PutConfigurationSetTrackingOptions ses:PutConfigurationSetVdmOptions
    ses:TagResource ses:UntagResource ses:UpdateConfigurationSetEventDestination`,
  on: "ses:configuration-set/{name}",
};

export const ses: Service = {
  aws_sesv2_configuration_set: {
    permissions: [configurationSets],
    price: { charges: (_, { mails }) => [usageCharge("mail", mails)] },
    importId: "configuration_set_name",
  },
  aws_sesv2_configuration_set_event_destination: {
    permissions: [configurationSets],
    price: { notPriced: "a metric for each kind of failed mail: none in a good month" },
    importId: ({ configuration_set_name: set, event_destination_name: destination }) =>
      `${String(set)}|${String(destination)}`,
  },
  aws_sesv2_email_identity: {
    permissions: [
      {
        sid: "MailIdentities",
        reads: "ses:GetEmailIdentity ses:ListTagsForResource",
        writes: `
          ses:CreateEmailIdentity ses:DeleteEmailIdentity ses:PutEmailIdentityConfigurationSetAttributes
          ses:PutEmailIdentityDkimSigningAttributes ses:TagResource ses:UntagResource`,
        on: "ses:identity/{mailIdentity}",
        conditions: ownTagOrNone,
      },
      {
        // Identities that are no longer in the settings.
        sid: "RemovedMailIdentities",
        writes: "ses:DeleteEmailIdentity ses:GetEmailIdentity ses:ListTagsForResource",
        on: "ses:identity/*",
        conditions: ownTag,
      },
    ],
    price: { free: "only mails are billed, at the configuration set" },
    importId: "email_identity",
  },
};
