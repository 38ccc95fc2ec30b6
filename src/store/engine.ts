import { drainPending, Session } from 'chdb';
import { placeholderNames, quoteText } from './sql-text.ts';

/** A statement with its bound values (as ClickHouse's HTTP protocol writes them) and its own settings. */
export interface EngineStatement {
  readonly sql: string;
  readonly params: ReadonlyMap<string, string>;
  readonly settings: ReadonlyMap<string, string>;
}

/** `INSERT INTO table (columns) FORMAT format` with the rows as bytes. */
export interface EngineInsert {
  readonly table: string;
  readonly columns: readonly string[] | null;
  readonly format: string;
  readonly rows: Buffer;
  readonly settings: ReadonlyMap<string, string>;
}

export interface EngineAnswer {
  readonly body: Uint8Array;
  readonly rowsRead: number;
  readonly bytesRead: number;
  readonly rowsWritten: number;
}

export interface EngineLimits {
  /** Bound on the engine's memory. Too small: merges and rankings fail with code 241; too large: the machine swaps. */
  readonly serverMemoryMaxBytes: number;
  readonly queryMemoryMaxBytes: number;
}

/** An error in ClickHouse's numbering. */
export class EngineError extends Error {
  readonly engineCode: number;

  constructor(engineCode: number, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'EngineError';
    this.engineCode = engineCode;
  }
}

/**
 * Sessions on one directory run beside each other, one statement each, on libuv's four threads: one for
 * writes, three for reads. More would wait for a thread and not for a lane.
 */
const READ_LANES = 3;
/** Waiting statements; beyond it callers are told to come back, and memory stays bounded. */
const WAITING_MAX = 1_000;
/**
 * Every statement has an end, its caller's or this one: a running one cannot be ended from outside. (KILL QUERY
 * now and then stops the work but not the wait for it, and the lane never comes back: chDB 3.4.0.)
 */
const STATEMENT_MAX_SECONDS = 600;

/** chDB in this process: a write lane and read lanes over one directory. */
export class Engine {
  readonly #writes: Lanes;
  readonly #reads: Lanes;
  readonly #sessions: readonly Session[];

  private constructor(sessions: readonly [Session, ...Session[]]) {
    const [write, ...reads] = sessions;
    this.#sessions = sessions;
    this.#writes = new Lanes([write]);
    this.#reads = new Lanes(reads);
  }

  /**
   * @throws {EngineError} code 76 when another process holds the directory
   */
  static open(dir: string, limits: EngineLimits): Engine {
    const connectionArgs = [
      `--max_server_memory_usage=${limits.serverMemoryMaxBytes}`,
      `--max_memory_usage=${limits.queryMemoryMaxBytes}`,
      // A machine's own zone must not move a day; numbers are numbers and never texts.
      '--session_timezone=UTC',
      '--output_format_json_quote_64bit_integers=0',
      '--output_format_json_quote_denormals=0',
      `--max_execution_time=${STATEMENT_MAX_SECONDS}`,
    ];
    const open = (): Session => new Session(dir, { connectionArgs });
    try {
      return new Engine([open(), ...Array.from({ length: READ_LANES }, open)]);
    } catch (error) {
      throw toEngineError(error);
    }
  }

