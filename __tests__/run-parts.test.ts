import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const root = resolve(__dirname, "..");
const node = join(root, "node_modules/.bin/node");
const program = ["--import", join(root, "node_modules/tsx/dist/loader.mjs"), join(__dirname, "run-parts.ts")];

/** Targets that take the place of the real ones; each leaves a file when it has ended. */
const makefile = `
good:
	@echo "one of good"; sleep 0.3; echo "two of good"; touch good
bad:
	@echo "one of bad"; sleep 0.3; echo "the reason" >&2; touch bad; exit 1
killed:
	@kill -9 $$$$
skipping:
	@echo "SKIPPED, the model image is not tested here: it needs Linux"; echo "the end"
testing:
	@echo "PASS unit __tests__/quick.test.ts"; echo "FAIL unit __tests__/web/slow.test.ts (61.2 s)"
	@for number in 10 11 12 13 14 15 16 17 18 19; do echo "PASS sagemaker-local packages/a/$$number.test.ts ($$number.5 s)"; done
endless:
	@sleep 60; touch endless
variable:
	@test "$(CHROMIUM)" = "/opt/a browser"
`;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parts-"));
  writeFileSync(join(folder, "Makefile"), makefile);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(parts: readonly string[], variables: Record<string, string> = {}) {
  return spawnSync(node, [...program, ...parts], {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: process.env.PATH, ...variables },
  });
}

test("every part runs, also after a failure, and a failed part makes the whole fail", () => {
  const { status, stdout } = run(["bad", "good"], { PARALLEL: "1" });
  expect(status).toBe(1);
  expect(existsSync(join(folder, "good"))).toBe(true);
  expect(stdout).toMatch(/^good +passed +\d+ s$/m);
  expect(stdout).toMatch(/^bad +FAILED +\d+ s$/m);
  expect(stdout).toMatch(/^FAILED: bad in \d+ s, 1 at a time\.$/m);
});

test("parts that run at a time print their lines as blocks of their own, errors with them", () => {
  const { stdout } = run(["bad", "good"], { PARALLEL: "2" });
  expect(stdout).toContain("──── good ────\none of good\ntwo of good\n──── good passed ────\n");
  expect(stdout).toMatch(/──── bad ────\none of bad\nthe reason\nmake: \*\*\* [^\n]+\n──── bad FAILED ────\n/);
});

test("beside a part that runs alone nothing runs, and parts that follow it run side by side", () => {
  const noted = (part: string): string =>
    `${part}:\n\t@echo "${part} begins" >> order; sleep 1; echo "${part} ends" >> order\n`;
  writeFileSync(join(folder, "Makefile"), ["one", "all", "two"].map(noted).join(""));
  expect(run(["--alone", "all", "one", "all", "two"], { PARALLEL: "2" }).status).toBe(0);
  const order = readFileSync(join(folder, "order"), "utf8").trim().split("\n");
  expect(order.slice(0, 2)).toEqual(["all begins", "all ends"]);
  expect(order.slice(2, 4).sort()).toEqual(["one begins", "two begins"]);
});

test.each(["killed", "no-such-part"])("an incomplete part never counts as passed: %s", (part) => {
  expect(run([part, "good"]).status).toBe(1);
});

test("the ten slowest files of tests are listed, of whatever part", () => {
  const { stdout } = run(["testing", "good"]);
  const [, list = ""] = /^The slowest files of tests:\n([^]*?)\n\n/m.exec(stdout) ?? [];
  const lines = list.split("\n").map((line) => line.trim());
  expect(lines).toHaveLength(10);
  expect(lines.slice(0, 2)).toEqual(["1 min 01 s  __tests__/web/slow.test.ts", "20 s  packages/a/19.test.ts"]);
  expect(run(["good"]).stdout).not.toContain("slowest");
});

test("the last lines repeat what was left out", () => {
  const { status, stdout } = run(["skipping", "good"]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^All 2 parts passed in \d+ s, \d+ at a time\.$/m);
  expect(stdout.trimEnd().split("\n").at(-1)).toBe("SKIPPED, the model image is not tested here: it needs Linux");
});

test("variables of the command line reach the parts", () => {
  writeFileSync(join(folder, "outer.mk"), `all:\n\t@${node} ${program.join(" ")} variable\n`);
  const { status } = spawnSync("make", ["-j2", "-f", "outer.mk", "CHROMIUM=/opt/a browser"], {
    cwd: folder,
    env: { PATH: process.env.PATH },
  });
  expect(status).toBe(0);
});

test.each([
  [[], {}, "No part is named; expected targets of the Makefile, for example `lint test-unit`."],
  [["good"], { PARALLEL: "0" }, 'PARALLEL is "0"; expected a whole number from 1 to 99.'],
])("%j with %j is refused before anything runs", (parts, variables, reason) => {
  const { status, stdout, stderr } = run(parts, variables);
  expect({ status, stdout, stderr }).toEqual({ status: 1, stdout: "", stderr: `${reason}\n` });
});

test("whoever stops it stops what it started", async () => {
  const child = spawn(node, [...program, "endless"], { cwd: folder, env: { PATH: process.env.PATH } });
  const ended = new Promise((settle) => child.once("close", settle));
  await new Promise((settle) => child.stdout.once("data", settle));
  await sleep(300);
  child.kill("SIGTERM");
  await expect(ended).resolves.toBe(130);
  expect(existsSync(join(folder, "endless"))).toBe(false);
});
