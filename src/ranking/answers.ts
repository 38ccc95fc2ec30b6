import type { Policy } from '../core/policy.ts';
import { isNotWorse, viewRanking } from '../core/ranking-view.ts';
import type {
  RankedModel,
  RankingWarning,
  ScorePart,
  TimingFigures,
  UseCaseRanking,
} from '../core/snapshot.ts';
import type { Timeframe } from '../core/timeframe.ts';
import type { Performance, PerformanceFigures } from '../store/queries/performance.ts';
import type { RankingHold } from '../store/queries/ranking-versions.ts';

/** A part of a score as people get it; all 0..1. */
export interface PartAnswer {
  readonly value: number;
  readonly interval: readonly [number, number];
  /** Observations here; marked requests count as a part of one. */
  readonly sampleCount: number;
  /** True when nothing was observed here and the value comes from elsewhere or from the prior. */
  readonly isAssumed: boolean;
}

/** One model in one use case, in the words of the original's answers. */
export interface RankedModelAnswer {
  readonly modelId: string;
  /** 0..100; null when no price is known. */
  readonly score: number | null;
  readonly scoreInterval: readonly [number, number] | null;
  /** Places that the established orders leave it, from 1: [1, 1] is first beyond doubt, [1, 3] tied with two others. */
  readonly places: readonly [best: number, worst: number] | null;
  /** Probability that no other model's score is greater, 0..1. */
  readonly probabilityBest: number | null;
  /** 0..1 of the requests that count for or against the model; null without any. */
  readonly successRate: number | null;
  readonly avgTimeMs: number | null;
  readonly p95TimeMs: number | null;
  readonly timing: TimingFigures;
  /** Dollars per request; null when no price is known. */
  readonly avgCost: number | null;
  readonly totalRequests: number;
  readonly followUpRate: number | null;
  readonly reAskRate: number | null;
  readonly parts: {
    readonly success: PartAnswer;
    readonly speed: PartAnswer;
    readonly cost: PartAnswer | null;
    readonly quality: PartAnswer;
  };
  readonly hasEnoughEvidence: boolean;
  readonly isCandidate: boolean;
  readonly notCandidateReason: string | null;
  /** Signs that its figures are not earned, worst first. */
  readonly warnings: readonly RankingWarning[];
}

export interface RankingsAnswer {
  readonly useCase: string;
  /** The best candidate; null when there is none. */
  readonly best: RankedModelAnswer | null;
  /** All others, highest score first; models without a price last. */
  readonly alternatives: readonly RankedModelAnswer[];
  /** Version of the published snapshot; null before the first. */
  readonly version: string | null;
  /** Logged requests that are counted here and not in the published version. */
  readonly liveRequestCount: number;
  /** The published version that an operator holds: refreshes change nothing. null in the usual case. */
  readonly hold: RankingHold | null;
  /** The slug that was asked for, when it has become another one; null otherwise. */
  readonly redirectedFrom: string | null;
  /** What is unusual: too little data, nobody within the margins; null in the usual case. */
  readonly note: string | null;
}

export interface AllRankingsAnswer {
  readonly version: string | null;
  readonly createdAt: string | null;
  readonly runId: string | null;
  readonly window: { readonly from: string; readonly to: string } | null;
  readonly liveRequestCount: number;
  readonly hold: RankingHold | null;
  readonly rankings: readonly RankingsAnswer[];
}

export interface CompareAnswer {
  readonly useCase: string;
  readonly modelA: RankedModelAnswer;
  readonly modelB: RankedModelAnswer;
  /** Score of A minus score of B; null when one has none. */
  readonly scoreDifference: number | null;
  readonly differenceInterval: readonly [number, number] | null;
  /** The model whose score is higher now; null when one has none. */
  readonly ahead: string | null;
  /** The model whose score is higher, at all looks together with probability 0.95; null when that is not shown. */
  readonly winner: string | null;
  /** One sentence for people. */
  readonly verdict: string;
  readonly version: string | null;
}

/** How a model did in some stretch of time; null where nothing of the kind was seen. */
export interface PerformanceFiguresAnswer {
  readonly totalRequests: number;
  /** 0..1 of the requests that count for or against the model. */
  readonly successRate: number | null;
  readonly abandonedRequests: number;
  readonly avgTimeMs: number | null;
  readonly p50TimeMs: number | null;
  readonly p95TimeMs: number | null;
  readonly avgCost: number | null;
}

export interface PerformanceAnswer {
  readonly modelId: string;
  readonly useCase: string;
  readonly window: { readonly from: string; readonly to: string; readonly label: string };
  readonly total: PerformanceFiguresAnswer;
  /** Width of a step of the trend. */
  readonly stepMs: number;
  /** Every step of the window, oldest first; `at` is its start. */
  readonly trend: readonly (PerformanceFiguresAnswer & { readonly at: string })[];
}

