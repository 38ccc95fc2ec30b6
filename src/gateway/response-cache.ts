import { LRUCache } from 'lru-cache';
import type { Decision } from '../core/decision.ts';
import type { CacheableRequest, CacheScope } from './cache-key.ts';
import { cacheKeyOf, cacheWishOf, isCacheable } from './cache-key.ts';
import type { ChatAnswer } from './chat.ts';

/** What the answer's header says: where it came from, or that the cache was left out. */
export type CacheStatus = 'hit' | 'coalesced' | 'miss' | 'refresh' | 'off';

/** An answer that may be given again. */
export interface CachedAnswer {
  /** In the neutral form, without the provider's bytes and ids. */
  readonly answer: ChatAnswer;
  readonly modelId: string;
  /** How its model was chosen, when it was. */
  readonly decision: Decision;
}

/** What the cache has for one request. */
export interface CacheTicket {
  readonly status: CacheStatus;
  /** The answer to give; null: ask for one. */
  readonly found: CachedAnswer | null;
  /** Takes the answer that is asked for; null where it is not wanted. */
  readonly flight: Flight | null;
  /** Milliseconds that another request's call was waited for. */
  readonly waitedMs: number;
}

export interface ResponseCacheOptions {
  /** Age at which an answer is not given any more. */
  readonly ttlMs: number;
  /** Bytes of all answers; those that were asked for longest ago go first. */
  readonly maxBytes: number;
  readonly temperatureMax: number;
  readonly scope: CacheScope;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** Counts since the start; the first four add up to the requests that the cache looked at. */
export interface CacheCounters {
  readonly hitCount: number;
  readonly coalescedCount: number;
  readonly missCount: number;
  readonly refreshCount: number;
  /** Not cacheable, or the client did not want it. */
  readonly offCount: number;
  readonly storedCount: number;
  /** Answers that gave way to others, for want of room. */
  readonly evictedCount: number;
  readonly entryCount: number;
  readonly byteCount: number;
  /** Requests that wait for the answer of another one now. */
  readonly waitingCount: number;
}

/** The connection of a client that waits; the response of node:http fits. */
export interface WaitingClient {
  readonly destroyed: boolean;
  once(event: 'close', listener: () => void): unknown;
  removeListener(event: 'close', listener: () => void): unknown;
}

const LEFT_OUT: CacheTicket = { status: 'off', found: null, flight: null, waitedMs: 0 };

/**
 * Answers that were good, by all that was asked, in the memory of this process; and one call for equal requests that
 * are under way at the same time. Those that stream do not wait for one another: they would hear nothing until the
 * first one's answer is whole.
 */
export class ResponseCache {
  readonly #options: ResponseCacheOptions;
  readonly #answers: LRUCache<string, CachedAnswer>;
  /** As many as there are requests under way, at most. */
  readonly #flights = new Map<string, Flight>();
  readonly #counts: Record<CacheStatus, number> = { hit: 0, coalesced: 0, miss: 0, refresh: 0, off: 0 };
  #storedCount = 0;
  #evictedCount = 0;
  /** Answers of requests from before the cache was emptied are not kept. */
  #emptiedCount = 0;

