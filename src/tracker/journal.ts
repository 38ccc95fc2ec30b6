import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type JournalTable, LineBuffer } from '../core/journal-lines.ts';
import type { Logger } from '../core/log.ts';
import { ownerOf, ownName, releasedName } from './journal-owner.ts';

/** `never`: the kernel decides. `interval`: a power cut costs at most a second. `always`: before each answer ends. */
export type FsyncPolicy = 'never' | 'interval' | 'always';

export interface JournalOptions {
  /** Folder that holds one folder per writer. */
  readonly dir: string;
  readonly logger: Logger;
  readonly fsync?: FsyncPolicy | undefined;
  /** A new segment begins after this many bytes. Small: many files. Large: space is given back late. */
  readonly segmentMaxBytes?: number | undefined;
  /** Bytes that may wait for the store. Beyond it new rows are dropped and counted. */
  readonly sizeMaxBytes?: number | undefined;
}

export interface JournalCounters {
  appendedCount: number;
  /** Rows that could not be kept: the disk was full or the size limit was reached. */
  droppedCount: number;
}

const SEGMENT_MAX_BYTES = 16 * 1024 * 1024;
const SIZE_MAX_BYTES = 2 * 1024 * 1024 * 1024;
const FSYNC_INTERVAL_MS = 1_000;
/** A full disk is said once in this time, not once a request. */
const COMPLAINT_INTERVAL_MS = 10_000;

/**
 * Append-only log of one writer: rows are handed to the operating system once per turn of the event loop,
 * for all requests that end in it, so that a kill of the process loses nothing whose promise resolved.
 * A {@link Shipper} reads behind it and deletes what the store has.
 */
export class Journal {
  /** Identifies the writer in deduplication tokens, through renames by whoever adopts its folder. */
  readonly writerId: string;
  readonly counters: JournalCounters = { appendedCount: 0, droppedCount: 0 };
  readonly #logger: Logger;
  readonly #fsync: FsyncPolicy;
  readonly #segmentMaxBytes: number;
  readonly #sizeMaxBytes: number;
  readonly #root: string;
  #dir: string;
  #segment = 0;
  #fd: number | null = null;
  #segmentBytes = 0;
  #waitingBytes = 0;
  readonly #pending = new LineBuffer();
  #batch: PromiseWithResolversOf<void> | null = null;
  #isDirty = false;
  #fsyncTimer: NodeJS.Timeout | null = null;
  #lastComplaintAtMs = 0;
  /** Called after each write with the rows it added; the shipper wakes up by it. */
  onAppended: ((rowCount: number) => void) | null = null;

  private constructor(root: string, writerId: string, options: JournalOptions) {
    this.writerId = writerId;
    this.#root = root;
    this.#dir = path.join(root, ownName(writerId));
    this.#logger = options.logger;
    this.#fsync = options.fsync ?? 'interval';
    this.#segmentMaxBytes = options.segmentMaxBytes ?? SEGMENT_MAX_BYTES;
    this.#sizeMaxBytes = options.sizeMaxBytes ?? SIZE_MAX_BYTES;
  }

