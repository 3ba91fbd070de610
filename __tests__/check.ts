/**
 * `make check`: an answer within a minute about a change in one room. It checks types, lints the changed files, and
 * runs the tests that the change can break: those of the same room first. At the end it prints what it left out.
 *
 * Variables: `BASE`, the commit with which the work tree is compared (by default the one at which the branch left
 * main), and `LIMIT`, the seconds after which tests that still run are stopped (60).
 *
 * Exit status 0 when all that has run passed.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { basename, dirname, join, relative } from "node:path";
import { runCommand } from "../command";
import { wholeNumber } from "./support/whole-number";

/** The checkout that is checked. */
const root = process.cwd();

/** Each Python room with its environment below `.venv`. */
const pythonRooms = { "model-image": "model", "local/emulator": "emulator", "airflow-dags": "airflow" };

/** What only `make test` runs. */
const elsewhere = "the whole loop, the website in a browser, the real providers, the image, Airflow 2 and checkov";

/** Jest's projects that take longer than a check may. */
const slowProjects = ["--ignoreProjects", "browser", "end-to-end", "image", "provider", "system"];

/** What a command printed, and whether it passed; undefined when the time was over before it ended. */
interface Result {
  readonly title: string;
  readonly passed: boolean | undefined;
  readonly output: string;
}

function git(...words: string[]): string[] {
  const { status, stdout, stderr } = spawnSync("git", words, { cwd: root, encoding: "utf8" });
  if (status !== 0) {
    throw new Error(`git ${words.join(" ")} failed: ${stderr.trim()}`);
  }
  return stdout.split(/[\n\0]/).filter((line) => line !== "");
}

/** The commit at which the branch left main. */
function defaultBase(): string {
  const main = ["main", "origin/main"].find(
    (name) => spawnSync("git", ["rev-parse", "--verify", "--quiet", name], { cwd: root }).status === 0,
  );
  return main === undefined ? "HEAD" : (git("merge-base", "HEAD", main)[0] ?? "HEAD");
}

/** Files that differ from the base and still exist, those that git does not track yet among them. */
function changedFiles(base: string): string[] {
  const tracked = git("diff", "-z", "--name-only", "--diff-filter=d", base);
  const untracked = git("ls-files", "-z", "--others", "--exclude-standard");
  return [...new Set([...tracked, ...untracked])].sort();
}

const running = new Set<ChildProcess>();

