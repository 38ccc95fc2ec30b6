import { CURVES, type Curves } from '../core/policy.ts';
import type { Moments } from '../stats/posterior.ts';
import type { LatencyBins } from './latency-bins.ts';
import { binMiddleMs } from './latency-bins.ts';

/**
 * Worth of one latency, 1 at 0 ms, half at `speedHalfMs`, falling towards 0: 1 / (1 + t / half). Absolute, so a
 * score does not move when another model joins.
 */
export function speedValue(latencyMs: number, { speedHalfMs }: Pick<Curves, 'speedHalfMs'> = CURVES): number {
  return 1 / (1 + Math.max(0, latencyMs) / speedHalfMs);
}

/** Worth of a mean cost per request, 1 when free, half at `costHalfUsd`: 1 / (1 + c / half). */
export function costValue(costUsd: number, { costHalfUsd }: Pick<Curves, 'costHalfUsd'> = CURVES): number {
  return 1 / (1 + Math.max(0, costUsd) / costHalfUsd);
}

/** The mean cost that {@link costValue} maps to `value`; Infinity for 0. */
export function costOfValue(value: number, { costHalfUsd }: Pick<Curves, 'costHalfUsd'> = CURVES): number {
  return costHalfUsd * (1 / value - 1);
}

/** Moments of the speed value over requests: the mean of the curve, so a slow tail counts for what it is. */
export function speedMoments(bins: LatencyBins, curves: Curves = CURVES): Moments {
  let count = 0;
  let sum = 0;
  let squareSum = 0;
  for (const [bin, requests] of bins) {
    const value = speedValue(binMiddleMs(bin), curves);
    count += requests;
    sum += requests * value;
    squareSum += requests * value * value;
  }
  return { count, sum, squareSum };
}
