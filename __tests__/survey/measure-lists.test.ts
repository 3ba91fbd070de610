/**
 * What a new measure does not change by itself: lists of the measures in texts, and texts that count them. Every place
 * is named at once. Where a list can be computed from the feature contract, compute it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../modules/project-root";
import { camelCase, measures, requiredColumns, surveyColumns } from "../../survey/feature-contract";

/** Files whose lists stay as they are, whatever the contract has. */
const exceptions: Readonly<Record<string, string>> = {
  "survey/features.json": "is the contract",
  "benchmarks/original/recipe.py": "is the recipe of the original, which knows UCI's measures only",
  "__tests__/survey/feature-contract.test.ts": "lists UCI's columns",
  "__tests__/survey/simulator.test.ts": "compares the simulator with UCI's measures",
  "model-image/abalone/features.py": "chooses the ratios that the model learns from",
  "model-image/tests/surveys.py": "draws the others as their entries say",
};

const skipped = new Set(["node_modules", "dist", "cdktf.out", "screenshots", "__pycache__", "pictures"]);

function* sources(folder = ""): Generator<string> {
  for (const entry of readdirSync(join(projectRoot, folder), { withFileTypes: true })) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory() && !entry.name.startsWith(".") && !skipped.has(entry.name)) {
      yield* sources(path);
    } else if (/\.(ts|py|md|json)$/.test(entry.name) && entry.name !== "package-lock.json") {
      yield path;
    }
  }
}

const files = [...sources()].map((path) => ({ path, text: readFileSync(join(projectRoot, path), "utf8") }));
const placeOf = (path: string, text: string, index: number): string =>
  `${path}:${text.slice(0, index).split("\n").length}`;

const spellings = new Map(
  measures.flatMap(({ name, label }) => [name, camelCase(name), label].map((word) => [word.toLowerCase(), name])),
);
const anyMeasure = new RegExp(
  `\\b(${[...spellings.keys()].sort((one, other) => other.length - one.length).join("|")})\\b`,
  "gi",
);
/** Between two measures of one list stands no more than this, in characters. */
const widestGap = 60;

/** Lists of at least three of four measures of the contract: where each begins, and what it names. */
function* listsIn(text: string): Generator<{ readonly index: number; readonly names: ReadonlySet<string> }> {
  let index = 0;
  let end = -Infinity;
  let names = new Set<string>();
  for (const match of [...text.matchAll(anyMeasure), undefined]) {
    if (match === undefined || match.index - end > widestGap) {
      if (names.size > 0.75 * measures.length) {
        yield { index, names };
      }
      [index, names] = [match?.index ?? 0, new Set()];
    }
    if (match !== undefined) {
      end = match.index + match[0].length;
      names.add(spellings.get(match[0].toLowerCase()) ?? "");
    }
  }
}

test("every list of the measures has all of them", () => {
  const incomplete = files
    .filter(({ path }) => !(path in exceptions))
    .flatMap(({ path, text }) =>
      [...listsIn(text)].flatMap(({ index, names }) => {
        const lacking = measures.filter(({ name }) => !names.has(name)).map(({ name }) => name);
        return lacking.length > 0 ? [`${placeOf(path, text, index)} lacks ${lacking.join(", ")}`] : [];
      }),
    );
  expect(incomplete).toEqual([]);
});

test("each exception still lists the measures", () => {
  const lists = new Set(files.filter(({ text }) => [...listsIn(text)].length > 0).map(({ path }) => path));
  expect(Object.keys(exceptions).filter((path) => !lists.has(path))).toEqual([]);
});

test("README gives the header of a survey file as it is", () => {
  const readme = files.find(({ path }) => path === "README.md")?.text ?? "";
  const [, header = ""] = /^(record_id,[a-z_,]*)$/m.exec(readme) ?? [];
  const names = header.split(",");
  expect(surveyColumns.filter((name) => names.includes(name))).toEqual(names);
  expect(requiredColumns.filter((name) => !names.includes(name))).toEqual([]);
});

test("no text counts the measures, because a new one would make it wrong", () => {
  const counted =
    /\b(three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d+) (measures|lengths|weights|features)\b/gi;
  const counts = files
    .filter(({ path }) => /^(docs|survey|web|handlers|model-image|stacks|modules)\/|^README/.test(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(counted)].map((match) => `${placeOf(path, text, match.index)} says “${match[0]}”`),
    );
  expect(counts).toEqual([]);
});
