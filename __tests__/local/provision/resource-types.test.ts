import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { allLeftOut } from "../../../local/provision/left-out";
import { leftOutKinds, resourceKinds, resourceTypesFile } from "../../../local/provision/resource-types";

test("a type is either made or left out, and listed once", () => {
  expect([...resourceKinds.keys()].filter((type) => leftOutKinds.has(type))).toEqual([]);
  expect(leftOutKinds.size).toBe(allLeftOut.length);
});

test("every type left out has a reason", () => {
  for (const { reason } of leftOutKinds.values()) {
    expect(reason).toMatch(/\w+ \w+/);
  }
});

test("the file that an unknown type is to be added to exists", () => {
  expect(existsSync(resolve(__dirname, "../../..", resourceTypesFile))).toBe(true);
});
