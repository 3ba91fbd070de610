import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { applied, type Mutant, sampleOf } from "./mutants";
import { settingsFrom } from "./run";

const root = resolve(__dirname, "../..");

/** A small checkout with one policy and its test. */
let folder: string;
let checkout: string;

function write(path: string, content: string): void {
  mkdirSync(dirname(join(checkout, path)), { recursive: true });
  writeFileSync(join(checkout, path), content);
}

const policy = "exports.allows = (age) => age >= 18;\n";
const good = `const { allows } = require("../../policies/age.ts");
test("grown-ups alone", () => expect([17, 19].map(allows)).toEqual([false, true]));
test("says something", () => expect(true).toBe(true));
`;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "mutation-test-")));
  checkout = join(folder, "checkout");
  write("policies/age.ts", policy);
  write("__tests__/policies/age.test.ts", good);
  write(
    "jest.config.js",
    'module.exports = { projects: [{ displayName: "unit", rootDir: __dirname, transform: {}, testMatch: ["**/*.test.ts"] }] };\n',
  );
  write(".gitignore", "node_modules\n");
  symlinkSync(join(root, "node_modules"), join(checkout, "node_modules"));
  mkdirSync(join(folder, "tmp"));
  expect(spawnSync("git", ["init", "--quiet"], { cwd: checkout }).status).toBe(0);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const command = [
  join(root, "node_modules/.bin/node"),
  ["--import", join(root, "node_modules/tsx/dist/loader.mjs"), join(root, "__tests__/mutation/run.ts")],
] as const;

const options = (variables: Record<string, string>) => ({
  cwd: checkout,
  env: { PATH: process.env.PATH, HOME: folder, TMPDIR: join(folder, "tmp"), ...variables },
});

function mutate(variables: Record<string, string> = {}) {
  return spawnSync(...command, { encoding: "utf8", ...options(variables) });
}

/** What a run must leave as it was. */
const files = (): readonly (readonly [string, string])[] =>
  ["policies/age.ts", "__tests__/policies/age.test.ts"].map((file) => [
    file,
    readFileSync(join(checkout, file), "utf8"),
  ]);

/** The copies of the checkout that there are. */
const copies = (): readonly string[] => readdirSync(join(folder, "tmp")).filter((name) => name.startsWith("mutation-"));

test("noticed and unnoticed changes are reported, with the tests that notice nothing", () => {
  const before = files();
  const { status, stdout, stderr } = mutate();
  expect(stderr).toBe("");
  expect(stdout).toContain("policies/age.ts:1:27 EqualityOperator: age >= 18 → age < 18\n    ✔ noticed by __tests__");
  expect(stdout).toMatch(
    /\n1 tests ran and failed for none of these mutants:\n {2}__tests__\/policies\/age\.test\.ts: says something\n/,
  );
  expect(stdout).toContain("\n1 mutants survived:\n  policies/age.ts:1:27 EqualityOperator: age >= 18 → age > 18\n");
  expect(stdout).toMatch(/\narea +mutants +noticed +score\npolicies +5 +4 +80 %\n$/);
  expect(status).toBe(0);
  expect(files()).toEqual(before);
  expect(copies()).toEqual([]);
});

test("an interrupted run ends its tests and leaves no files", async () => {
  write("__tests__/policies/age.test.ts", 'test("waits", () => new Promise(() => undefined), 600_000);\n');
  const before = files();
  const child = spawn(...command, { stdio: "ignore", ...options({}) });
  const ended = once(child, "exit");
  const started = (): boolean => copies().some((name) => readdirSync(join(folder, "tmp", name)).includes("cache"));
  while (!started()) {
    await new Promise((next) => setTimeout(next, 100));
  }
  child.kill("SIGTERM");
  expect(await ended).toEqual([1, null]);
  expect(files()).toEqual(before);
  expect(copies()).toEqual([]);
});

test("tests that fail without any change are named", () => {
  write("__tests__/policies/age.test.ts", 'test("fails", () => expect(1).toBe(2));\n');
  const { status, stderr } = mutate();
  expect(stderr).toBe(
    "The tests of policies fail without any change (__tests__/policies/age.test.ts): mend them first.\n",
  );
  expect(status).toBe(1);
});

test("files that belong to no area are refused", () => {
  const { status, stderr } = mutate({ FILES: "web/*.ts" });
  expect(stderr).toMatch(
    /^FILES is "web\/\*\.ts"; expected TypeScript below policies\/, .*, such as policies\/\*\*\/\*\.ts\.\n$/,
  );
  expect(status).toBe(1);
});

test("the sample can be set, and invalid settings are refused", () => {
  expect(settingsFrom({})).toEqual({ files: undefined, sample: 100, seed: 1 });
  expect(settingsFrom({ FILES: "survey/*", SAMPLE: "7", SEED: "2" })).toEqual({
    files: "survey/*",
    sample: 7,
    seed: 2,
  });
  expect(() => settingsFrom({ SAMPLE: "0" })).toThrow('SAMPLE is "0"; expected a whole number from 1 to 100000.');
  expect(() => settingsFrom({ SEED: "x" })).toThrow('SEED is "x"; expected a whole number from 0');
});

describe("mutants", () => {
  const mutant = (start: number, end: number, replacement: string, mutator = "LogicalOperator"): Mutant => ({
    file: "policies/a.ts",
    line: 1,
    column: start + 1,
    start,
    end,
    original: "",
    replacement,
    mutator,
  });

  test("an expression that takes another's place stays together, a block stays a block", () => {
    expect(applied("x = a && b && c;", mutant(4, 10, "a || b"))).toBe("x = (a || b) && c;");
    expect(applied("if (a) { b(); }", mutant(7, 15, "{}", "BlockStatement"))).toBe("if (a) {}");
  });

  test("a seed chooses the same ones each time, another seed others, and a larger sample has the smaller one in it", () => {
    const all = Array.from({ length: 200 }, (_, start) => mutant(start, start + 1, `a || ${start}`));
    const some = sampleOf(all, 20, 1);
    expect(some).toHaveLength(20);
    expect(sampleOf([...all].reverse(), 20, 1).toReversed()).toEqual(some);
    expect(sampleOf(all, 20, 2)).not.toEqual(some);
    expect(sampleOf(all, 40, 1)).toEqual(expect.arrayContaining([...some]));
    expect(some.map(({ start }) => start)).toEqual(some.map(({ start }) => start).sort((a, b) => a - b));
  });

  test("lines above them have no effect, and the same code twice in a file is two mutants", () => {
    const all = Array.from({ length: 20 }, (_, index) => mutant(index, index + 1, "true"));
    const starts = (mutants: readonly Mutant[]): readonly number[] => sampleOf(mutants, 5, 1).map(({ start }) => start);
    expect(starts(all)).toHaveLength(5);
    expect(starts(all.map((each) => ({ ...each, start: each.start + 100 })))).toEqual(
      starts(all).map((start) => start + 100),
    );
  });
});
