import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import { homedir, platform } from 'node:os';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { TallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { storedMoment } from '../core/usage-record.ts';
import { connectionFault, toStoreError } from './clickhouse-errors.ts';
import { INGEST_STATEMENT, type IngestAnswer } from './ingest-statement.ts';
import { migrate } from './migrate.ts';
import { loadLatestSnapshot } from './queries/snapshots.ts';
import { type StorePaths, storePaths } from './socket-path.ts';
import { ensureStoreProcess, type StoreProcessLimits } from './store-starter.ts';
import { writeSettings } from './writes.ts';

/** The tables that rows are handed to as bytes. */
export type StoreTable = 'usage_log' | 'signals' | 'decisions' | 'unresolved_feedback';

export interface QueryOptions {
  /** Ends the wait at once; the embedded engine itself runs on until `timeoutMs`. */
  readonly signal?: AbortSignal | undefined;
  /** Bound on the engine's own time; ten minutes where nobody says. */
  readonly timeoutMs?: number | undefined;
}

export interface CommandOptions extends QueryOptions {
  /** True when running it twice does what running it once does: it is then repeated after a broken connection. */
  readonly isIdempotent?: boolean | undefined;
}

/** One client path for embedded, server and cluster. Only files of this room write SQL. */
export interface Database extends AsyncDisposable {
  /** Folder of the journal, the engine's files and local copies of snapshots. */
  readonly dataDir: string;
  readonly isEmbedded: boolean;
  /** What opens the same store again, e.g. in a worker thread: plain data. */
  readonly connection: DatabaseConnection;
  /**
   * Rows of a SELECT; parameters are bound by the engine: `{from:DateTime64(3)}`. A `Date` is bound with its
   * milliseconds in UTC and wants `DateTime64(3)`.
   *
   * @throws {TallyrankError} `store_unavailable`, `store_query_failed`, `cancelled`
   */
  query<Row>(sql: string, params?: Readonly<Record<string, unknown>>, options?: QueryOptions): Promise<Row[]>;
  /** The same in blocks, for answers that must not be held in memory whole. */
  stream<Row>(
    sql: string,
    params?: Readonly<Record<string, unknown>>,
    options?: QueryOptions,
  ): AsyncIterable<Row[]>;
  command(sql: string, params?: Readonly<Record<string, unknown>>, options?: CommandOptions): Promise<void>;
  /** Rows as JSONEachRow bytes. The same token twice stores the rows once, in the table and in its views. */
  insertLines(table: StoreTable, lines: Uint8Array, deduplicationToken: string): Promise<void>;
  /**
   * The same for the lines of a journal file, read by the store itself; null where it cannot, since it is a server or an
   * older program's process, or the part does not end with a line.
   */
  insertJournal(part: JournalPart, deduplicationToken: string): Promise<IngestAnswer | null>;
  /** Rows as objects, for the small tables of the periodic rooms. */
  insertRows(table: string, rows: readonly object[]): Promise<void>;
  /** The last published snapshot with its classifier; null before the first. */
  latestSnapshot(): Promise<Snapshot | null>;
  /** True when the store answers within a second. */
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

/** Bytes of a journal file from the beginning of a line to that of another. */
export interface JournalPart {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

export type DatabaseConnection = Pick<
  OpenDatabaseOptions,
  'dataDir' | 'url' | 'username' | 'password' | 'database'
>;

export interface OpenDatabaseOptions extends StoreProcessLimits {
  /** Default: this user's data folder. */
  readonly dataDir?: string | undefined;
  /** A ClickHouse server, e.g. "http://localhost:8123"; without it the embedded engine in `dataDir`. */
  readonly url?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly database?: string | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: (() => number) | undefined;
}

/** How often a call meets a broken connection before it gives up, with pauses of 100, 200, 400 ms between. */
const ATTEMPTS_MAX = 4;
const FIRST_PAUSE_MS = 100;
/** Beyond any statement's own time; a server that says nothing for so long is gone. */
const REQUEST_MAX_MS = 600_000;
/** Enough for a gateway's reads and its shipper; the engine queues what is more. */
const CONNECTIONS_MAX = 16;
/** A probe that waits longer is itself a symptom. */
const PING_MAX_MS = 1_000;

/**
 * Opens the store and brings its tables up to date. Embedded (no `url`): connects to the store process of
 * `dataDir`, starting it when there is none; any number of programs may share it. With `url`: a server.
 *
 * @throws {TallyrankError} `store_unavailable`, `store_newer` when the tables are a later program's
 */
export async function openDatabase(options: OpenDatabaseOptions = {}): Promise<Database> {
  const database = new ClickHouseDatabase(options);
  try {
    await migrate(database, { clock: options.clock ?? Date.now, logger: options.logger });
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Where programs keep a user's data on this system. */
function userDataDir(): string {
  const home = homedir();
  if (platform() === 'darwin') return join(home, 'Library', 'Application Support', 'tallyrank');
  if (platform() === 'win32') return join(home, 'AppData', 'Local', 'tallyrank');
  return join(home, '.local', 'share', 'tallyrank');
}

class ClickHouseDatabase implements Database {
  readonly dataDir: string;
  readonly isEmbedded: boolean;
  readonly connection: DatabaseConnection;
  readonly #client: ClickHouseClient;
  readonly #limits: StoreProcessLimits;
  readonly #paths: StorePaths | null;
  readonly #logger: Logger | undefined;
  #starting: Promise<void> | null = null;
  #isStarted = false;
  #isClosed = false;
  /** Only a process of ours on this machine can read our files. */
  #canIngest: boolean;

  constructor(options: OpenDatabaseOptions) {
    this.dataDir = resolve(options.dataDir ?? userDataDir());
    this.isEmbedded = options.url === undefined;
    this.#canIngest = this.isEmbedded;
    const { url, username, password, database } = options;
    this.connection = { dataDir: this.dataDir, url, username, password, database };
    this.#paths = options.url === undefined ? storePaths(this.dataDir) : null;
    this.#limits = options;
    this.#logger = options.logger;
    // node:http takes the socket's path from its agent, though its types do not say so.
    const agentOptions = {
      keepAlive: true,
      maxSockets: CONNECTIONS_MAX,
      socketPath: this.#paths?.socketPath,
    };
    this.#client = createClient({
      url: options.url ?? 'http://store',
      ...(options.username === undefined ? {} : { username: options.username }),
      ...(options.password === undefined ? {} : { password: options.password }),
      ...(options.database === undefined ? {} : { database: options.database }),
      ...(this.#paths === null
        ? { max_open_connections: CONNECTIONS_MAX }
        : { http_agent: new Agent(agentOptions) }),
      request_timeout: REQUEST_MAX_MS,
      application: 'tallyrank',
      // The client's own log would print statements with their values.
      log: { level: ClickHouseLogLevel.OFF },
      clickhouse_settings: {
        session_timezone: 'UTC',
        output_format_json_quote_64bit_integers: 0,
        output_format_json_quote_denormals: 0,
        ...(options.url === undefined ? {} : { cancel_http_readonly_queries_on_client_close: 1 }),
      },
    });
  }

  async query<Row>(
    sql: string,
    params: Readonly<Record<string, unknown>> = {},
    options: QueryOptions = {},
  ): Promise<Row[]> {
    return this.#call(true, options, async (common) => {
      const result = await this.#client.query({
        query: sql,
        query_params: boundValues(params),
        format: 'JSONEachRow',
        ...common,
      });
      return (await result.json()) as Row[];
    });
  }

  async *stream<Row>(
    sql: string,
    params: Readonly<Record<string, unknown>> = {},
    options: QueryOptions = {},
  ): AsyncIterable<Row[]> {
    // Only the start is repeated: rows that were handed out cannot be taken back.
    const result = await this.#call(true, options, (common) =>
      this.#client.query({
        query: sql,
        query_params: boundValues(params),
        format: 'JSONEachRow',
        http_headers: { 'X-Tallyrank-Stream': '1' },
        ...common,
      }),
    );
    try {
      for await (const rows of result.stream()) yield rows.map((row) => row.json() as Row);
    } catch (error) {
      throw this.#translate(error, options.signal);
    } finally {
      result.close();
    }
  }

  async command(
    sql: string,
    params: Readonly<Record<string, unknown>> = {},
    options: CommandOptions = {},
  ): Promise<void> {
    const isIdempotent = options.isIdempotent ?? false;
    // A kept connection may be dead without knowing it yet: a ping finds out at no risk.
    if (!isIdempotent) await this.query('SELECT 1', {}, options.signal ? { signal: options.signal } : {});
    await this.#call(isIdempotent, options, (common) =>
      this.#client.command({ query: sql, query_params: boundValues(params), ...common }),
    );
  }

  async insertLines(table: StoreTable, lines: Uint8Array, deduplicationToken: string): Promise<void> {
    if (lines.length === 0) return;
    await this.#insert(table, lines, deduplicationToken);
  }

  async insertJournal(part: JournalPart, deduplicationToken: string): Promise<IngestAnswer | null> {
    if (!this.#canIngest) return null;
    try {
      const answered = await this.#ingest(part, deduplicationToken);
      return answered.isWhole ? answered : null;
    } catch (error) {
      // A syntax error: the process is an older program's, and does not know the statement.
      if ((error as { cause?: { code?: unknown } }).cause?.code !== '62') throw error;
      this.#canIngest = false;
      return null;
    }
  }

  async insertRows(table: string, rows: readonly object[]): Promise<void> {
    if (!/^[a-z_]+$/.test(table)) throw new RangeError(`"${table}" is not a table name`);
    if (rows.length === 0) return;
    const lines = Buffer.from(rows.map(encodeRow).join('\n'));
    await this.#insert(table, lines, randomUUID());
  }

  latestSnapshot(): Promise<Snapshot | null> {
    return loadLatestSnapshot(this);
  }

  async ping(): Promise<boolean> {
    try {
      await this.query('SELECT 1', {}, { signal: AbortSignal.timeout(PING_MAX_MS) });
      return true;
    } catch (error) {
      if (error instanceof TallyrankError) return false;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #insert(table: string, lines: Uint8Array, token: string): Promise<void> {
    await this.#call(true, {}, async (common) => {
      const result = await this.#client.exec({
        query: `INSERT INTO ${table} FORMAT JSONEachRow`,
        // Bytes as they are: the engine parses them, and a batch costs this thread nothing.
        values: Readable.from([lines], { objectMode: false }),
        clickhouse_settings: { ...writeSettings(token) },
        ...common,
      });
      // The connection is free for the next call once the (empty) answer was read.
      await result.stream.resume().toArray();
    });
  }

  async #ingest(part: JournalPart, token: string): Promise<IngestAnswer> {
    return this.#call(true, {}, async (common) => {
      const result = await this.#client.exec({
        query: INGEST_STATEMENT,
        query_params: { ...part, token },
        clickhouse_settings: { ...writeSettings(token) },
        ...common,
      });
      const chunks = (await result.stream.toArray()) as Buffer[];
      return JSON.parse(Buffer.concat(chunks).toString()) as IngestAnswer;
    });
  }

  async #call<T>(
    isIdempotent: boolean,
    options: QueryOptions,
    call: (common: CommonParams) => Promise<T>,
  ): Promise<T> {
    const common: CommonParams = {
      ...(options.signal === undefined ? {} : { abort_signal: options.signal }),
      ...(options.timeoutMs === undefined
        ? {}
        : { clickhouse_settings: { max_execution_time: options.timeoutMs / 1_000 } }),
    };
    for (let attempt = 1; ; attempt++) {
      if (this.#isClosed) throw new TallyrankError('store_unavailable', 'This database was closed.');
      try {
        await this.#start();
        // The client never looks at a signal that was aborted before it began to listen.
        options.signal?.throwIfAborted();
        return await call(common);
      } catch (error) {
        const fault = options.signal?.aborted ? null : connectionFault(error);
        const mayRepeat = fault === 'never_sent' || (fault === 'cut' && isIdempotent);
        if (fault !== null) this.#isStarted = false;
        if (!mayRepeat || attempt >= ATTEMPTS_MAX) throw this.#translate(error, options.signal);
        this.#logger?.warn(
          { attempt, fault, isEmbedded: this.isEmbedded },
          'the store connection broke; trying again',
        );
        // An embedded store has only ended for want of work, mostly: starting it is all the pause it needs.
        if (attempt > 1 || !this.isEmbedded) await delay(FIRST_PAUSE_MS * 2 ** (attempt - 1));
      }
    }
  }

  /** Embedded: makes sure that a store process runs, once for all callers that wait. */
  async #start(): Promise<void> {
    if (this.#paths === null || this.#isStarted) return;
    this.#starting ??= ensureStoreProcess(this.#paths, this.#limits).finally(() => {
      this.#starting = null;
    });
    await this.#starting;
    this.#isStarted = true;
  }

  #translate(error: unknown, signal: AbortSignal | undefined): TallyrankError {
    if (signal?.aborted) return new TallyrankError('cancelled', 'The query was cancelled.', { cause: error });
    return toStoreError(error);
  }
}

interface CommonParams {
  abort_signal?: AbortSignal;
  clickhouse_settings?: { max_execution_time: number };
}

/** The engine reads a moment with its milliseconds only in the stored form. */
function boundValues(params: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      value instanceof Date ? storedMoment(value.getTime()) : value,
    ]),
  );
}

/** One row as the engine reads it; JSON has written a `Date` in ISO form by the time a replacer sees it. */
function encodeRow(row: object): string {
  return JSON.stringify(
    Object.fromEntries(
      Object.entries(row).map(([name, value]: [string, unknown]) => [
        name,
        value instanceof Date ? storedMoment(value.getTime()) : value,
      ]),
    ),
  );
}
