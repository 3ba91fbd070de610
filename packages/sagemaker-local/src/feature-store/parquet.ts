import type { SchemaElement } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import type { FeatureDefinition } from "./feature-group";
import type { JournalEntry } from "./journal";

const text: Omit<SchemaElement, "name"> = { type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" };
const timestamp: Omit<SchemaElement, "name"> = {
  type: "INT64",
  converted_type: "TIMESTAMP_MICROS",
  logical_type: { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "MICROS" },
  repetition_type: "OPTIONAL",
};
const types: Readonly<Record<FeatureDefinition["FeatureType"], Omit<SchemaElement, "name">>> = {
  String: text,
  Fractional: { type: "DOUBLE", repetition_type: "OPTIONAL" },
  Integral: { type: "INT64", repetition_type: "OPTIONAL" },
};

function valueOf(
  type: FeatureDefinition["FeatureType"],
  value: string | undefined,
): string | number | bigint | undefined {
  if (value === undefined || type === "String") {
    return value;
  }
  return type === "Fractional" ? Number(value) : BigInt(value.replace("+", ""));
}

/**
 * A Parquet file of records as SageMaker's offline store has them: a column for each feature, then write_time,
 * api_invocation_time and is_deleted.
 * @param writtenAt when the records were written to the store, in milliseconds since 1970
 */
export function toParquet(
  definitions: readonly FeatureDefinition[],
  entries: readonly JournalEntry[],
  writtenAt: number,
): Uint8Array {
  const microseconds = (milliseconds: number): bigint => BigInt(milliseconds) * 1000n;
  const features = definitions.map(({ FeatureName: name, FeatureType: type }) => ({
    element: { name, ...types[type] },
    data: entries.map((entry) => valueOf(type, entry.values[name])),
  }));
  const columns = [
    ...features,
    { element: { name: "write_time", ...timestamp }, data: entries.map(() => microseconds(writtenAt)) },
    {
      element: { name: "api_invocation_time", ...timestamp },
      data: entries.map((entry) => microseconds(entry.invokedAt)),
    },
    {
      element: { name: "is_deleted", type: "BOOLEAN", repetition_type: "OPTIONAL" } satisfies SchemaElement,
      data: entries.map((entry) => entry.deleted),
    },
  ];
  return new Uint8Array(
    parquetWriteBuffer({
      schema: [{ name: "schema", num_children: columns.length }, ...columns.map(({ element }) => element)],
      columnData: columns.map(({ element, data }) => ({ name: element.name, data })),
    }),
  );
}
