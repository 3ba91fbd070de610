import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { root } from "../../local/platform/instance";

/** A checkout in which nothing was installed yet. */
let checkout: string;

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), "checkout-"));
  for (const name of ["Makefile", "package.json", "package-lock.json"]) {
    cpSync(join(root, name), join(checkout, name));
  }
});

afterEach(() => {
  rmSync(checkout, { recursive: true, force: true });
});

function make(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  const tools = join(checkout, "tools");
  mkdirSync(tools, { recursive: true });
  // Whoever installs something calls one of these.
  for (const name of ["npm", "python3", "node", "uv"]) {
    writeFileSync(join(tools, name), `#!/bin/sh\necho "${name} $*" >> called\nexit 1\n`, { mode: 0o755 });
  }
  return spawnSync("make", words, {
    cwd: checkout,
    encoding: "utf8",
    env: { PATH: `${tools}:${process.env.PATH ?? ""}` },
  });
}

describe("in a fresh checkout", () => {
  test.each([
    ["survey", 2],
    ["data-workflow", 2],
    ["down", 0],
    ["status", 2],
    ["model-card", 2],
    ["logs", 0],
    ["clean", 0],
  ])("make %s says that nothing runs, and installs nothing", (target, exit) => {
    const { status, stdout } = make("--silent", target);
    expect(status).toBe(exit);
    expect(stdout).toBe("Nothing runs: there is no platform in .local; make up makes one.\n");
    expect(readdirSync(checkout).sort()).toEqual(["Makefile", "package-lock.json", "package.json", "tools"]);
  });

  test("make env fails with the reason on standard error, so that eval gets nothing", () => {
    const { status, stdout, stderr } = make("--silent", "env");
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("Nothing runs");
    expect(existsSync(join(checkout, "called"))).toBe(false);
  });

  test("a folder that is named by PLATFORM_DIRECTORY is told, and left alone where it isn't a platform's", () => {
    mkdirSync(join(checkout, "my thesis"));
    writeFileSync(join(checkout, "my thesis", "thesis.txt"), "three years of work");
    expect(make("clean", "PLATFORM_DIRECTORY=my thesis").stdout).toContain("there is no platform in my thesis;");
    expect(existsSync(join(checkout, "my thesis", "thesis.txt"))).toBe(true);
  });
});

test("make down installs what it takes to stop a platform whose packages were deleted", () => {
  mkdirSync(join(checkout, ".local"));
  writeFileSync(join(checkout, ".local/.acme-platform"), "");
  expect(make("down").stderr).toContain("Installing the Node packages");
  expect(existsSync(join(checkout, "called"))).toBe(true);
});

test("make clean removes what make synth wrote; that of another platform leaves it", () => {
  for (const folder of ["cdktf.out/stacks", "dist"]) {
    mkdirSync(join(checkout, folder), { recursive: true });
  }
  make("clean", "PLATFORM_DIRECTORY=other");
  expect(existsSync(join(checkout, "cdktf.out/stacks"))).toBe(true);
  make("clean");
  expect([existsSync(join(checkout, "cdktf.out")), existsSync(join(checkout, "dist"))]).toEqual([false, false]);
});
