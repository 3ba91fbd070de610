/**
 * Keeps the output of a build until one of its inputs changes, so that a second synth need not build again.
 *
 *     const cache = new BuildCache(projectRoot, "dist/bundles");
 *     cache.reuse("predict", "minified", () => ({ output, inputs: ["handlers/predict/index.ts", …] }));
 *
 * The cache can always be deleted. It is for one checkout on one machine.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

/** A build's output and inputs. */
export interface Build {
  readonly output: Uint8Array;
  /** Every file that it read: paths from the root, with `/`. */
  readonly inputs: readonly string[];
}

/** Kept beside an output: the state of everything that it depends on. */
interface Origin {
  readonly settings: string;
  /** Path and state of files and folders. */
  readonly inputs: Readonly<Record<string, string>>;
  /** SHA-256 of the output, because the two files are written one after the other, sometimes by several processes. */
  readonly output: string;
}

const sha256 = (content: Uint8Array | string): string => createHash("sha256").update(content).digest("hex");

const isInstalled = (path: string): boolean => path.split("/").includes("node_modules");

/** A folder of named build outputs, each with the state of its inputs. */
export class BuildCache {
  private readonly states = new Map<string, string>();

  /**
   * @param root absolute path; inputs are relative to it
   * @param folder where outputs are kept, relative to the root
   * @param extension of the outputs' files, such as `.zip`
   */
  constructor(
    private readonly root: string,
    private readonly folder: string,
    private readonly extension = "",
  ) {}

  /**
   * Returns the cached output if settings and inputs are unchanged; otherwise builds again.
   * @param name of the output, without extension
   * @param settings everything else that changes the output
   * @throws any error of `build`; a folder that can't be written only costs time
   */
  reuse(name: string, settings: string, build: () => Build): Uint8Array {
    const outputs = this.reuseAll([name], settings, () => new Map([[name, build()]]));
    return outputs.get(name) ?? build().output;
  }

  /**
   * The same for several outputs. Those that are missing or out of date are built together.
   * @param build returns a build for each of the given names
   * @returns the outputs by name
   */
  reuseAll(
    names: readonly string[],
    settings: string,
    build: (names: readonly string[]) => ReadonlyMap<string, Build>,
  ): Map<string, Uint8Array> {
    const outputs = new Map<string, Uint8Array>();
    for (const name of names) {
      const kept = this.read(name, settings);
      if (kept) {
        outputs.set(name, kept);
      }
    }
    const missing = names.filter((name) => !outputs.has(name));
    if (missing.length > 0) {
      const begin = Date.now();
      for (const [name, made] of build(missing)) {
        outputs.set(name, made.output);
        this.keep(name, settings, begin, made);
      }
    }
    return outputs;
  }

  private keep(name: string, settings: string, begin: number, { output, inputs }: Build): void {
    const outputFile = this.fileOf(name);
    try {
      if (this.changedSince(begin, inputs)) {
        return;
      }
      mkdirSync(dirname(outputFile), { recursive: true }); // first, because it may be in one of the inputs' folders
      const origin: Origin = { settings, inputs: this.stateOf(inputs), output: sha256(output) };
      this.write(outputFile, output);
      this.write(`${outputFile}.json`, JSON.stringify(origin));
    } catch {
      // The output is valid even if it cannot be cached: a read-only checkout, a full disk, a missing settings file.
    }
  }

  private fileOf(name: string): string {
    return join(this.root, this.folder, `${name.replaceAll("/", "-")}${this.extension}`);
  }

  private read(name: string, settings: string): Uint8Array | undefined {
    const outputFile = this.fileOf(name);
    try {
      const origin = JSON.parse(readFileSync(`${outputFile}.json`, "utf8")) as Origin;
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
      return undefined; // missing or damaged: build again
    }
  }

  /** Whether an input may have changed during the build; file system clocks are coarse. */
  private changedSince(begin: number, inputs: readonly string[]): boolean {
    return inputs.some((path) => !isInstalled(path) && statSync(join(this.root, path)).mtimeMs > begin - 1000);
  }

  /** Writes atomically: another process may be reading. */
  private write(file: string, content: Uint8Array | string): void {
    const partial = `${file}.partial-${process.pid}`;
    writeFileSync(partial, content);
    renameSync(partial, file);
  }

  /**
   * The inputs and, for those of the project itself, their folders: a new file there may be found before the one that
   * was read.
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

  /** A folder's names, or a file's content. For installed packages, which are thousands of files, size and time. */
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
