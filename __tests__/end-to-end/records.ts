import { createHash } from "node:crypto";

import { type Clients, requireContract } from "../../local/platform/clients";

/** The rows that a query of the feature group's offline store gives; `sql` is told the table's name. */
export async function query(clients: Clients, sql: (table: string) => string): Promise<string[][]> {
  const group = await clients.sagemaker.describeFeatureGroup({
    FeatureGroupName: await requireContract(clients, "FeatureGroup"),
  });
  const catalog = group.OfflineStoreConfig!.DataCatalogConfig!;
  const { QueryExecutionId } = await clients.athena.startQueryExecution({
    QueryString: sql(`"${catalog.Database}"."${catalog.TableName}"`),
    WorkGroup: await requireContract(clients, "AthenaWorkgroup"),
  });
  for (;;) {
    const { QueryExecution } = await clients.athena.getQueryExecution({ QueryExecutionId });
    const state = QueryExecution!.Status!.State!;
    if (state === "SUCCEEDED") {
      const { ResultSet } = await clients.athena.getQueryResults({ QueryExecutionId });
      return ResultSet!.Rows!.slice(1).map(({ Data }) => Data!.map(({ VarCharValue }) => VarCharValue ?? ""));
    }
    if (state !== "QUEUED" && state !== "RUNNING") {
      throw new Error(QueryExecution!.Status!.StateChangeReason);
    }
  }
}

/** An object of the data bucket as text. */
export async function readObject(clients: Clients, uri: string): Promise<string> {
  const { hostname, pathname } = new URL(uri);
  const { Body } = await clients.s3.getObject({ Bucket: hostname, Key: pathname.slice(1) });
  return Body!.transformToString();
}

/** The training, validation and test rows of an execution, each by its columns' names. */
export async function rowsOf(
  clients: Clients,
  executionArn: string,
): Promise<Record<"train" | "validation" | "test", Record<string, string>[]>> {
  const bucket = await requireContract(clients, "DataBucket");
  const { Contents = [] } = await clients.s3.listObjectsV2({ Bucket: bucket, Prefix: "runs/" });
  // As prepare-run names a run: the execution's name may be cut, the hash of its ARN is not.
  const hash = createHash("sha256").update(executionArn).digest("hex").slice(0, 8);
  const run = Contents.map(({ Key }) => Key!.split("/").slice(0, 2).join("/")).find((folder) => folder.endsWith(hash));
  const rows = async (split: string): Promise<Record<string, string>[]> => {
    const text = await readObject(clients, `s3://${bucket}/${run}/dataset/${split}/data.csv`);
    const [header, ...lines] = text
      .trim()
      .split("\n")
      .map((line) => line.split(","));
    return lines.map((values) => Object.fromEntries(header!.map((name, column) => [name, values[column]!])));
  };
  return { train: await rows("train"), validation: await rows("validation"), test: await rows("test") };
}

/** The records in the training, validation and test rows of an execution, by their identifiers. */
export async function datasetOf(clients: Clients, executionArn: string): Promise<Record<string, string[]>> {
  const splits = Object.entries(await rowsOf(clients, executionArn));
  return Object.fromEntries(splits.map(([split, rows]) => [split, rows.map(({ record_id }) => record_id!)]));
}
