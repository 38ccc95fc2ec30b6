import { errorFunction } from 'simple-statistics';
import { betaCdf } from './beta.ts';

/** What is believed of a value: normal by mean and variance, or Beta by its shapes. */
export type Belief =
  | { readonly mean: number; readonly variance: number }
  | { readonly a: number; readonly b: number };

/** Points of each belief's grid, in standard deviations from its mean. */
const REACH = 8;
const STEP = 0.125;
/** Points nearer than this share of the narrowest standard deviation are one. */
const NEAREST = 0.05;
/** What lies below this probability of holding the greatest value is not looked at. */
const NEGLIGIBLE = 1e-12;
/** Nodes and weights of Gauss and Legendre on [0, 1]: exact for polynomials of degree 7. */
const NODES: readonly (readonly [number, number])[] = [
  [0.0694318442029737, 0.1739274225687269],
  [0.3300094782075719, 0.3260725774312731],
  [0.6699905217924281, 0.3260725774312731],
  [0.9305681557970263, 0.1739274225687269],
];

/**
 * The probability that each of independent values is the greatest: the integral of f_i(x) times the product of
 * F_j(x) over all j but i (Thompson 1933, Biometrika 25, for two; Scott 2010, Applied Stochastic Models in Business
 * and Industry 26, for any number). Numeric, so the same on every call: the axis is cut where any belief bends;
 * within a piece every F is taken as straight, and the piece's mass (the product of F at its ends, exact) is
 * shared by Gauss and Legendre.
 *
 * Equal values share: two beliefs without variance at the same point have one half each. A few milliseconds for
 * ten beliefs, some tens for fifty; at most 0.0004 off a fine grid for Beta shapes down to 0.7.
 *
 * @param beliefs  shapes > 0; variances >= 0, 0 for a value that is known
 * @returns one probability each, in order; they add up to 1 (empty for none)
 * @throws {RangeError} if a shape, mean or variance leaves its range
 */
export function probabilitiesOfBest(beliefs: readonly Belief[]): readonly number[] {
  const curves = beliefs.map(curveOf);
  const shares = new Float64Array(curves.length);
  const points = gridOf(curves);
  let upper = curves.map(() => 1);
  let upperProduct = 1;
  for (let at = points.length - 1; at >= 0 && upperProduct > NEGLIGIBLE; at--) {
    const point = points[at] ?? 0;
    const lower = curves.map((curve) => curve.cdf(point));
    const lowerProduct = lower.reduce((product, value) => product * value, 1);
    addShares(shares, { lower, upper, mass: upperProduct - lowerProduct });
    upper = lower;
    upperProduct = lowerProduct;
  }
  const total = shares.reduce((sum, share) => sum + share, 0);
  return [...shares].map((share) => share / total);
}

interface Curve {
  readonly mean: number;
  readonly deviation: number;
  readonly cdf: (x: number) => number;
  /** Where the belief can lie at all. */
  readonly range: readonly [number, number];
}

function curveOf(belief: Belief): Curve {
  if ('a' in belief) {
    const { a, b } = belief;
    if (!(a > 0 && b > 0 && Number.isFinite(a + b)))
      throw new RangeError(`Beta needs finite shapes > 0, not ${a} and ${b}`);
    const deviation = Math.sqrt((a * b) / (a + b + 1)) / (a + b);
    return { mean: a / (a + b), deviation, cdf: (x) => betaCdf(x, a, b), range: [0, 1] };
  }
  const { mean, variance } = belief;
  if (!(variance >= 0 && Number.isFinite(mean + variance)))
    throw new RangeError(`a belief needs a finite mean and variance >= 0, not ${mean} and ${variance}`);
  const deviation = Math.sqrt(variance);
  const cdf = (x: number): number =>
    deviation === 0 ? (x >= mean ? 1 : 0) : normalCdf((x - mean) / deviation);
  return { mean, deviation, cdf, range: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] };
}

/** Sorted points where some curve bends; known values get one on each side of their jump. */
function gridOf(curves: readonly Curve[]): readonly number[] {
  const points = curves.flatMap(({ mean, deviation, range: [least, most] }) => {
    if (deviation === 0) return [mean, mean - Math.max(1, Math.abs(mean)) * 2 ** -50];
    const steps = Array.from({ length: (2 * REACH) / STEP + 1 }, (_, step) => step * STEP - REACH);
    return steps.map((step) => Math.min(most, Math.max(least, mean + step * deviation)));
  });
  const spreads = curves.map(({ deviation }) => deviation).filter((deviation) => deviation > 0);
  const nearest = curves.length === spreads.length ? NEAREST * Math.min(...spreads) : 0;
  const sorted = points.sort((one, other) => one - other);
  const kept: number[] = [];
  for (const point of sorted)
    if (point - (kept.at(-1) ?? Number.NEGATIVE_INFINITY) > nearest) kept.push(point);
  return kept;
}

/** Shares a piece's mass among the beliefs by who is the greatest in it. */
function addShares(
  shares: Float64Array,
  piece: { readonly lower: readonly number[]; readonly upper: readonly number[]; readonly mass: number },
): void {
  const { lower, upper, mass } = piece;
  if (mass <= 0) return;
  const parts = lower.map(() => 0);
  for (const [node, weight] of NODES) {
    const values = lower.map((low, at) => low + node * ((upper[at] ?? 0) - low));
    const product = values.reduce((all, value) => all * value, weight);
    if (product === 0) continue;
    values.forEach((value, at) => {
      parts[at] = (parts[at] ?? 0) + (product / value) * ((upper[at] ?? 0) - (lower[at] ?? 0));
    });
  }
  const total = parts.reduce((sum, part) => sum + part, 0);
  if (total <= 0) return;
  parts.forEach((part, at) => {
    shares[at] = (shares[at] ?? 0) + (mass * part) / total;
  });
}

/** Absolute error 1e-7. */
function normalCdf(z: number): number {
  return (1 + errorFunction(z / Math.SQRT2)) / 2;
}
