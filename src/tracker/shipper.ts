import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TallyrankError } from '../core/errors.ts';
import type { JournalLine, JournalTable } from '../core/journal-lines.ts';
import { decodeLines } from '../core/journal-lines.ts';
import type { Logger } from '../core/log.ts';
import { listSegments, segmentName } from './journal.ts';

/** Takes rows as JSONEachRow bytes; the same token twice must store them once. */
export interface UsageSink {
  insertLines(table: JournalTable, lines: Uint8Array, deduplicationToken: string): Promise<void>;
  /**
   * Takes the lines of a part of a journal file as {@link insertLines} would, each table under the token with `/table`
   * behind it; null, and nothing stored, where the store cannot read the file or the part does not end with a line. It
   * spares this process reading, checking and sending every row once more.
   */
  insertJournal?(part: JournalPart, deduplicationToken: string): Promise<JournalReceipt | null>;
}

/** Bytes of a journal file from the beginning of a line to that of another. */
export interface JournalPart {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

export interface JournalReceipt {
  readonly rowCounts: Partial<Record<JournalTable, number>>;
  /** Lines that did not check. */
  readonly tornCount: number;
}

interface Head {
  readonly segment: number;
  readonly bytes: number;
}

/** A writer's folder and how far it has been written. */
export interface JournalTail {
  readonly dir: string;
  readonly writerId: string;
  /** The segment that is still being written; null when the writer is gone. */
  head(): Head | null;
  shipped(bytes: number): void;
}

export interface ShipperCounters {
  shippedCount: number;
  tornCount: number;
  /** Rows that the store refused for what they are; they lie in `rejected.log` beside the journal. */
  rejectedCount: number;
}

export interface ShipperOptions {
  readonly sink: UsageSink;
  readonly tail: JournalTail;
  readonly logger: Logger;
  readonly batchRowCountMax?: number | undefined;
  /** Called after each batch that the store took, with the rows of the usage log in it. */
  readonly onFlushed?: ((rowCount: number) => void) | undefined;
}

/** Where reading goes on, and a batch that may or may not have reached the store before a crash. */
interface Cursor {
  segment: number;
  offset: number;
  attemptEnd: number | null;
}

interface Batch {
  readonly segment: number;
  readonly start: number;
  readonly end: number;
  readonly lines: readonly JournalLine[];
  readonly tornCount: number;
}

/** Inserts of fewer than about 1,000 rows waste the engine; far more make a retry costly. */
const BATCH_ROW_COUNT_MAX = 10_000;
const BATCH_MAX_BYTES = 8 * 1024 * 1024;
/** A part that the store reads itself: more than a segment holds. Smaller ones cost the engine more per row. */
const PART_MAX_BYTES = 64 * 1024 * 1024;
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 10_000;

/**
 * Moves one writer's journal into the store, in order, each row once: the bounds of a batch are on disk
 * before it is tried, so a crash between the store's answer and ours repeats exactly the same batch, under
 * the same deduplication token.
 */
export class Shipper {
  readonly counters: ShipperCounters = { shippedCount: 0, tornCount: 0, rejectedCount: 0 };
  readonly #sink: UsageSink;
  readonly #tail: JournalTail;
  readonly #logger: Logger;
  readonly #batchRowCountMax: number;
  readonly #onFlushed: (rowCount: number) => void;
  #cursor: Cursor | null = null;
  #running: Promise<void> | null = null;
  #isStoreAway = false;

  constructor(options: ShipperOptions) {
    this.#sink = options.sink;
    this.#tail = options.tail;
    this.#logger = options.logger;
    this.#batchRowCountMax = options.batchRowCountMax ?? BATCH_ROW_COUNT_MAX;
    this.#onFlushed = options.onFlushed ?? (() => undefined);
  }

  get isStoreAway(): boolean {
    return this.#isStoreAway;
  }

