/**
 * `make bench [PARTS="synth diff platform model growth website"]`: measures, each against a peer and in one run, and
 * prints Markdown. `make bench-original` takes the part `original`. Nothing here is a test: machines differ.
 *
 * | variable | what |
 * |---|---|
 * | `SURVEY_DATA` | UCI's `abalone.data`: `model` and `original` measure its rows too |
 * | `ROWS` | rows of the largest survey of `growth`, 4,000 to 4,000,000; by default 400,000 |
 * | `ORIGINAL_WEBSITE` | folder `www` of the original's website: `website` measures it too |
 * | `FOLDS` | how many of the ten folds are trained; by default ten of `model`, three of `original` |
 */
import { cpus, loadavg, totalmem } from "node:os";

import { runCommand } from "../command";
import { diffBenchmark } from "./diff";
import { growthBenchmark } from "./growth";
import { modelBenchmark, originalBenchmark } from "./model";
import { platformBenchmark } from "./platform";
import { synthBenchmark } from "./synth";
import { websiteBenchmark } from "./website";

const parts: Readonly<Record<string, () => Promise<string>>> = {
  synth: synthBenchmark,
  diff: diffBenchmark,
  platform: platformBenchmark,
  model: modelBenchmark,
  growth: growthBenchmark,
  website: websiteBenchmark,
  original: originalBenchmark,
};

/**
 * How many processes wanted a processor in the last minute: above the number of cores, times on the clock say little.
 */
const load = (): string => (loadavg()[0] ?? 0).toFixed(1);

// To exit, rather than to be ended, stops the servers that are being measured.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(1));
}

runCommand(async () => {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !Object.hasOwn(parts, name));
  if (unknown.length > 0) {
    throw new Error(`There is no part ${unknown.join(", ")} of the benchmark: take ${Object.keys(parts).join(", ")}.`);
  }
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  const day = new Date().toISOString().slice(0, 10);
  process.stdout.write(`${day}: ${cpus().length} cores, ${memory} GiB, Node ${process.version}, load ${load()}\n`);
  for (const name of wanted) {
    process.stdout.write(`\n${(await parts[name]?.()) ?? ""}\n`);
  }
  process.stdout.write(`\nLoad at the end: ${load()}\n`);
});
