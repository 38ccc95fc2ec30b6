import { TallyrankError } from '../core/errors.ts';
import type { Signal } from '../core/signal.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import type { BuiltRankings } from './build-rankings.ts';
import type { EvidenceBook, ObservedRequest } from './evidence.ts';
import { addToBook, evidenceOfRequest, mergeBooks } from './evidence.ts';
import type { LiveEntry, LiveRequest } from './live-entries.ts';
import { condense, failureEntry, liveRequestOf, requestEntry, signalEntry } from './live-entries.ts';

/** Pairs of use case and model that may be updated in memory. Beyond it the names are surely not names. */
const CELLS_MAX = 10_000;
/** Requests and signals kept one by one; beyond it the older half is added up. Five minutes at 300 a second. */
const ENTRIES_MAX = 100_000;
/** Own requests that a late signal can still be added to; older ones are in the store's evidence. */
const REMEMBERED_MAX = 20_000;
/**
 * Published snapshots after which an entry goes even though its moment lies after theirs: a clock that was set back
 * must not count it twice for ever.
 */
const SURVIVED_MAX = 5;
/** Rankings are rebuilt at most this often, and with this share of the time at most. */
const REBUILD_PAUSE_MS = 1_000;
const REBUILD_TIME_SHARE = 0.02;

/** The evidence that a published snapshot was computed from. */
export interface LiveBase {
  readonly runId: string;
  /** End of its window: what this process saw until then is in it. Milliseconds since 1970. */
  readonly untilMs: number;
  readonly book: EvidenceBook;
}

/**
 * The rankings of this moment: the evidence that was published, with what this process saw since on top. Noting a
 * request costs an allocation; evidence is added up and rankings are computed when they are read, at most once a
 * second.
 */
export class LiveRankings {
  readonly #build: (book: EvidenceBook) => BuiltRankings;
  readonly #clock: () => number;
  #base: LiveBase | null = null;
  /** Requests that no log knows of: on top of every base. */
  #unlogged: EvidenceBook = new Map();
  #entries: LiveEntry[] = [];
  /** How many of the entries are in `#onTop`. */
  #addedCount = 0;
  #onTop: EvidenceBook = new Map();
  readonly #remembered = new Map<string, LiveRequest>();
  #built: BuiltRankings | null = null;
  #isStale = false;
  #mayRebuildAtMs = Number.NEGATIVE_INFINITY;

  constructor(build: (book: EvidenceBook) => BuiltRankings, clock: () => number) {
    this.#build = build;
    this.#clock = clock;
  }

  /** True once there is something to count on top: whoever follows the store must then bring the evidence as well. */
  get isUsed(): boolean {
    return this.#entries.length > 0 || this.#unlogged.size > 0;
  }

  get hasBase(): boolean {
    return this.#base !== null;
  }

  /** Logged requests in {@link built} that the published evidence does not have. */
  get requestCount(): number {
    let count = 0;
    for (const models of this.#onTop.values()) {
      for (const { requestCount } of models.values()) count += requestCount;
    }
    return count;
  }

  /** New evidence, published by whomever: what it contains of this process is dropped. null: there is none to add to. */
  rebase(base: LiveBase | null): void {
    this.#base = base;
    if (base !== null) {
      this.#entries = this.#entries.filter(
        (entry) => entry.atMs > base.untilMs && ++entry.survivedCount <= SURVIVED_MAX,
      );
    }
    this.#addedCount = 0;
    this.#onTop = new Map();
    this.#built = null;
    this.#mayRebuildAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Notes a finished request that was logged: it counts until the published evidence contains it. */
  observe(record: UsageRecord): void {
    const nowMs = this.#clock();
    const request = liveRequestOf(record);
    this.#push(requestEntry(request, nowMs));
    for (const { modelId } of record.failedAttempts) this.#push(failureEntry(request, modelId, nowMs));
    this.#remembered.set(record.requestId, request);
    if (this.#remembered.size <= REMEMBERED_MAX) return;
    const oldest = this.#remembered.keys().next();
    if (!oldest.done) this.#remembered.delete(oldest.value);
  }

  /**
   * Notes what was learnt later about a request that was observed here.
   *
   * @returns false when it was not, or is too long ago: the next refresh counts the signal
   */
  observeSignal(signal: Signal): boolean {
    const request = this.#remembered.get(signal.requestId);
    if (request === undefined) return false;
    this.#push(signalEntry(request, signal, this.#clock()));
    return true;
  }

  /**
   * Counts a request that no log knows of.
   *
   * @throws {TallyrankError} `bad_request` when far more names come in than there are models and use cases
   */
  addUnlogged(useCase: string, modelId: string, request: ObservedRequest): void {
    const isNew = !this.#unlogged.get(useCase)?.has(modelId);
    if (isNew && cellCount(this.#unlogged) >= CELLS_MAX) {
      throw new TallyrankError(
        'bad_request',
        `More than ${CELLS_MAX} pairs of use case and model were updated.`,
      );
    }
    this.#unlogged = addToBook(this.#unlogged, useCase, evidenceOfRequest(modelId, request));
    // Whoever updates by hand wants to see it in the answer.
    this.#isStale = true;
    this.#mayRebuildAtMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * All rankings with what is on top; the same object until something changed and a second has passed. null while
   * nothing is on top, or there is no evidence to add to: then the published rankings are those of this moment.
   */
  get built(): BuiltRankings | null {
    const base = this.#base;
    if (base === null || !this.isUsed) return null;
    const nowMs = this.#clock();
    if (this.#built !== null && (!this.#isStale || nowMs < this.#mayRebuildAtMs)) return this.#built;
    this.#addUp(base);
    this.#built = this.#build(mergeBooks(mergeBooks(base.book, this.#onTop), this.#unlogged));
    this.#isStale = false;
    const doneAtMs = this.#clock();
    this.#mayRebuildAtMs = doneAtMs + Math.max(REBUILD_PAUSE_MS, (doneAtMs - nowMs) / REBUILD_TIME_SHARE);
    return this.#built;
  }

  #push(entry: LiveEntry): void {
    this.#entries.push(entry);
    this.#isStale = true;
    if (this.#entries.length <= ENTRIES_MAX) return;
    // Nothing was published for long.
    const half = Math.floor(this.#entries.length / 2);
    this.#entries = [...condense(this.#entries.slice(0, half)), ...this.#entries.slice(half)];
    this.#addedCount = 0;
    this.#onTop = new Map();
  }

  /** The use case of an entry is known under its own run only: others come with the next refresh. */
  #addUp({ runId }: LiveBase): void {
    for (const entry of this.#entries.slice(this.#addedCount)) {
      if (entry.runId !== null && entry.runId !== runId) continue;
      this.#onTop = addToBook(this.#onTop, entry.useCase, entry.evidence());
    }
    this.#addedCount = this.#entries.length;
  }
}

function cellCount(book: EvidenceBook): number {
  let count = 0;
  for (const models of book.values()) count += models.size;
  return count;
}
