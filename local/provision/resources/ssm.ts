import {
  AddTagsToResourceCommand,
  DeleteParameterCommand,
  GetParameterCommand,
  type ParameterTier,
  type ParameterType,
  PutParameterCommand,
  type SSMClient,
} from "@aws-sdk/client-ssm";
import { isNamed, type ResourceKind, settled, tagList, unlessMissing } from "../resource-kind";

const valueArguments = ["value", "insecure_value", "value_wo"];

const parameter: ResourceKind = settled({
  type: "aws_ssm_parameter",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 2_048 },
  replacedBy: ["type"],
  async put({ arguments: list, clients, tags, keeps, account, region, partition }) {
    const Name = list.requireText("name");
    list.accept("overwrite", "value_wo_version");
    const values = valueArguments.map((name) => list.text(name));
    const given =
      values.find((value) => value !== undefined) ?? list.refuse("value", null, "text, here or in insecure_value,");
    // What was changed at run time stays, also when the parameter is found again or gets another description.
    const current = valueArguments.some(keeps) ? await readParameter(clients.ssm, Name) : undefined;
    const Value = current?.Value ?? given;
    const { Version = 1 } = await clients.ssm.send(
      new PutParameterCommand({
        Name,
        Value,
        Type: list.requireText("type") as ParameterType,
        Description: list.text("description"),
        KeyId: list.text("key_id"),
        Tier: list.text("tier") as ParameterTier | undefined,
        AllowedPattern: list.text("allowed_pattern"),
        DataType: list.text("data_type"),
        Overwrite: true,
      }),
    );
    if (Object.keys(tags).length > 0) {
      await clients.ssm.send(
        new AddTagsToResourceCommand({ ResourceType: "Parameter", ResourceId: Name, Tags: tagList(tags) }),
      );
    }
    return {
      id: Name,
      arn: `arn:${partition}:ssm:${region}:${account}:parameter/${Name.replace(/^\//, "")}`,
      value: Value,
      insecure_value: Value,
      version: Version,
    };
  },
  async read({ attributes, clients, keeps }) {
    const found = await readParameter(clients.ssm, attributes.id);
    const isOurs = found?.Value === attributes.value || valueArguments.some(keeps);
    return found && isOurs ? attributes : undefined;
  },
  async delete({ attributes, clients }) {
    await unlessMissing(clients.ssm.send(new DeleteParameterCommand({ Name: attributes.id })));
  },
});

/** A parameter, decrypted; undefined when there is none. */
export async function readParameter(
  ssm: SSMClient,
  Name: string,
): Promise<
  { readonly Value?: string; readonly Type?: string; readonly Version?: number; readonly ARN?: string } | undefined
> {
  try {
    return (await ssm.send(new GetParameterCommand({ Name, WithDecryption: true }))).Parameter;
  } catch (error) {
    if (isNamed(error, "ParameterNotFound")) {
      return undefined;
    }
    throw error;
  }
}

/** SSM: parameters. */
export const ssmKinds: readonly ResourceKind[] = [parameter];
