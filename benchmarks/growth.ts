import { mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import { root } from "../local/platform/instance";
import { measure, setting, table, temporaryFolder, type Usage } from "./measure";

/** How many simulated animals, each ten times as many as before. */
const sizes = [4_000, 40_000, 400_000, 4_000_000] as const;

const python = join(root, ".venv/model/bin/python");
const image = join(root, "model-image");

/**
 * Processing, training and evaluation of ever larger surveys: processor time and the largest process's memory, by the
 * image's own code. `ROWS` limits the largest one: 4,000,000 take half an hour.
 */
export async function growthBenchmark(): Promise<string> {
  const most = setting("ROWS", 400_000, sizes[0], sizes[3]);
  const folder = temporaryFolder("growth");
  try {
    const rows: string[][] = [];
    for (const size of sizes.filter((candidate) => candidate <= most)) {
      const base = join(folder, `${size}`);
      mkdirSync(base);
      const survey = join(base, "survey.csv");
      const simulate = ["survey/cli.ts", "simulate", "--rows", `${size}`, "--output", survey];
      await measure(["node", "--import", "tsx", ...simulate], { cwd: root });
      const add = (stage: string, { wall, cpu, peak }: Usage, error = ""): number =>
        rows.push([
          stage,
          size.toLocaleString("en"),
          cpu.toFixed(1),
          ((1e6 * cpu) / size).toFixed(0),
          wall.toFixed(1),
          peak.toFixed(0),
          error,
        ]);
      add("process", await processSurvey(survey, base));
      add("train", await train(base));
      add("evaluate", await evaluate(base), errorOf(base));
      rmSync(base, { recursive: true });
    }
    rows.sort(([one], [other]) => order.indexOf(one ?? "") - order.indexOf(other ?? ""));
    return table(
      ["stage", "rows surveyed", "CPU s", "CPU µs a row", "wall s", "largest process MB", "RMSE, rings"],
      rows,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const order = ["process", "train", "evaluate"];

const environmentOf = (base: string): NodeJS.ProcessEnv => ({ SAGEMAKER_BASE_DIR: base, PYTHONPATH: image });

async function processSurvey(survey: string, base: string): Promise<Usage> {
  const usage = await measure([python, "benchmarks/growth.py", survey, base], { cwd: root, env: environmentOf(base) });
  rmSync(survey);
  mkdirSync(join(base, "input"));
  renameSync(join(base, "processing/output/dataset"), join(base, "input/data"));
  return usage;
}

async function train(base: string): Promise<Usage> {
  const usage = await measure([python, join(image, "bin/train")], { cwd: base, env: environmentOf(base) });
  mkdirSync(join(base, "processing/input/model"), { recursive: true });
  await measure(["tar", "-czf", "processing/input/model/model.tar.gz", "-C", "model", "model.onnx"], { cwd: base });
  renameSync(join(base, "input/data/test"), join(base, "processing/input/test"));
  return usage;
}

const evaluate = (base: string): Promise<Usage> =>
  measure([python, join(image, "bin/evaluate")], { cwd: base, env: environmentOf(base) });

/** On the survey's own rows of the split `test`: whether more rows make a better model. */
function errorOf(base: string): string {
  const evaluation = JSON.parse(readFileSync(join(base, "processing/output/evaluation/evaluation.json"), "utf8")) as {
    readonly regression_metrics: { readonly rmse: { readonly value: number } };
  };
  return evaluation.regression_metrics.rmse.value.toFixed(3);
}