  /**
   * Ships all that is written now; waits for a run that is under way. What is written meanwhile is left to the
   * next call: while requests keep coming, there would be no end.
   *
   * @param signal  ends the waiting for a store that is away
   * @throws {TallyrankError} what the store said, when `signal` ended the retries
   */
  async ship(signal?: AbortSignal): Promise<void> {
    const goal = this.#tail.head();
    while (this.#running) await this.#running.catch(() => undefined);
    this.#running = this.#run(goal, signal).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /**
   * Ships the journal of a writer that is gone, then removes its folder.
   *
   * @returns the rows that the store took
   */
  async shipAndRemove(signal: AbortSignal): Promise<number> {
    await this.ship(signal);
    await fs.rm(this.#tail.dir, { recursive: true });
    return this.counters.shippedCount;
  }

  /** Resolves when no run is under way, whatever became of it. */
  async settled(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }

  /** @param goal  where the journal ended when it was asked for; null: to the end of a journal that nobody writes */
  async #run(goal: Head | null, signal: AbortSignal | undefined): Promise<void> {
    this.#cursor ??= await this.#readCursor();
    while (goal === null || !isPast(this.#cursor, goal)) {
      const isShipped =
        (await this.#shipPart(this.#cursor, signal)) || (await this.#shipBatch(this.#cursor, signal));
      if (!isShipped && !(await this.#advance(this.#cursor))) return;
    }
  }

  /** All that is written of a segment, by a store that reads it itself; false where that cannot be. */
  async #shipPart(cursor: Cursor, signal: AbortSignal | undefined): Promise<boolean> {
    const head = this.#tail.head();
    // What a crash left behind may end anywhere.
    if (head === null || this.#sink.insertJournal === undefined) return false;
    const { segment, offset } = cursor;
    const file = path.join(this.#tail.dir, segmentName(segment));
    const end = cursor.attemptEnd ?? (head.segment === segment ? head.bytes : await sizeOf(file));
    if (end <= offset || end - offset > PART_MAX_BYTES) return false;
    await this.#writeCursor({ segment, offset, attemptEnd: end });
    const receipt = await this.#receiptOf(
      { file, start: offset, end },
      this.#tokenOf(segment, offset, end),
      signal,
    );
    if (receipt === null) return false;
    await this.#shipped(segment, offset, end);
    const counts = Object.values(receipt.rowCounts);
    this.#account(
      counts.reduce((sum, count) => sum + count, 0),
      receipt.rowCounts.usage_log ?? 0,
      receipt.tornCount,
    );
    return true;
  }

  async #receiptOf(
    part: JournalPart,
    token: string,
    signal: AbortSignal | undefined,
  ): Promise<JournalReceipt | null> {
    try {
      return await this.#withRetry(
        async () => (await this.#sink.insertJournal?.(part, token)) ?? null,
        signal,
      );
    } catch (error) {
      if (!(error instanceof TallyrankError) || error.retryable) throw error;
      // Some row of it is refused: which one, is found out batch by batch. Tables that it has already stay as they are.
      return null;
    }
  }

  async #shipBatch(cursor: Cursor, signal: AbortSignal | undefined): Promise<boolean> {
    const batch = await this.#nextBatch(cursor);
    if (batch === null) return false;
    const { segment, start, end, lines } = batch;
    await this.#writeCursor({ segment, offset: start, attemptEnd: end });
    await this.#withRetry(() => this.#insert(batch), signal);
    await this.#shipped(segment, start, end);
    const usageCount = lines.filter((line) => line.table === 'usage_log').length;
    this.#account(lines.length, usageCount, batch.tornCount);
    return true;
  }

  async #shipped(segment: number, start: number, end: number): Promise<void> {
    await this.#writeCursor({ segment, offset: end, attemptEnd: null });
    this.#tail.shipped(end - start);
  }

  #account(rowCount: number, usageCount: number, tornCount: number): void {
    this.counters.shippedCount += rowCount;
    if (tornCount > 0) {
      this.counters.tornCount += tornCount;
      this.#logger.warn({ tornCount }, 'Half-written journal lines were skipped.');
    }
    if (usageCount > 0) this.#onFlushed(usageCount);
  }

  #tokenOf(segment: number, start: number, end: number): string {
    return `${this.#tail.writerId}/${segment}/${start}-${end}`;
  }

  async #nextBatch(cursor: Cursor): Promise<Batch | null> {
    const head = this.#tail.head();
    const file = path.join(this.#tail.dir, segmentName(cursor.segment));
    const written = head?.segment === cursor.segment ? head.bytes : await sizeOf(file);
    const limit = cursor.attemptEnd ?? Math.min(written, cursor.offset + BATCH_MAX_BYTES);
    if (limit <= cursor.offset) return null;
    let bytes = await readRange(file, cursor.offset, limit);
    let decoded = decodeLines(
      bytes,
      cursor.attemptEnd === null ? this.#batchRowCountMax : Number.POSITIVE_INFINITY,
    );
    if (decoded.consumedBytes === 0 && limit < written) {
      // One line longer than a batch: read on to its end.
      bytes = await readRange(file, cursor.offset, written);
      decoded = decodeLines(bytes, 1);
    }
    if (decoded.consumedBytes === 0) {
      // A last line without its end. Its writer is gone or has begun another segment: it stays torn.
      const isFinal = head === null || head.segment > cursor.segment;
      if (!isFinal) return null;
      return { segment: cursor.segment, start: cursor.offset, end: limit, lines: [], tornCount: 1 };
    }
    const end = cursor.offset + decoded.consumedBytes;
    return {
      segment: cursor.segment,
      start: cursor.offset,
      end,
      lines: decoded.lines,
      tornCount: decoded.tornCount,
    };
  }

