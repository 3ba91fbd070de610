import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";

const reader = `
import { parquetReadObjects } from "hyparquet";
import fs from "node:fs";
const bytes = fs.readFileSync(process.argv[1]);
const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const rows = await parquetReadObjects({ file });
console.log(JSON.stringify(rows, (_, value) => typeof value === "bigint" ? { $bigint: String(value) } : value));
`;

/** Rows of a Parquet file. hyparquet is an ES module, which Jest does not load: a Node of its own does. */
export function parquetReadObjects(bytes: Uint8Array): Record<string, unknown>[] {
  const folder = fs.mkdtempSync(path.join(tmpdir(), "acme-parquet-"));
  try {
    const file = path.join(folder, "data.parquet");
    fs.writeFileSync(file, bytes);
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", reader, file], {
      cwd: path.resolve(__dirname, "../../../.."),
      encoding: "utf8",
    });
    return JSON.parse(output, (_, value: unknown) =>
      typeof value === "object" && value !== null && "$bigint" in value ? BigInt(String(value.$bigint)) : value,
    ) as Record<string, unknown>[];
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
