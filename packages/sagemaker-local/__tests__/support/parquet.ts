import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const reader = `
import { parquetReadObjects } from "hyparquet";
import { readFileSync } from "node:fs";
const bytes = readFileSync(process.argv[1]);
const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const rows = await parquetReadObjects({ file });
console.log(JSON.stringify(rows, (_, value) => typeof value === "bigint" ? { $bigint: String(value) } : value));
`;

/** Rows of a Parquet file. hyparquet is an ES module, which Jest does not load: a Node of its own does. */
export function parquetReadObjects(bytes: Uint8Array): Record<string, unknown>[] {
  const folder = mkdtempSync(join(tmpdir(), "acme-parquet-"));
  try {
    const file = join(folder, "data.parquet");
    writeFileSync(file, bytes);
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", reader, file], {
      cwd: resolve(__dirname, "../../../.."),
      encoding: "utf8",
    });
    return JSON.parse(output, (_, value: unknown) =>
      typeof value === "object" && value !== null && "$bigint" in value ? BigInt(String(value.$bigint)) : value,
    ) as Record<string, unknown>[];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
