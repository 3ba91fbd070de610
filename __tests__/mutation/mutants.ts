/**
 * Mutants: small changes of the code that a test should notice. Stryker's mutators make them; which of them are tried
 * out depends on a seed alone.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** One change of one file. */
export interface Mutant {
  readonly file: string;
  /** Where it begins; lines and columns count from 1. */
  readonly line: number;
  readonly column: number;
  /** The text from `start` to `end` is replaced. */
  readonly start: number;
  readonly end: number;
  readonly original: string;
  readonly replacement: string;
  /** Stryker's name for this kind of change, such as `EqualityOperator`. */
  readonly mutator: string;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

/** The part of `@stryker-mutator/instrumenter` that is used here. */
interface StrykerInstrumenter {
  readonly Instrumenter: new (logger: Readonly<Record<string, () => void>>) => {
    instrument(
      files: readonly { readonly name: string; readonly content: string; readonly mutate: true }[],
      options: { readonly plugins: null; readonly excludedMutations: []; readonly ignorers: [] },
    ): Promise<{
      readonly mutants: readonly {
        readonly fileName: string;
        readonly mutatorName: string;
        readonly replacement: string;
        readonly location: { readonly start: Position; readonly end: Position };
      }[];
    }>;
  };
}

const stryker = join(__dirname, "node_modules/@stryker-mutator/instrumenter/dist/src/index.js");

const logger = Object.fromEntries(
  ["isDebugEnabled", "debug", "info", "warn", "error"].map((name) => [name, () => undefined]),
);

/**
 * Lists every mutant of some files.
 * @param root The folder from which the files are named.
 */
export async function mutantsOf(root: string, files: readonly string[]): Promise<readonly Mutant[]> {
  if (!existsSync(stryker)) {
    throw new Error("Stryker's mutators are not installed: make __tests__/mutation/node_modules/.installed does it.");
  }
  const { Instrumenter } = (await import(pathToFileURL(stryker).href)) as StrykerInstrumenter;
  const contents = new Map(files.map((name) => [name, readFileSync(join(root, name), "utf8")]));
  const { mutants } = await new Instrumenter(logger).instrument(
    [...contents].map(([name, content]) => ({ name, content, mutate: true })),
    { plugins: null, excludedMutations: [], ignorers: [] },
  );
  return mutants.map(({ fileName: file, mutatorName: mutator, replacement, location }) => {
    const content = contents.get(file)!;
    const lines = content.split("\n");
    const offsetOf = ({ line, column }: Position): number =>
      lines.slice(0, line).reduce((sum, text) => sum + text.length + 1, column);
    const [start, end] = [offsetOf(location.start), offsetOf(location.end)];
    return {
      file,
      line: location.start.line + 1,
      column: location.start.column + 1,
      start,
      end,
      original: content.slice(start, end),
      replacement,
      mutator,
    };
  });
}

/** The text of a mutant's file with the change in it. */
export function applied(content: string, { start, end, replacement, mutator }: Mutant): string {
  // Parentheses keep an expression together: what is around it may bind more strongly.
  const inserted = mutator === "BlockStatement" ? replacement : `(${replacement})`;
  return content.slice(0, start) + inserted + content.slice(end);
}

/**
 * Chooses `count` of the mutants, in the order of the code. The same seed chooses the same ones, also when something
 * else has changed in their files.
 */
export function sampleOf(mutants: readonly Mutant[], count: number, seed: number): readonly Mutant[] {
  const twins = new Map<string, number>();
  const ranked = mutants.map((mutant, index) => {
    const { file, original, replacement } = mutant;
    const change = [seed, file, original, replacement].join("\n");
    const twin = twins.get(change) ?? 0;
    twins.set(change, twin + 1);
    return { mutant, index, rank: createHash("sha256").update(`${change}\n${twin}`).digest("hex") };
  });
  return ranked
    .sort((one, other) => (one.rank < other.rank ? -1 : 1))
    .slice(0, count)
    .sort((one, other) => one.index - other.index)
    .map(({ mutant }) => mutant);
}
