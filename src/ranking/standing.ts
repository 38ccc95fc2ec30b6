import type { Curves, ScoreWeights } from '../core/policy.ts';
import type { RankedModel } from '../core/snapshot.ts';
import { asymptoticSequence } from '../stats/asymptotic-sequence.ts';
import { sequenceInterval } from '../stats/confidence-sequence.ts';
import type { Moments } from '../stats/posterior.ts';
import { probabilitiesOfBest } from '../stats/probability-best.ts';
import { errorPerClaim, liesAbove, tieGroups } from '../stats/tie-groups.ts';
import type { PartSums } from './evidence.ts';
import { costValue } from './score.ts';

/** Probability that any order of a use case is ever called established wrongly, over all looks at it. */
const TOTAL_ERROR = 0.05;
const PART_COUNT = 4;
const SCORE_MAX = 100;
const Z_95 = 1.959964;
/** Quality evidence of a model below which an order says nothing of quality. */
const RATED_MIN = 5;

/** What was seen of one model in a use case, each part in its own way. */
export interface SeenParts {
  readonly modelId: string;
  readonly success: Moments;
  readonly speed: Moments;
  readonly quality: Moments;
  readonly cost: CostSums | null;
}

/** Costs of requests, US dollars; null parts of {@link SeenParts} where no price is known. */
export interface CostSums {
  readonly count: number;
  readonly meanUsd: number;
  readonly varianceUsd: number;
  readonly curves: Curves;
}

/** 0..100; holds at all looks together. */
export interface ScoreSequence {
  readonly low: number;
  readonly high: number;
}

export function costMoments(sums: PartSums, curves: Curves): CostSums | null {
  const count = sums.pricedCount;
  if (count === 0) return null;
  const meanUsd = sums.costSumUsd / count;
  return { count, meanUsd, varianceUsd: Math.max(0, sums.costSquareSum / count - meanUsd ** 2), curves };
}

/**
 * Scores with intervals that hold for all models of a use case at all looks together with probability 0.95, however
 * often the ranking is refreshed: each part of each model has a confidence sequence with its share of the error
 * (Bonferroni 1936), and the score's limits are the weighted sums of the parts' limits. No prior and no record from
 * elsewhere is in them. Cost is asymptotic (100 priced requests at least, or all of one price); the others are exact.
 *
 * Where nobody rates, quality is left out: it is the same unknown for every model, and an order that claimed more
 * would never be established.
 */
export function scoreSequences(
  models: readonly SeenParts[],
  weights: ScoreWeights,
): ReadonlyMap<string, ScoreSequence> {
  const priced = models.filter(({ cost }) => cost !== null);
  const sequences = new Map<string, ScoreSequence>();
  if (priced.length === 0) return sequences;
  const error = errorPerClaim({
    totalError: TOTAL_ERROR,
    modelCount: priced.length,
    claim: 'intervals',
    familyCount: PART_COUNT,
  });
  const isRated = priced.some(({ quality }) => quality.count >= RATED_MIN);
  for (const { modelId, success, speed, quality, cost } of priced) {
    if (cost === null) continue;
    const limits = [
      { weight: weights.success, interval: sequenceInterval(success, { kind: 'binary', error }) },
      { weight: weights.speed, interval: sequenceInterval(speed, { kind: 'bounded', error }) },
      { weight: weights.cost, interval: costSequence(cost, error) },
      {
        weight: weights.quality,
        interval: isRated ? sequenceInterval(quality, { kind: 'bounded', error }) : ([0, 0] as const),
      },
    ];
    const sum = (side: 0 | 1): number =>
      limits.reduce((total, { weight, interval }) => total + weight * interval[side], 0);
    sequences.set(modelId, { low: SCORE_MAX * sum(0), high: SCORE_MAX * sum(1) });
  }
  return sequences;
}

/** Interval of the cost curve at the mean cost. */
function costSequence(
  { count, meanUsd, varianceUsd, curves }: CostSums,
  error: number,
): readonly [number, number] {
  // Free models cost nothing every time: there is nothing to be unsure of.
  if (meanUsd === 0) return [1, 1];
  const sequence = asymptoticSequence([{ coefficient: 1, mean: meanUsd, variance: varianceUsd, count }], {
    error,
  });
  if (sequence === null) return [0, 1];
  return [costValue(sequence.high, curves), costValue(Math.max(0, sequence.low), curves)];
}

/**
 * Adds to ranked models how sure their place is: the ranks that the established orders leave (two models whose
 * sequences touch are tied), and the probability of being the best of those with a score by the posteriors, which
 * are taken as normal and independent.
 */
export function withStandings(
  models: readonly RankedModel[],
  sequences: ReadonlyMap<string, ScoreSequence>,
): RankedModel[] {
  const scored = models.filter(({ score }) => score !== null);
  const best = probabilitiesOfBest(
    scored.map(({ score, scoreLow, scoreHigh }) => ({
      mean: score ?? 0,
      variance: (((scoreHigh ?? SCORE_MAX) - (scoreLow ?? 0)) / (2 * Z_95)) ** 2,
    })),
  );
  const probabilities = new Map(scored.map(({ modelId }, at) => [modelId, best[at] ?? null]));
  const intervals = scored.map(({ modelId }) => {
    const { low, high } = sequences.get(modelId) ?? { low: 0, high: SCORE_MAX };
    return { modelId, interval: [low, high] as const };
  });
  const ranks = new Map(
    tieGroups(intervals, liesAbove).flatMap((group) =>
      group.models.map(({ model, rankBest, rankWorst }) => [model.modelId, { rankBest, rankWorst }] as const),
    ),
  );
  return models.map((model) => {
    const sequence = sequences.get(model.modelId);
    return {
      ...model,
      scoreSequence: sequence === undefined ? null : [sequence.low, sequence.high],
      rankBest: ranks.get(model.modelId)?.rankBest ?? null,
      rankWorst: ranks.get(model.modelId)?.rankWorst ?? null,
      probabilityBest: probabilities.get(model.modelId) ?? null,
    };
  });
}