export function toPerformanceAnswer(
  asked: { readonly modelId: string; readonly useCase: string; readonly timeframe: Timeframe },
  { total, bucketMs, series }: Performance,
): PerformanceAnswer {
  const { modelId, useCase, timeframe } = asked;
  return {
    modelId,
    useCase,
    window: { from: timeframe.from.toISOString(), to: timeframe.to.toISOString(), label: timeframe.label },
    total: toFiguresAnswer(total),
    stepMs: bucketMs,
    trend: series.map((step) => ({ at: step.at, ...toFiguresAnswer(step) })),
  };
}

function toFiguresAnswer(figures: PerformanceFigures): PerformanceFiguresAnswer {
  return {
    totalRequests: figures.requestCount,
    successRate: rounded(figures.successRate, 4),
    abandonedRequests: figures.abandonedCount,
    avgTimeMs: rounded(figures.latencyMeanMs, 1),
    p50TimeMs: rounded(figures.latencyP50Ms, 1),
    p95TimeMs: rounded(figures.latencyP95Ms, 1),
    avgCost: rounded(figures.costMeanUsd, 8),
  };
}

/** What an answer is part of. */
export type RankingsFrame = Pick<RankingsAnswer, 'version' | 'liveRequestCount' | 'hold' | 'redirectedFrom'>;

export function toRankingsAnswer(
  ranking: UseCaseRanking,
  policy: Policy,
  frame: RankingsFrame,
): RankingsAnswer {
  const view = viewRanking(ranking.models, policy);
  const best = view.models.find((model) => model.isCandidate) ?? null;
  return {
    useCase: ranking.useCase,
    best: best && toModelAnswer(best),
    alternatives: view.models.filter((model) => model !== best).map(toModelAnswer),
    ...pickFrame(frame),
    note: view.note ?? (best === null ? whyNobody(view.models, policy) : null),
  };
}

export function emptyRankingsAnswer(useCase: string, frame: RankingsFrame): RankingsAnswer {
  const note =
    frame.version === null
      ? 'No ranking was published yet: send requests, then refresh the rankings.'
      : 'No requests in this use case yet.';
  return { useCase, best: null, alternatives: [], ...pickFrame(frame), note };
}

function pickFrame({ version, liveRequestCount, hold, redirectedFrom }: RankingsFrame): RankingsFrame {
  return { version, liveRequestCount, hold, redirectedFrom };
}

function toModelAnswer(model: RankedModel): RankedModelAnswer {
  return {
    modelId: model.modelId,
    score: rounded(model.score, 1),
    scoreInterval:
      model.scoreLow === null || model.scoreHigh === null
        ? null
        : [round(model.scoreLow, 1), round(model.scoreHigh, 1)],
    places: model.rankBest === null || model.rankWorst === null ? null : [model.rankBest, model.rankWorst],
    probabilityBest: rounded(model.probabilityBest, 3),
    successRate: rounded(model.successRate, 4),
    avgTimeMs: rounded(model.latencyMeanMs, 1),
    p95TimeMs: rounded(model.latencyP95Ms, 1),
    timing: toTimingAnswer(model.timing),
    avgCost: rounded(model.costMeanUsd, 8),
    totalRequests: model.requestCount,
    followUpRate: rounded(model.followUpRate, 4),
    reAskRate: rounded(model.reAskRate, 4),
    parts: {
      success: toPartAnswer(model.success),
      speed: toPartAnswer(model.speed),
      cost: model.cost && toPartAnswer(model.cost),
      quality: toPartAnswer(model.quality),
    },
    hasEnoughEvidence: model.hasEnoughEvidence,
    isCandidate: model.isCandidate,
    notCandidateReason: model.notCandidateReason,
    warnings: model.warnings.map(toWarningAnswer),
  };
}

/** What two models are compared by. */
export interface CompareFrame {
  readonly policy: Policy;
  readonly version: string | null;
  /** False where hardly anybody rates answers: quality then cannot be compared. */
  readonly isRated: boolean;
}

/** Both models must be of one ranking, as the policy sees it. */
export function toCompareAnswer(
  useCase: string,
  a: RankedModel,
  b: RankedModel,
  frame: CompareFrame,
): CompareAnswer {
  const difference = differenceOf(a, b);
  const isShown = isEstablished(a, b);
  const isEnough = a.hasEnoughEvidence && b.hasEnoughEvidence;
  const ahead = difference !== null && difference.value >= 0 ? a : b;
  return {
    useCase,
    modelA: toModelAnswer(a),
    modelB: toModelAnswer(b),
    scoreDifference: difference && round(difference.value, 1),
    differenceInterval: difference && [round(difference.low, 1), round(difference.high, 1)],
    ahead: difference && ahead.modelId,
    winner: isShown && isEnough ? ahead.modelId : null,
    verdict: verdictOf(a, b, difference, isShown, frame),
    version: frame.version,
  };
}

