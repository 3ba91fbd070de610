/**
 * Keeps what a build made of some files, until one of them changes: a second synth needs not build again.
 *
 *     const cache = new BuildCache(projectRoot, "dist/bundles");
 *     cache.reuse("predict", "minified", () => ({ output, inputs: ["handlers/predict/index.ts", …] }));
 *
 * What is kept can always be deleted. It holds for one checkout on one machine.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

/** What a build made, and of what. */
export interface Build {
  readonly output: Uint8Array;
  /** Every file that it read, by its path from the root, with `/`. */
  readonly inputs: readonly string[];
}

/** What lies beside an output: the state of everything that it depends on. */
interface Origin {
  readonly settings: string;
  /** Path and state of files and folders. */
  readonly inputs: Readonly<Record<string, string>>;
  /** SHA-256 of the output: the two files are written one after the other, by more than one process at times. */
  readonly output: string;
}

const sha256 = (content: Uint8Array | string): string => createHash("sha256").update(content).digest("hex");

const isInstalled = (path: string): boolean => path.split("/").includes("node_modules");

/** Outputs of builds in a folder, each under a name, with the state of the files from which it came. */
export class BuildCache {
  private readonly states = new Map<string, string>();

  /**
   * @param root the folder from which inputs are named; absolute
   * @param folder where outputs are kept, from the root
   */
  constructor(
    private readonly root: string,
    private readonly folder: string,
  ) {}

  /**
   * The output that is kept under the name, when it came from the same settings and nothing that it depends on has
   * changed; else that of a new build.
   * @param name of the output's file
   * @param settings whatever changes the output besides the files
   * @throws whatever `build` throws; a folder that can't be written costs time only
   */
  reuse(name: string, settings: string, build: () => Build): Uint8Array {
    const outputFile = join(this.root, this.folder, name);
    const originFile = `${outputFile}.json`;
    const kept = this.read(originFile, outputFile, settings);
    if (kept) {
      return kept;
    }
    const begin = Date.now();
    const { output, inputs } = build();
    try {
      if (this.changedSince(begin, inputs)) {
        return output;
      }
      mkdirSync(dirname(outputFile), { recursive: true }); // before folders are looked at: it may lie in one of them
      const origin: Origin = { settings, inputs: this.stateOf(inputs), output: sha256(output) };
      this.write(outputFile, output);
      this.write(originFile, JSON.stringify(origin));
    } catch {
      // A read-only checkout, a full disk, a setting's file that isn't there: the output is as good.
    }
    return output;
  }

  private read(originFile: string, outputFile: string, settings: string): Uint8Array | undefined {
    try {
      const origin = JSON.parse(readFileSync(originFile, "utf8")) as Origin;
      if (origin.settings !== settings) {
        return undefined;
      }
      for (const [path, state] of Object.entries(origin.inputs)) {
        if (this.now(path) !== state) {
          return undefined;
        }
      }
      const output = readFileSync(outputFile);
      return sha256(output) === origin.output ? output : undefined;
    } catch {
      return undefined; // never kept, or damaged: it is built again
    }
  }

  /** Whether somebody may have written an input while it was built; clocks of file systems are coarse. */
  private changedSince(begin: number, inputs: readonly string[]): boolean {
    return inputs.some((path) => !isInstalled(path) && statSync(join(this.root, path)).mtimeMs > begin - 1000);
  }

  /** Whole or not at all: another process may be reading. */
  private write(file: string, content: Uint8Array | string): void {
    const partial = `${file}.partial-${process.pid}`;
    writeFileSync(partial, content);
    renameSync(partial, file);
  }

  /**
   * The files, and the folders about those of the project itself: a new file there may be found before the one that was
   * read.
   */
  private stateOf(inputs: readonly string[]): Record<string, string> {
    const own = inputs.filter((path) => !isInstalled(path));
    const folders = own.flatMap((path) => [posix.dirname(path), posix.dirname(posix.dirname(path))]);
    const paths = [...inputs, ...new Set(folders.map((path) => `${path}/`))];
    return Object.fromEntries(paths.map((path) => [path, this.now(path)]));
  }

  private now(path: string): string {
    const known = this.states.get(path);
    if (known !== undefined) {
      return known;
    }
    const state = this.look(path);
    this.states.set(path, state);
    return state;
  }

  /**
   * Names of a folder, content of a file; of the thousands that npm installs, size and time as `make` looks at them.
   */
  private look(path: string): string {
    const place = join(this.root, path);
    if (path.endsWith("/")) {
      return sha256(readdirSync(place).sort().join("\n"));
    }
    if (!isInstalled(path)) {
      return sha256(readFileSync(place));
    }
    const { size, mtimeMs } = statSync(place);
    return `${size} ${mtimeMs}`;
  }
}
