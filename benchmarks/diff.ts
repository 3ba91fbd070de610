import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { EmulatedAccounts } from "../__tests__/provider/support/emulated-account";
import { parametersReadBy, plausibleValue, synthesizeInto } from "../__tests__/provider/support/stacks";
import { findTerraform } from "../delivery/terraform";
import { loadEnvironment } from "../environments";
import { root } from "../local/platform/instance";
import { measure, median, table, type Usage } from "./measure";

/** Adds up commands that run one after the other. */
const added = (usages: readonly Usage[]): Usage => ({
  wall: usages.reduce((sum, { wall }) => sum + wall, 0),
  cpu: usages.reduce((sum, { cpu }) => sum + cpu, 0),
  peak: Math.max(...usages.map(({ peak }) => peak)),
});

/**
 * The plans of production's stacks, from nothing, with the real provider against the emulator: `make diff` of all in
 * one, against `cdktf diff` of one after the other. Both synthesize, initialize and plan; both meet the same noise, in
 * turn.
 */
export async function diffBenchmark(runs = 2): Promise<string> {
  try {
    await findTerraform();
  } catch (error) {
    return `diff of all stacks: not measured. ${error instanceof Error ? error.message : String(error)}`;
  }
  const environment = loadEnvironment("production");
  const folder = mkdtempSync(join(tmpdir(), "diff-"));
  const accounts = await EmulatedAccounts.start();
  try {
    await accounts.makeStateBucket(environment);
    const stacks = synthesizeInto(join(folder, "stacks"), environment.name);
    const parameters = [...new Set(stacks.flatMap(parametersReadBy))];
    await accounts.publish(
      environment,
      Object.fromEntries(parameters.map((name) => [name, plausibleValue(environment, name)])),
    );
    const env = {
      ...accounts.variables(environment),
      PATH: process.env.PATH,
      ENVIRONMENT: environment.name,
      CI: "true",
    };
    const ours: Usage[] = [];
    const theirs: Usage[] = [];
    for (let turn = 0; turn <= runs; turn += 1) {
      const output = join(folder, `output-${turn}`);
      const own = await measure(["node", "--import", "tsx", "delivery/cli.ts", "diff"], { cwd: root, env });
      const others: Usage[] = [];
      for (const { id } of stacks) {
        const command = ["node_modules/.bin/cdktf", "diff", id, "--skip-provider-lock", `--output=${output}`];
        others.push(await measure(command, { cwd: root, env: { ...env, CDKTF_OUTDIR: output } }));
      }
      // The first turn fills the disk's cache, and the cache of providers.
      if (turn > 0) {
        ours.push(own);
        theirs.push(added(others));
      }
    }
    const row = (name: string, usages: readonly Usage[]): string[] => [
      name,
      median(usages.map(({ cpu }) => cpu)).toFixed(1),
      median(usages.map(({ wall }) => wall)).toFixed(1),
      median(usages.map(({ peak }) => peak)).toFixed(0),
    ];
    const ratio = (key: keyof Usage): string =>
      `${(median(theirs.map((usage) => usage[key])) / median(ours.map((usage) => usage[key]))).toFixed(1)} times`;
    return table(
      [`plan of ${stacks.length} stacks of production`, "CPU s", "wall s", "largest process MB"],
      [
        row("ours: make diff, all in one", ours),
        row("one cdktf diff for each", theirs),
        ["cdktf diff / ours", ratio("cpu"), ratio("wall"), ratio("peak")],
      ],
    );
  } finally {
    await accounts.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
