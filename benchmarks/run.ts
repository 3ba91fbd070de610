/** `make bench`: measures, each against a peer and in one run, and prints Markdown. Nothing here is a test: machines differ. */
import { cpus, totalmem } from "node:os";

import { diffBenchmark } from "./diff";
import { platformBenchmark } from "./platform";
import { synthBenchmark } from "./synth";

async function main(): Promise<void> {
  const processors = cpus();
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  process.stdout.write(
    `${processors.length} cores (${processors[0]?.model ?? "unknown"}), ${memory} GiB, Node ${process.version}\n`,
  );
  for (const benchmark of [synthBenchmark, diffBenchmark, platformBenchmark]) {
    process.stdout.write(`\n${await benchmark()}\n`);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
