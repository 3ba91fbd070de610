import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { preProcessFile } from "typescript";
import { projectRoot } from "../../modules/project-root";

/** What each file imports of the project's own, types too: by the paths of both. */
function importGraph(files: readonly string[]): Map<string, string[]> {
  const known = new Set(files);
  const target = (file: string, specifier: string): string | undefined => {
    const path = specifier.startsWith(".") ? join(dirname(file), specifier) : exported.get(specifier);
    return [path, `${path ?? ""}.ts`, join(path ?? "", "index.ts")].find(
      (each) => each !== undefined && known.has(each),
    );
  };
  return new Map(
    files.map((file) => [
      file,
      preProcessFile(readFileSync(join(projectRoot, file), "utf8")).importedFiles.flatMap(
        ({ fileName }) => target(file, fileName) ?? [],
      ),
    ]),
  );
}

/** A path of imports that ends where it begins; undefined when there is none. */
function cycleIn(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) {
      return [...path.slice(path.indexOf(file)), file];
    }
    if (done.has(file)) {
      return undefined;
    }
    for (const imported of graph.get(file) ?? []) {
      const cycle = visit(imported, [...path, file]);
      if (cycle !== undefined) {
        return cycle;
      }
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle !== undefined) {
      return cycle;
    }
  }
  return undefined;
}

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string>>;
}

const listed = execFileSync("git", ["ls-files", "*.ts", "packages/*/package.json"], {
  cwd: projectRoot,
  encoding: "utf8",
});
const tracked = listed.split("\n").filter((file) => file !== "" && existsSync(join(projectRoot, file)));

/** The file behind each name that a package exports. */
const exported = new Map(
  tracked
    .filter((file) => file.endsWith("package.json"))
    .flatMap((file) => {
      const { name, exports } = JSON.parse(readFileSync(join(projectRoot, file), "utf8")) as Manifest;
      return Object.entries(exports).map(([entry, path]) => [join(name, entry), join(dirname(file), path)] as const);
    }),
);

test("no file imports itself through others", () => {
  const graph = importGraph(tracked.filter((file) => file.endsWith(".ts")));
  expect([...graph.values()].flat().length).toBeGreaterThan(500);
  expect(graph.get("local/front-door.ts")).toContain("packages/sagemaker-local/src/loopback.ts");
  expect(cycleIn(graph)).toBeUndefined();
});

test("a cycle is found, wherever it begins", () => {
  const graph = new Map([
    ["main", ["a", "c"]],
    ["a", ["b"]],
    ["b", ["c"]],
    ["c", ["b"]],
  ]);
  expect(cycleIn(graph)).toEqual(["b", "c", "b"]);
  expect(cycleIn(new Map([...graph, ["c", []]]))).toBeUndefined();
});
