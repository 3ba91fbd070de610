import type { RowProblem } from "./survey-file";

/** What one call of the ingest-survey function did: it answers so, and whoever calls it reads so. */
export interface IngestResult {
  readonly key: string;
  /** Of the object that was read; give it with `nextOffset`, so that the continuation reads the same content. */
  readonly etag: string;
  /** Whether every row of the file, or of the range that was asked for, is done with. */
  readonly complete: boolean;
  /** The byte at which to go on, when it is not complete. */
  readonly nextOffset?: number;
  /** Rows of this call. */
  readonly rows: { readonly read: number; readonly accepted: number; readonly rejected: number };
  /** The list of this call's rejected rows. */
  readonly rejectedUri?: string;
  /** The first of them. */
  readonly problems: readonly RowProblem[];
  /** Why the file is not a survey; then none of it was put. */
  readonly fileProblem?: string;
}
