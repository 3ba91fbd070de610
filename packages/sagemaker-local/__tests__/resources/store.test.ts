import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ResourceStore } from "../../src/resources/store";

const folder = mkdtempSync(join(tmpdir(), "sagemaker-local-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test("resources are found again after a restart, with their dates", () => {
  const resource = { ModelName: "plain", CreationTime: new Date("2026-03-01T09:30:00Z") };
  new ResourceStore<object>(folder, []).put("plain", resource);
  expect(new ResourceStore<object>(folder, ["CreationTime"]).get("plain")).toEqual(resource);
});

test("a file without required members is damaged, and nothing is changed", () => {
  const [file = ""] = readdirSync(folder).map((name) => join(folder, name));
  const text = readFileSync(file, "utf8").replaceAll("CreationTime", "CreatedAt");
  writeFileSync(file, text);
  expect(() => new ResourceStore<object>(folder, ["CreationTime"])).toThrow(`${file} is damaged. Restore a good copy,`);
  expect(readFileSync(file, "utf8")).toBe(text);
});
