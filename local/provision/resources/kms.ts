import { type KeyMetadata, type KMS, paginateListAliases } from "@aws-sdk/client-kms";
import { type Attributes, type Creation, isNamed, type ResourceKind, settled, unlessMissing } from "../resource-kind";

/** A key has no name: this tag identifies its owner if a kill came before its id was recorded. */
const ownerTag = "Provisioned";

const key: ResourceKind = {
  type: "aws_kms_key",
  async create(creation) {
    const { arguments: list, clients, tags, token } = creation;
    const Description = list.text("description");
    const metadata =
      (await ownedKey(clients.kms, token)) ??
      (
        await clients.kms.createKey({
          Description,
          Tags: Object.entries({ ...tags, [ownerTag]: token }).map(([TagKey, TagValue]) => ({ TagKey, TagValue })),
        })
      ).KeyMetadata;
    if (!metadata?.KeyId || !metadata.Arn) {
      throw new Error("the service returned no key");
    }
    const attributes = { id: metadata.KeyId, key_id: metadata.KeyId, arn: metadata.Arn };
    await settleKey(creation, attributes);
    return attributes;
  },
  async exists({ attributes, clients }) {
    return (await clients.kms.describeKey({ KeyId: attributes.id })).KeyMetadata?.KeyState === "Enabled";
  },
  async update(change) {
    const KeyId = change.attributes.id;
    await change.clients.kms.updateKeyDescription({ KeyId, Description: change.arguments.text("description") ?? "" });
    await change.clients.kms.tagResource({
      KeyId,
      Tags: Object.entries(change.tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue })),
    });
    await settleKey(change, change.attributes);
    return change.attributes;
  },
  async delete({ attributes, arguments: list, clients }) {
    try {
      await clients.kms.scheduleKeyDeletion({
        KeyId: attributes.id,
        PendingWindowInDays: list.number("deletion_window_in_days") ?? 30,
      });
    } catch (error) {
      // Its deletion is already scheduled.
      if (!isNamed(error, "KMSInvalidStateException")) {
        throw error;
      }
    }
  },
};

async function settleKey({ arguments: list, clients }: Creation, { id: KeyId }: Attributes): Promise<void> {
  list.accept("deletion_window_in_days");
  const policy = list.text("policy");
  if (policy !== undefined) {
    await clients.kms.putKeyPolicy({ KeyId, PolicyName: "default", Policy: policy });
  }
  await (list.boolean("enable_key_rotation")
    ? clients.kms.enableKeyRotation({ KeyId })
    : clients.kms.disableKeyRotation({ KeyId }));
}

/** The key that a killed run made for the same intention. */
async function ownedKey(kms: KMS, token: string): Promise<KeyMetadata | undefined> {
  let marker: string | undefined;
  do {
    const { Keys = [], NextMarker } = await kms.listKeys({ Marker: marker });
    for (const { KeyId } of Keys) {
      const { Tags = [] } = (await unlessMissing(kms.listResourceTags({ KeyId }))) ?? {};
      if (Tags.some(({ TagKey, TagValue }) => TagKey === ownerTag && TagValue === token)) {
        const { KeyMetadata: metadata } = await kms.describeKey({ KeyId });
        if (metadata?.KeyState === "PendingDeletion") {
          await kms.cancelKeyDeletion({ KeyId });
          await kms.enableKey({ KeyId });
        }
        return metadata;
      }
    }
    marker = NextMarker;
  } while (marker !== undefined);
  return undefined;
}

const alias: ResourceKind = settled({
  type: "aws_kms_alias",
  naming: { argument: "name", prefix: "alias/terraform-", maximumLength: 256 },
  async put({ arguments: list, clients, arnOf }) {
    const AliasName = list.requireText("name");
    const TargetKeyId = list.requireText("target_key_id");
    try {
      await clients.kms.createAlias({ AliasName, TargetKeyId });
    } catch (error) {
      if (!isNamed(error, "AlreadyExistsException")) {
        throw error;
      }
      await clients.kms.updateAlias({ AliasName, TargetKeyId });
    }
    return { id: AliasName, arn: arnOf("kms", AliasName) };
  },
  async exists({ attributes, clients }) {
    for await (const { Aliases = [] } of paginateListAliases({ client: clients.kms }, {})) {
      if (Aliases.some(({ AliasName }) => AliasName === attributes.id)) {
        return true;
      }
    }
    return false;
  },
  delete: ({ attributes, clients }) => clients.kms.deleteAlias({ AliasName: attributes.id }),
});

/** KMS: keys and aliases. */
export const kmsKinds: readonly ResourceKind[] = [key, alias];
