/** The tables that rows are handed to as bytes. */
export type StoreTable = 'usage_log' | 'signals' | 'decisions' | 'unresolved_feedback';

export interface QueryOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bound on the engine's own time. */
  readonly timeoutMs?: number | undefined;
}

/** One client path for embedded, server and cluster. Only files of this room write SQL. */
export interface Database extends AsyncDisposable {
  /** Folder of the journal, the engine's files and local copies of snapshots. */
  readonly dataDir: string;
  readonly isEmbedded: boolean;
  /** Rows of a SELECT; parameters are bound by the engine: `{from:DateTime64(3)}`. */
  query<Row>(sql: string, params?: Readonly<Record<string, unknown>>, options?: QueryOptions): Promise<Row[]>;
  /** The same in blocks, for answers that must not be held in memory whole. */
  stream<Row>(
    sql: string,
    params?: Readonly<Record<string, unknown>>,
    options?: QueryOptions,
  ): AsyncIterable<Row[]>;
  command(sql: string, params?: Readonly<Record<string, unknown>>, options?: QueryOptions): Promise<void>;
  /** Rows as JSONEachRow bytes. The same token twice stores the rows once, in the table and in its views. */
  insertLines(table: StoreTable, lines: Uint8Array, deduplicationToken: string): Promise<void>;
  /** Rows as objects, for the small tables of the periodic rooms. */
  insertRows(table: string, rows: readonly object[]): Promise<void>;
  close(): Promise<void>;
}
