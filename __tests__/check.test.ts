import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const root = resolve(__dirname, "..");

/** A small checkout whose rooms have a file and a test each; its types are wrong while a file `wrong-types` exists. */
let checkout: string;

function write(path: string, content: string): void {
  mkdirSync(dirname(join(checkout, path)), { recursive: true });
  writeFileSync(join(checkout, path), content);
}

function git(...words: string[]): void {
  const identity = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"];
  expect(spawnSync("git", [...identity, ...words], { cwd: checkout }).status).toBe(0);
}

beforeEach(() => {
  checkout = realpathSync(mkdtempSync(join(tmpdir(), "check-")));
  symlinkSync(join(root, "node_modules"), join(checkout, "node_modules"));
  write(".gitignore", "node_modules\n");
  write("package.json", '{ "scripts": { "check:types": "test ! -e wrong-types" } }\n');
  write("eslint.config.mjs", "export default [];\n");
  write(
    "jest.config.js",
    'module.exports = { projects: [{ displayName: "unit", rootDir: __dirname, transform: {}, testMatch: ["**/*.test.ts"] }] };\n',
  );
  write("modules/place.ts", "module.exports = 7;\n");
  write("policies/other.ts", "module.exports = 8;\n");
  write(
    "__tests__/modules/place.test.ts",
    'test("it is seven", () => expect(require("../../modules/place.ts")).toBe(7));\n',
  );
  write(
    "__tests__/policies/other.test.ts",
    'test("it is eight", () => expect(require("../../policies/other.ts")).toBe(8));\n',
  );
  git("init", "--quiet", "--initial-branch=main");
  git("add", ".");
  git("commit", "--quiet", "--message=begin");
});

afterEach(() => {
  rmSync(checkout, { recursive: true, force: true });
});

function check(variables: Record<string, string> = {}) {
  return spawnSync(
    join(root, "node_modules/.bin/node"),
    ["--import", join(root, "node_modules/tsx/dist/loader.mjs"), join(root, "__tests__/check.ts")],
    { cwd: checkout, encoding: "utf8", env: { PATH: process.env.PATH, HOME: checkout, LIMIT: "300", ...variables } },
  );
}

test("without differences, nothing is checked, and a message says so", () => {
  const { status, stdout } = check();
  expect(stdout).toMatch(/^Nothing differs from [0-9a-f]{40}: nothing to check\./);
  expect(status).toBe(0);
});

test("a change runs the tests of its own room and no others", () => {
  write("modules/place.ts", "module.exports = 3 + 4;\n");
  const { status, stdout } = check();
  expect(stdout).toContain("✔ 1 tests of the same room");
  expect(stdout).not.toContain("other.test.ts");
  expect(stdout).toContain("What has run passed.");
  expect(status).toBe(0);
});

test("a change that breaks a test fails, on a branch too whose change is committed", () => {
  git("switch", "--quiet", "--create", "branch");
  write("modules/place.ts", "module.exports = 6;\n");
  git("commit", "--quiet", "--all", "--message=change");
  const { status, stdout } = check();
  expect(stdout).toContain("it is seven");
  expect(stdout).toContain("FAILED: 1 tests of the same room.");
  expect(status).toBe(1);
});

test("wrong types and an unformatted file fail, also in a new file", () => {
  write("wrong-types", "");
  write("modules/new.ts", "module.exports   = 7\n");
  const { status, stdout } = check();
  expect(stdout).toContain("FAILED: types, Prettier on what changed.");
  expect(status).toBe(1);
});

test("tests that do not end in time are named, and do not count as passed", () => {
  write("modules/place.ts", "module.exports = 3 + 4;\n");
  write("package.json", '{ "scripts": { "check:types": "sleep 60" } }\n');
  const { stdout } = check({ LIMIT: "1" });
  expect(stdout).toMatch(/^Not finished in 1 s \(LIMIT sets another time\): types, /m);
  expect(stdout).not.toContain("✔ types");
});

test("an invalid time is refused", () => {
  const { status, stderr } = check({ LIMIT: "soon" });
  expect(stderr).toBe('LIMIT is "soon"; expected a whole number from 1 to 99999.\n');
  expect(status).toBe(1);
});