/** Ends a command with all that it started, which belongs to its group. */
function kill({ pid }: ChildProcess): void {
  try {
    process.kill(-pid!, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** Runs a command until it ends or the time is over. */
async function run(title: string, command: string, words: readonly string[], deadline: number, folder = root) {
  return new Promise<Result>((settle) => {
    const child = spawn(command, words, { cwd: folder, stdio: ["ignore", "pipe", "pipe"], detached: true });
    running.add(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    let late = false;
    const timer = setTimeout(
      () => {
        late = true;
        kill(child);
      },
      Math.max(0, deadline - Date.now()),
    );
    child.once("error", (error) => {
      output += error.message;
    });
    child.once("close", (status) => {
      clearTimeout(timer);
      running.delete(child);
      const result = { title, passed: late ? undefined : status === 0, output };
      console.log(`${result.passed === undefined ? "… out of time" : result.passed ? "✔" : "✖"} ${title}`);
      if (result.passed === false) {
        console.log(output.trimEnd());
      }
      settle(result);
    });
  });
}

/** Whether a test belongs to a file that changed, or stands in the same room. */
function isNear(test: string, changed: readonly string[]): boolean {
  return changed.some(
    (file) =>
      file === test ||
      dirname(test) === (file.startsWith("__tests__/") ? dirname(file) : `__tests__/${dirname(file)}`) ||
      basename(test, ".test.ts") === basename(file).replace(/\.[^.]+$/, ""),
  );
}

/** Finds the tests of Jest that the change can break, and runs them, the near ones first, until the time is over. */
async function runJest(changed: readonly string[], deadline: number): Promise<Result[]> {
  const sources = changed.filter((file) => /\.(ts|json)$/.test(file));
  if (sources.length === 0) {
    return [];
  }
  const jest = join(root, "node_modules/.bin/jest");
  const { status, stdout, stderr } = spawnSync(
    jest,
    [...slowProjects, "--listTests", "--findRelatedTests", ...sources],
    { cwd: root, encoding: "utf8" },
  );
  if (status !== 0) {
    return [{ title: "the search for tests", passed: false, output: stderr }];
  }
  const tests = stdout
    .split("\n")
    .filter((line) => line.endsWith(".test.ts"))
    .map((path) => relative(root, path));
  const results: Result[] = [];
  for (const [title, some] of [
    ["tests of the same room", tests.filter((test) => isNear(test, changed))],
    ["tests elsewhere that use it", tests.filter((test) => !isNear(test, changed))],
  ] as const) {
    if (some.length > 0) {
      const words = [...slowProjects, "--runTestsByPath", ...some];
      const result = await run(`${some.length} ${title}`, jest, words, deadline);
      const ended = new Set([...result.output.matchAll(/^(?:PASS|FAIL) .*?(\S+\.test\.ts)/gm)].map(([, path]) => path));
      const left = result.passed === undefined ? some.filter((test) => !ended.has(test)) : [];
      left.forEach((test) => {
        console.log(`    did not end: ${test}`);
      });
      if (result.passed === undefined && /^FAIL /m.test(result.output)) {
        // It was stopped, but what has failed before is known: so is the reason.
        console.log(result.output.trimEnd());
        results.push({ ...result, passed: false });
      } else {
        results.push(result);
      }
    }
  }
  return results;
}

/** Checks and tests each Python room in which something changed. */
async function runPython(changed: readonly string[], deadline: number): Promise<Result[]> {
  const results: Result[] = [];
  for (const [room, environment] of Object.entries(pythonRooms)) {
    const files = changed.filter((file) => file.startsWith(`${room}/`));
    const folder = join(root, room);
    const python = join(root, ".venv", environment, "bin/python");
    if (files.length > 0) {
      const sources = files.filter((file) => file.endsWith(".py")).map((file) => relative(room, file));
      if (sources.length > 0) {
        results.push(
          await run(`ruff in ${room}`, join(dirname(python), "ruff"), ["check", ...sources], deadline, folder),
        );
      }
      results.push(await run(`pytest in ${room}`, python, ["-m", "pytest", "-x"], deadline, folder));
    }
  }
  return results;
}

/** Lints and formats what changed. */
async function lint(changed: readonly string[], deadline: number): Promise<Result[]> {
  const bin = join(root, "node_modules/.bin");
  const results = [
    await run(
      "Prettier on what changed",
      join(bin, "prettier"),
      ["--check", "--ignore-unknown", "--log-level", "warn", ...changed],
      deadline,
    ),
  ];
  const sources = changed.filter((file) => /\.(ts|mjs|js)$/.test(file));
  if (sources.length > 0) {
    results.push(await run("ESLint on what changed", join(bin, "eslint"), ["--no-warn-ignored", ...sources], deadline));
  }
  return results;
}

async function main({ LIMIT, BASE }: NodeJS.ProcessEnv): Promise<number> {
  const seconds = wholeNumber("LIMIT", LIMIT, 1, 99_999, 60);
  const deadline = Date.now() + 1000 * seconds;
  const base = BASE === undefined || BASE === "" ? defaultBase() : BASE;
  const changed = changedFiles(base);
  if (changed.length === 0) {
    console.log(`Nothing differs from ${base}: nothing to check. BASE=HEAD~1 checks the last commit.`);
    return 0;
  }
  console.log(`${changed.length} files differ from ${base.slice(0, 12)}.`);
  const types = run("types", "npm", ["run", "--silent", "check:types"], deadline);
  const results = (
    await Promise.all([
      types.then(async (result) => [result, ...(await lint(changed, deadline))]),
      runJest(changed, deadline),
      runPython(changed, deadline),
    ])
  ).flat();
  const failed = results.filter(({ passed }) => passed === false);
  const late = results.filter(({ passed }) => passed === undefined);
  if (late.length > 0) {
    console.log(`\nNot finished in ${seconds} s (LIMIT sets another time): ${titles(late)}.`);
  }
  const unseen = changed.filter((file) => !/\.(ts|json|py)$/.test(file));
  if (unseen.length > 0) {
    console.log(`\nNo test was looked for here: ${unseen.join(", ")}.`);
  }
  console.log(`\nNot checked here, but by make test: ${elsewhere}.`);
  console.log(failed.length === 0 ? "What has run passed." : `FAILED: ${titles(failed)}.`);
  return failed.length === 0 ? 0 : 1;
}

const titles = (results: readonly Result[]): string => results.map(({ title }) => title).join(", ");

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    running.forEach(kill);
    process.exit(1);
  });
}
runCommand(main);
