import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { copyApp } from "../__tests__/support/copy-app";
import { root } from "../local/platform/instance";
import { measure, median, table, temporaryFolder, type Usage } from "./measure";

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

/** A copy that is run the default way: `npx ts-node main.ts`, as `cdktf init` sets it up, with barrel imports. */
function defaultWay(folder: string): void {
  copyApp(folder);
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

const usageOf = (usages: readonly Usage[], digits = 2): string[] => [
  median(usages.map(({ cpu }) => cpu)).toFixed(digits),
  Math.min(...usages.map(({ cpu }) => cpu)).toFixed(digits),
  median(usages.map(({ wall }) => wall)).toFixed(digits),
  median(usages.map(({ peak }) => peak)).toFixed(0),
];

/** Synth of production: ours against the default way, in turn, so that both meet the same noise. */
export async function synthBenchmark(runs = 5): Promise<string> {
  const folder = temporaryFolder("synth");
  try {
    const ours = join(folder, "ours");
    const theirs = join(folder, "theirs");
    copyApp(ours);
    defaultWay(theirs);
    const synth = (command: readonly string[], cwd: string): Promise<Usage> =>
      measure(command, { cwd, env: { ENVIRONMENT: "production", CDKTF_OUTDIR: join(cwd, "cdktf.out") } });
    const all: Usage[] = [];
    const app: Usage[] = [];
    const other: Usage[] = [];
    // The first turn fills the disk's cache; ours also keeps what it has compiled and bundled.
    const first = await synth(["npm", "run", "--silent", "synth"], ours);
    const otherFirst = await synth(["npx", "ts-node", "main.ts"], theirs);
    for (let turn = 0; turn < runs; turn += 1) {
      all.push(await synth(["npm", "run", "--silent", "synth"], ours));
      app.push(await synth(["env", "NODE_COMPILE_CACHE=dist/compile-cache", "node", "dist/main.js"], ours));
      other.push(await synth(["npx", "ts-node", "main.ts"], theirs));
    }
    const ratio = (key: keyof Usage, own: readonly Usage[], peer: readonly Usage[]): string =>
      `${(median(peer.map((usage) => usage[key])) / median(own.map((usage) => usage[key]))).toFixed(1)} times`;
    const ratios = (own: readonly Usage[], peer: readonly Usage[]): string[] => [
      ratio("cpu", own, peer),
      "",
      ratio("wall", own, peer),
      ratio("peak", own, peer),
    ];
    return [
      table(
        ["synth of production", "CPU s, median", "least", "wall s", "largest process MB"],
        [
          ["ours: npm run synth", ...usageOf(all)],
          ["of this the app, without npm and esbuild", ...usageOf(app)],
          ["ours, first: handlers and the pages' scripts are bundled", ...usageOf([first])],
          ["the default way: ts-node, barrel import", ...usageOf(other)],
          ["the default way, first", ...usageOf([otherFirst])],
          ["default way / ours", ...ratios(all, other)],
          ["the same, first", ...ratios([first], [otherFirst])],
        ],
      ),
      await growthBenchmark(folder),
    ].join("\n\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Production grown to thousands of resources: whether the time follows their number. */
async function growthBenchmark(folder: string, runs = 3): Promise<string> {
  const program = join(root, "dist", `grown-platform.${process.pid}.js`);
  const compile = [
    "node_modules/.bin/esbuild",
    "benchmarks/grown-platform.ts",
    "--bundle",
    "--platform=node",
    "--target=node22",
  ];
  try {
    await measure([...compile, "--packages=external", `--outfile=${program}`], { cwd: root });
    const rows: string[][] = [];
    let base: { readonly resources: number; readonly cpu: number } | undefined;
    for (const wanted of [0, 1000, 2000, 5000]) {
      const output = join(folder, "grown");
      const env = { RESOURCES: `${wanted}`, CDKTF_OUTDIR: output, NODE_COMPILE_CACHE: join(folder, "compile-cache") };
      const usages: Usage[] = [];
      for (let turn = 0; turn <= runs; turn += 1) {
        rmSync(output, { recursive: true, force: true });
        const usage = await measure(["node", program], { cwd: root, env });
        if (turn > 0) {
          usages.push(usage);
        }
      }
      const resources = countResources(output);
      const cpu = median(usages.map((usage) => usage.cpu));
      const added = base && (1000 * (cpu - base.cpu)) / (resources - base.resources);
      base ??= { resources, cpu };
      rows.push([resources.toLocaleString("en"), ...usageOf(usages), added?.toFixed(2) ?? ""]);
    }
    return table(
      [
        "resources, in all stacks",
        "CPU s, median",
        "least",
        "wall s",
        "largest process MB",
        "CPU ms for each one added",
      ],
      rows,
    );
  } finally {
    rmSync(program, { force: true });
  }
}

/** The resources that were written. */
function countResources(output: string): number {
  return readdirSync(join(output, "stacks"))
    .map((stack) => JSON.parse(readFileSync(join(output, "stacks", stack, "cdk.tf.json"), "utf8")) as Synthesized)
    .flatMap(({ resource = {} }) => Object.values(resource))
    .reduce((sum, byName) => sum + Object.keys(byName).length, 0);
}

interface Synthesized {
  readonly resource?: Readonly<Record<string, object>>;
}
