import type {
  DimensionValueSource,
  EventDestinationDefinition,
  EventType,
  SuppressionListReason,
  TlsPolicy,
} from "@aws-sdk/client-sesv2";
import type { Arguments } from "../arguments";
import { isNamed, type ResourceKind, settled, tagList } from "../resource-kind";

/** Runs the work; false when AWS reports that the resource already exists. */
async function made(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (isNamed(error, "AlreadyExistsException")) {
      return false;
    }
    throw error;
  }
}

const configurationSet: ResourceKind = settled({
  type: "aws_sesv2_configuration_set",
  replacedBy: ["configuration_set_name"],
  async put({ arguments: list, clients, tags, arnOf }) {
    const ConfigurationSetName = list.requireText("configuration_set_name");
    await made(clients.ses.createConfigurationSet({ ConfigurationSetName, Tags: tagList(tags) }));
    const delivery = list.block("delivery_options");
    const reputation = list.block("reputation_options");
    const sending = list.block("sending_options");
    const suppression = list.block("suppression_options");
    await clients.ses.putConfigurationSetDeliveryOptions({
      ConfigurationSetName,
      TlsPolicy: delivery?.text("tls_policy") as TlsPolicy | undefined,
    });
    await clients.ses.putConfigurationSetReputationOptions({
      ConfigurationSetName,
      ReputationMetricsEnabled: reputation?.boolean("reputation_metrics_enabled") ?? false,
    });
    await clients.ses.putConfigurationSetSendingOptions({
      ConfigurationSetName,
      SendingEnabled: sending?.boolean("sending_enabled") ?? true,
    });
    await clients.ses.putConfigurationSetSuppressionOptions({
      ConfigurationSetName,
      SuppressedReasons: suppression?.texts("suppressed_reasons") as SuppressionListReason[] | undefined,
    });
    return {
      id: ConfigurationSetName,
      arn: arnOf("ses", `configuration-set/${ConfigurationSetName}`),
    };
  },
  exists: ({ attributes, clients }) => clients.ses.getConfigurationSet({ ConfigurationSetName: attributes.id }),
  delete: ({ attributes, clients }) => clients.ses.deleteConfigurationSet({ ConfigurationSetName: attributes.id }),
});

function destinationOf(block: Arguments): EventDestinationDefinition {
  const cloudWatch = block.requireBlock("cloud_watch_destination");
  return {
    Enabled: block.boolean("enabled") ?? false,
    MatchingEventTypes: block.texts("matching_event_types") as EventType[] | undefined,
    CloudWatchDestination: {
      DimensionConfigurations: cloudWatch.blocks("dimension_configuration").map((dimension) => ({
        DimensionName: dimension.requireText("dimension_name"),
        DimensionValueSource: dimension.requireText("dimension_value_source") as DimensionValueSource,
        DefaultDimensionValue: dimension.requireText("default_dimension_value"),
      })),
    },
  };
}

const eventDestination: ResourceKind = settled({
  type: "aws_sesv2_configuration_set_event_destination",
  replacedBy: ["configuration_set_name", "event_destination_name"],
  async put({ arguments: list, clients }) {
    const names = {
      ConfigurationSetName: list.requireText("configuration_set_name"),
      EventDestinationName: list.requireText("event_destination_name"),
    };
    const EventDestination = destinationOf(list.requireBlock("event_destination"));
    const isNew = await made(clients.ses.createConfigurationSetEventDestination({ ...names, EventDestination }));
    if (!isNew) {
      await clients.ses.updateConfigurationSetEventDestination({ ...names, EventDestination });
    }
    return { id: `${names.ConfigurationSetName}|${names.EventDestinationName}` };
  },
  async exists({ arguments: list, clients }) {
    const ConfigurationSetName = list.requireText("configuration_set_name");
    const { EventDestinations } = await clients.ses.getConfigurationSetEventDestinations({ ConfigurationSetName });
    return EventDestinations?.some(({ Name }) => Name === list.requireText("event_destination_name"));
  },
  delete: ({ arguments: list, clients }) =>
    clients.ses.deleteConfigurationSetEventDestination({
      ConfigurationSetName: list.requireText("configuration_set_name"),
      EventDestinationName: list.requireText("event_destination_name"),
    }),
});

const identity: ResourceKind = settled({
  type: "aws_sesv2_email_identity",
  replacedBy: ["email_identity"],
  async put({ arguments: list, clients, tags, arnOf }) {
    const EmailIdentity = list.requireText("email_identity");
    await made(clients.ses.createEmailIdentity({ EmailIdentity, Tags: tagList(tags) }));
    return { id: EmailIdentity, arn: arnOf("ses", `identity/${EmailIdentity}`) };
  },
  exists: ({ attributes, clients }) => clients.ses.getEmailIdentity({ EmailIdentity: attributes.id }),
  delete: ({ attributes, clients }) => clients.ses.deleteEmailIdentity({ EmailIdentity: attributes.id }),
});

/** SES: identities, configuration sets, and event destinations. */
export const sesKinds: readonly ResourceKind[] = [identity, configurationSet, eventDestination];
