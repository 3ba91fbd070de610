import { SSM } from "@aws-sdk/client-ssm";
import type { Environment } from "../../environments";
import type { ParameterName } from "../../stacks/contract";

/**
 * Reads values that stacks have published.
 * @throws Error that names the missing parameters
 */
export async function readParameters<Name extends ParameterName>(
  { name: environment, region }: Environment,
  names: readonly Name[],
): Promise<Readonly<Record<Name, string>>> {
  const path = (name: string): string => `/acme/${environment}/${name}`;
  const client = new SSM({ region });
  try {
    const { Parameters = [] } = await client.getParameters({ Names: names.map(path) });
    const values = new Map(Parameters.map(({ Name, Value }) => [Name, Value]));
    const missing = names.filter((name) => !values.get(path(name)));
    if (missing.length > 0) {
      throw new Error(
        `${missing.map(path).join(" and ")} ${missing.length === 1 ? "is" : "are"} not published: first deploy the stack that publishes ` +
          `${missing.length === 1 ? "it" : "them"} (stacks/contract.ts).`,
      );
    }
    return Object.fromEntries(names.map((name) => [name, values.get(path(name))])) as Record<Name, string>;
  } finally {
    client.destroy();
  }
}
