/**
 * What a killed bootstrap has made and no state knows of.
 *
 * Terraform saves a state every twenty seconds while it works. What it made within the last of them, and what was made before there was a state, is there
 * under a name that can't be given twice. Import blocks put it into the state, in the same run that makes the rest.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KMSClient, paginateListAliases } from "@aws-sdk/client-kms";
import { HeadBucketCommand, NotFound, S3Client } from "@aws-sdk/client-s3";
import { GetParametersCommand, SSMClient } from "@aws-sdk/client-ssm";
import type { Environment } from "../environments";
import type { SynthesizedStack } from "./terraform";

/** An import block of Terraform: the resource with this id is the one at this address. */
export interface Import {
  readonly to: string;
  readonly id: string;
}

type Resources = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The resources of the stack `state` that are in AWS: what has a name of its own, and the key to which its alias leads. */
export async function whatIsThere(
  { account, region, emulated }: Environment,
  { folder }: SynthesizedStack,
): Promise<readonly Import[]> {
  const { resource } = JSON.parse(readFileSync(join(folder, "cdk.tf.json"), "utf8")) as {
    readonly resource: Readonly<Record<string, Resources | undefined>>;
  };
  const named = (type: string, argument: string): readonly Import[] =>
    Object.entries(resource[type] ?? {}).map(([name, values]) => ({
      to: `${type}.${name}`,
      id: values[argument] ?? "",
    }));

  const s3 = new S3Client({ region, forcePathStyle: emulated });
  const kms = new KMSClient({ region });
  const ssm = new SSMClient({ region });
  try {
    const found: Import[] = [];
    for (const bucket of named("aws_s3_bucket", "bucket")) {
      try {
        await s3.send(new HeadBucketCommand({ Bucket: bucket.id, ExpectedBucketOwner: account }));
        found.push(bucket);
      } catch (error) {
        if (!(error instanceof NotFound)) throw error;
      }
    }
    const aliases = named("aws_kms_alias", "name");
    for await (const { Aliases = [] } of paginateListAliases({ client: kms }, {})) {
      for (const alias of aliases) {
        const target = Aliases.find(({ AliasName }) => AliasName === alias.id)?.TargetKeyId;
        if (target === undefined) continue;
        const [, name = ""] = alias.to.split(".");
        const key = /^\$\{(aws_kms_key\.[\w-]+)\./.exec(resource.aws_kms_alias?.[name]?.target_key_id ?? "")?.[1];
        found.push(alias, ...(key === undefined ? [] : [{ to: key, id: target }]));
      }
    }
    const parameters = named("aws_ssm_parameter", "name");
    const { Parameters = [] } = await ssm.send(new GetParametersCommand({ Names: parameters.map(({ id }) => id) }));
    found.push(...parameters.filter(({ id }) => Parameters.some(({ Name }) => Name === id)));
    return found;
  } finally {
    for (const client of [s3, kms, ssm]) client.destroy();
  }
}