  /** Goes on to the next segment when this one is complete and shipped; false when there is none yet. */
  async #advance(cursor: Cursor): Promise<boolean> {
    const next = listSegments(this.#tail.dir).find((segment) => segment > cursor.segment);
    if (next === undefined) return false;
    await this.#writeCursor({ segment: next, offset: 0, attemptEnd: null });
    await fs.rm(path.join(this.#tail.dir, segmentName(cursor.segment)), { force: true });
    return true;
  }

  async #withRetry<T>(insert: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (let waitMs = RETRY_MIN_MS; ; waitMs = Math.min(RETRY_MAX_MS, waitMs * 2)) {
      try {
        const answer = await insert();
        if (this.#isStoreAway) this.#logger.info({}, 'The store is back; the journal is being shipped.');
        this.#isStoreAway = false;
        return answer;
      } catch (error) {
        if (!(error instanceof TallyrankError) || !error.retryable) throw error;
        if (!this.#isStoreAway) {
          this.#logger.warn({ err: error }, 'The store is away; rows wait in the journal.');
        }
        this.#isStoreAway = true;
        if (signal?.aborted) throw error;
        await sleep(waitMs, undefined, signal ? { signal } : {}).catch(() => undefined);
      }
    }
  }

  async #insert(batch: Batch): Promise<void> {
    const token = this.#tokenOf(batch.segment, batch.start, batch.end);
    const byTable = new Map<JournalTable, Buffer[]>();
    for (const line of batch.lines) {
      const rows = byTable.get(line.table) ?? [];
      rows.push(line.bytes);
      byTable.set(line.table, rows);
    }
    for (const [table, rows] of byTable) await this.#insertRows(table, rows, `${token}/${table}`);
  }

  /** A row that the store refuses is found by halving, so that one bad row does not hold up the rest. */
  async #insertRows(table: JournalTable, rows: readonly Buffer[], token: string): Promise<void> {
    try {
      await this.#sink.insertLines(table, Buffer.concat(rows), token);
    } catch (error) {
      if (!(error instanceof TallyrankError) || error.retryable) throw error;
      if (rows.length > 1) {
        const half = Math.ceil(rows.length / 2);
        await this.#insertRows(table, rows.slice(0, half), `${token}:a`);
        await this.#insertRows(table, rows.slice(half), `${token}:b`);
        return;
      }
      this.counters.rejectedCount++;
      this.#logger.error(
        { table, err: error },
        'The store refused a row; it was put aside into rejected.log.',
      );
      const file = path.join(path.dirname(this.#tail.dir), 'rejected.log');
      await fs.appendFile(file, Buffer.concat([Buffer.from(`${table} `), ...rows]), { mode: 0o600 });
    }
  }

  async #readCursor(): Promise<Cursor> {
    const first = listSegments(this.#tail.dir)[0] ?? 1;
    try {
      const read: unknown = JSON.parse(await fs.readFile(this.#cursorFile, 'utf8'));
      const cursor = read as Cursor;
      return cursor.segment >= first ? cursor : { segment: first, offset: 0, attemptEnd: null };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return { segment: first, offset: 0, attemptEnd: null };
    }
  }

  async #writeCursor(cursor: Cursor): Promise<void> {
    this.#cursor = cursor;
    const next = `${this.#cursorFile}.next`;
    const file = await fs.open(next, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(cursor));
      await file.datasync();
    } finally {
      await file.close();
    }
    await fs.rename(next, this.#cursorFile);
  }

  get #cursorFile(): string {
    return path.join(this.#tail.dir, 'cursor.json');
  }
}

function isPast(cursor: Cursor, goal: Head): boolean {
  if (cursor.segment !== goal.segment) return cursor.segment > goal.segment;
  return cursor.offset >= goal.bytes;
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await fs.stat(file)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

async function readRange(file: string, from: number, to: number): Promise<Buffer> {
  const handle = await fs.open(file, 'r');
  try {
    const bytes = Buffer.allocUnsafe(to - from);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, from);
    return bytes.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
