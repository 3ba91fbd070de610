import type { RowProblem } from "./survey-file";

/** The answer of one call of the ingest-survey function. */
export interface IngestResult {
  readonly key: string;
  /** ETag of the object. Pass it with `nextOffset`, so that the continuation reads the same content. */
  readonly etag: string;
  /** Whether all rows of the file, or of the requested range, are done. */
  readonly complete: boolean;
  /** The byte to continue at, if not complete. */
  readonly nextOffset?: number;
  /** Row counts of this call. */
  readonly rows: { readonly read: number; readonly accepted: number; readonly rejected: number };
  /** The list of this call's rejected rows. */
  readonly rejectedUri?: string;
  /** The first rejected rows. */
  readonly problems: readonly RowProblem[];
  /** Why the file is not a survey; then no row was stored. */
  readonly fileProblem?: string;
}
