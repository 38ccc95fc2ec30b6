import { TallyrankError } from '../core/errors.ts';
import type { UseCaseRanking } from '../core/snapshot.ts';
import type { BuiltRankings } from './build-rankings.ts';
import type { EvidenceBook, ObservedRequest } from './evidence.ts';
import { addToBook, evidenceOfRequest, mergeBooks } from './evidence.ts';
import type { LiveEntry, LiveEvent } from './live-entries.ts';
import { condense, entryOf } from './live-entries.ts';
import { LiveSums } from './live-sums.ts';

/** Pairs of use case and model that may be updated in memory. Beyond it the names are surely not names. */
const CELLS_MAX = 10_000;
/** Requests and signals kept one by one; beyond it the older half is added up. Five minutes at 300 a second. */
const ENTRIES_MAX = 100_000;
/**
 * Published snapshots after which an entry goes even though its moment lies after theirs: a clock that was set back
 * must not count it twice for ever.
 */
const SURVIVED_MAX = 5;
/** Rankings are rebuilt at most this often. */
const REBUILD_PAUSE_MS = 1_000;
const USE_CASES_AT_FIRST = 4;

/** How much of a thread's time rebuilding may take. */
export interface RebuildPace {
  /**
   * What else the thread has to do waits while rankings are rebuilt: as many use cases at a time as take about this
   * long. Shorter, and the rest of the evidence is added up for few of them; longer, and it is felt.
   */
  readonly turnMs: number;
  /** Of all time, at most. */
  readonly timeShare: number;
}

/** In a thread that serves somebody else. */
export const GUEST_PACE: RebuildPace = { turnMs: 10, timeShare: 0.02 };
/** In a thread that does nothing else. */
export const HOST_PACE: RebuildPace = { turnMs: 250, timeShare: 0.1 };

/** Ranks some use cases of a book, or all of them. */
export type RankingsBuilder = (book: EvidenceBook, useCases?: ReadonlySet<string>) => BuiltRankings;

/** The evidence that a published snapshot was computed from. */
export interface LiveBase {
  readonly runId: string;
  /** End of its window: what this process saw until then is in it. Milliseconds since 1970. */
  readonly untilMs: number;
  readonly book: EvidenceBook;
}

/** What takes the place of published rankings. */
export interface LiveOverlay {
  /** Use cases in which something was counted. */
  readonly rankings: ReadonlyMap<string, UseCaseRanking>;
  readonly overall: UseCaseRanking;
}

/**
 * The rankings of this moment: the evidence that was published, with what this process saw since on top. Events are
 * added up, and the use cases that changed are ranked anew, when somebody reads: at most once a second, and a few use
 * cases at a time, those that wait longest first.
 */
export class LiveRankings {
  readonly #build: RankingsBuilder;
  readonly #clock: () => number;
  readonly #pace: RebuildPace;
  #base: LiveBase | null = null;
  /** Requests that no log knows of: on top of every base. */
  #unlogged: EvidenceBook = new Map();
  #entries: LiveEntry[] = [];
  /** How many of the entries are in `#sums`. */
  #addedCount = 0;
  #sums = new Map<string, Map<string, LiveSums>>();
  /** Use cases whose ranking lags behind what was counted; those that wait longest first. */
  readonly #changed = new Set<string>();
  #overlay: LiveOverlay | null = null;
  #useCasesAtOnce = USE_CASES_AT_FIRST;
  #mayRebuildAtMs = Number.NEGATIVE_INFINITY;

  constructor(build: RankingsBuilder, clock: () => number, pace: RebuildPace = GUEST_PACE) {
    this.#build = build;
    this.#clock = clock;
    this.#pace = pace;
  }

  /** True once there is something to count on top: whoever follows the store must then bring the evidence as well. */
  get isUsed(): boolean {
    return this.#entries.length > 0 || this.#unlogged.size > 0;
  }

  get hasBase(): boolean {
    return this.#base !== null;
  }

