/**
 * `make mutation [FILES=glob] [SAMPLE=100] [SEED=1]`: changes the code in one place at a time and runs the tests that
 * answer for it. A mutant that no test notices points to a missing test, or to code that nobody needs.
 *
 * Everything happens in a copy of the work tree, which is removed afterwards. SAMPLE mutants are tried, as many of each
 * area; FILES narrows the areas, and the same SEED chooses the same mutants.
 *
 * Exit status 0 when the sample was tried, whatever survived; 1 for a wrong variable or tests that fail anyway.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { runCommand } from "../../command";
import { wholeNumber } from "../support/whole-number";
import { type Area, areas } from "./areas";
import { isEquivalent } from "./equivalents";
import { applied, type Mutant, mutantsOf, sampleOf } from "./mutants";

/** The checkout whose code is tried out. */
const root = process.cwd();

interface Settings {
  /** A pathspec of git; undefined for everything. */
  readonly files: string | undefined;
  readonly sample: number;
  readonly seed: number;
}

/**
 * Reads what is to be tried.
 * @throws Error that says how to set what is wrong
 */
export function settingsFrom({ FILES, SAMPLE, SEED }: NodeJS.ProcessEnv): Settings {
  return {
    files: FILES === "" ? undefined : FILES,
    sample: wholeNumber("SAMPLE", SAMPLE, 1, 100_000, 100),
    seed: wholeNumber("SEED", SEED, 0, 2 ** 31, 1),
  };
}

/** The files that git tracks or would add, of some pathspecs. */
function filesOf(pathspecs: readonly string[]): readonly string[] {
  const words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ...pathspecs];
  const { status, stdout, stderr } = spawnSync("git", words, { cwd: root, encoding: "utf8", maxBuffer: 2 ** 26 });
  if (status !== 0) {
    throw new Error(`git ls-files failed: ${stderr.trim()}`);
  }
  return [...new Set(stdout.split("\0"))].filter((file) => file !== "" && existsSync(join(root, file)));
}

/** An area with the mutants of the sample. */
interface Task {
  readonly area: Area;
  readonly mutants: readonly Mutant[];
}

/** Whether a mutant takes away nothing but words for people, whose wording few tests repeat. */
const isProse = ({ mutator, original }: Mutant): boolean => mutator === "StringLiteral" && /\s/.test(original);

/** Chooses the mutants: as many of each area that has some. */
async function tasksOf({ files, sample, seed }: Settings): Promise<readonly Task[]> {
  const chosen = new Set(files === undefined ? [] : filesOf([`:(glob)${files}`]));
  const parts = areas
    .map((area) => ({
      area,
      sources: filesOf(area.sources).filter(
        (file) => file.endsWith(".ts") && (files === undefined || chosen.has(file)),
      ),
    }))
    .filter(({ sources }) => sources.length > 0);
  if (parts.length === 0) {
    const known = areas.flatMap(({ sources }) => sources).join(", ");
    throw new Error(`FILES is ${JSON.stringify(files)}; expected TypeScript below ${known}, such as policies/**/*.ts.`);
  }
  const share = Math.ceil(sample / parts.length);
  return Promise.all(
    parts.map(async ({ area, sources }) => {
      const mutants = (await mutantsOf(root, sources)).filter((each) => !isProse(each) && !isEquivalent(each));
      return { area, mutants: sampleOf(mutants, share, seed) };
    }),
  );
}

/** What the tests of a file said. `report.js` writes it. */
interface FileReport {
  readonly file: string;
  readonly failed: boolean;
  readonly seconds: number;
  readonly tests: readonly { readonly name: string; readonly failed: boolean }[];
}

/** How a run of tests ended. */
interface Run {
  /** Undefined when Jest did not end in time, or broke down. */
  readonly files: readonly FileReport[] | undefined;
  /** What it printed on standard error. */
  readonly errors: string;
}

