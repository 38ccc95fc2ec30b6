import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TallyrankError } from '../core/errors.ts';
import type { JournalTable } from '../core/journal-lines.ts';
import type { Logger } from '../core/log.ts';
import type { FsyncPolicy, JournalCounters } from './journal.ts';
import { adoptOrphans, Journal } from './journal.ts';
import type { ShipperCounters, UsageSink } from './shipper.ts';
import { Shipper } from './shipper.ts';

export interface DeliveryOptions {
  readonly sink: UsageSink;
  /** Folder below which `journal/` lies. */
  readonly dataDir: string;
  readonly logger: Logger;
  /** Rows that wait before a batch is sent ahead of its time. */
  readonly bufferSize?: number | undefined;
  /** Longest time a row waits for its batch. */
  readonly flushIntervalMs?: number | undefined;
  readonly fsync?: FsyncPolicy | undefined;
  readonly journalMaxBytes?: number | undefined;
}

export interface DeliveryCounters extends JournalCounters, ShipperCounters {
  journalWaitingBytes: number;
}

/**
 * A row in a batch of 10,000 costs the engine less than half of one in a batch of 1,000. Smaller sends small batches
 * under load; larger makes a burst wait for its time.
 */
const BUFFER_SIZE = 20_000;
const FLUSH_INTERVAL_MS = 1_000;
const FLUSH_DEADLINE_MS = 30_000;
const CLOSE_DEADLINE_MS = 10_000;
/**
 * After the deadline an insert may hang in a store that neither answers nor breaks the connection. It is left
 * behind: its bounds are on disk, and the next process repeats it under the same token.
 */
const SETTLE_MAX_MS = 1_000;

/**
 * Gets rows from memory to the store: one journal that is written, shippers behind it and behind whatever
 * earlier processes left, and the timer that wakes them.
 */
export class Delivery {
  readonly #sink: UsageSink;
  readonly #logger: Logger;
  readonly #bufferSize: number;
  readonly #flushIntervalMs: number;
  readonly #journal: Journal;
  readonly #shipper: Shipper;
  readonly #orphans: Shipper[] = [];
  readonly #closing = new AbortController();
  #waitingCount = 0;
  #timer: NodeJS.Timeout | null = null;
  #isShipping = false;

  constructor(options: DeliveryOptions) {
    this.#sink = options.sink;
    this.#logger = options.logger;
    this.#bufferSize = options.bufferSize ?? BUFFER_SIZE;
    this.#flushIntervalMs = options.flushIntervalMs ?? FLUSH_INTERVAL_MS;
    if (!(this.#bufferSize >= 1))
      throw new RangeError(`bufferSize must be at least 1, not ${this.#bufferSize}`);
    const dir = path.join(options.dataDir, 'journal');
    const orphans = adoptOrphans(dir);
    this.#journal = Journal.open({
      dir,
      logger: options.logger,
      fsync: options.fsync,
      sizeMaxBytes: options.journalMaxBytes,
    });
    this.#shipper = this.#shipperOf(this.#journal.dir, this.#journal.writerId, this.#journal);
    this.#journal.onAppended = (rowCount) => this.#appended(rowCount);
    for (const orphan of orphans) this.#replay(orphan.dir, orphan.writerId);
  }

  /** See {@link Journal.append}. */
  append(table: JournalTable, json: string): Promise<void> {
    return this.#journal.append(table, json);
  }

  get isStoreAway(): boolean {
    return this.#shipper.isStoreAway;
  }

  get counters(): DeliveryCounters {
    const sum = { shippedCount: 0, tornCount: 0, rejectedCount: 0 };
    for (const { counters } of [this.#shipper, ...this.#orphans]) {
      sum.shippedCount += counters.shippedCount;
      sum.tornCount += counters.tornCount;
      sum.rejectedCount += counters.rejectedCount;
    }
    return { ...this.#journal.counters, ...sum, journalWaitingBytes: this.#journal.waitingBytes };
  }

  /**
   * Sends all that was appended to the store, and what earlier processes left, and waits until it has it.
   *
   * @throws {TallyrankError} `store_unavailable` after 30 s; the rows stay in the journal and are sent later
   */
  async flush(): Promise<void> {
    this.#journal.writeNow();
    await this.#shipWithin(FLUSH_DEADLINE_MS);
  }

  /** Sends the rest, as far as the store takes it in ten seconds, and gives the journal back. */
  async close(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#journal.onAppended = null;
    this.#journal.writeNow();
    try {
      await this.#shipWithin(CLOSE_DEADLINE_MS);
    } catch (error) {
      this.#logger.warn({ err: error }, 'The store did not take the last rows; they wait in the journal.');
    }
    this.#closing.abort();
    const settled = Promise.all([this.#shipper, ...this.#orphans].map((shipper) => shipper.settled()));
    await Promise.race([settled, sleep(SETTLE_MAX_MS, undefined, { ref: false })]);
    this.#journal.close();
  }

  #appended(rowCount: number): void {
    this.#waitingCount += rowCount;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#closing.signal.aborted || this.#isShipping || this.#waitingCount === 0) return;
    const isFull = this.#waitingCount >= this.#bufferSize;
    if (this.#timer && !isFull) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#shipNow(), isFull ? 0 : this.#flushIntervalMs);
  }

  async #shipNow(): Promise<void> {
    this.#timer = null;
    this.#waitingCount = 0;
    this.#isShipping = true;
    try {
      await this.#shipper.ship(this.#closing.signal);
    } catch (error) {
      if (!this.#closing.signal.aborted) {
        this.#logger.error(
          { err: error },
          'Shipping the journal failed; it is tried again with the next rows.',
        );
      }
    }
    this.#isShipping = false;
    this.#schedule();
  }

  async #shipWithin(deadlineMs: number): Promise<void> {
    const deadline = AbortSignal.timeout(deadlineMs);
    const expired = new Promise<never>((_, reject) => {
      deadline.addEventListener('abort', () => {
        const message = `The store did not answer within ${deadlineMs / 1000} s; the rows wait in the journal.`;
        reject(new TallyrankError('store_unavailable', message));
      });
    });
    const own = this.#shipper.ship(AbortSignal.any([deadline, this.#closing.signal]));
    const inherited = this.#orphans.map((shipper) => shipper.settled());
    await Promise.race([Promise.all([own, ...inherited]), expired]);
  }

  #shipperOf(dir: string, writerId: string, own: Journal | null): Shipper {
    return new Shipper({
      sink: this.#sink,
      tail: { dir, writerId, head: () => own?.head ?? null, shipped: (bytes) => own?.shipped(bytes) },
      logger: this.#logger,
      onFlushed: (count) =>
        this.#logger.info({ count }, `[UsageTracker] Flushed ${count} entries to database`),
    });
  }

  /** Ships what an earlier process left, and removes its folder. */
  #replay(dir: string, writerId: string): void {
    const shipper = this.#shipperOf(dir, writerId, null);
    this.#orphans.push(shipper);
    shipper.shipAndRemove(this.#closing.signal).then(
      (count) => this.#logger.info({ count }, 'Replayed the journal that an earlier process left.'),
      (error: unknown) => {
        if (this.#closing.signal.aborted) return;
        this.#logger.error({ err: error }, 'The journal of an earlier process could not be replayed yet.');
      },
    );
  }
}