  constructor(options: ResponseCacheOptions) {
    this.#options = options;
    this.#answers = new LRUCache<string, CachedAnswer>({
      maxSize: options.maxBytes,
      sizeCalculation: bytesOf,
      ttl: options.ttlMs,
      ttlResolution: 0,
      perf: { now: options.clock },
      dispose: (_answer, _key, reason) => {
        if (reason === 'evict') this.#evictedCount++;
      },
    });
  }

  /**
   * The answer of an equal request, of before or, unless it is streamed, of one that is under way, for which this
   * waits; else a flight, which its owner must settle.
   *
   * @throws {TallyrankError} `bad_request` for a body that is nested too deeply
   */
  async take(request: CacheableRequest, waiting: WaitingClient): Promise<CacheTicket> {
    const ticket = await this.#look(request, waiting);
    this.#counts[ticket.status]++;
    return ticket;
  }

  /** @returns how many answers were forgotten */
  empty(): number {
    const { size } = this.#answers;
    this.#answers.clear();
    this.#emptiedCount++;
    return size;
  }

  get counters(): CacheCounters {
    this.#answers.purgeStale();
    return {
      hitCount: this.#counts.hit,
      coalescedCount: this.#counts.coalesced,
      missCount: this.#counts.miss,
      refreshCount: this.#counts.refresh,
      offCount: this.#counts.off,
      storedCount: this.#storedCount,
      evictedCount: this.#evictedCount,
      entryCount: this.#answers.size,
      byteCount: this.#answers.calculatedSize,
      waitingCount: [...this.#flights.values()].reduce((sum, flight) => sum + flight.waitingCount, 0),
    };
  }

  async #look(request: CacheableRequest, waiting: WaitingClient): Promise<CacheTicket> {
    const { client, headers } = request;
    const { temperatureMax, scope } = this.#options;
    const wish = cacheWishOf(headers);
    if (wish === 'off' || !isCacheable(client, temperatureMax)) return LEFT_OUT;
    const key = cacheKeyOf(request, scope);
    if (key === null) return LEFT_OUT;
    if (wish === 'refresh') return this.#ask(key, 'refresh', 0);
    const kept = this.#answers.get(key);
    if (kept !== undefined) return { status: 'hit', found: kept, flight: null, waitedMs: 0 };
    const flight = this.#flights.get(key);
    if (flight === undefined || client.request.stream === true) return this.#ask(key, 'miss', 0);
    const startedAtMs = this.#options.clock();
    const found = await flight.wait(waiting);
    const waitedMs = Math.max(0, this.#options.clock() - startedAtMs);
    if (found !== null) return { status: 'coalesced', found, flight: null, waitedMs };
    // Everyone who waited in vain asks for itself, and waits for nobody again.
    return this.#ask(key, 'miss', waitedMs);
  }

  #ask(key: string, status: CacheStatus, waitedMs: number): CacheTicket {
    return { status, found: null, flight: this.#begin(key), waitedMs };
  }

  #begin(key: string): Flight {
    const emptiedCount = this.#emptiedCount;
    const flight = new Flight((answer) => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
      if (answer === null || emptiedCount !== this.#emptiedCount) return;
      this.#answers.set(key, answer);
      this.#storedCount++;
    });
    if (!this.#flights.has(key)) this.#flights.set(key, flight);
    return flight;
  }
}

/** A request under way whose answer others may be waiting for. */
class Flight {
  readonly #onSettled: (answer: CachedAnswer | null) => void;
  readonly #waiters = new Set<(answer: CachedAnswer | null) => void>();
  #isSettled = false;
  #abandon: (() => void) | null = null;

  constructor(onSettled: (answer: CachedAnswer | null) => void) {
    this.#onSettled = onSettled;
  }

  /** Requests that wait for its answer. */
  get waitingCount(): number {
    return this.#waiters.size;
  }

  /** Ends the flight with an answer that is good enough to be given again, or null; the first word counts. */
  settle(answer: CachedAnswer | null): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#onSettled(answer);
    for (const tell of this.#waiters) tell(answer);
    this.#waiters.clear();
  }

  /** The answer; null when there is none to share, or the waiting client has left. */
  async wait(client: WaitingClient): Promise<CachedAnswer | null> {
    if (this.#isSettled || client.destroyed) return null;
    return await new Promise((resolve) => {
      const tell = (answer: CachedAnswer | null): void => {
        client.removeListener('close', leave);
        resolve(answer);
      };
      const leave = (): void => {
        this.#waiters.delete(tell);
        resolve(null);
        if (this.#waiters.size === 0) this.#abandon?.();
      };
      this.#waiters.add(tell);
      client.once('close', leave);
    });
  }

  /** The client that it was begun for has left: `abandon` is called when nobody else waits either. */
  leave(abandon: () => void): void {
    this.#abandon = abandon;
    if (this.#waiters.size === 0) abandon();
  }
}

/** Bytes of an answer's fields and bookkeeping beside its texts. */
const ENTRY_BYTES = 2_000;

/** Bytes of memory, from above: JavaScript keeps a character in one or two. */
function bytesOf({ answer }: CachedAnswer): number {
  const { text, reasoning, refusal, toolCalls, thinkingBlocks } = answer;
  let length = text.length + reasoning.length + refusal.length;
  for (const call of toolCalls) length += call.name.length + call.id.length + call.arguments.length;
  if (thinkingBlocks.length > 0) length += JSON.stringify(thinkingBlocks).length;
  return ENTRY_BYTES + 2 * length;
}
