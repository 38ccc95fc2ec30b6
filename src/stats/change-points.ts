import { dispersion, type Moments } from './posterior.ts';
import {
  addAnalyses,
  type BlockAnalysis,
  type SeriesBucket,
  SeriesSums,
  type Variances,
  variancesOf,
} from './series-sums.ts';
import { studentReach, studentTail } from './student.ts';

export interface ChangePointOptions {
  /** `rate`: values in [0, 1], tested as counts. `real`: any others; give latency and cost as logarithms. */
  readonly kind: 'rate' | 'real';
  /** Expected false alarms in a year of one series that does not change. */
  readonly falseAlarmsPerYear?: number;
  /** Width of a bucket: an hour or a day. */
  readonly bucketMs?: number;
}

/** Mean of a stretch between two changes. */
export interface Level {
  readonly mean: number;
  /** 95 % at one look. */
  readonly interval: readonly [number, number];
  readonly sampleCount: number;
}

export interface ChangePoint {
  /** When the level moved, as estimated: the start of the first bucket of the new level. */
  readonly atMs: number;
  /** When enough had been seen to say so: the end of the last bucket used. */
  readonly detectedAtMs: number;
  readonly before: Level;
  /** Up to the next change or the end of the series. */
  readonly after: Level;
  /** Of the test that alarmed; it had to fall below its share of the stated rate. */
  readonly pValue: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365.25 * DAY_MS;
/** One in twenty years of a series. A rarer alarm comes later: ten times rarer costs about a quarter more evidence. */
const FALSE_ALARMS_PER_YEAR = 0.05;
/** Recent stretches held against all before them. Doubling: a shift is seen whole by one that is half as long or more. */
const STRETCH_HOURS: readonly number[] = [3, 6, 12, 24, 48, 96, 192, 384, 768, 1_536];
/** Looks per length of a stretch: more spend the error on looks that hardly differ, fewer wait. */
const LOOKS_PER_STRETCH = 6;
/** Whole days that the scatter between days is estimated from. */
const BASELINE_DAYS_MIN = 7;
const BASELINE_COUNT_MIN = 30;
/** Fewest values in a recent stretch: for rates, where the test is exact enough, and for values with tails. */
const STRETCH_COUNT_MIN = { rate: 10, real: 20 } as const;
/** Older buckets are left out, so that work stays bounded: a year of hours takes some 30,000 tests. */
const SERIES_DAYS_MAX = 400;
const INTERVAL_COVERAGE = 0.95;
/** No threshold lies nearer. */
const TEST_STATISTIC_MIN = 3;

/**
 * Moments at which the level of a series moved, oldest first; null while the series is too short to say anything
 * (less than 7 days with 30 values before a stretch of 10 or 20).
 *
 * Goes through the series as it came: after every bucket the recent stretches of 3 hours to 64 days are compared
 * with everything since the last change (unknown level before and after: Hawkins, Qiu and Kang 2003, Journal of
 * Quality Technology 35; Siegmund and Venkatraman 1995, Annals of Statistics 23). So the marks of a history are the
 * alarms that a watcher would have had, and calling it again with one more bucket is the watch.
 *
 * **False alarms**: every length has the same share of `falseAlarmsPerYear`, spread over its looks (Bonferroni; a
 * length is looked at six times per its own duration), so their expected number in a year without change is at
 * most the stated one. Looks overlap, so there are fewer: at a stated 0.2 a year, 0.02 to 0.05 over 148
 * series-years each of success with 3 requests an hour, latency with a time of day, latency with days that differ
 * by 0.2. Not covered: a level that wanders for weeks (days correlated by 0.3: 0.16, by 0.6: 1.2, by 0.9: 6.9 marks
 * a year), single odd days (marked as a beginning and an end, as an outage is), a trend (marked as steps), and
 * alarms soon after a true change, whose moment is chosen to look like one. Series add up: 100 at 0.05 make up to 5.
 *
 * **Scatter** comes from the data. A mean over D days has variance within / n + between / D, days taken as blocks
 * (analysis of variance) and inflated by the correlation of neighbouring days, so what differs from day to day does
 * not alarm; a stretch of hours has the whole variance between hours, so a time of day does not. Tails are Student's
 * t with the days of both stretches as degrees of freedom, less one each: within the first two weeks only gross
 * shifts show. A new level borrows the scatter of the one before until it has 7 days of its own, so that an end is
 * seen soon after a beginning.
 *
 * **Tests**: `real`, difference of means over its standard error, with the greater of the two variances within
 * (Welch 1947); `rate`, signed root of the binomial likelihood ratio over its dispersion (McCullagh and Nelder 1989,
 * 4.5), which keeps its size where failures are rare.
 *
 * @param buckets  in order of time, one per `bucketMs` at most; missing ones are empty. Counts are numbers of
 *   values; weighted counts make scatter look smaller than it is
 * @throws {RangeError} if buckets are out of order, or an option leaves its range
 */
export function detectChangePoints(
  buckets: readonly SeriesBucket[],
  options: ChangePointOptions,
): readonly ChangePoint[] | null {
  const { kind, falseAlarmsPerYear = FALSE_ALARMS_PER_YEAR, bucketMs = HOUR_MS } = options;
  if (!(falseAlarmsPerYear > 0)) throw new RangeError(`false alarms must be > 0, not ${falseAlarmsPerYear}`);
  if (!(bucketMs > 0 && Number.isInteger(DAY_MS / bucketMs)))
    throw new RangeError(`bucketMs must divide a day, not ${bucketMs}`);
  const { startMs, steps } = stepsOf(buckets, bucketMs);
  const series: Series = {
    kind,
    sums: new SeriesSums(steps, DAY_MS / bucketMs),
    stepsPerDay: DAY_MS / bucketMs,
  };
  const alarms = watch(series, stretchesOf(bucketMs, falseAlarmsPerYear));
  if (alarms === null) return null;
  return alarms.map(({ start, split, end, pValue }, at) => ({
    atMs: startMs + split * bucketMs,
    detectedAtMs: startMs + end * bucketMs,
    before: levelOf(series, start, split),
    after: levelOf(series, split, alarms[at + 1]?.split ?? series.sums.stepCount),
    pValue,
  }));
}

interface Series {
  readonly kind: 'rate' | 'real';
  readonly sums: SeriesSums;
  readonly stepsPerDay: number;
}

interface Stretch {
  readonly length: number;
  readonly stride: number;
  readonly pValueMax: number;
}

interface Alarm {
  /** First step of the level before, first of the new one, and the step after the last one used. */
  readonly start: number;
  readonly split: number;
  readonly end: number;
  readonly pValue: number;
}

/** What is known of scatter: about the mean of a step, and of a day. */
interface Scatter {
  readonly steps: BlockAnalysis;
  readonly days: BlockAnalysis;
}

function stepsOf(
  buckets: readonly SeriesBucket[],
  bucketMs: number,
): { readonly startMs: number; readonly steps: readonly Moments[] } {
  const lastMs = buckets.at(-1)?.atMs ?? 0;
  const kept = buckets.filter(({ atMs }) => atMs > lastMs - SERIES_DAYS_MAX * DAY_MS);
  const startMs = kept[0]?.atMs ?? 0;
  const steps: Moments[] = [];
  for (const { atMs, count, sum, squareSum } of kept) {
    const at = Math.floor((atMs - startMs) / bucketMs);
    if (at < steps.length) throw new RangeError(`buckets must come in order of time; ${atMs} does not`);
    while (steps.length < at) steps.push({ count: 0, sum: 0, squareSum: 0 });
    steps.push({ count, sum, squareSum });
  }
  return { startMs, steps };
}

function stretchesOf(bucketMs: number, falseAlarmsPerYear: number): readonly Stretch[] {
  const lengths = STRETCH_HOURS.map((hours) => (hours * HOUR_MS) / bucketMs).filter((steps) => steps >= 1);
  return lengths.map((length) => {
    const stride = Math.max(1, Math.floor(length / LOOKS_PER_STRETCH));
    const looksPerYear = YEAR_MS / (stride * bucketMs);
    return { length, stride, pValueMax: falseAlarmsPerYear / lengths.length / looksPerYear };
  });
}

function watch(series: Series, stretches: readonly Stretch[]): readonly Alarm[] | null {
  const alarms: Alarm[] = [];
  let hasLooked = false;
  let start = 0;
  let borrowed: Scatter | null = null;
  for (let end = 1; end <= series.sums.stepCount; end++) {
    for (const { length, stride, pValueMax } of stretches) {
      if (end % stride !== 0) continue;
      const stretch = { start, split: end - length, end };
      const pValue = comparison(series, stretch, borrowed);
      if (pValue === null) continue;
      hasLooked = true;
      if (pValue > pValueMax) continue;
      const split = likeliestSplit(series, { start, end, length });
      alarms.push({ start, split, end, pValue });
      borrowed = ownScatter(series, start, split) ?? borrowed;
      start = split;
      break;
    }
  }
  return hasLooked ? alarms : null;
}

function scatterOf({ sums }: Series, from: number, to: number): Scatter {
  return { steps: sums.stepAnalysis(from, to), days: sums.dayAnalysis(from, to) };
}

/** Null while there are too few days to know it. */
function ownScatter(series: Series, start: number, end: number): Scatter | null {
  const scatter = scatterOf(series, start, end);
  const isKnown =
    scatter.days.spareBlockCount >= BASELINE_DAYS_MIN - 1 &&
    series.sums.between(start, end).count >= BASELINE_COUNT_MIN;
  return isKnown ? scatter : null;
}

/** p-value of "both stretches have one level"; null where too little was seen to ask. */
function comparison(
  series: Series,
  { start, split, end }: { readonly start: number; readonly split: number; readonly end: number },
  borrowed: Scatter | null,
): number | null {
  if (split <= start) return null;
  const before = series.sums.between(start, split);
  const after = series.sums.between(split, end);
  const countMin = STRETCH_COUNT_MIN[series.kind];
  if (before.count < countMin || after.count < countMin) return null;
  const known = ownScatter(series, start, split) ?? borrowed;
  if (known === null) return null;
  const recent = scatterOf(series, split, end);
  const days = addAnalyses(known.days, recent.days);
  const isShort = Math.min(split - start, end - split) < series.stepsPerDay;
  if (isShort && known.steps.spareCount < BASELINE_COUNT_MIN) return null;
  const variances = variancesOf(days);
  const ofTime = (steps: number): number =>
    steps < series.stepsPerDay
      ? Math.max(variancesOf(known.steps).between, variances.between)
      : varianceOfDays(steps / series.stepsPerDay, variances);
  const excess = ofTime(split - start) + ofTime(end - split);
  const t =
    series.kind === 'rate'
      ? rateStatistic(before, after, excess)
      : meanStatistic(before, after, { excess, within: variances.within });
  return Math.abs(t) < TEST_STATISTIC_MIN ? 1 : studentTail(t, days.spareBlockCount);
}

/**
 * Variance that the mean of `dayCount` days has because days differ, apart from that of its values. Neighbouring
 * days that resemble each other inflate it as in a first-order autoregression (Priestley 1981, Spectral Analysis
 * and Time Series, section 5.3).
 */
function varianceOfDays(dayCount: number, { between, blockMean, correlation: r }: Variances): number {
  const inflation = ((2 * r) / (1 - r)) * (1 - (1 - r ** dayCount) / (dayCount * (1 - r)));
  return (between + blockMean * inflation) / dayCount;
}

function meanStatistic(
  before: Moments,
  after: Moments,
  { excess, within }: { readonly excess: number; readonly within: number },
): number {
  const gap = after.sum / after.count - before.sum / before.count;
  const spread = Math.max(within, sampleVariance(after)) / after.count + within / before.count + excess;
  // Values that never varied: any gap beyond rounding is a shift.
  if (spread <= 0) return Math.abs(gap) > 1e-9 ? Number.MAX_SAFE_INTEGER : 0;
  return gap / Math.sqrt(spread);
}

function rateStatistic(before: Moments, after: Moments, excess: number): number {
  const counts = 1 / before.count + 1 / after.count;
  const level = (before.sum + 1) / (before.count + 2);
  const spreadBefore = dispersion(before, 1);
  const spread = Math.max(spreadBefore, dispersion(after, spreadBefore));
  const inflation = spread + excess / (level * (1 - level) * counts);
  const together = { count: before.count + after.count, sum: before.sum + after.sum };
  const ratio = 2 * (logLikelihood(before) + logLikelihood(after) - logLikelihood(together));
  return Math.sqrt(Math.max(0, ratio) / inflation);
}

/** Greatest log likelihood of a coin, for counts that may be fractional. */
function logLikelihood({ count, sum }: Pick<Moments, 'count' | 'sum'>): number {
  const part = (share: number): number => (share > 0 ? share * Math.log(share / count) : 0);
  return part(sum) + part(count - sum);
}

function sampleVariance({ count, sum, squareSum }: Moments): number {
  return count > 1 ? Math.max(0, squareSum - (sum * sum) / count) / (count - 1) : 0;
}

/** The split about the alarming stretch that parts the means best: least squares of two levels. */
function likeliestSplit(
  { sums }: Series,
  { start, end, length }: { readonly start: number; readonly end: number; readonly length: number },
): number {
  let best = end - length;
  let most = -1;
  for (let split = Math.max(start + 1, end - 2 * length); split < end; split++) {
    const before = sums.between(start, split);
    const after = sums.between(split, end);
    if (before.count === 0 || after.count === 0) continue;
    const gap = after.sum / after.count - before.sum / before.count;
    const gain = gap ** 2 / (1 / before.count + 1 / after.count);
    if (gain > most) {
      most = gain;
      best = split;
    }
  }
  return best;
}

function levelOf(series: Series, from: number, to: number): Level {
  const sums = series.sums.between(from, to);
  const mean = sums.sum / sums.count;
  const days = series.sums.dayAnalysis(from, to);
  const variances = variancesOf(days);
  const isDaysKnown = days.spareBlockCount >= 1;
  const variance = isDaysKnown
    ? variances.within / sums.count + varianceOfDays(Math.max(1, (to - from) / series.stepsPerDay), variances)
    : sampleVariance(sums) / sums.count;
  const degrees = Math.max(1, isDaysKnown ? days.spareBlockCount : sums.count - 1);
  const reach = studentReach(INTERVAL_COVERAGE, degrees) * Math.sqrt(variance);
  const [least, most] =
    series.kind === 'rate' ? [0, 1] : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  return {
    mean,
    interval: [Math.max(least, mean - reach), Math.min(most, mean + reach)],
    sampleCount: sums.count,
  };
}
