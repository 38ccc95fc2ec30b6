import type { Moments } from '../stats/posterior.ts';
import type { LatencyBins } from './latency-bins.ts';
import { binMiddleMs } from './latency-bins.ts';

/**
 * The latency that is worth half of the speed part. Much smaller, and every model above a second looks equally
 * slow; much larger, and a minute is as good as a second. At 15 s an answer is slow enough that people look
 * away, and the curve still tells 1 s from 2 s (0.94 against 0.88).
 */
const SPEED_HALF_MS = 15_000;
/**
 * The price of a request that is worth half of the cost part. Much smaller, and every paid model is at zero;
 * much larger, and cents look free. One cent lies between the small hosted models (0.02 to 0.2 cents a
 * request) and the large ones (1 to 5 cents).
 */
const COST_HALF_USD = 0.01;

/**
 * Worth of one latency, 1 at 0 ms, half at 15 s, falling towards 0: 1 / (1 + t / 15,000 ms). Absolute, so a
 * score does not move when another model joins.
 */
export function speedValue(latencyMs: number): number {
  return 1 / (1 + Math.max(0, latencyMs) / SPEED_HALF_MS);
}

/** Worth of a mean cost per request, 1 when free, half at one cent: 1 / (1 + c / 0.01 USD). */
export function costValue(costUsd: number): number {
  return 1 / (1 + Math.max(0, costUsd) / COST_HALF_USD);
}

/** The mean cost that {@link costValue} maps to `value`; Infinity for 0. */
export function costOfValue(value: number): number {
  return COST_HALF_USD * (1 / value - 1);
}

/** Moments of the speed value over requests: the mean of the curve, so a slow tail counts for what it is. */
export function speedMoments(bins: LatencyBins): Moments {
  let count = 0;
  let sum = 0;
  let squareSum = 0;
  for (const [bin, requests] of bins) {
    const value = speedValue(binMiddleMs(bin));
    count += requests;
    sum += requests * value;
    squareSum += requests * value * value;
  }
  return { count, sum, squareSum };
}