interface Difference {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** An order that holds at all looks together: the two score sequences do not touch. */
function isEstablished(a: RankedModel, b: RankedModel): boolean {
  if (a.scoreSequence === null || b.scoreSequence === null) return false;
  return a.scoreSequence[0] > b.scoreSequence[1] || b.scoreSequence[0] > a.scoreSequence[1];
}

/** Difference of two scores with its 95 % interval (MOVER, as in `scoreOf`); independent scores. */
function differenceOf(a: RankedModel, b: RankedModel): Difference | null {
  if (a.score === null || b.score === null) return null;
  if (a.scoreLow === null || a.scoreHigh === null || b.scoreLow === null || b.scoreHigh === null) return null;
  const value = a.score - b.score;
  return {
    value,
    low: value - Math.hypot(a.score - a.scoreLow, b.scoreHigh - b.score),
    high: value + Math.hypot(a.scoreHigh - a.score, b.score - b.scoreLow),
  };
}

function verdictOf(
  a: RankedModel,
  b: RankedModel,
  difference: Difference | null,
  isShown: boolean,
  frame: CompareFrame,
): string {
  const { policy } = frame;
  const scarce = [a, b].filter((model) => !model.hasEnoughEvidence);
  if (scarce.length > 0) {
    const counts = scarce.map((model) => `${model.modelId} has ${Math.floor(model.success.sampleCount)}`);
    return `Too little data: ${counts.join(', ')} of ${policy.evidenceMin} requests needed.`;
  }
  if (difference === null) {
    const unpriced = [a, b].filter((model) => model.score === null).map((model) => model.modelId);
    return `No score: the price of ${unpriced.join(' and ')} is not known.`;
  }
  const [ahead, behind] = difference.value >= 0 ? [a, b] : [b, a];
  const points = Math.abs(difference.value).toFixed(1);
  const gap = `${points} points between ${ahead.modelId} and ${behind.modelId}`;
  const isSuggested = difference.low > 0 || difference.high < 0;
  const score = isShown
    ? `${ahead.modelId} scores ${points} points above ${behind.modelId}.`
    : isSuggested
      ? `Not established: the ${gap} are beyond chance at this look, not yet at all looks together.`
      : `Tied: the ${gap} may be chance.`;
  return `${score} ${guardSentence(ahead, behind, frame)}`;
}

/** Whether the model that is ahead in score is also not worse in what counts first. */
function guardSentence(ahead: RankedModel, behind: RankedModel, { policy, isRated }: CompareFrame): string {
  const margins = { success: policy.successMargin, quality: policy.qualityMargin };
  const judged = isRated ? (['success', 'quality'] as const) : (['success'] as const);
  const worse = judged.filter((part) => !isNotWorse(ahead, behind, part, policy));
  const unrated = isRated ? '' : ' Hardly anybody rates answers here, so quality is not compared.';
  if (worse.length === 0) return `Not worse than ${behind.modelId} in ${judged.join(' and ')}.${unrated}`;
  const words = worse.map((part) => `${part} (within ${margins[part]})`);
  return `Not shown to be as good as ${behind.modelId} in ${words.join(' and ')}.${unrated}`;
}

function whyNobody(models: readonly RankedModel[], policy: Policy): string | null {
  if (models.length === 0) return 'No requests in this use case yet.';
  if (models.every((model) => model.cost === null)) return 'No model here has a known price.';
  if (models.some((model) => model.cost !== null && model.hasEnoughEvidence)) {
    return 'No model here may be chosen: notCandidateReason says why.';
  }
  return `Too little data: no priced model has ${policy.evidenceMin} requests here yet.`;
}

function toWarningAnswer({ value, interval, ...warning }: RankingWarning): RankingWarning {
  return {
    ...warning,
    value: round(value, 4),
    interval: interval && [round(interval[0], 4), round(interval[1], 4)],
  };
}

function toTimingAnswer(timing: TimingFigures): TimingFigures {
  return {
    ...timing,
    firstTokenMeanMs: rounded(timing.firstTokenMeanMs, 1),
    tokensPerSecond: rounded(timing.tokensPerSecond, 2),
    loadMeanMs: rounded(timing.loadMeanMs, 1),
    queueMeanMs: rounded(timing.queueMeanMs, 1),
  };
}

function toPartAnswer(part: ScorePart): PartAnswer {
  return {
    value: round(part.value, 4),
    interval: [round(part.low, 4), round(part.high, 4)],
    sampleCount: round(part.sampleCount, 1),
    isAssumed: part.isAssumed,
  };
}

function rounded(value: number | null, digits: number): number | null {
  return value === null ? null : round(value, digits);
}

function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
