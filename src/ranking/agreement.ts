import type { Prior } from '../stats/posterior.ts';

/**
 * The share of feedback's variance that marks or a judge are taken to explain before it is measured, worth 50 requests
 * that have both. Larger, and what nobody validated outvotes people; smaller, and what agrees well counts for nothing
 * until hundreds of requests have both.
 */
const AGREEMENT_PRIOR: Prior = { mean: 0.05, weight: 50 };

/**
 * What a sign counts for against one explicit feedback, 0..1: its measured agreement, shrunk.
 *
 * @param measured  share of feedback's variance that it explains; null where that cannot be said
 */
export function earnedAgreement(measured: number | null, pairCount: number): number {
  const { mean, weight } = AGREEMENT_PRIOR;
  return measured === null ? mean : (weight * mean + pairCount * measured) / (weight + pairCount);
}
