import { gammaln, probit } from 'simple-statistics';

const FRACTION_STEPS_MAX = 300;
const FRACTION_TOLERANCE = 1e-12;
const TINY = 1e-300;
const QUANTILE_STEPS_MAX = 60;
/** Far below what anybody reads off an interval; smaller costs steps, larger shows in the third digit. */
const QUANTILE_TOLERANCE = 1e-8;

/**
 * Regularised incomplete beta function I_x(a, b): the probability that Beta(a, b) is at most `x`.
 *
 * Continued fraction of DLMF 8.17.22, evaluated by the modified Lentz method; for x beyond the mean the
 * symmetry I_x(a, b) = 1 - I_(1-x)(b, a) keeps it quick. Absolute error about 1e-12.
 *
 * @throws {RangeError} unless a > 0 and b > 0
 */
export function betaCdf(x: number, a: number, b: number): number {
  if (!(a > 0) || !(b > 0)) throw new RangeError(`Beta needs a > 0 and b > 0, not ${a} and ${b}`);
  return cdfOf(x, a, b, logBetaInverse(a, b));
}

function cdfOf(x: number, a: number, b: number, logScale: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - cdfOf(1 - x, b, a, logScale);
  const logFront = a * Math.log(x) + b * Math.log1p(-x) + logScale;
  return (Math.exp(logFront) / a) * betaFraction(x, a, b);
}

/**
 * The value that Beta(a, b) stays below with probability `p`. Newton steps held inside a shrinking bracket,
 * so it converges for every shape.
 *
 * @param p  in [0, 1]
 * @throws {RangeError} unless a > 0 and b > 0 and 0 <= p <= 1
 */
export function betaQuantile(p: number, a: number, b: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`p must lie in [0, 1], not ${p}`);
  if (!(a > 0) || !(b > 0)) throw new RangeError(`Beta needs a > 0 and b > 0, not ${a} and ${b}`);
  if (p === 0 || p === 1) return p;
  const logScale = logBetaInverse(a, b);
  let low = 0;
  let high = 1;
  let x = startOf(p, a, b);
  for (let step = 0; step < QUANTILE_STEPS_MAX; step++) {
    const excess = cdfOf(x, a, b, logScale) - p;
    if (excess > 0) high = x;
    else low = x;
    const density = Math.exp((a - 1) * Math.log(x) + (b - 1) * Math.log1p(-x) + logScale);
    const newton = x - excess / density;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - x) < QUANTILE_TOLERANCE) return next;
    x = next;
  }
  return x;
}

/** The normal approximation, kept inside: three or four Newton steps from the answer for most shapes. */
function startOf(p: number, a: number, b: number): number {
  const mean = a / (a + b);
  const guess = mean + probit(p) * Math.sqrt((mean * (1 - mean)) / (a + b + 1));
  return guess > 0 && guess < 1 ? guess : p < 0.5 ? mean / 2 : (1 + mean) / 2;
}

function logBetaInverse(a: number, b: number): number {
  return gammaln(a + b) - gammaln(a) - gammaln(b);
}

function betaFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= FRACTION_STEPS_MAX; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / awayFromZero(1 + even * d);
    c = awayFromZero(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / awayFromZero(1 + odd * d);
    c = awayFromZero(1 + odd / c);
    const factor = d * c;
    fraction *= factor;
    if (Math.abs(factor - 1) < FRACTION_TOLERANCE) break;
  }
  return fraction;
}

function awayFromZero(value: number): number {
  return Math.abs(value) < TINY ? TINY : value;
}
