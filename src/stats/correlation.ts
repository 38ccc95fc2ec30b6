/** Sums of pairs (x, y). */
export interface PairSums {
  readonly count: number;
  readonly xSum: number;
  readonly xSquareSum: number;
  readonly ySum: number;
  readonly ySquareSum: number;
  readonly xySum: number;
}

/** Fisher's z needs more than three pairs to have a spread. */
const INTERVAL_PAIRS_MIN = 4;
const Z_95 = 1.959964;
/** At +-1 the transformation has no value; that close, the width is that of rounding. */
const REACH_MAX = 0.999_999;
const NO_VARIANCE = 1e-9;

/** Pearson's correlation, -1..1; null for fewer than three pairs, or when either side does not vary. */
export function correlationOf(sums: PairSums): number | null {
  const { count, xSum, ySum } = sums;
  if (count < 3) return null;
  const xVariance = sums.xSquareSum / count - (xSum / count) ** 2;
  const yVariance = sums.ySquareSum / count - (ySum / count) ** 2;
  if (xVariance < NO_VARIANCE || yVariance < NO_VARIANCE) return null;
  const covariance = sums.xySum / count - (xSum / count) * (ySum / count);
  return Math.min(1, Math.max(-1, covariance / Math.sqrt(xVariance * yVariance)));
}

/**
 * 95 % interval of a correlation by Fisher's z (1921, Metron 1); approximate where values come in few steps. null for
 * fewer than four pairs.
 */
export function correlationInterval(
  correlation: number,
  count: number,
): readonly [low: number, high: number] | null {
  if (count < INTERVAL_PAIRS_MIN) return null;
  const z = Math.atanh(Math.min(REACH_MAX, Math.max(-REACH_MAX, correlation)));
  const reach = Z_95 / Math.sqrt(count - 3);
  return [Math.tanh(z - reach), Math.tanh(z + reach)];
}
