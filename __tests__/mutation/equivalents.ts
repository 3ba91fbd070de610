/** Mutants that no test can notice, because the program does the same with them. `make mutation` leaves them out. */
import type { Mutant } from "./mutants";

/** One such change: where `line` stands in the file, `original` becomes `replacement`. */
interface Equivalent {
  readonly file: string;
  readonly original: string;
  readonly replacement: string;
  readonly reason: string;
}

export const equivalents: readonly Equivalent[] = [
  {
    file: "survey/simulator.ts",
    original: "piece.length > 32_768",
    replacement: "piece.length >= 32_768",
    reason: "a piece ends near this length, and no reader depends on where",
  },
];

/** Whether a mutant is one of those above. */
export function isEquivalent(mutant: Mutant): boolean {
  return equivalents.some(
    ({ file, original, replacement }) =>
      file === mutant.file && original === mutant.original && replacement === mutant.replacement,
  );
}
