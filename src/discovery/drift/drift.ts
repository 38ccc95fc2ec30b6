import { betaCdf } from '../../stats/beta.ts';

/** Requests of one bucket of time. */
export interface MixBucket {
  /** Requests per use case. */
  readonly counts: ReadonlyMap<string, number>;
}

export interface UseCaseDrift {
  readonly useCase: string;
  readonly requestCount: number;
  readonly previousRequestCount: number;
  /** Share of the window's requests, 0..1. */
  readonly share: number;
  readonly previousShare: number;
  /** Adjusted for all use cases (Holm). */
  readonly pValue: number;
  /** This use case alone would raise the alarm. */
  readonly isSignificant: boolean;
}

export interface Drift {
  /** True when a share changed significantly and by enough to matter; null when there is too little to say. */
  readonly isAlarm: boolean | null;
  /** Of the whole mix, one test over all use cases; null when there is too little to say. */
  readonly pValue: number | null;
  readonly requestCount: number;
  readonly previousRequestCount: number;
  /** Largest change first. */
  readonly useCases: readonly UseCaseDrift[];
  /** Why nothing can be said; null when something can. */
  readonly note: string | null;
}

/**
 * Chance of an alarm when nothing changed, over all use cases of one comparison; the smallest change below makes
 * it rarer still. Higher, and a daily look cries wolf every month; lower, and real changes take weeks.
 */
export const FALSE_ALARM_RATE = 0.01;
/** The mix as a whole and the use cases one by one are two tests: each gets half of the rate. */
const LEVEL = FALSE_ALARM_RATE / 2;
/** Changes below two points do not move a decision, however sure they are. */
const SHARE_CHANGE_MIN = 0.02;
/** A tenth more of a large use case is an ordinary week. */
const RELATIVE_CHANGE_MIN = 0.1;
/** Below, a share is mostly chance and the tests' approximations fail. */
const REQUESTS_MIN = 100;
/** Without a few buckets on each side nobody knows how much the mix varies on its own. */
const BUCKETS_MIN = 4;

/**
 * Did the mix of use cases change between two windows of equal length?
 *
 * Requests come in bursts (a session, a script), so shares vary more than a multinomial's would. Per use case the
 * difference of the two shares is tested by a quasi-binomial z with the dispersion
 * phi = max(1, Pearson's chi-square of the buckets within each window / its degrees of freedom), against Student's
 * t with these degrees of freedom (McCullagh and Nelder 1989, Generalized Linear Models, sections 4.5 and 9.2), and
 * the p-values are adjusted by Holm 1979. The p-value of the whole mix is that of the G-test (Sokal and Rohlf 2012)
 * on the same footing: G / (df * mean phi) against F. An alarm needs a change of at least two points and a tenth of
 * the share, and either an adjusted p of that use case or the p of the mix below 0.005: the one finds a single use
 * case that moved, the other a shift spread over many. Rhythms within a window (nights, weekends) count as dispersion, which
 * makes the test cautious; windows of whole weeks lose nothing by it.
 *
 * @param previous  buckets of the window before, of equal length, empty ones included
 * @param current   buckets of the window
 */
export function computeDrift(previous: readonly MixBucket[], current: readonly MixBucket[]): Drift {
  const [before, after] = [previous.filter(isFilled), current.filter(isFilled)];
  const previousRequestCount = totalOf(before);
  const requestCount = totalOf(after);
  const slugs = [...new Set([...before, ...after].flatMap(({ counts }) => [...counts.keys()]))].sort();
  const note = noteOf(before, after);
  const tested = slugs.map((useCase) => {
    const [x, y] = [countOf(before, useCase), countOf(after, useCase)];
    const test = note === null ? testShare(before, after, useCase) : { pValue: 1, dispersion: 1 };
    return {
      useCase,
      requestCount: y,
      previousRequestCount: x,
      share: requestCount === 0 ? 0 : y / requestCount,
      previousShare: previousRequestCount === 0 ? 0 : x / previousRequestCount,
      ...test,
    };
  });
  const adjusted = adjustHolm(tested.map(({ pValue }) => pValue));
  const useCases = tested
    .map(({ dispersion: _, ...entry }, at) => {
      const pValue = adjusted[at] ?? 1;
      return { ...entry, pValue, isSignificant: pValue < LEVEL && isLarge(entry) };
    })
    .sort((a, b) => Math.abs(b.share - b.previousShare) - Math.abs(a.share - a.previousShare));
  const pValue = note === null ? mixPValue(before, after, tested) : null;
  const isMixChanged = pValue !== null && pValue < LEVEL && useCases.some(isLarge);
  return {
    isAlarm: note === null ? isMixChanged || useCases.some(({ isSignificant }) => isSignificant) : null,
    pValue,
    requestCount,
    previousRequestCount,
    useCases,
    note,
  };
}

