import type { Conduct, GamingEvidenceRow } from '../store/queries/gaming-evidence.ts';
import type { JudgeEvidenceRow } from '../store/queries/judge-evidence.ts';
import type { EvidenceRow, QualityEvidenceRow, TimingSums } from '../store/queries/ranking-evidence.ts';
import type { LatencyBins } from './latency-bins.ts';
import { addBins, latencyBin } from './latency-bins.ts';

/** What one model did in one use case, as sums: all that its ranking is computed from. Sums of two add up. */
export interface ModelEvidence {
  readonly modelId: string;
  readonly requestCount: number;
  readonly successCount: number;
  /** Failures of the provider or the model; a caller's or our own count for nobody. */
  readonly failureCount: number;
  /** Requests whose client named a session: the only ones in which a re-ask can be seen. */
  readonly sessionCount: number;
  readonly latencyCount: number;
  /** Latencies are those that people waited; the bins without loading a model and waiting for its turn. */
  readonly latencySumMs: number;
  readonly latencyBins: LatencyBins;
  readonly waitBins: LatencyBins;
  readonly timing: TimingSums;
  readonly pricedCount: number;
  readonly costSumUsd: number;
  readonly costSquareSum: number;
  readonly tokenCount: number;
  readonly promptTokenSum: number;
  readonly completionTokenSum: number;
  readonly followUpCount: number;
  /** Re-asked or corrected. */
  readonly reAskCount: number;
  readonly marks: Readonly<Record<Mark, MarkEvidence>>;
  /** Requests that a judge scored, by judge and score. */
  readonly judged: readonly JudgeEvidenceRow[];
  /** How it answered and who rated it, as of the last refresh: no sum, requests since change nothing. null: not looked at. */
  readonly conduct: Conduct | null;
  /**
   * What age has taken off the sums above; see {@link recentOf}. Kept as what is missing, so that evidences add up
   * whether they are fresh or old.
   */
  readonly faded: PartSums;
}

/** What posteriors are computed from. */
export type PartSums = Pick<
  ModelEvidence,
  | 'successCount'
  | 'failureCount'
  | 'latencyBins'
  | 'pricedCount'
  | 'costSumUsd'
  | 'costSquareSum'
  | 'marks'
  | 'judged'
>;

/** What a session shows of a request, worst first; a request has one mark at most. */
export type Mark = 'abandoned' | 'reAsked' | 'thanked' | 'untroubled' | 'unseen';

/** Requests of one mark, those with explicit feedback apart. */
export interface MarkEvidence {
  /** Without explicit feedback. */
  readonly silentCount: number;
  readonly feedbackCount: number;
  readonly feedbackSum: number;
  readonly feedbackSquareSum: number;
}

export const MARKS: readonly Mark[] = ['abandoned', 'reAsked', 'thanked', 'untroubled', 'unseen'];

/** Something for every mark. */
export function byMark<T>(of: (mark: Mark) => T): Record<Mark, T> {
  return {
    abandoned: of('abandoned'),
    reAsked: of('reAsked'),
    thanked: of('thanked'),
    untroubled: of('untroubled'),
    unseen: of('unseen'),
  };
}

/** Evidence by use case, then by model. */
export type EvidenceBook = ReadonlyMap<string, ReadonlyMap<string, ModelEvidence>>;

const NO_MARK: MarkEvidence = { silentCount: 0, feedbackCount: 0, feedbackSum: 0, feedbackSquareSum: 0 };

const NO_TIMING: TimingSums = {
  firstTokenCount: 0,
  firstTokenSumMs: 0,
  generationCount: 0,
  generationSumMs: 0,
  generationTokenSum: 0,
  loadCount: 0,
  loadSumMs: 0,
  queueCount: 0,
  queueSumMs: 0,
};

const NO_PARTS: PartSums = {
  successCount: 0,
  failureCount: 0,
  latencyBins: new Map(),
  pricedCount: 0,
  costSumUsd: 0,
  costSquareSum: 0,
  marks: byMark(() => NO_MARK),
  judged: [],
};

/** A model of which nothing is known. */
export function noEvidence(modelId: string): ModelEvidence {
  return {
    ...NO_PARTS,
    modelId,
    requestCount: 0,
    sessionCount: 0,
    latencyCount: 0,
    latencySumMs: 0,
    waitBins: new Map(),
    timing: NO_TIMING,
    tokenCount: 0,
    promptTokenSum: 0,
    completionTokenSum: 0,
    followUpCount: 0,
    reAskCount: 0,
    conduct: null,
    faded: NO_PARTS,
  };
}