  /** Logged requests that were added up and that the published evidence does not have. */
  get requestCount(): number {
    let count = 0;
    for (const models of this.#sums.values()) for (const sums of models.values()) count += sums.requestCount;
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
    this.#startAnew();
    this.#overlay = null;
  }

  /** What this process saw: it counts until the published evidence contains it. */
  add(events: readonly LiveEvent[]): void {
    for (const event of events) this.#push(entryOf(event));
  }

  /**
   * Counts a request that no log knows of.
   *
   * @throws {TallyrankError} `bad_request` for amounts that are none, and when far more names come in than there are
   *   models and use cases
   */
  addUnlogged(useCase: string, modelId: string, request: ObservedRequest): void {
    checkObserved(request);
    const isNew = !this.#unlogged.get(useCase)?.has(modelId);
    if (isNew && cellCount(this.#unlogged) >= CELLS_MAX) {
      throw new TallyrankError(
        'bad_request',
        `More than ${CELLS_MAX} pairs of use case and model were updated.`,
      );
    }
    this.#unlogged = addToBook(this.#unlogged, useCase, evidenceOfRequest(modelId, request));
    // Whoever updates by hand wants to see it in the answer.
    const waiting = [...this.#changed];
    this.#changed.clear();
    for (const slug of [useCase, ...waiting]) this.#changed.add(slug);
    this.#mayRebuildAtMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * The rankings that changed by what is on top; the same object until others did. null while nothing is on top, or
   * there is no evidence to add to: then the published rankings are those of this moment.
   */
  get overlay(): LiveOverlay | null {
    const base = this.#base;
    if (base === null || !this.isUsed) return null;
    const nowMs = this.#clock();
    if (nowMs < this.#mayRebuildAtMs) return this.#overlay;
    this.#addUp(base);
    if (this.#changed.size > 0) this.#rebuild(base, nowMs);
    return this.#overlay;
  }

  #push(entry: LiveEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length <= ENTRIES_MAX) return;
    // Nothing was published for long.
    const half = Math.floor(this.#entries.length / 2);
    this.#entries = [...condense(this.#entries.slice(0, half)), ...this.#entries.slice(half)];
    this.#startAnew();
  }

  #startAnew(): void {
    this.#addedCount = 0;
    this.#sums = new Map();
    this.#changed.clear();
    for (const useCase of this.#unlogged.keys()) this.#changed.add(useCase);
    this.#mayRebuildAtMs = Number.NEGATIVE_INFINITY;
  }

  /** The use case of an entry is known under its own run only: others come with the next refresh. */
  #addUp({ runId }: LiveBase): void {
    for (; this.#addedCount < this.#entries.length; this.#addedCount++) {
      const entry = this.#entries[this.#addedCount];
      if (entry === undefined || (entry.runId !== null && entry.runId !== runId)) continue;
      const { useCase, modelId } = entry;
      const models = this.#sums.get(useCase) ?? new Map<string, LiveSums>();
      const sums = models.get(modelId) ?? new LiveSums();
      this.#sums.set(useCase, models.set(modelId, sums));
      entry.addTo(sums);
      this.#changed.add(useCase);
    }
  }

  #rebuild({ book }: LiveBase, nowMs: number): void {
    const turn = [...this.#changed].slice(0, this.#useCasesAtOnce);
    const { rankings, overall } = this.#build(this.#onTopOf(book), new Set(turn));
    const replaced = new Map(this.#overlay?.rankings);
    for (const ranking of rankings) replaced.set(ranking.useCase, ranking);
    this.#overlay = { rankings: replaced, overall };
    for (const useCase of turn) this.#changed.delete(useCase);
    const doneAtMs = this.#clock();
    const tookMs = Math.max(0, doneAtMs - nowMs);
    const fitting = Math.floor((turn.length * this.#pace.turnMs) / Math.max(tookMs, 1));
    this.#useCasesAtOnce = Math.max(1, Math.min(fitting, 2 * this.#useCasesAtOnce));
    this.#mayRebuildAtMs = doneAtMs + Math.max(REBUILD_PAUSE_MS, tookMs / this.#pace.timeShare);
  }

  #onTopOf(book: EvidenceBook): EvidenceBook {
    let merged = book;
    for (const [useCase, models] of this.#sums) {
      for (const [modelId, sums] of models) merged = addToBook(merged, useCase, sums.toEvidence(modelId));
    }
    return mergeBooks(merged, this.#unlogged);
  }
}

function cellCount(book: EvidenceBook): number {
  let count = 0;
  for (const models of book.values()) count += models.size;
  return count;
}

function checkObserved({ success, timeMs, cost }: ObservedRequest): void {
  const isAmount = (value: number | null | undefined): boolean =>
    value === undefined || value === null || (Number.isFinite(value) && value >= 0);
  if (typeof success === 'boolean' && isAmount(timeMs) && isAmount(cost)) return;
  throw new TallyrankError(
    'bad_request',
    'updateRanking takes { success: true or false, timeMs and cost: numbers from 0, or null }.',
  );
}
