import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { root } from "../../local/platform/instance";

let folder: string;
let repository: string;
let first: string;

const env = { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" };

function git(...words: string[]): string {
  const identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
  return execFileSync("git", [...identity, ...words], { cwd: repository, env, encoding: "utf8", stdio: "pipe" }).trim();
}

const commit = (subject: string): string => git("commit", "--allow-empty", "--message", subject);

function check(cwd = repository): { status: number | null; stderr: string } {
  return spawnSync(join(root, "local/setup/check-commits"), [first], { cwd, env, encoding: "utf8" });
}

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "commits-")));
  repository = join(folder, "repository");
  mkdirSync(repository);
  git("init", "--initial-branch", "main");
  commit("Said before the rule, at a length that no terminal shows, and without the room that it is about");
  commit("house: begin the rule");
  first = git("rev-parse", "HEAD");
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  "make: hand on what the caller gives exactly as typed",
  "local, docs/web_2: été",
  `rooms: ${"é".repeat(65)}`,
])("%j is a subject", (subject) => {
  commit(subject);
  expect(check()).toMatchObject({ status: 0, stderr: "" });
});

test.each(["Say what is done", "Make: install", "make:install", "make: ", `rooms: ${"a".repeat(66)}`])(
  "%j is refused with what to do, whatever comes after it",
  (subject) => {
    commit(subject);
    commit("docs: a good one");
    const { status, stderr } = check();
    expect(status).toBe(1);
    expect(stderr).toContain(`has the subject '${subject.trim()}'`);
    expect(stderr).toContain("git rebase --interactive");
  },
);

test("a merge is not checked, nor at the edge of a shallow clone; its branches are", () => {
  git("checkout", "-b", "side");
  commit("docs: beside");
  git("checkout", "main");
  commit("local: meanwhile");
  git("merge", "--no-ff", "--message", "Merge what stands beside", "side");
  expect(check()).toMatchObject({ status: 0, stderr: "" });

  const shallow = join(folder, "shallow");
  git("clone", "--depth", "1", `file://${repository}`, shallow);
  expect(check(shallow)).toMatchObject({ status: 0, stderr: "" });

  git("checkout", "side");
  commit("Beside");
  git("checkout", "main");
  git("merge", "--no-ff", "--message", "Merge more", "side");
  expect(check().status).toBe(1);
});

test("a shallow clone's commits are checked", () => {
  commit("Without a room");
  const shallow = join(folder, "shallow");
  git("clone", "--depth", "1", `file://${repository}`, shallow);
  expect(check(shallow).status).toBe(1);
});

test("an unpacked archive is not checked, also inside another repository", () => {
  commit("Without a room");
  const archive = join(repository, "archive");
  mkdirSync(archive);
  cpSync(join(root, "Makefile"), join(archive, "Makefile"));
  expect(check(archive)).toMatchObject({ status: 0, stderr: "" });
  expect(check(folder)).toMatchObject({ status: 0, stderr: "" });
});
