import { betaQuantile } from './beta.ts';

/**
 * Sufficient statistics of observations in [0, 1]. Counts may be fractional: an observation of weight w adds
 * w, w x and w x^2.
 */
export interface Moments {
  readonly count: number;
  readonly sum: number;
  readonly squareSum: number;
}

export const NO_MOMENTS: Moments = { count: 0, sum: 0, squareSum: 0 };

/** What is believed before looking: a mean in (0, 1) and how many observations that belief is worth. */
export interface Prior {
  readonly mean: number;
  readonly weight: number;
}

/** Posterior of a mean in [0, 1]. */
export interface Posterior {
  readonly mean: number;
  readonly variance: number;
}

/** Below this the variance is that of rounding; Beta parameters would overflow. */
const VARIANCE_MIN = 1e-12;
/** No observations vary so little that a handful settles everything. */
const SPREAD_MIN = 1e-4;
/** Observations that a shape of the spread is worth before it is believed. Small: noise; large: every part looks like a coin. */
const DISPERSION_WEIGHT = 20;

export function addMoments(one: Moments, other: Moments): Moments {
  return {
    count: one.count + other.count,
    sum: one.sum + other.sum,
    squareSum: one.squareSum + other.squareSum,
  };
}

/** Moments of successes (1) and failures (0). */
export function binaryMoments(successCount: number, failureCount: number): Moments {
  return { count: successCount + failureCount, sum: successCount, squareSum: successCount };
}

/**
 * Mean of the observations and the prior, each by its weight: (w m + sum) / (w + n).
 * Beta-binomial shrinkage, Gelman et al., Bayesian Data Analysis 3rd ed., sections 2.4 and 5.3.
 */
export function shrunkMean(observed: Moments, prior: Prior): number {
  return (prior.weight * prior.mean + observed.sum) / (prior.weight + observed.count);
}

/**
 * Spread of the observations as a share of the greatest that their mean allows: 1 for coins (0 or 1), near 0
 * for values that hardly differ. The dispersion of a quasi-binomial model (McCullagh and Nelder 1989, 4.5),
 * leaning on `assumed` while there are few.
 */
export function dispersion(observed: Moments, assumed: number): number {
  return commonDispersion([observed], assumed);
}

/** The dispersion within several groups of observations, whatever the distances of their means. */
export function commonDispersion(groups: Iterable<Moments>, assumed: number): number {
  let count = 0;
  let squares = 0;
  let most = 0;
  for (const group of groups) {
    if (group.count <= 1) continue;
    const mean = group.sum / group.count;
    if (mean * (1 - mean) < VARIANCE_MIN) continue;
    count += group.count;
    squares += Math.max(0, group.squareSum - group.sum * mean);
    most += group.sum * (1 - mean);
  }
  if (count === 0) return assumed;
  return (count * Math.min(1, squares / most) + DISPERSION_WEIGHT * assumed) / (count + DISPERSION_WEIGHT);
}

/**
 * Posterior of a mean: the prior is worth `weight` coin tosses, the observations vary by `spread` of a coin, so that
 * one of them is worth 1 / spread tosses.
 *
 * mean = (spread w m + sum) / (spread w + n), variance = m (1 - m) / (w + 1 + n / spread): the inverse variances add
 * up (Gelman et al., Bayesian Data Analysis 3rd ed., 2.5). With spread 1 this is exactly the Beta posterior, and with
 * many observations it is their own variance of the mean.
 */
export function posteriorOf(observed: Moments, prior: Prior, spread = 1): Posterior {
  const worth = Math.max(spread, SPREAD_MIN);
  const mean = shrunkMean(observed, { mean: prior.mean, weight: worth * prior.weight });
  const tosses = prior.weight + observed.count / worth;
  return { mean, variance: Math.max(VARIANCE_MIN, (mean * (1 - mean)) / (tosses + 1)) };
}

/**
 * Central interval of a posterior, from the Beta distribution of the same mean and variance: it stays within
 * [0, 1] and is skewed where it must be.
 *
 * @param coverage  in (0, 1)
 */
export function posteriorInterval(posterior: Posterior, coverage = 0.95): readonly [number, number] {
  const { mean } = posterior;
  const variance = Math.max(posterior.variance, VARIANCE_MIN);
  const spread = mean * (1 - mean);
  if (spread <= variance) return variance <= VARIANCE_MIN ? [mean, mean] : [0, 1];
  const total = spread / variance - 1;
  const tail = (1 - coverage) / 2;
  const a = mean * total;
  const b = (1 - mean) * total;
  return [betaQuantile(tail, a, b), betaQuantile(1 - tail, a, b)];
}