function addEvidence(one: ModelEvidence, other: ModelEvidence): ModelEvidence {
  return {
    ...addParts(one, other),
    modelId: one.modelId,
    requestCount: one.requestCount + other.requestCount,
    sessionCount: one.sessionCount + other.sessionCount,
    latencyCount: one.latencyCount + other.latencyCount,
    latencySumMs: one.latencySumMs + other.latencySumMs,
    waitBins: addBins(one.waitBins, other.waitBins),
    timing: addTiming(one.timing, other.timing),
    tokenCount: one.tokenCount + other.tokenCount,
    promptTokenSum: one.promptTokenSum + other.promptTokenSum,
    completionTokenSum: one.completionTokenSum + other.completionTokenSum,
    followUpCount: one.followUpCount + other.followUpCount,
    reAskCount: one.reAskCount + other.reAskCount,
    conduct: one.conduct ?? other.conduct,
    faded: addParts(one.faded, other.faded),
  };
}

export function addTiming(one: TimingSums, other: TimingSums): TimingSums {
  return {
    firstTokenCount: one.firstTokenCount + other.firstTokenCount,
    firstTokenSumMs: one.firstTokenSumMs + other.firstTokenSumMs,
    generationCount: one.generationCount + other.generationCount,
    generationSumMs: one.generationSumMs + other.generationSumMs,
    generationTokenSum: one.generationTokenSum + other.generationTokenSum,
    loadCount: one.loadCount + other.loadCount,
    loadSumMs: one.loadSumMs + other.loadSumMs,
    queueCount: one.queueCount + other.queueCount,
    queueSumMs: one.queueSumMs + other.queueSumMs,
  };
}

/** @param sign  -1 subtracts the other */
function addParts(one: PartSums, other: PartSums, sign: 1 | -1 = 1): PartSums {
  return {
    successCount: one.successCount + sign * other.successCount,
    failureCount: one.failureCount + sign * other.failureCount,
    latencyBins: addBins(one.latencyBins, sign === 1 ? other.latencyBins : negativeBins(other.latencyBins)),
    pricedCount: one.pricedCount + sign * other.pricedCount,
    costSumUsd: one.costSumUsd + sign * other.costSumUsd,
    costSquareSum: one.costSquareSum + sign * other.costSquareSum,
    marks: byMark((mark) => addMarks(one.marks[mark], other.marks[mark], sign)),
    // A judge's scores do not age: few answers are judged, and a window of them is short.
    judged: sign === 1 ? [...one.judged, ...other.judged] : one.judged,
  };
}

function negativeBins(bins: LatencyBins): LatencyBins {
  return new Map([...bins].map(([bin, count]) => [bin, -count]));
}

/** The sums as posteriors see them: what is old counts less, and the counts are those that the weights leave. */
export function recentOf(evidence: ModelEvidence): PartSums {
  return addParts(evidence, evidence.faded, -1);
}

export function addMarks(one: MarkEvidence, other: MarkEvidence, sign: 1 | -1 = 1): MarkEvidence {
  return {
    silentCount: one.silentCount + sign * other.silentCount,
    feedbackCount: one.feedbackCount + sign * other.feedbackCount,
    feedbackSum: one.feedbackSum + sign * other.feedbackSum,
    feedbackSquareSum: one.feedbackSquareSum + sign * other.feedbackSquareSum,
  };
}

/** One finished request that no log knows of, for real-time updates. */
export interface ObservedRequest {
  readonly success: boolean;
  readonly timeMs?: number | null | undefined;
  /** Dollars; null or left out when no price is known. */
  readonly cost?: number | null | undefined;
}

export function evidenceOfRequest(modelId: string, request: ObservedRequest): ModelEvidence {
  const timeMs = request.success ? (request.timeMs ?? null) : null;
  const costUsd = request.cost ?? null;
  return {
    ...noEvidence(modelId),
    requestCount: 1,
    successCount: request.success ? 1 : 0,
    failureCount: request.success ? 0 : 1,
    latencyCount: timeMs === null ? 0 : 1,
    latencySumMs: timeMs ?? 0,
    latencyBins: timeMs === null ? new Map() : new Map([[latencyBin(timeMs), 1]]),
    waitBins: timeMs === null ? new Map() : new Map([[latencyBin(timeMs), 1]]),
    pricedCount: costUsd === null ? 0 : 1,
    costSumUsd: costUsd ?? 0,
    costSquareSum: (costUsd ?? 0) ** 2,
  };
}

/** The same book with the evidence of one model in one use case added. */
export function addToBook(book: EvidenceBook, useCase: string, added: ModelEvidence): EvidenceBook {
  const models = new Map(book.get(useCase));
  const known = models.get(added.modelId);
  models.set(added.modelId, known ? addEvidence(known, added) : added);
  return new Map(book).set(useCase, models);
}

export function mergeBooks(one: EvidenceBook, other: EvidenceBook): EvidenceBook {
  let merged = one;
  for (const [useCase, models] of other) {
    for (const evidence of models.values()) merged = addToBook(merged, useCase, evidence);
  }
  return merged;
}

/** Each model over all use cases. */
export function totalsOf(book: EvidenceBook): ReadonlyMap<string, ModelEvidence> {
  const totals = new Map<string, ModelEvidence>();
  for (const models of book.values()) {
    for (const evidence of models.values()) {
      const known = totals.get(evidence.modelId);
      totals.set(evidence.modelId, known ? addEvidence(known, evidence) : evidence);
    }
  }
  return totals;
}

