import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { root } from "../local/platform/instance";
import { label, recordIdentifier } from "../survey/feature-contract";
import { measure, median, setting, table, temporaryFolder, type Usage } from "./measure";
import { servingBenchmark } from "./serving";

/** The rows are dealt into ten folds: each is predicted by models of the nine others. */
const folds = 10;

const python = join(root, ".venv/model/bin/python");
const image = join(root, "model-image");
/** Where `make bench-original` installs TensorFlow. */
const originalPython = join(root, ".venv/benchmark/bin/python");

/** Lines of a survey file with a header, each with its identifier and its rings. */
interface Rows {
  readonly title: string;
  readonly header: string;
  readonly lines: readonly { readonly id: string; readonly rings: number; readonly text: string }[];
}

/** One way to make a model, on one fold. */
interface Result {
  readonly usage: Usage;
  /** By identifier: the rings, and both ends of the interval where there is one. */
  readonly predictions: ReadonlyMap<string, readonly number[]>;
}

/** The model of the image on simulated rows, and on UCI's where `SURVEY_DATA` names the file. */
export const modelBenchmark = (): Promise<string> => compare(false);

/**
 * The same against the original: a Keras network on rows normalised one by one, and its endpoint of Flask, gunicorn and
 * nginx.
 * @throws Error when TensorFlow is not installed
 */
export const originalBenchmark = (): Promise<string> => compare(true);

async function compare(original: boolean): Promise<string> {
  if (original && !existsSync(originalPython)) {
    throw new Error("TensorFlow is not installed: make bench-original installs it (1.5 GB) and measures.");
  }
  const trained = setting("FOLDS", original ? 3 : folds, 1, folds);
  const folder = temporaryFolder("model");
  try {
    const parts: string[] = [];
    for (const rows of await surveys(folder)) {
      const own: Result[] = [];
      const theirs: Result[] = [];
      for (let fold = 0; fold < trained; fold += 1) {
        const base = join(folder, `${parts.length}-${fold}`);
        const { seen, unseen } = deal(rows, fold);
        own.push(await trainOurs(base, rows.header, seen, unseen));
        if (original) {
          theirs.push(await trainOriginal(base, rows.header, seen, unseen));
        }
      }
      parts.push(qualityTable(rows, trained, own, theirs));
    }
    const base = join(folder, "0-0");
    parts.push(await servingBenchmark(base, original ? originalPython : undefined));
    return parts.join("\n\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function surveys(folder: string): Promise<readonly Rows[]> {
  const made = join(folder, "survey.csv");
  const cli = async (...command: readonly string[]): Promise<string> => {
    await measure(["node", "--import", "tsx", "survey/cli.ts", ...command, "--output", made], { cwd: root });
    return readFileSync(made, "utf8");
  };
  const all = [rowsOf("4,000 simulated rows", await cli("simulate", "--rows", "4000"))];
  const real = process.env.SURVEY_DATA;
  if (real !== undefined && real !== "") {
    const rows = rowsOf("", await cli("convert", real));
    all.push({ ...rows, title: `${rows.lines.length.toLocaleString("en")} real rows` });
  }
  return all;
}

function rowsOf(title: string, content: string): Rows {
  const [header = "", ...texts] = content.trimEnd().split("\n");
  const columns = header.split(",");
  const [id, rings] = [columns.indexOf(recordIdentifier.name), columns.indexOf(label.name)];
  return {
    title,
    header,
    lines: texts.map((text) => {
      const values = text.split(",");
      return { id: values[id] ?? "", rings: Number(values[rings]), text };
    }),
  };
}

/** The identifier's hash decides: the same fold for the same animal, in whatever order the rows come. */
function deal({ lines }: Rows, fold: number): { readonly seen: string[]; readonly unseen: string[] } {
  const foldOf = (id: string): number => (createHash("sha256").update(id).digest()[0] ?? 0) % folds;
  const texts = (inside: boolean): string[] =>
    lines.filter(({ id }) => (foldOf(id) === fold) === inside).map(({ text }) => text);
  return { seen: texts(false), unseen: texts(true) };
}

function write(file: string, header: string, lines: readonly string[]): string {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `${[header, ...lines].join("\n")}\n`);
  return file;
}

function readPredictions(file: string): Result["predictions"] {
  return new Map(
    readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => {
        const [id = "", ...numbers] = line.split(",");
        return [id, numbers.map(Number)];
      }),
  );
}

