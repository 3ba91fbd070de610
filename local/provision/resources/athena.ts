import type { EncryptionOption, WorkGroupConfiguration } from "@aws-sdk/client-athena";
import type { Arguments } from "../arguments";
import { type Attributes, type Creation, type ResourceKind, settled, tagList, unlessMissing } from "../resource-kind";

const workgroup: ResourceKind = settled({
  type: "aws_athena_workgroup",
  replacedBy: ["name"],
  async put({ arguments: list, clients, tags, arnOf }: Creation): Promise<Attributes> {
    const name = list.requireText("name");
    const description = list.text("description") ?? "";
    const settings = configuration(list.block("configuration"));
    list.accept("force_destroy");
    const found = await unlessMissing(clients.athena.getWorkGroup({ WorkGroup: name }));
    if (!found) {
      await clients.athena.createWorkGroup({
        Name: name,
        Description: description,
        Configuration: settings,
        Tags: tagList(tags),
      });
    }
    if (found) {
      const { ResultConfiguration: result, ...others } = settings;
      await clients.athena.updateWorkGroup({
        WorkGroup: name,
        Description: description,
        ConfigurationUpdates: { ...others, ResultConfigurationUpdates: result },
      });
    }
    return { id: name, arn: arnOf("athena", `workgroup/${name}`) };
  },
  exists: ({ attributes, clients }) => clients.athena.getWorkGroup({ WorkGroup: attributes.id }),
  delete: ({ attributes, arguments: list, clients }) =>
    clients.athena.deleteWorkGroup({
      WorkGroup: attributes.id,
      RecursiveDeleteOption: list.boolean("force_destroy") ?? false,
    }),
});

function configuration(block: Arguments | undefined): WorkGroupConfiguration {
  const result = block?.block("result_configuration");
  const encryption = result?.block("encryption_configuration");
  return {
    // Both are on by default, as in the provider.
    EnforceWorkGroupConfiguration: block?.boolean("enforce_workgroup_configuration") ?? true,
    PublishCloudWatchMetricsEnabled: block?.boolean("publish_cloudwatch_metrics_enabled") ?? true,
    BytesScannedCutoffPerQuery: block?.number("bytes_scanned_cutoff_per_query"),
    ResultConfiguration: result && {
      OutputLocation: result.text("output_location"),
      ExpectedBucketOwner: result.text("expected_bucket_owner"),
      EncryptionConfiguration: encryption && {
        EncryptionOption: encryption.requireText("encryption_option") as EncryptionOption,
        KmsKey: encryption.text("kms_key_arn"),
      },
    },
  };
}

/** Athena: workgroups. */
export const athenaKinds: readonly ResourceKind[] = [workgroup];
