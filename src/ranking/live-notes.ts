import type { Signal } from '../core/signal.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { countsAgainstModel } from '../core/usage-record.ts';
import type { LiveCell, LiveEvent } from './live-entries.ts';
import type { LiveRequest, Signs } from './live-sums.ts';
import { withSignal } from './live-sums.ts';
import { timingOfRecord, withoutHold } from './live-timing.ts';

/** Own requests that a late signal can still be added to, at least; older ones are in the store's evidence. */
const REMEMBERED_MAX = 10_000;
/**
 * Notes that are handed on before anybody asks: copying this many into another thread takes a fraction of a
 * millisecond. Fewer, and each costs a message; more, and the copying is felt.
 */
const NOTES_MAX = 128;

/** A request that signals may still come for. */
interface Remembered extends LiveCell {
  signs: Signs;
}

/**
 * Notes finished requests and signals where they happen, to be counted elsewhere: a note is two small objects.
 */
export class LiveNotes {
  readonly #clock: () => number;
  readonly #onMany: (events: readonly LiveEvent[]) => void;
  #events: LiveEvent[] = [];
  /** Two maps in turn: taking the oldest out of one large map, time and again, walks over what was taken before. */
  #remembered = new Map<string, Remembered>();
  #rememberedBefore: ReadonlyMap<string, Remembered> = new Map();

  /** @param onMany  takes notes that are too many to wait until somebody asks for them */
  constructor(clock: () => number, onMany: (events: readonly LiveEvent[]) => void) {
    this.#clock = clock;
    this.#onMany = onMany;
  }

  /** What was noted since the last call. */
  take(): readonly LiveEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Notes a finished request that was logged. */
  observe(record: UsageRecord): void {
    const atMs = this.#clock();
    const { useCase, modelId, requestId } = record;
    const runId = record.useCaseRule === null ? record.runId : null;
    const signs = signsOf(record);
    this.#push({ kind: 'request', atMs, runId, useCase, modelId, request: liveRequestOf(record), signs });
    for (const failed of record.failedAttempts) {
      this.#push({ kind: 'failure', atMs, runId, useCase, modelId: failed.modelId });
    }
    this.#remembered.set(requestId, { runId, useCase, modelId, signs });
    if (this.#remembered.size < REMEMBERED_MAX) return;
    this.#rememberedBefore = this.#remembered;
    this.#remembered = new Map();
  }

  /**
   * Notes what was learnt later about a request that was observed here.
   *
   * @returns false when it was not, or is too long ago: the next refresh counts the signal
   */
  observeSignal(signal: Signal): boolean {
    const { requestId } = signal;
    const known = this.#remembered.get(requestId) ?? this.#rememberedBefore.get(requestId);
    if (known === undefined) return false;
    const { runId, useCase, modelId, signs: before } = known;
    const after = withSignal(before, signal);
    known.signs = after;
    if (before !== after) {
      this.#push({ kind: 'signs', atMs: this.#clock(), runId, useCase, modelId, before, after });
    }
    return true;
  }

  #push(event: LiveEvent): void {
    this.#events.push(event);
    if (this.#events.length >= NOTES_MAX) this.#onMany(this.take());
  }
}

function liveRequestOf(record: UsageRecord): LiveRequest {
  const { failure, usage } = record;
  return {
    isSuccess: failure === null,
    isModelFailure: failure !== null && countsAgainstModel(failure.fault),
    latencyMs: failure === null ? record.latencyMs : null,
    answeringMs: failure === null ? withoutHold(record.latencyMs, record) : null,
    timing: failure === null ? timingOfRecord(record) : null,
    costUsd: record.costUsd,
    promptTokens: usage.promptTokens,
    completionTokens: usage.completionTokens,
  };
}

/** As the request ended: signals come later. */
function signsOf({ sessionId, failure }: UsageRecord): Signs {
  return {
    hasSession: sessionId !== null && sessionId !== '',
    isAbandoned: failure?.code === 'caller_cancelled',
    isReAsked: false,
    isThanked: false,
    isFollowedUp: false,
    feedback: null,
    importedScore: null,
  };
}
