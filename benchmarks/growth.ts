import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../local/platform/instance";
import { measure, table } from "./measure";

const sizes = [250, 1_000, 2_500, 5_000] as const;

/** The resources that a synth has written. */
function resourcesIn(outdir: string): number {
  const stacks = join(outdir, "stacks");
  return readdirSync(stacks)
    .map((stack) => JSON.parse(readFileSync(join(stacks, stack, "cdk.tf.json"), "utf8")) as { resource: object })
    .flatMap(({ resource }) => Object.values(resource).map((byName: object) => Object.keys(byName).length))
    .reduce((sum, count) => sum + count, 0);
}

/** How synth grows with the platform, rules included, against the same resources on CDKTF alone, which checks nothing. */
export async function growthBenchmark(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "growth-"));
  const run = async (size: number, way: "ours" | "cdktf"): Promise<{ readonly cpu: number; readonly made: number }> => {
    const outdir = join(folder, `${way}-${size}`);
    const { cpu } = await measure(["tsx", "benchmarks/growing-platform.ts", String(size), way], {
      cwd: root,
      env: { PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH ?? ""}`, CDKTF_OUTDIR: outdir },
    });
    return { cpu, made: resourcesIn(outdir) };
  };
  try {
    // The first run fills the disk's cache.
    await run(sizes[0], "ours");
    const rows: string[][] = [];
    for (const size of sizes) {
      const [ours, alone] = [await run(size, "ours"), await run(size, "cdktf")];
      rows.push([
        String(ours.made),
        ours.cpu.toFixed(2),
        alone.cpu.toFixed(2),
        `${(ours.cpu / alone.cpu).toFixed(1)} times`,
      ]);
    }
    return table(
      ["resources of a platform that grows", "ours, with the rules: CPU s", "CDKTF alone: CPU s", "ours / alone"],
      rows,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