/** A copy of the work tree, in which files may be changed and tests run. */
class Copy {
  private readonly folder = mkdtempSync(join(tmpdir(), "mutation-"));
  private readonly tree = join(this.folder, "tree");
  private child: ChildProcess | undefined;

  constructor() {
    for (const file of filesOf(["."])) {
      mkdirSync(dirname(join(this.tree, file)), { recursive: true });
      copyFileSync(join(root, file), join(this.tree, file));
    }
    for (const installed of ["node_modules", ".venv"].filter((name) => existsSync(join(root, name)))) {
      symlinkSync(join(root, installed), join(this.tree, installed));
    }
    mkdirSync(join(this.folder, "tmp"));
  }

  /** Runs something while a mutant's file is changed. */
  async with<Result>(mutant: Mutant, work: () => Promise<Result>): Promise<Result> {
    const path = join(this.tree, mutant.file);
    const content = readFileSync(path, "utf8");
    writeFileSync(path, applied(content, mutant));
    try {
      return await work();
    } finally {
      writeFileSync(path, content);
    }
  }

  /** The test files of an area. */
  testsOf({ tests }: Area): readonly string[] {
    return filesOf(tests)
      .filter((file) => file.endsWith(".test.ts"))
      .map((file) => join(this.tree, file));
  }

