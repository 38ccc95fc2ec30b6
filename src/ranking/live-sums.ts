import type { Signal, SignalKind } from '../core/signal.ts';
import type { TimingSums } from '../store/queries/ranking-evidence.ts';
import type { Mark, MarkEvidence, ModelEvidence } from './evidence.ts';
import { addTiming, byMark, MARKS, noEvidence } from './evidence.ts';
import { latencyBin } from './latency-bins.ts';

/** The amounts of a finished request. */
export interface LiveRequest {
  readonly isSuccess: boolean;
  readonly isModelFailure: boolean;
  /** What people waited; null for failures, which have no speed. */
  readonly latencyMs: number | null;
  /** The same without loading the model and waiting for its turn. */
  readonly answeringMs: number | null;
  readonly timing: TimingSums | null;
  readonly costUsd: number | null;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
}

/** What is known of a request beside its row: what its people said and showed so far. */
export interface Signs {
  readonly hasSession: boolean;
  readonly isAbandoned: boolean;
  readonly isReAsked: boolean;
  readonly isThanked: boolean;
  readonly isFollowedUp: boolean;
  /** Quality 0..1 that somebody gave; null: nobody did. */
  readonly feedback: number | null;
  /** The same from an import; feedback wins. */
  readonly importedScore: number | null;
}

const CHANGES: Partial<Record<SignalKind, (value: number) => Partial<Signs>>> = {
  feedback: (value) => ({ feedback: value }),
  imported_score: (value) => ({ importedScore: value }),
  follow_up: () => ({ isFollowedUp: true }),
  re_ask: () => ({ isReAsked: true }),
  correction: () => ({ isReAsked: true }),
  thanks: () => ({ isThanked: true }),
  abandonment: () => ({ isAbandoned: true }),
};

/** The same signs after one more signal, which replaces an earlier one of its kind; the same object if it says nothing. */
export function withSignal(signs: Signs, { kind, value }: Pick<Signal, 'kind' | 'value'>): Signs {
  const change = CHANGES[kind];
  return change === undefined ? signs : { ...signs, ...change(value) };
}

type Counts = {
  -readonly [Field in keyof ModelEvidence as ModelEvidence[Field] extends number ? Field : never]: number;
};
type MutableMark = { -readonly [Field in keyof MarkEvidence]: number };

const NO_COUNTS: Counts = {
  requestCount: 0,
  successCount: 0,
  failureCount: 0,
  sessionCount: 0,
  latencyCount: 0,
  latencySumMs: 0,
  pricedCount: 0,
  costSumUsd: 0,
  costSquareSum: 0,
  tokenCount: 0,
  promptTokenSum: 0,
  completionTokenSum: 0,
  followUpCount: 0,
  reAskCount: 0,
};

/**
 * Evidence of one model in one use case that grows in place: a request costs some additions. It is counted as the
 * store counts the same rows and signals.
 */
export class LiveSums {
  readonly #counts: Counts = { ...NO_COUNTS };
  readonly #latencyBins = new Map<number, number>();
  readonly #waitBins = new Map<number, number>();
  readonly #marks: Readonly<Record<Mark, MutableMark>> = byMark(noMark);
  #timing: TimingSums = noEvidence('').timing;

  get requestCount(): number {
    return this.#counts.requestCount;
  }

  /** The request as it ended: signals that came later are added by themselves. */
  addRequest(request: LiveRequest, signs: Signs): void {
    const counts = this.#counts;
    const { latencyMs, answeringMs, timing, costUsd, promptTokens, completionTokens } = request;
    counts.requestCount++;
    if (request.isSuccess) counts.successCount++;
    if (request.isModelFailure) counts.failureCount++;
    if (signs.hasSession) counts.sessionCount++;
    if (latencyMs !== null) {
      counts.latencyCount++;
      counts.latencySumMs += latencyMs;
      addBin(this.#waitBins, latencyBin(latencyMs), 1);
    }
    if (answeringMs !== null) addBin(this.#latencyBins, latencyBin(answeringMs), 1);
    if (timing !== null) this.#timing = addTiming(this.#timing, timing);
    if (costUsd !== null) {
      counts.pricedCount++;
      counts.costSumUsd += costUsd;
      counts.costSquareSum += costUsd ** 2;
    }
    if (promptTokens !== null && completionTokens !== null) {
      counts.tokenCount++;
      counts.promptTokenSum += promptTokens;
      counts.completionTokenSum += completionTokens;
    }
    this.addSigns(signs, 1);
  }

  /** A model that failed a request which another one then answered: a failure without a request. */
  addFailure(): void {
    this.#counts.failureCount++;
  }

  /** @param sign  -1 takes away what was added */
  addSigns(signs: Signs, sign: 1 | -1): void {
    if (signs.isFollowedUp) this.#counts.followUpCount += sign;
    if (signs.isReAsked) this.#counts.reAskCount += sign;
    const name = markOf(signs);
    const mark = this.#marks[name];
    const explicit = signs.feedback ?? signs.importedScore;
    if (explicit === null) {
      // Outside a session silence means nothing.
      if (name !== 'unseen') mark.silentCount += sign;
      return;
    }
    mark.feedbackCount += sign;
    mark.feedbackSum += sign * explicit;
    mark.feedbackSquareSum += sign * explicit ** 2;
  }

  addSums(other: LiveSums): void {
    addFields(this.#counts, other.#counts);
    this.#timing = addTiming(this.#timing, other.#timing);
    for (const [bin, count] of other.#latencyBins) addBin(this.#latencyBins, bin, count);
    for (const [bin, count] of other.#waitBins) addBin(this.#waitBins, bin, count);
    for (const name of MARKS) addFields(this.#marks[name], other.#marks[name]);
  }

  /** A copy, as evidence of this moment. */
  toEvidence(modelId: string): ModelEvidence {
    return {
      ...noEvidence(modelId),
      ...this.#counts,
      latencyBins: new Map(this.#latencyBins),
      waitBins: new Map(this.#waitBins),
      timing: this.#timing,
      marks: byMark((mark) => ({ ...this.#marks[mark] })),
    };
  }
}

function noMark(): MutableMark {
  return { silentCount: 0, feedbackCount: 0, feedbackSum: 0, feedbackSquareSum: 0 };
}

function addBin(bins: Map<number, number>, bin: number, count: number): void {
  bins.set(bin, (bins.get(bin) ?? 0) + count);
}

function addFields<Sums extends Record<keyof Sums, number>>(sums: Sums, added: Readonly<Sums>): void {
  for (const field of Object.keys(sums) as (keyof Sums)[]) {
    (sums[field] as number) += added[field];
  }
}

function markOf({ isAbandoned, isReAsked, isThanked, hasSession }: Signs): Mark {
  if (isAbandoned) return 'abandoned';
  if (isReAsked) return 'reAsked';
  if (isThanked) return 'thanked';
  return hasSession ? 'untroubled' : 'unseen';
}
