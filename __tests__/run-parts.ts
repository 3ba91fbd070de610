/**
 * Runs the parts of `make test`: `tsx __tests__/run-parts.ts [--alone PART]... PART...`, where each part is a target of
 * the Makefile in the working directory. A part that is named by `--alone` runs while nothing else does; the others
 * follow, as many at a time as there are cores. The variable `PARALLEL` sets another number.
 *
 * What a part prints is shown as one block when it ends. At the end stand each part's time, the slowest files of tests
 * (of Jest's: pytest prints none), and the tests that a part left out because this machine lacks something.
 *
 * Exit status 0 when every part has run and passed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { runCommand } from "../command";
import { wholeNumber } from "./support/whole-number";

/** How a part ended. */
interface Outcome {
  readonly part: string;
  readonly passed: boolean;
  readonly seconds: number;
  /** Lines in which the part says that it left something out. */
  readonly leftOut: readonly string[];
  /** Files of tests that took some seconds, as Jest lists them. */
  readonly files: readonly TestFile[];
}

interface TestFile {
  readonly name: string;
  readonly seconds: number;
}

/** With these words `local/setup/with-image-tools` and `__tests__/provider/run.ts` report what they leave out. */
const leftOutLine = /^(SKIPPED|WITHOUT)\b.*/gm;

/** How Jest ends a file that took longer than five seconds: PASS unit __tests__/web/page.test.ts (61.2 s) */
const slowFileLine = /^(?:PASS|FAIL) .*?(\S+\.test\.ts) \(([\d.]+) s\)$/gm;

/** Files in the list of the slowest. */
const slowest = 10;

const running = new Set<ChildProcess>();

/** A time as people read it: 9 s, 3 min 05 s. */
function timeOf(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

async function runPart(part: string): Promise<Outcome> {
  const begin = performance.now();
  console.log(`▶ ${part}`);
  const child = spawn("make", ["--no-print-directory", part], { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const passed = await new Promise<boolean>((settle) => {
    child.once("error", (error) => {
      output += `make could not be started: ${error.message}\n`;
      settle(false);
    });
    child.once("close", (status) => {
      settle(status === 0);
    });
  });
  running.delete(child);
  const seconds = (performance.now() - begin) / 1000;
  console.log(`\n──── ${part} ────\n${output.trimEnd()}\n──── ${part} ${passed ? "passed" : "FAILED"} ────\n`);
  const files = [...output.matchAll(slowFileLine)].map(([, name = "", time]) => ({ name, seconds: Number(time) }));
  return { part, passed, seconds, leftOut: output.match(leftOutLine) ?? [], files };
}

/** Each part's result and time, the slowest first. */
function tableOf(outcomes: readonly Outcome[]): string {
  const width = Math.max(...outcomes.map(({ part }) => part.length));
  return [...outcomes]
    .sort((one, other) => other.seconds - one.seconds)
    .map(({ part, passed, seconds }) => `${part.padEnd(width)}  ${passed ? "passed" : "FAILED"}  ${timeOf(seconds)}`)
    .join("\n");
}

/** The slowest files of tests of all parts, a line for each; empty when none took long. */
function slowestFiles(outcomes: readonly Outcome[]): string {
  return outcomes
    .flatMap(({ files }) => files)
    .sort((one, other) => other.seconds - one.seconds)
    .slice(0, slowest)
    .map(({ name, seconds }) => `${timeOf(seconds).padStart(12)}  ${name}`)
    .join("\n");
}

async function main({ PARALLEL }: NodeJS.ProcessEnv): Promise<number> {
  const { values, positionals: parts } = parseArgs({
    allowPositionals: true,
    options: { alone: { type: "string", multiple: true, default: [] } },
  });
  const atATime = wholeNumber("PARALLEL", PARALLEL, 1, 99, availableParallelism());
  if (parts.length === 0) {
    throw new Error("No part is named; expected targets of the Makefile, for example `lint test-unit`.");
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      running.forEach((child) => child.kill(signal));
      process.exit(130);
    });
  }
  const begin = performance.now();
  const outcomes: Outcome[] = [];
  for (const part of parts.filter((name) => values.alone.includes(name))) {
    outcomes.push(await runPart(part));
  }
  const waiting = parts.filter((name) => !values.alone.includes(name));
  const work = async (): Promise<void> => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      outcomes.push(await runPart(part));
    }
  };
  await Promise.all(Array.from({ length: atATime }, work));
  const failed = outcomes.filter(({ passed }) => !passed);
  console.log(`${tableOf(outcomes)}\n`);
  const slow = slowestFiles(outcomes);
  if (slow !== "") {
    console.log(`The slowest files of tests:\n${slow}\n`);
  }
  console.log(
    failed.length === 0 ? `All ${parts.length} parts passed` : `FAILED: ${failed.map(({ part }) => part).join(", ")}`,
    `in ${timeOf((performance.now() - begin) / 1000)}, ${atATime} at a time.`,
  );
  for (const line of outcomes.flatMap(({ leftOut }) => leftOut)) {
    console.log(line);
  }
  return failed.length === 0 ? 0 : 1;
}

runCommand(main);