/** By the image's own `train`: of eight rows that it may see, one calibrates. */
async function trainOurs(
  base: string,
  header: string,
  seen: readonly string[],
  unseen: readonly string[],
): Promise<Result> {
  write(
    join(base, "input/data/train/data.csv"),
    header,
    seen.filter((_, index) => index % 8 > 0),
  );
  write(
    join(base, "input/data/validation/data.csv"),
    header,
    seen.filter((_, index) => index % 8 === 0),
  );
  write(join(base, "unseen/data.csv"), header, unseen);
  const env = { SAGEMAKER_BASE_DIR: base, PYTHONPATH: image };
  const usage = await measure([python, join(image, "bin/train")], { cwd: base, env });
  const predictions = join(base, "ours.csv");
  const score = [join(root, "benchmarks/score.py"), join(base, "model/model.onnx"), join(base, "unseen"), predictions];
  await measure([python, ...score], { cwd: base, env });
  return { usage, predictions: readPredictions(predictions) };
}

/** The original needs no rows to calibrate: it learns from all that it may see. */
async function trainOriginal(
  base: string,
  header: string,
  seen: readonly string[],
  unseen: readonly string[],
): Promise<Result> {
  const files = [write(join(base, "seen.csv"), header, seen), write(join(base, "unseen.csv"), header, unseen)];
  const predictions = join(base, "original.csv");
  const recipe = join(root, "benchmarks/original/recipe.py");
  const usage = await measure([originalPython, recipe, ...files, join(base, "original.keras"), predictions], {
    cwd: base,
    env: { CUDA_VISIBLE_DEVICES: "", TF_CPP_MIN_LOG_LEVEL: "3" },
  });
  return { usage, predictions: readPredictions(predictions) };
}

function qualityTable(rows: Rows, trained: number, own: readonly Result[], theirs: readonly Result[]): string {
  const rings = new Map(rows.lines.map(({ id, rings: count }) => [id, count]));
  const pairsOf = (results: readonly Result[]): { label: number; estimate: number; low?: number; high?: number }[] =>
    results.flatMap(({ predictions }) =>
      [...predictions].map(([id, [estimate = Number.NaN, low, high]]) => ({
        label: rings.get(id) ?? Number.NaN,
        estimate,
        ...(low !== undefined && high !== undefined && { low, high }),
      })),
    );
  const errorOf = (results: readonly Result[]): number => {
    const pairs = pairsOf(results);
    return Math.sqrt(
      pairs.reduce((sum, { label: truth, estimate }) => sum + (estimate - truth) ** 2, 0) / pairs.length,
    );
  };
  const cpuOf = (results: readonly Result[]): number => median(results.map(({ usage }) => usage.cpu));
  const peakOf = (results: readonly Result[]): number => Math.max(...results.map(({ usage }) => usage.peak));
  const row = (name: string, results: readonly Result[], interval: string): string[] => [
    name,
    errorOf(results).toFixed(3),
    interval,
    cpuOf(results).toFixed(1),
    peakOf(results).toFixed(0),
  ];
  const pairs = pairsOf(own);
  const held = pairs.filter(({ label: truth, low = Infinity, high = -Infinity }) => low <= truth && truth <= high);
  const truths = pairs.map(({ label: truth }) => truth);
  const mean = truths.reduce((sum, truth) => sum + truth, 0) / truths.length;
  const spread = Math.sqrt(truths.reduce((sum, truth) => sum + (truth - mean) ** 2, 0) / truths.length);
  const compared =
    theirs.length === 0
      ? []
      : [
          row("the original recipe: Keras 64-64-1, 200 epochs", theirs, ""),
          [
            "original / ours",
            (errorOf(theirs) / errorOf(own)).toFixed(3),
            "",
            `${(cpuOf(theirs) / cpuOf(own)).toFixed(0)} times`,
            `${(peakOf(theirs) / peakOf(own)).toFixed(1)} times`,
          ],
        ];
  return table(
    [
      `${rows.title}, ${trained} of ${folds} folds, ${pairs.length.toLocaleString("en")} unseen`,
      "RMSE, rings",
      "in the 90 % interval",
      "CPU s of a training",
      "largest process MB",
    ],
    [
      row("ours", own, (held.length / pairs.length).toFixed(3)),
      ...compared,
      ["their own mean for all", spread.toFixed(3), "", "", ""],
    ],
  );
}