  /** Runs one statement. One that is aborted before its turn never runs. */
  async run(statement: EngineStatement, signal: AbortSignal): Promise<EngineAnswer> {
    return this.#reads.use(signal, async (session) => {
      await this.#prepare(session, statement);
      try {
        const result = await session.queryAsync(statement.sql, { format: 'TabSeparated' });
        return {
          body: result.bytes(),
          rowsRead: result.rowsRead,
          bytesRead: result.bytesRead,
          rowsWritten: 0,
        };
      } finally {
        await this.#restore(session, statement);
      }
    });
  }

  /** The answer of a SELECT block by block, for answers larger than memory should hold. */
  async stream(
    statement: EngineStatement,
    format: string,
    signal: AbortSignal,
    take: (block: Uint8Array) => Promise<void>,
  ): Promise<void> {
    await this.#reads.use(signal, async (session) => {
      await this.#prepare(session, statement);
      try {
        for await (const chunk of session.queryStream(statement.sql, { format, signal }))
          await take(chunk.raw());
      } finally {
        await this.#restore(session, statement);
      }
    });
  }

  async insert(insert: EngineInsert, signal: AbortSignal): Promise<EngineAnswer> {
    return this.#writes.use(signal, async (session) => {
      const summary = await session.insert({
        table: insert.table,
        values: insert.rows,
        format: insert.format as 'JSONEachRow',
        ...(insert.columns === null ? {} : { columns: insert.columns }),
        settings: Object.fromEntries(insert.settings),
      });
      return { body: new Uint8Array(0), rowsRead: 0, bytesRead: 0, rowsWritten: summary.rowsSent ?? 0 };
    });
  }

  /** Waits for what runs, then gives the directory free. */
  async close(): Promise<void> {
    await Promise.all([this.#writes.drain(), this.#reads.drain()]);
    await drainPending();
    for (const session of this.#sessions) session.close();
    await drainPending();
  }

  /**
   * Values are bound with SET on the lane's own session. chDB's own binding keeps one process-wide chain, so
   * that one slow statement would hold up every other one with a parameter.
   */
  async #prepare(session: Session, statement: EngineStatement): Promise<void> {
    const { sql, params, settings } = statement;
    // The session remembers values of earlier statements: a missing one must fail and not take theirs.
    for (const name of placeholderNames(sql)) {
      if (params.has(name)) continue;
      throw new EngineError(456, `Substitution \`${name}\` is not set. (UNKNOWN_QUERY_PARAMETER)`);
    }
    const parts: string[] = [];
    for (const [name, value] of settings) parts.push(`${name} = ${quoteText(value)}`);
    for (const [name, value] of params) parts.push(`param_${name} = ${quoteText(value)}`);
    if (parts.length > 0) await session.queryAsync(`SET ${parts.join(', ')}`);
  }

  async #restore(session: Session, statement: EngineStatement): Promise<void> {
    if (statement.settings.size === 0) return;
    // DEFAULT is the engine's own, which for the time is none.
    const parts = [...statement.settings.keys()].map((name) =>
      name === 'max_execution_time' ? `${name} = ${STATEMENT_MAX_SECONDS}` : `${name} = DEFAULT`,
    );
    await session.queryAsync(`SET ${parts.join(', ')}`);
  }
}

/** Sessions that are lent to one statement at a time, first come, first served. */
class Lanes {
  readonly #free: Session[];
  readonly #waiting: ((session: Session) => void)[] = [];
  #busyCount = 0;
  #drained: (() => void) | null = null;

  constructor(sessions: readonly Session[]) {
    this.#free = [...sessions];
  }

  async use<T>(signal: AbortSignal, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#take();
    try {
      // Whoever left while waiting costs nothing more.
      if (signal.aborted) throw new EngineError(394, 'Query was cancelled. (QUERY_WAS_CANCELLED)');
      return await work(session);
    } catch (error) {
      throw toEngineError(error);
    } finally {
      this.#give(session);
    }
  }

  async drain(): Promise<void> {
    if (this.#busyCount === 0) return;
    await new Promise<void>((done) => {
      this.#drained = done;
    });
  }

  async #take(): Promise<Session> {
    this.#busyCount++;
    const session = this.#free.pop();
    if (session !== undefined) return session;
    if (this.#waiting.length >= WAITING_MAX) {
      this.#busyCount--;
      throw new EngineError(202, 'Too many statements wait for the store. (TOO_MANY_SIMULTANEOUS_QUERIES)');
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #give(session: Session): void {
    this.#busyCount--;
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(session);
    else next(session);
    if (this.#busyCount === 0) this.#drained?.();
  }
}

function toEngineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const given = (error as { clickhouseCode?: unknown } | null)?.clickhouseCode;
  const written = /Code:\s*(\d+)/.exec(message)?.[1];
  // 1001 is ClickHouse's number for an exception that is not its own.
  const code = typeof given === 'number' ? given : written === undefined ? 1001 : Number(written);
  return new EngineError(code, message, error);
}
