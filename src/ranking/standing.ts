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
/** Observations of a part from which a difference of scores is taken for normal. */
const PART_COUNT_MIN = 50;
const SCORE_MAX = 100;
/**
 * Good and bad coins that are added to the variance of rates and ratings (Agresti and Coull 1998, American Statistician
 * 52, for one look): a rate that never failed yet shows none, and a sequence that believed it would miss a rate of
 * 0.98 in 0.19 and one of 0.995 in 0.63 of the cases. With two of each: 0.04, at a stated 0.05.
 */
const ADDED_COINS = 2;
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

type Interval = readonly [low: number, high: number];

/** What is sure of a model's score, at all looks together. */
export interface ScoreSequence {
  readonly modelId: string;
  /** 0..100. */
  readonly low: number;
  readonly high: number;
  readonly estimate: ScoreEstimate;
}

/** Of single observations. */
interface Values {
  readonly mean: number;
  readonly variance: number;
  readonly count: number;
}

interface ScoreEstimate {
  /** The parts that can be taken for normal, as points of the score. */
  readonly values: Values;
  /** What the intervals of the others add to it. */
  readonly rest: Interval;
}

interface SequencePart {
  readonly weight: number;
  readonly interval: Interval;
  readonly values: Values;
}

export function costMoments(sums: PartSums, curves: Curves): CostSums | null {
  const count = sums.pricedCount;
  if (count === 0) return null;
  const meanUsd = sums.costSumUsd / count;
  return { count, meanUsd, varianceUsd: Math.max(0, sums.costSquareSum / count - meanUsd ** 2), curves };
}

/**
 * Scores with intervals that hold for all models of a use case at all looks together with probability 0.975, however
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
    totalError: TOTAL_ERROR / 2,
    modelCount: priced.length,
    claim: 'intervals',
    familyCount: PART_COUNT,
  });
  const isRated = priced.some(({ quality }) => quality.count >= RATED_MIN);
  for (const seen of priced) {
    const { modelId, success, speed, quality, cost } = seen;
    if (cost === null) continue;
    const parts: readonly SequencePart[] = [
      {
        weight: weights.success,
        interval: sequenceInterval(success, { kind: 'binary', error }),
        values: valuesOf(success, ADDED_COINS),
      },
      {
        weight: weights.speed,
        interval: sequenceInterval(speed, { kind: 'bounded', error }),
        values: valuesOf(speed, 0),
      },
      { weight: weights.cost, interval: costSequence(cost, error), values: costValues(cost) },
      {
        weight: weights.quality,
        interval: isRated ? sequenceInterval(quality, { kind: 'bounded', error }) : [0, 0],
        values: valuesOf(quality, ADDED_COINS),
      },
    ];
    const [low, high] = sumOf(parts);
    const estimate = estimateOf(parts, success.count);
    sequences.set(modelId, { modelId, low, high, estimate });
  }
  return sequences;
}

/**
 * Whether the evidence establishes that one model's score is above another's: wrong for any two models of a use case,
 * at any look, with probability 0.05 at most. Half of that is spent on intervals that do not touch, which serve from
 * the first request on; half on a sequence for the difference of the two scores, which tells two models apart by about half
 * of the requests that intervals need, and is asymptotic (from 100 requests on).
 *
 * Calibration of quality from marks and the curves are taken as given.
 */
export function isEstablishedAbove(
  one: ScoreSequence,
  other: ScoreSequence,
  { modelCount }: { readonly modelCount: number },
): boolean {
  if (liesAbove({ interval: [one.low, one.high] }, { interval: [other.low, other.high] })) return true;
  // A limit on one side is one of an interval of twice the error.
  const error = 2 * errorPerClaim({ totalError: TOTAL_ERROR / 2, modelCount, claim: 'order' });
  const difference = asymptoticSequence(
    [
      { coefficient: 1, ...one.estimate.values },
      { coefficient: -1, ...other.estimate.values },
    ],
    { error },
  );
  if (difference === null) return false;
  return difference.low + one.estimate.rest[0] - other.estimate.rest[1] > 0;
}

/**
 * The score by what was seen, as a mean over requests: score - truth is, but for what vanishes faster, the mean of one
 * number per request (its influence), so the sequence for means serves (Waudby-Smith et al. 2024, Annals of Statistics
 * 52(6), section 4). Variance of that number: count times the sum over parts of w_k^2 v_k / n_k and of their
 * covariances. Success and speed have none, as speed is of successes alone. Of other parts nobody knows, so they are
 * taken as great as they can be: of n_k and n_l requests at most the fewer are the same, and so w_k w_l s_k s_l / the
 * greater (Cauchy and Schwarz).
 *
 * Parts with too few observations to be near normal are left to their intervals.
 */
function estimateOf(parts: readonly SequencePart[], count: number): ScoreEstimate {
  const isNear = ({ values }: SequencePart): boolean => values.count >= PART_COUNT_MIN;
  const near = parts.filter(isNear);
  let mean = 0;
  let variance = 0;
  near.forEach((part, at) => {
    mean += part.weight * part.values.mean;
    near.slice(at).forEach((other, after) => {
      if (part === parts[0] && other === parts[1]) return;
      const [one, two] = [part.values, other.values];
      const deviations = part.weight * other.weight * Math.sqrt(one.variance * two.variance);
      variance += ((after === 0 ? 1 : 2) * deviations) / Math.max(one.count, two.count);
    });
  });
  return {
    values: { mean: SCORE_MAX * mean, variance: SCORE_MAX ** 2 * count * variance, count },
    rest: sumOf(parts.filter((part) => !isNear(part))),
  };
}

/** What the intervals of the parts leave of the score, 0..100. */
function sumOf(parts: readonly SequencePart[]): Interval {
  const sum = (side: 0 | 1): number =>
    SCORE_MAX * parts.reduce((total, { weight, interval }) => total + weight * interval[side], 0);
  return [sum(0), sum(1)];
}

/** The curve at the mean cost, its variance by the slope of the curve there. */
function costValues({ count, meanUsd, varianceUsd, curves }: CostSums): Values {
  const mean = costValue(meanUsd, curves);
  return { mean, variance: (mean ** 2 / curves.costHalfUsd) ** 2 * varianceUsd, count };
}

/** Mean and variance of values, as many good and bad coins added to the variance alone. */
function valuesOf({ count, sum, squareSum }: Moments, added: number): Values {
  const total = count + 2 * added;
  const variance = (squareSum + added) / total - ((sum + added) / total) ** 2;
  return { mean: count > 0 ? sum / count : 0, variance: Math.max(0, variance), count };
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

/** Of a model whose price is known from other use cases alone: anything. */
function unknownScore(modelId: string): ScoreSequence {
  const values = { mean: 0, variance: 0, count: 0 };
  return { modelId, low: 0, high: SCORE_MAX, estimate: { values, rest: [0, SCORE_MAX] } };
}

/**
 * Adds to ranked models how sure their place is: the ranks that the established orders leave, and the probability of
 * being the best of those with a score by the posteriors, which are taken as normal and independent.
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
  const known = scored.map(({ modelId }) => sequences.get(modelId) ?? unknownScore(modelId));
  const family = { modelCount: known.length };
  const groups = tieGroups(known, (one, other) => isEstablishedAbove(one, other, family));
  const ranks = new Map(
    groups.flatMap(({ models: ranges }) =>
      ranges.map(({ model, rankBest, rankWorst }) => [model.modelId, { rankBest, rankWorst }] as const),
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