/** The store's rows as a book. A signal whose roll-up row is missing (another window) adds nothing. */
export function bookOfRows(
  rows: readonly EvidenceRow[],
  qualityRows: readonly QualityEvidenceRow[],
  gamingRows: readonly GamingEvidenceRow[] = [],
  judgeRows: readonly JudgeEvidenceRow[] = [],
): EvidenceBook {
  const conducts = new Map(gamingRows.map((row) => [`${row.useCase}\n${row.modelId}`, row.conduct]));
  const quality = new Map<string, QualityEvidenceRow[]>();
  for (const row of qualityRows) {
    const key = `${row.useCase}\n${row.modelId}`;
    quality.set(key, [...(quality.get(key) ?? []), row]);
  }
  const book = new Map<string, Map<string, ModelEvidence>>();
  for (const row of rows) {
    const models = book.get(row.useCase) ?? new Map<string, ModelEvidence>();
    const key = `${row.useCase}\n${row.modelId}`;
    const evidence = evidenceOfRow(row, quality.get(key) ?? []);
    const judged = judgeRows.filter((one) => one.useCase === row.useCase && one.modelId === row.modelId);
    models.set(row.modelId, { ...evidence, judged, conduct: conducts.get(key) ?? null });
    book.set(row.useCase, models);
  }
  return book;
}

function evidenceOfRow(row: EvidenceRow, qualityRows: readonly QualityEvidenceRow[]): ModelEvidence {
  const { useCase: _, weighted, weightScale, ...sums } = row;
  const marks: Record<Mark, MarkEvidence> = byMark(() => NO_MARK);
  let followUpCount = 0;
  let reAskCount = 0;
  let countedInSession = 0;
  for (const seen of qualityRows) {
    marks[seen.mark] = addMarks(marks[seen.mark], seen);
    followUpCount += seen.followUpCount;
    reAskCount += seen.reAskCount;
    countedInSession += seen.sessionCount;
  }
  // Requests without any signal are not among the signals' rows: in a session, that is itself a sign.
  const silent = Math.max(0, row.sessionCount - countedInSession);
  const untroubled = addMarks(marks.untroubled, { ...NO_MARK, silentCount: silent });
  const whole = {
    ...sums,
    followUpCount,
    reAskCount,
    marks: { ...marks, untroubled },
    judged: [],
    conduct: null,
  };
  return { ...whole, faded: addParts(whole, agedParts(whole, row, qualityRows), -1) };
}

/**
 * The sums weighted by age, at the counts that such weights are worth: (sum w)^2 / sum w^2 (Kish 1965, Survey
 * Sampling, 8.2), so that intervals are as wide as the evidence that is left makes them. No part can be worth more
 * than the requests it has.
 */
function agedParts(
  whole: PartSums,
  { weighted, weightScale }: EvidenceRow,
  qualityRows: readonly QualityEvidenceRow[],
): PartSums {
  const scaleOf = (count: number, weight: number): number =>
    weight > 0 ? Math.min(weightScale, count / weight) : 1;
  const counted = whole.successCount + whole.failureCount;
  const bySuccess = scaleOf(counted, weighted.successCount + weighted.failureCount);
  const byPrice = scaleOf(whole.pricedCount, weighted.pricedCount);
  const byLatency = scaleOf(sumOfBins(whole.latencyBins), sumOfBins(weighted.latencyBins));
  const marks = { ...NO_PARTS.marks };
  let sessionWeight = 0;
  for (const { mark, weighted: seen } of qualityRows) {
    marks[mark] = addMarks(marks[mark], seen);
    sessionWeight += seen.sessionCount;
  }
  const silentCount = Math.max(0, weighted.sessionCount - sessionWeight);
  marks.untroubled = addMarks(marks.untroubled, { ...NO_MARK, silentCount });
  const agedMark = (mark: Mark): MarkEvidence => {
    const [all, aged] = [whole.marks[mark], marks[mark]];
    const bySilence = scaleOf(all.silentCount, aged.silentCount);
    const byFeedback = scaleOf(all.feedbackCount, aged.feedbackCount);
    return {
      silentCount: bySilence * aged.silentCount,
      feedbackCount: byFeedback * aged.feedbackCount,
      feedbackSum: byFeedback * aged.feedbackSum,
      feedbackSquareSum: byFeedback * aged.feedbackSquareSum,
    };
  };
  return {
    successCount: bySuccess * weighted.successCount,
    failureCount: bySuccess * weighted.failureCount,
    latencyBins: new Map([...weighted.latencyBins].map(([bin, count]) => [bin, byLatency * count])),
    pricedCount: byPrice * weighted.pricedCount,
    costSumUsd: byPrice * weighted.costSumUsd,
    costSquareSum: byPrice * weighted.costSquareSum,
    marks: byMark(agedMark),
    judged: [],
  };
}

function sumOfBins(bins: LatencyBins): number {
  let sum = 0;
  for (const count of bins.values()) sum += count;
  return sum;
}