  /**
   * Runs test files one after the other, until one fails.
   * @param limits Seconds by test file, after which all are stopped.
   */
  async run(tests: readonly string[], limits: ReadonlyMap<string, number>): Promise<Run> {
    const report = join(this.folder, "report.json");
    // Programs under test have a SEED of their own.
    const environment = Object.entries(process.env).filter(([name]) => !["FILES", "SAMPLE", "SEED"].includes(name));
    rmSync(report, { force: true });
    const child = spawn(
      join(root, "node_modules/.bin/jest"),
      [
        "--selectProjects=unit",
        "--runInBand",
        "--bail",
        `--cacheDirectory=${join(this.folder, "cache")}`,
        `--testSequencer=${join(__dirname, "order.js")}`,
        `--reporters=${join(__dirname, "report.js")}`,
        "--runTestsByPath",
        ...tests,
      ],
      {
        cwd: this.tree,
        detached: true,
        env: {
          ...Object.fromEntries(environment),
          TEST_ORDER: tests.join("\n"),
          TEST_REPORT: report,
          TMPDIR: join(this.folder, "tmp"),
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.child = child;
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    let timer: NodeJS.Timeout | undefined;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const begun = [...text.matchAll(/^BEGIN (.*)$/gm)].at(-1)?.[1];
      if (begun !== undefined) {
        clearTimeout(timer);
        timer = setTimeout(
          () => {
            this.kill();
          },
          1000 * (limits.get(begun) ?? 1_800),
        );
      }
    });
    await new Promise((settle, fail) => child.once("close", settle).once("error", fail));
    clearTimeout(timer);
    this.child = undefined;
    return {
      errors,
      files: existsSync(report) ? (JSON.parse(readFileSync(report, "utf8")) as FileReport[]) : undefined,
    };
  }

  /** Ends a test run with all that it started, which belongs to its group. */
  private kill(): void {
    try {
      process.kill(-this.child!.pid!, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }

  /** The name that a test file has in the checkout. */
  nameOf(test: string): string {
    return relative(this.tree, test);
  }

  remove(): void {
    if (this.child !== undefined) {
      this.kill();
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What became of an area's mutants. */
interface Outcome {
  readonly area: string;
  readonly tried: number;
  readonly survivors: readonly Mutant[];
  /** How many mutants each test noticed, of those for which it ran. */
  readonly noticed: ReadonlyMap<string, number>;
}

const oneLine = (code: string): string => {
  const text = code.replace(/\s+/g, " ");
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
};

const describe = ({ file, line, column, mutator, original, replacement }: Mutant): string =>
  `${file}:${line}:${column} ${mutator}: ${oneLine(original)} → ${oneLine(replacement)}`;

async function tryOut({ area, mutants }: Task, copy: Copy): Promise<Outcome> {
  // Also fills Jest's cache, which makes this run the slowest.
  const { files: before, errors } = await copy.run(copy.testsOf(area), new Map());
  if (before === undefined) {
    throw new Error(`The tests of ${area.name} did not end without any change:\n${errors.trim()}`);
  }
  const broken = before.filter(({ failed }) => failed).map(({ file }) => copy.nameOf(file));
  if (broken.length > 0) {
    throw new Error(`The tests of ${area.name} fail without any change (${broken.join(", ")}): mend them first.`);
  }
  const quickestFirst = [...before].sort((one, other) => one.seconds - other.seconds).map(({ file }) => file);
  const limits = new Map(before.map(({ file, seconds }) => [file, 30 + 2 * seconds]));
  console.log(`\n${area.name}: ${mutants.length} mutants, ${before.length} test files`);
  const noticed = new Map<string, number>();
  const survivors: Mutant[] = [];
  for (const [index, mutant] of mutants.entries()) {
    const begin = performance.now();
    const isNamesake = (test: string): boolean => mutant.file.includes(basename(test, ".test.ts"));
    const tests = quickestFirst.toSorted((one, other) => Number(isNamesake(other)) - Number(isNamesake(one)));
    const { files: report } = await copy.with(mutant, () => copy.run(tests, limits));
    for (const { file, tests: ran } of report ?? []) {
      for (const { name, failed } of ran) {
        const title = `${copy.nameOf(file)}: ${name}`;
        noticed.set(title, (noticed.get(title) ?? 0) + (failed ? 1 : 0));
      }
    }
    const witness = report?.find(({ failed }) => failed);
    const survived = report !== undefined && witness === undefined;
    if (survived) {
      survivors.push(mutant);
    }
    const by = witness === undefined ? "because the tests do not end" : `by ${copy.nameOf(witness.file)}`;
    const time = ((performance.now() - begin) / 1000).toFixed(0);
    console.log(`  ${index + 1}/${mutants.length} ${describe(mutant)}`);
    console.log(`    ${survived ? "✖ survived" : `✔ noticed ${by}`} [${time} s]`);
  }
  return { area: area.name, tried: mutants.length, survivors, noticed };
}

/** Prints which tests noticed nothing, what survived, and the table. */
function print(outcomes: readonly Outcome[]): void {
  const idle = outcomes.flatMap(({ noticed }) => [...noticed].filter(([, count]) => count === 0));
  console.log(`\n${idle.length} tests ran and failed for none of these mutants:`);
  idle.forEach(([title]) => {
    console.log(`  ${title}`);
  });
  const survivors = outcomes.flatMap((outcome) => outcome.survivors);
  console.log(`\n${survivors.length} mutants survived:`);
  survivors.forEach((mutant) => {
    console.log(`  ${describe(mutant)}`);
  });
  console.log(`\n${"area".padEnd(12)}  mutants  noticed  score`);
  for (const { area, tried, survivors: left } of outcomes) {
    const count = tried - left.length;
    const score = `${((100 * count) / tried).toFixed(0)} %`;
    console.log(`${area.padEnd(12)}  ${String(tried).padStart(7)}  ${String(count).padStart(7)}  ${score.padStart(5)}`);
  }
}

async function mutate(settings: Settings): Promise<void> {
  const tasks = await tasksOf(settings);
  const copy = new Copy();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      copy.remove();
      process.exit(1);
    });
  }
  try {
    const outcomes: Outcome[] = [];
    for (const task of tasks) {
      outcomes.push(await tryOut(task, copy));
    }
    print(outcomes);
  } finally {
    copy.remove();
  }
}

if (require.main === module) {
  runCommand(async (variables) => mutate(settingsFrom(variables)));
}
