import type { Policy } from '../../core/policy.ts';
import { notWorseProbability } from '../../core/ranking-view.ts';
import type { ScorePart } from '../../core/snapshot.ts';
import {
  addMoments,
  binaryMoments,
  dispersion,
  type Moments,
  NO_MOMENTS,
  type Prior,
  posteriorInterval,
  posteriorOf,
} from '../../stats/posterior.ts';
import {
  costMeanUsd,
  counted,
  type InefficiencyEvidence,
  type ModelRecord,
  OVERALL,
  overallRows,
} from './evidence.ts';
import type { Comparison, Estimate } from './inefficiency.ts';

/** Use cases in which small models do as well: the original's observation, and ours on day zero. */
const SIMPLE_USE_CASES: ReadonlySet<string> = new Set([
  'casual_chat',
  'quick_lookup',
  'food_dining',
  'entertainment',
  'home_devices',
  'news_events',
  'shopping_prices',
]);

/** Ratings are rare; with fewer, one person's mood decides. */
const RATINGS_MIN = 5;
/** Before looking, every success rate and every mean rating is as likely as any other: Beta(1, 1). */
const FLAT: Prior = { mean: 0.5, weight: 2 };
const Z_95 = 1.959964;

export function isSimple(useCase: string): boolean {
  return SIMPLE_USE_CASES.has(useCase);
}

/** Margins, certainty and least evidence are those by which `auto` chooses in the use case. */
function policyFor(useCase: string, { policies }: Pick<InefficiencyEvidence, 'policies'>): Policy {
  return policies.policyOf('auto', useCase === OVERALL ? null : useCase);
}

/** Enough requests of a model in a use case to say anything. */
export function isJudged(row: ModelRecord, evidence: Pick<InefficiencyEvidence, 'policies'>): boolean {
  return counted(row) >= policyFor(row.useCase, evidence).evidenceMin;
}

/** A model that may stand in for `row`'s, its record, and what the two were compared by. */
export interface StandIn {
  readonly record: ModelRecord;
  readonly comparison: Comparison;
}

/**
 * Models that are not worse than `row`'s in its use case: in success with the certainty that `auto` asks for,
 * in ratings by their mean, and not refused by the ranking. In a simple use case a model may stand on its
 * record everywhere: that is how day zero can say anything.
 */
export function findStandIns(row: ModelRecord, evidence: InefficiencyEvidence): StandIn[] {
  const here = evidence.rows.filter(
    (other) => other.useCase === row.useCase && other.modelId !== row.modelId && isJudged(other, evidence),
  );
  const elsewhere = isSimple(row.useCase)
    ? overallRows(evidence.rows).filter(
        (other) =>
          other.modelId !== row.modelId &&
          isJudged(other, evidence) &&
          !here.some(({ modelId }) => modelId === other.modelId),
      )
    : [];
  return [...here, ...elsewhere].flatMap((record) => {
    const comparison = compare(record, row, evidence);
    return comparison === null ? [] : [{ record, comparison }];
  });
}

function compare(record: ModelRecord, row: ModelRecord, evidence: InefficiencyEvidence): Comparison | null {
  const costUsd = costMeanUsd(record);
  const policy = policyFor(row.useCase, evidence);
  if (costUsd === null || isRefused(record.modelId, row.useCase, evidence)) return null;
  const theirs = partOf(binaryMoments(record.successCount, record.failureCount));
  const own = partOf(binaryMoments(row.successCount, row.failureCount));
  if (notWorseProbability(theirs, own, policy.successMargin) < policy.certainty) return null;
  const theirRatings = ratingsOf(record.modelId, row.useCase, evidence);
  const ownRatings = ratingsOf(row.modelId, row.useCase, evidence);
  const isRated = theirRatings.count >= RATINGS_MIN && ownRatings.count >= RATINGS_MIN;
  const quality = isRated ? difference(partOf(theirRatings), partOf(ownRatings)) : null;
  // Asking for certainty of so few ratings would silence every finding, so the means decide.
  if (quality !== null && quality.value < -policy.qualityMargin) return null;
  return {
    modelId: record.modelId,
    isRecordElsewhere: record.useCase !== row.useCase,
    margin: policy.successMargin,
    success: difference(theirs, own),
    quality,
    costMeanUsd: costUsd,
  };
}

/** True when the ranking has enough evidence of the model in the use case and keeps it from `auto`. */
function isRefused(modelId: string, useCase: string, { rankings }: InefficiencyEvidence): boolean {
  const ranking = rankings.find((one) => one.useCase === useCase);
  const ranked = ranking?.models.find((model) => model.modelId === modelId);
  return ranked?.hasEnoughEvidence === true && !ranked.isCandidate;
}

function ratingsOf(modelId: string, useCase: string, { ratings }: InefficiencyEvidence): Moments {
  return ratings
    .filter((row) => row.modelId === modelId && row.useCase === useCase)
    .reduce(
      (sum, row) =>
        addMoments(sum, {
          count: row.feedbackCount,
          sum: row.feedbackSum,
          squareSum: row.feedbackSquareSum,
        }),
      NO_MOMENTS,
    );
}

function partOf(observed: Moments): ScorePart {
  const posterior = posteriorOf(observed, FLAT, dispersion(observed, 1));
  const [low, high] = posteriorInterval(posterior);
  return { value: posterior.mean, low, high, sampleCount: observed.count, isAssumed: observed.count === 0 };
}

/** A share with its 95 % interval, as every share here is estimated. */
export function shareOf(goodCount: number, badCount: number): Estimate {
  const { low, high, sampleCount } = partOf(binaryMoments(goodCount, badCount));
  return { value: goodCount / (goodCount + badCount), interval: [low, high], sampleCount };
}

/**
 * One share minus another. The interval recovers each side's spread from its own limits and adds the squares
 * (MOVER: Zou and Donner 2008, Statistics in Medicine 27, 1693-1702; for two proportions Newcombe 1998,
 * Statistics in Medicine 17, 873-890, method 10), so that shares near 1 have skewed ones.
 */
function difference(one: ScorePart, other: ScorePart): Estimate {
  const value = one.value - other.value;
  return {
    value,
    interval: [
      value - Math.hypot(one.value - one.low, other.high - other.value),
      value + Math.hypot(one.high - one.value, other.value - other.low),
    ],
    sampleCount: Math.min(one.sampleCount, other.sampleCount),
  };
}

/**
 * What `count` more requests like those of `record` would cost, dollars, with a 95 % interval: the uncertainty
 * of the mean (count^2 times its variance) and the spread of that many requests about it (count times theirs),
 * by the normal limit. A single priced request says nothing of the spread, which is then taken to be the cost.
 */
export function costOfMore(record: ModelRecord, count: number): Estimate {
  const seen = record.pricedCount;
  const meanUsd = record.costSumUsd / seen;
  const spread =
    seen > 1
      ? Math.max(0, record.costSquareSum / seen - meanUsd * meanUsd) * (seen / (seen - 1))
      : meanUsd ** 2;
  const halfWidth = Z_95 * Math.sqrt((count * count * spread) / seen + count * spread);
  const value = count * meanUsd;
  return { value, interval: [Math.max(0, value - halfWidth), value + halfWidth], sampleCount: seen };
}
