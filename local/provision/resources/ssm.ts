import type { ParameterType, SSM } from "@aws-sdk/client-ssm";
import { isNamed, type ResourceKind, settled, tagList } from "../resource-kind";

const parameter: ResourceKind = settled({
  type: "aws_ssm_parameter",
  naming: { argument: "name", prefix: "terraform-", maximumLength: 2_048 },
  replacedBy: ["type"],
  async put({ arguments: list, clients, tags, keeps, arnOf }) {
    const Name = list.requireText("name");
    const given = list.requireText("insecure_value");
    // A value changed at run time is kept, also when the parameter is found again or gets another description.
    const current = keeps("insecure_value") ? await readParameter(clients.ssm, Name) : undefined;
    const Value = current?.Value ?? given;
    await clients.ssm.putParameter({
      Name,
      Value,
      Type: list.requireText("type") as ParameterType,
      Description: list.text("description"),
      Overwrite: true,
    });
    if (Object.keys(tags).length > 0) {
      await clients.ssm.addTagsToResource({ ResourceType: "Parameter", ResourceId: Name, Tags: tagList(tags) });
    }
    return {
      id: Name,
      arn: arnOf("ssm", `parameter/${Name.replace(/^\//, "")}`),
      insecure_value: Value,
    };
  },
  async exists({ attributes, clients, keeps }) {
    const found = await readParameter(clients.ssm, attributes.id);
    return found && (found.Value === attributes.insecure_value || keeps("insecure_value"));
  },
  delete: ({ attributes, clients }) => clients.ssm.deleteParameter({ Name: attributes.id }),
});

/** A decrypted parameter; undefined if it does not exist. */
export async function readParameter(ssm: SSM, Name: string): Promise<{ readonly Value?: string } | undefined> {
  try {
    return (await ssm.getParameter({ Name, WithDecryption: true })).Parameter;
  } catch (error) {
    if (isNamed(error, "ParameterNotFound")) {
      return undefined;
    }
    throw error;
  }
}

/** SSM: parameters. */
export const ssmKinds: readonly ResourceKind[] = [parameter];
