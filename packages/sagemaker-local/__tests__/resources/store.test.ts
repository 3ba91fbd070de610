import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ResourceStore } from "../../src/resources/store";

const folder = mkdtempSync(join(tmpdir(), "sagemaker-local-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test("what an older version kept in a member of its own is found at the top", () => {
  const created = new Date("2026-03-01T09:30:00Z");
  const older = new ResourceStore<object>(folder, []);
  older.put("good", { endpoint: { EndpointName: "good", CreationTime: created }, pendingConfigName: "next" });
  older.put("plain", { ModelName: "plain", CreationTime: created });
  const newer = new ResourceStore<object>(folder, ["CreationTime"]);
  expect(newer.get("good")).toEqual({ EndpointName: "good", CreationTime: created, pendingConfigName: "next" });
  expect(newer.get("plain")).toEqual({ ModelName: "plain", CreationTime: created });
});

test("a file without what every resource has is damaged, and nothing is changed", () => {
  const [file = ""] = readdirSync(folder).map((name) => join(folder, name));
  const text = readFileSync(file, "utf8").replaceAll("CreationTime", "CreatedAt");
  writeFileSync(file, text);
  expect(() => new ResourceStore<object>(folder, ["CreationTime"])).toThrow(
    `${file} is damaged. Put back a good copy,`,
  );
  expect(readFileSync(file, "utf8")).toBe(text);
});
