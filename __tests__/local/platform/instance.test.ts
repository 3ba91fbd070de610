import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openInstance, root } from "../../../local/platform/instance";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "instance-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("the state folder", () => {
  test("is made where there is none, and opened again", () => {
    const { directory } = openInstance(join(folder, "new"));
    expect(openInstance(directory).directory).toBe(directory);
    expect(existsSync(join(directory, "logs"))).toBe(true);
  });

  test.each([
    ["an older", "make clean removes this folder with all that is in it.\n", "its layout is 1"],
    ["a newer", "make clean removes this folder with all that is in it.\nlayout 3000\n", "its layout is 3000"],
  ])("of %s checkout is refused with what to do, and can still be removed", (_, marker, found) => {
    writeFileSync(join(folder, ".acme-platform"), marker);
    expect(() => openInstance(folder)).toThrow(found);
    expect(() => openInstance(folder)).toThrow("Remove it with `make clean`, then start over with `make up`.");
    expect(openInstance(folder, { anyLayout: true }).directory).toBe(folder);
  });

  test("is never a folder with somebody's files: make clean would remove them", () => {
    writeFileSync(join(folder, "thesis.txt"), "three years of work");
    expect(() => openInstance(folder)).toThrow(`PLATFORM_DIRECTORY: ${folder} holds other files`);
    expect(readdirSync(folder)).toEqual(["thesis.txt"]);
  });

  test("is never a file", () => {
    const file = join(folder, "README.md");
    writeFileSync(file, "# Read me");
    expect(() => openInstance(file)).toThrow(`PLATFORM_DIRECTORY: ${file} is a file; expected a folder`);
  });

  test("is never the checkout, or what lies above it", () => {
    for (const directory of [root, join(root, ".."), ".", "/"]) {
      expect(() => openInstance(directory)).toThrow(/holds other files/);
    }
  });

  test("is the usual one when the variable is set to nothing", () => {
    expect(openInstance("").directory).toBe(join(root, ".local"));
  });
});
