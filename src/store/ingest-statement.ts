import type { JournalTable } from '../core/journal-lines.ts';

/*
 * What the two ends of the store's socket agree on. Apart from `ingest-journal.ts`, which loads the engine: a hundred
 * megabytes that only the store process needs.
 */

/** The statement by which a journal is read where it lies. No engine knows it: the store process carries it out. */
export const INGEST_STATEMENT = 'INGEST JOURNAL';

/** Rows by table, and the lines that were skipped; `isWhole` is false, and nothing was stored, for half a line. */
export interface IngestAnswer {
  readonly isWhole: boolean;
  readonly rowCounts: Partial<Record<JournalTable, number>>;
  readonly tornCount: number;
}
