import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { root } from "../local/platform/instance";
import { measure, median, table, type Usage } from "./measure";

const sources = [
  "main.ts",
  "tsconfig.json",
  "package.json",
  "cdktf.json",
  "airflow-dags",
  "environments",
  "handlers",
  "model-image",
  "modules",
  "policies",
  "stacks",
  "survey",
  "web",
];

/** `s3-bucket-versioning` to `s3BucketVersioning`: the name of a file's namespace in the barrel. */
const namespaceOf = (file: string): string => file.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** The same imports as CDKTF's documentation and templates write them: from the package's index. */
function importFromTheBarrel(source: string): string {
  return source.replace(
    /import (type )?\{([^}]*)\} from "(@cdktf\/provider-(?:aws|docker))\/lib\/([^"]+)";/g,
    (_, type: string | undefined, names: string, barrel: string, file: string) => {
      const namespace = namespaceOf(file.replace(/\/index$/, ""));
      const aliases = names
        .split(",")
        .map((name) => name.trim().replace(/^type /, ""))
        .filter((name) => name !== "")
        .map((name) => {
          const [original, alias = original] = name.split(" as ");
          return `import ${alias} = ${namespace}_barrel.${original};`;
        });
      return `import ${type ?? ""}{ ${namespace} as ${namespace}_barrel } from "${barrel}"; ${aliases.join(" ")}`;
    },
  );
}

/** A copy of the app that is run the default way: `npx ts-node main.ts`, as `cdktf init` sets it up, with barrel imports. */
function defaultWay(folder: string): void {
  for (const name of sources) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (name.endsWith(".ts") && !name.startsWith("node_modules")) {
      const file = join(folder, name);
      writeFileSync(file, importFromTheBarrel(readFileSync(file, "utf8")));
    }
  }
  // The options of the project template of cdktf 0.21, with what ts-node needs to know of ours.
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "ES2020",
        module: "CommonJS",
        moduleResolution: "node10",
        ignoreDeprecations: "6.0",
        lib: ["ES2023"],
        strict: true,
        esModuleInterop: true,
        resolveJsonModule: true,
        skipLibCheck: true,
        types: ["node"],
      },
    }),
  );
}

/** Synth of production: ours against the default way, in turn, so that both meet the same noise. */
export async function synthBenchmark(runs = 3): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "default-way-"));
  try {
    defaultWay(folder);
    const ours: Usage[] = [];
    const theirs: Usage[] = [];
    for (let turn = 0; turn <= runs; turn += 1) {
      const env = { ENVIRONMENT: "production", CDKTF_OUTDIR: join(folder, "ours.out") };
      const own = await measure(["npm", "run", "--silent", "synth"], { cwd: root, env });
      const other = await measure(["npx", "ts-node", "main.ts"], {
        cwd: folder,
        env: { ...env, CDKTF_OUTDIR: join(folder, "theirs.out") },
      });
      // The first turn fills the disk's cache and Node's compile cache for both.
      if (turn > 0) {
        ours.push(own);
        theirs.push(other);
      }
    }
    const row = (name: string, usages: readonly Usage[]): string[] => [
      name,
      median(usages.map(({ cpu }) => cpu)).toFixed(2),
      median(usages.map(({ wall }) => wall)).toFixed(2),
      median(usages.map(({ peak }) => peak)).toFixed(0),
    ];
    const ratio = (key: keyof Usage): string =>
      `${(median(theirs.map((usage) => usage[key])) / median(ours.map((usage) => usage[key]))).toFixed(1)} times`;
    return table(
      ["synth of production", "CPU s", "wall s", "largest process MB"],
      [
        row("ours: esbuild bundle, deep imports", ours),
        row("the default way: ts-node, barrel import", theirs),
        ["default way / ours", ratio("cpu"), ratio("wall"), ratio("peak")],
      ],
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
