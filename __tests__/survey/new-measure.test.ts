/**
 * A new measure is one entry in the feature contract. Copies of the project get one more measure, once required and
 * once optional, and the test builds, trains and asks everything that knows the measures.
 */
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { projectRoot } from "../../modules/project-root";
import { camelCase, measures } from "../../survey/feature-contract";
import { simulateSurvey } from "../../survey/simulator";
import { counts } from "../../web/counts";
import { pages } from "../../web/messages/en";

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "new-measure-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A name that the contract doesn't have: `shell_thickness`, or with a number after it. */
function freeName(base = "shell_thickness", number = 1): string {
  const name = number === 1 ? base : `${base}_${number}`;
  return measures.some((measure) => measure.name === name) ? freeName(base, number + 1) : name;
}

const measureName = freeName();
const label = measureName.replace(/^s/, "S").replaceAll("_", " ");
const rows = 1_500;
const shellThickness = {
  name: measureName,
  type: "number",
  unit: "mm",
  minimum: 0.1,
  maximum: 20,
  step: 0.1,
  label,
  description: "At the edge of the shell",
  example: 1.8,
  otherExamples: { young: 0.7, old: 2.9 },
  uci: null,
  simulation: { intercept: -3.2, noise: 0.1, powers: { length: 0.6, rings: 0.4 } },
};
const optionalThickness = {
  ...shellThickness,
  optional: true,
  simulation: { ...shellThickness.simulation, measuredShare: 0.6 },
};

/** Parts of the checkout that aren't needed, or that the copy shares with it. */
const leftOut = new Set(["node_modules", "dist", "cdktf.out", "docs", "benchmarks", "screenshots"]);

