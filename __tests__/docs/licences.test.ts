import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../modules/project-root";

const read = (path: string): string => readFileSync(join(projectRoot, path), "utf8");
const notice = read("NOTICE");

/** The licence of each part that NOTICE names. */
const licences = new Map(
  [...notice.matchAll(/^ {2}([A-Za-z0-9.-]+): ([^:]+?)(?=\n {2}\S|\n*$(?![^]))/gm)].flatMap(
    ([, licence = "", names = ""]) =>
      names.split(",").map((name) => [name.replace(/\([^)]*\)/, "").trim(), licence] as const),
  ),
);

type Manifest = Readonly<Record<"dependencies" | "devDependencies", Readonly<Record<string, string>> | undefined>>;

/** The lock file beside it tells the licence of each, also of what isn't installed. */
interface Lock {
  readonly packages: Readonly<Record<string, { readonly license?: string }>>;
}

/** The packages that a folder's `package.json` asks for, with the folder of the lock file. */
const asked = (folder: string, lockFolder = folder): readonly (readonly [name: string, lockFolder: string])[] => {
  const { dependencies, devDependencies } = JSON.parse(read(join(folder, "package.json"))) as Manifest;
  return Object.keys({ ...dependencies, ...devDependencies }).map((name) => [name, lockFolder] as const);
};

const npmPackages = [
  ...[".", "__tests__/exit-door", "__tests__/mutation", "benchmarks/lighthouse"].flatMap((folder) => asked(folder)),
  ...readdirSync(join(projectRoot, "packages")).flatMap((name) => asked(join("packages", name), ".")),
].filter(([name]) => !name.startsWith("@types/"));

/** Families that NOTICE names as one. */
const nameOf = (name: string): string =>
  name.startsWith("@aws-sdk/")
    ? "AWS SDK for JavaScript"
    : name.startsWith("@aws-lambda-powertools/")
      ? "Powertools for AWS Lambda"
      : name;

test("every npm package of the project is in NOTICE with its licence", () => {
  expect(npmPackages.length).toBeGreaterThan(30);
  for (const [name, folder] of npmPackages) {
    const { packages } = JSON.parse(read(join(folder, "package-lock.json"))) as Lock;
    expect([name, licences.get(nameOf(name))]).toEqual([name, packages[`node_modules/${name}`]?.license]);
  }
});

test("every PyPI package of the project is in NOTICE", () => {
  const folders = readdirSync(projectRoot, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^(\.|node_modules$|dist$|hcl$|cdktf\.out$)/.test(entry.name))
    .map(({ name }) => name);
  const files = [".", ...folders].flatMap((folder) =>
    readdirSync(join(projectRoot, folder), { recursive: folder !== ".", encoding: "utf8" })
      .filter((file) => /(^|\/)requirements[^/]*\.in$/.test(file) && !file.includes("node_modules"))
      .map((file) => join(folder, file)),
  );
  expect(files.length).toBeGreaterThan(3);
  const names = files
    .flatMap((file) => read(file).split("\n"))
    .filter((line) => /^[a-z]/i.test(line))
    .map((line) => /^[A-Za-z0-9_.-]+/.exec(line)![0]);
  for (const name of new Set(names)) {
    expect([name, [...licences.keys()].includes(name)]).toEqual([name, true]);
  }
});