  static open(options: JournalOptions): Journal {
    const journal = new Journal(options.dir, randomBytes(8).toString('hex'), options);
    fs.mkdirSync(journal.#dir, { recursive: true, mode: 0o700 });
    if (journal.#fsync === 'interval') {
      journal.#fsyncTimer = setInterval(() => journal.#syncSoon(), FSYNC_INTERVAL_MS);
      journal.#fsyncTimer.unref();
    }
    // A program that ends without close() has still handed its last turn to the operating system.
    process.on('exit', journal.#writeOnExit);
    return journal;
  }

  get dir(): string {
    return this.#dir;
  }

  /** Number and length of the segment that is being written. The shipper reads up to here. */
  get head(): { readonly segment: number; readonly bytes: number } {
    return { segment: this.#segment, bytes: this.#segmentBytes };
  }

  /** Bytes on disk that the store does not have yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /**
   * Queues a row for this turn's write. The promise resolves once the operating system has the row; where it
   * could not be kept it resolves too, and `droppedCount` says so: an answer never fails for its log.
   *
   * @param json  one JSON object without a line end
   */
  append(table: JournalTable, json: string): Promise<void> {
    this.#pending.add(table, json);
    if (!this.#batch) {
      this.#batch = promiseWithResolvers<void>();
      setImmediate(() => this.#writeBatch());
    }
    return this.#batch.promise;
  }

  /** Writes what waits for the end of the turn now. */
  writeNow(): void {
    if (this.#batch) this.#writeBatch();
  }

  /** The shipper tells that the store has these bytes. */
  shipped(bytes: number): void {
    this.#waitingBytes = Math.max(0, this.#waitingBytes - bytes);
  }

  /** Writes and syncs the rest. A folder that still holds rows is released for the next start to adopt. */
  close(): void {
    this.writeNow();
    if (this.#fsyncTimer) clearInterval(this.#fsyncTimer);
    process.off('exit', this.#writeOnExit);
    if (this.#fd !== null) {
      if (this.#fsync !== 'never') fs.fsyncSync(this.#fd);
      fs.closeSync(this.#fd);
      this.#fd = null;
    }
    if (this.#waitingBytes > 0) {
      const released = path.join(this.#root, releasedName(this.writerId));
      fs.renameSync(this.#dir, released);
      this.#dir = released;
    } else {
      fs.rmSync(this.#dir, { recursive: true, force: true });
    }
  }

  #writeOnExit = (): void => {
    this.writeNow();
  };

  #writeBatch(): void {
    const batch = this.#batch;
    this.#batch = null;
    const { bytes, lineCount } = this.#pending.take();
    if (this.#waitingBytes + bytes.length > this.#sizeMaxBytes) {
      this.#drop(lineCount, `its limit of ${this.#sizeMaxBytes} bytes is reached`, null);
    } else {
      this.#write(bytes, lineCount);
    }
    batch?.resolve();
  }

  #write(bytes: Uint8Array, rowCount: number): void {
    try {
      const fd = this.#openSegment();
      // A short write happens on a nearly full disk; what follows then throws ENOSPC.
      for (let at = 0; at < bytes.length; )
        at += fs.writeSync(fd, bytes, at, bytes.length - at, this.#segmentBytes + at);
      if (this.#fsync === 'always') fs.fdatasyncSync(fd);
      this.#segmentBytes += bytes.length;
      this.#waitingBytes += bytes.length;
      this.#isDirty = true;
      this.counters.appendedCount += rowCount;
      this.onAppended?.(rowCount);
    } catch (error) {
      // The half-written tail lies beyond #segmentBytes and is overwritten by the next write.
      this.#drop(rowCount, 'the disk did not take it', error);
    }
  }

  #openSegment(): number {
    if (this.#fd !== null && this.#segmentBytes < this.#segmentMaxBytes) return this.#fd;
    if (this.#fd !== null) {
      if (this.#fsync !== 'never') fs.fdatasyncSync(this.#fd);
      fs.closeSync(this.#fd);
      this.#fd = null;
    }
    const next = this.#segment + 1;
    this.#fd = fs.openSync(path.join(this.#dir, segmentName(next)), 'wx', 0o600);
    this.#segment = next;
    this.#segmentBytes = 0;
    return this.#fd;
  }

  #drop(rowCount: number, why: string, error: unknown): void {
    this.counters.droppedCount += rowCount;
    const nowMs = Date.now();
    if (nowMs - this.#lastComplaintAtMs < COMPLAINT_INTERVAL_MS) return;
    this.#lastComplaintAtMs = nowMs;
    this.#logger.error(
      { droppedCount: this.counters.droppedCount, waitingBytes: this.#waitingBytes, err: error },
      `The journal drops rows: ${why}. Free disk space or bring the store back; requests are answered all the same.`,
    );
  }

  #syncSoon(): void {
    if (!this.#isDirty || this.#fd === null) return;
    this.#isDirty = false;
    fs.fdatasync(this.#fd, (error) => {
      // EBADF: the segment was closed, and synced, in between.
      if (error && error.code !== 'EBADF')
        this.#logger.error({ err: error }, 'The journal could not be synced to disk.');
    });
  }
}

export function segmentName(number: number): string {
  return `${String(number).padStart(8, '0')}.log`;
}

/** Numbers of the segments in a writer's folder, ascending. */
export function listSegments(dir: string): number[] {
  return fs
    .readdirSync(dir)
    .map((name) => /^(\d{8})\.log$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

/**
 * Takes over the folders of writers that are gone. The rename decides between two that want the same one.
 *
 * @returns the folders that are now this process's, with the writer they came from
 */
export function adoptOrphans(root: string): { dir: string; writerId: string }[] {
  if (!fs.existsSync(root)) return [];
  const adopted: { dir: string; writerId: string }[] = [];
  for (const name of fs.readdirSync(root)) {
    const owner = ownerOf(name);
    if (!owner || owner.isAlive) continue;
    const dir = path.join(root, ownName(owner.writerId));
    try {
      fs.renameSync(path.join(root, name), dir);
      adopted.push({ dir, writerId: owner.writerId });
    } catch (error) {
      // Somebody else was faster: the rows are in good hands.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return adopted;
}

interface PromiseWithResolversOf<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

/** Promise.withResolvers is younger than the Node we support. */
function promiseWithResolvers<T>(): PromiseWithResolversOf<T> {
  let resolve: (value: T) => void = () => {
    throw new Error('unreachable: the executor runs at once');
  };
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