/** A copy of the checkout whose contract has one more measure, after the height. */
function copyWith(name: string, measure: object): string {
  const copy = join(folder, name);
  mkdirSync(copy);
  for (const entry of readdirSync(projectRoot).filter((each) => !each.startsWith(".") && each !== "__tests__")) {
    cpSync(join(projectRoot, entry), join(copy, entry), {
      recursive: true,
      filter: (path) => !leftOut.has(basename(path)) && !path.includes("__pycache__"),
    });
  }
  cpSync(join(__dirname, "new-measure"), join(copy, "__tests__/survey/new-measure"), { recursive: true });
  for (const shared of ["node_modules", ".venv"]) {
    symlinkSync(join(projectRoot, shared), join(copy, shared));
  }
  const file = join(copy, "survey/features.json");
  const document = JSON.parse(readFileSync(file, "utf8")) as { features: object[] };
  document.features.splice(4, 0, measure);
  writeFileSync(file, JSON.stringify(document));
  return copy;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what programs print, which the tests then compare
type Json = Record<string, any>;

interface Trial {
  readonly survey: readonly string[];
  readonly synthesized: string;
  readonly probe: Json;
  readonly model: Json;
  readonly card: string;
  readonly evaluation: Json;
}

async function tryOut(name: string, measure: object): Promise<Trial> {
  const copy = copyWith(name, measure);
  const base = join(folder, `${name}-model`);
  mkdirSync(base);
  const node = [join(projectRoot, "node_modules/.bin/node"), "--import", "tsx"];
  const environment = {
    PATH: `${join(projectRoot, "node_modules/.bin")}:${process.env.PATH ?? ""}`,
    HOME: base,
    NEW_MEASURE: measureName,
  };
  const options = { cwd: copy, env: environment, maxBuffer: 2 ** 28 };
  const survey = join(base, "survey.csv");
  const synth = run("npm", ["run", "--silent", "synth"], {
    ...options,
    env: { ...environment, ENVIRONMENT: "development", CDKTF_OUTDIR: join(base, "synthesized") },
  });
  const [program = "", ...words] = node;
  const train = run(
    program,
    [...words, "survey/cli.ts", "simulate", `--rows=${rows}`, "--seed=7", `--output=${survey}`],
    options,
  ).then(() =>
    run(
      join(projectRoot, ".venv/model/bin/python"),
      [
        "__tests__/survey/new-measure/trial.py",
        copy,
        survey,
        base,
        ...node,
        "__tests__/survey/new-measure/probe.ts",
        survey,
        join(base, "probe.json"),
      ],
      { ...options, env: { ...environment, PYTHONPYCACHEPREFIX: join(projectRoot, ".venv/model/pycache") } },
    ),
  );
  await Promise.all([synth, train]);
  const read = (file: string): string => readFileSync(join(base, file), "utf8");
  const json = (file: string): Json => JSON.parse(read(file)) as Json;
  return {
    survey: read("survey.csv").trim().split("\n"),
    synthesized: read("synthesized/stacks/data/cdk.tf.json"),
    probe: json("probe.json"),
    model: json("trial.json"),
    card: read("processing/output/evaluation/model-card.html"),
    evaluation: json("processing/output/evaluation/evaluation.json"),
  };
}

let required: Trial;
let optional: Trial;
beforeAll(async () => {
  [required, optional] = await Promise.all([tryOut("required", shellThickness), tryOut("optional", optionalThickness)]);
}, 600_000);

const columnOf = (trial: Trial): number => trial.survey[0]!.split(",").indexOf(measureName);
const thickness = (trial: Trial): string[] =>
  trial.survey.slice(1).map((line) => line.split(",")[columnOf(trial)] ?? "");

describe.each([
  ["required", () => required],
  ["optional", () => optional],
] as const)("with one more %s measure", (kind, trial) => {
  const isRequired = kind === "required";

  test("the feature group has its column", () => {
    expect(JSON.stringify(JSON.parse(trial().synthesized))).toContain(
      `{"feature_name":"${measureName}","feature_type":"Fractional"}`,
    );
  });

  test("the simulator draws it, and UCI's measures as before", () => {
    const values = thickness(trial());
    expect(values).toHaveLength(rows);
    const drawn = values.filter((value) => value !== "").map(Number);
    expect(drawn.length / rows).toBeCloseTo(isRequired ? 1 : 0.6, 1);
    expect(Math.min(...drawn)).toBeLessThan(1.2);
    expect(Math.max(...drawn)).toBeGreaterThan(2);
    // Measures that UCI's file doesn't have share one random stream, so only UCI's are the same.
    const own = measures.filter(({ uci }) => uci === null).map(({ name }) => name);
    const withoutOwn = (lines: readonly string[]): readonly string[] => {
      const header = lines[0]!.split(",");
      const isKept = header.map((name) => name !== measureName && !own.includes(name));
      return lines.map((line) =>
        line
          .split(",")
          .filter((_, index) => isKept[index])
          .join(","),
      );
    };
    const before = [...simulateSurvey({ rows, seed: 7 })].join("").trim().split("\n");
    expect(withoutOwn(trial().survey)).toEqual(withoutOwn(before));
  });

  test("a survey with it comes in as a whole; one without it where it is optional", () => {
    const { probe } = trial();
    expect([probe.read, probe.measured]).toEqual([rows, thickness(trial()).filter((value) => value !== "").length]);
    expect(probe.stored.filter((names: string[]) => names.includes(measureName))).toHaveLength(probe.measured);
    expect(probe.without).toEqual(
      isRequired
        ? { accepted: 0, problem: expect.stringContaining(`the header lacks the column ${measureName}; expected`) }
        : { accepted: rows },
    );
  });

  test("UCI's file is read where its rows may lack it, and refused with its name where they may not", () => {
    const { uci, uciRows } = trial().probe;
    if (isRequired) {
      expect(uci).toContain(`UCI's file has no ${measureName}, which survey/features.json requires: make it optional`);
    } else {
      const row: Readonly<Record<string, string>> = {
        record_id: "uci-6c4653df1f9c3fae",
        surveyed_at: "1995-12-01T00:00:00Z",
        sex: "M",
        length: "91",
        diameter: "73",
        height: "19",
        whole_weight: "102.8",
        shucked_weight: "44.9",
        viscera_weight: "20.2",
        shell_weight: "30",
        rings: "15",
      };
      const columns = trial().survey[0]!.split(",");
      expect(uci).toContain(columns.map((column) => row[column] ?? "").join(","));
      expect(uciRows).toBe(1);
    }
  });

  test("the form asks for it, its examples have it, and the texts count it", () => {
    const { field, examples, description, guide } = trial().probe;
    expect(field).toContain(`name="${camelCase(measureName)}"`);
    expect(/ required[ >]/.test(field)).toBe(isRequired);
    // The label is also the field's accessible name.
    expect(field).toContain(
      `>${label}${isRequired ? "" : " (optional)"} <span class="unseen">in millimetres</span></label>`,
    );
    expect(
      examples.map((values: string) => new RegExp(`${camelCase(measureName)}=([\\d.]+)`).exec(values)?.[1]),
    ).toEqual(["0.7", "1.8", "2.9"]);
    const counted = { ...counts, values: counts.values + 1, lengths: counts.lengths + 1 };
    expect(description).toBe(pages.index.description(counted));
    expect(guide).toContain(pages.measuring.lead(counted));
    expect(guide).toContain(label);
  });

  test("the API takes it, as its description says", () => {
    const { schema, answers } = trial().probe;
    const field = camelCase(measureName);
    expect(schema.properties[field]).toMatchObject({ type: "number", minimum: 0.1, maximum: 20 });
    expect(schema.required.includes(field)).toBe(isRequired);
    const fault = { field, expected: "a number between 0.1 and 20 mm" };
    expect(answers).toMatchObject([
      { status: 200, model: "trial-train" },
      isRequired ? { status: 400, errors: [fault] } : { status: 200, model: "trial-train" },
      { status: 400, errors: [fault] },
    ]);
  });

  test("the model learns from it, and does without it where it is optional", () => {
    const { rows: used, rejected, imputations, rings } = trial().model;
    expect(Number(used.train) + Number(used.validation) + Number(used.test)).toBe(rows);
    expect(rejected).toBe(0);
    expect(imputations.includes(measureName)).toBe(!isRequired);
    expect(rings.thick - rings.thin).toBeGreaterThan(0.5);
    expect(Object.keys(rings).includes("missing")).toBe(!isRequired);
    if (!isRequired) {
      expect(rings.missing).toBeGreaterThan(rings.thin);
      expect(rings.missing).toBeLessThan(rings.thick);
    }
  });

  test("the evaluation, the model card and the monitor know what may be missing", () => {
    const { evaluation, card, model } = trial();
    const groups = evaluation.groups[measureName]?.map(({ name }: { readonly name: string }) => name);
    expect(groups).toEqual(isRequired ? undefined : [`with ${measureName}`, `without ${measureName}`]);
    expect(card.includes(`have ${measureName}, which is optional`)).toBe(!isRequired);
    expect(model.completeness[measureName]).toBe(isRequired ? 1 : 0);
    expect(model.present.num_missing > 0).toBe(!isRequired);
    expect(model.violations).toEqual([]);
  });
});

test("without an entry that says how to draw it, a measure is refused by its name", () => {
  const copy = copyWith("incomplete", { ...shellThickness, simulation: undefined, otherExamples: undefined });
  const simulate = (): unknown =>
    execFileSync("node_modules/.bin/tsx", ["survey/cli.ts", "simulate", "--rows=1"], {
      cwd: copy,
      stdio: "pipe",
      env: { PATH: `${join(projectRoot, "node_modules/.bin")}:${process.env.PATH ?? ""}` },
    });
  expect(simulate).toThrow(
    new RegExp(
      `features\\.4 \\(${measureName}\\)\\.otherExamples: [^]*features\\.4 \\(${measureName}\\)\\.simulation: `,
    ),
  );
});