function isLarge({ share, previousShare }: { share: number; previousShare: number }): boolean {
  const change = Math.abs(share - previousShare);
  return change >= SHARE_CHANGE_MIN && change >= RELATIVE_CHANGE_MIN * Math.max(share, previousShare);
}

function isFilled(bucket: MixBucket): boolean {
  return sizeOf(bucket) > 0;
}

function sizeOf({ counts }: MixBucket): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}

function totalOf(buckets: readonly MixBucket[]): number {
  return buckets.reduce((sum, bucket) => sum + sizeOf(bucket), 0);
}

function countOf(buckets: readonly MixBucket[], useCase: string): number {
  return buckets.reduce((sum, { counts }) => sum + (counts.get(useCase) ?? 0), 0);
}

function noteOf(before: readonly MixBucket[], after: readonly MixBucket[]): string | null {
  if (Math.min(totalOf(before), totalOf(after)) < REQUESTS_MIN) {
    return `Fewer than ${REQUESTS_MIN} requests in the window or in the one before: too few to compare.`;
  }
  if (Math.min(before.length, after.length) < BUCKETS_MIN) {
    return 'Too few hours or days with requests to know how much the mix varies on its own: take a longer window.';
  }
  return null;
}

function testShare(
  before: readonly MixBucket[],
  after: readonly MixBucket[],
  useCase: string,
): { pValue: number; dispersion: number } {
  const [n, m] = [totalOf(before), totalOf(after)];
  const [x, y] = [countOf(before, useCase), countOf(after, useCase)];
  const freedom = before.length + after.length - 2;
  const chiSquare = pearsonWithin(before, useCase, x / n) + pearsonWithin(after, useCase, y / m);
  const dispersion = Math.max(1, chiSquare / freedom);
  const pooled = (x + y) / (n + m);
  const variance = pooled * (1 - pooled) * (1 / n + 1 / m) * dispersion;
  if (variance <= 0) return { pValue: 1, dispersion };
  return { pValue: studentTail((y / m - x / n) / Math.sqrt(variance), freedom), dispersion };
}

/** Pearson's chi-square of the buckets of one window against the window's own share. */
function pearsonWithin(buckets: readonly MixBucket[], useCase: string, share: number): number {
  if (share <= 0 || share >= 1) return 0;
  return buckets.reduce((sum, bucket) => {
    const size = sizeOf(bucket);
    const excess = (bucket.counts.get(useCase) ?? 0) - size * share;
    return sum + (excess * excess) / (size * share * (1 - share));
  }, 0);
}

/** Probability that |t| exceeds `t` for Student's t (Abramowitz and Stegun 26.7.1). */
function studentTail(t: number, freedom: number): number {
  return betaCdf(freedom / (freedom + t * t), freedom / 2, 0.5);
}

/** Holm 1979: the k-th smallest of n p-values times (n - k + 1), never below the one before. */
function adjustHolm(pValues: readonly number[]): number[] {
  const order = Array.from(pValues.keys()).sort((a, b) => (pValues[a] ?? 1) - (pValues[b] ?? 1));
  const adjusted = pValues.map(() => 1);
  let least = 0;
  order.forEach((at, rank) => {
    least = Math.max(least, Math.min(1, (pValues[at] ?? 1) * (pValues.length - rank)));
    adjusted[at] = least;
  });
  return adjusted;
}

/** G = 2 sum O ln(O / E) over the table of windows by use cases, corrected for the mean dispersion. */
function mixPValue(
  before: readonly MixBucket[],
  after: readonly MixBucket[],
  tested: readonly { previousRequestCount: number; requestCount: number; dispersion: number }[],
): number {
  const [n, m] = [totalOf(before), totalOf(after)];
  const freedom = tested.length - 1;
  if (freedom < 1) return 1;
  let g = 0;
  for (const { previousRequestCount: x, requestCount: y } of tested) {
    const expected = (x + y) / (n + m);
    if (x > 0) g += 2 * x * Math.log(x / (n * expected));
    if (y > 0) g += 2 * y * Math.log(y / (m * expected));
  }
  const weights = tested.map(({ previousRequestCount, requestCount }) => previousRequestCount + requestCount);
  const dispersion =
    tested.reduce((sum, entry, at) => sum + entry.dispersion * (weights[at] ?? 0), 0) / (n + m);
  const rest = (before.length + after.length - 2) * freedom;
  const f = g / (freedom * dispersion);
  // P(F > f) with (freedom, rest) degrees of freedom (Abramowitz and Stegun 26.6.2).
  return betaCdf(rest / (rest + freedom * f), rest / 2, freedom / 2);
}
