/** `make checkov`: synthesizes every environment, lets checkov look at it, and says what has no reason. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "cdktf";
import { runCommand } from "../../command";
import { environmentNames, loadEnvironment } from "../../environments";
import { definePlatform } from "../../main";
import { exceptions } from "./exceptions";
import { complaint, type Finding, judge } from "./judge";
import { scan } from "./scan";

interface ScannedEnvironment {
  readonly environment: string;
  readonly version: string;
  readonly stacks: number;
  readonly resources: number;
  readonly passed: number;
  readonly findings: readonly Finding[];
}

/**
 * Scans the stacks of an environment that was synthesized.
 * @param outdir where `App.synth` wrote them
 */
export async function scanEnvironment(environment: string, outdir: string): Promise<ScannedEnvironment> {
  const folder = join(outdir, "stacks");
  const stacks = readdirSync(folder).sort();
  const { version, files } = await scan(
    "terraform_json",
    stacks.map((stack) => join(folder, stack, "cdk.tf.json")),
  );
  return {
    environment,
    version,
    stacks: stacks.length,
    resources: files.reduce((sum, { addresses }) => sum + addresses.length, 0),
    passed: files.reduce((sum, { passed }) => sum + passed, 0),
    findings: files.flatMap(({ failed }, index) =>
      failed.map((failure) => ({ ...failure, environment, stack: stacks[index] ?? "" })),
    ),
  };
}

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "acme-checkov-"));
  try {
    const scanned = await Promise.all(
      environmentNames.map((name) => {
        const outdir = join(folder, name);
        definePlatform(new App({ outdir, stackTraces: false }), loadEnvironment(name)).synth();
        return scanEnvironment(name, outdir);
      }),
    );
    const judgement = judge(
      scanned.flatMap(({ findings }) => findings),
      exceptions,
    );
    for (const { environment, stacks, resources, passed } of scanned) {
      const excused = judgement.excused.filter((finding) => finding.environment === environment).length;
      console.log(
        `  ${environment.padEnd(12)} ${resources} resources in ${stacks} stacks: ${passed} checks passed, ${excused} failures with a reason`,
      );
    }
    const text = complaint(judgement);
    const name = `checkov ${scanned[0]?.version ?? ""}`;
    if (text === "") {
      console.log(`${name}: no failure without a reason`);
    } else {
      console.error(`${name} asks for more.\n${text}`);
    }
    return text === "" ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (require.main === module) {
  runCommand(main);
}
