import { gammaln } from 'simple-statistics';

/**
 * Worth of the expected shares, in counts: departures of about one part in ten show soonest. Smaller favours gross
 * departures, larger slight ones; the error holds with any.
 */
const CONCENTRATION = 100;

/**
 * Anytime-valid p-value of counts against the shares that were meant: if the shares are true, the probability that it is
 * at or below p at any look ever is at most p.
 *
 * 1 / e, where e = integral of the likelihood over a Dirichlet about the expected shares, over the likelihood of the
 * expected shares: B(a + n) / B(a) / prod share_i^n_i, a martingale with mean 1 (Lindon and Malek 2022, Anytime-Valid
 * Inference for Multinomial Count Data, NeurIPS 35; Ville 1939). Of looks after one another the least p counts.
 *
 * @param counts  one per share, 0 or more
 * @param shares  each in (0, 1]; together 1
 * @returns (0, 1]
 * @throws {RangeError} for counts and shares that are none
 */
export function multinomialPValue(counts: readonly number[], shares: readonly number[]): number {
  if (counts.length !== shares.length || counts.some((count) => !(count >= 0)))
    throw new RangeError('there must be a count of 0 or more for each share');
  if (shares.some((share) => !(share > 0 && share <= 1)))
    throw new RangeError('shares must lie above 0 and be at most 1');
  let logEvidence =
    gammaln(CONCENTRATION) - gammaln(CONCENTRATION + counts.reduce((sum, count) => sum + count, 0));
  shares.forEach((share, at) => {
    const count = counts[at] ?? 0;
    const worth = CONCENTRATION * share;
    logEvidence += gammaln(worth + count) - gammaln(worth) - count * Math.log(share);
  });
  return Math.min(1, Math.exp(-logEvidence));
}
