import { betaCdf, betaQuantile } from './beta.ts';

/**
 * Probability that Student's t with `degrees` of freedom lies further from 0 than `t`, both sides together:
 * I_x(degrees / 2, 1 / 2) at x = degrees / (degrees + t^2) (Abramowitz and Stegun 1964, 26.7.1 with 26.5.27).
 *
 * @param degrees  > 0
 */
export function studentTail(t: number, degrees: number): number {
  return betaCdf(degrees / (degrees + t * t), degrees / 2, 0.5);
}

/** The distance from 0 that t leaves with probability 1 - `coverage`, both sides together. */
export function studentReach(coverage: number, degrees: number): number {
  const x = betaQuantile(1 - coverage, degrees / 2, 0.5);
  return x === 0 ? Number.POSITIVE_INFINITY : Math.sqrt((degrees * (1 - x)) / x);
}
