import { AB_METRICS, type AbMetric, type AbTest } from '../core/ab-test.ts';
import { asymptoticSequence, type MeanTerm } from '../stats/asymptotic-sequence.ts';
import { differenceInterval } from '../stats/confidence-sequence.ts';
import { multinomialPValue } from '../stats/multinomial-sequence.ts';
import type { AbArmSums, AbSums } from '../store/queries/ab-tests.ts';

/** What one arm did, by one metric. */
export interface AbFigure {
  /** Success and satisfaction 0..1, cost in dollars a request, latency the geometric mean in milliseconds; null: unknown. */
  readonly value: number | null;
  readonly unitCount: number;
  readonly requestCount: number;
}

export interface AbArmReport {
  readonly name: string;
  readonly model: string | null;
  readonly policy: string | null;
  readonly weight: number;
  readonly isControl: boolean;
  readonly unitCount: number;
  readonly requestCount: number;
  /** Requests that another model answered in place of the arm's; they count for the arm all the same. */
  readonly fallbackCount: number;
  /** Requests with a rating; satisfaction takes the others from their sessions. */
  readonly ratedCount: number;
  readonly figures: Readonly<Record<AbMetric, AbFigure>>;
}

/** An arm against the control. */
export interface AbComparison {
  readonly arm: string;
  readonly metric: AbMetric;
  /** Arm less control: 0..1 or dollars; of latency the part of the control's (-0.2: a fifth faster). null: unknown. */
  readonly difference: number | null;
  /** Holds at all looks together; null: too few units. */
  readonly interval: readonly [low: number, high: number] | null;
  /** Greatest probability that the interval ever misses. */
  readonly error: number;
  readonly outcome: AbOutcome;
}

/** `no_difference`: none beyond the margin. `early`: neither is established. */
export type AbOutcome = 'better' | 'worse' | 'no_difference' | 'early';

export interface AbVerdict {
  readonly arms: readonly AbArmReport[];
  /** Of the metric of the test, one per arm but the control. */
  readonly comparisons: readonly AbComparison[];
  /** The other metrics, for a look: each by itself, not corrected for being several. */
  readonly guardRails: readonly AbComparison[];
  /** Whether the arms got the units that their weights say. */
  readonly split: {
    /** Anytime-valid; null before the first unit. */
    readonly pValue: number | null;
    readonly isMismatched: boolean;
  };
  /** An arm that is better than the control, the furthest ahead; null: none is established. */
  readonly winner: string | null;
  /** One sentence for people. */
  readonly sentence: string;
}

/** Probability that a verdict is ever wrong, all arms and looks together. */
const ERROR = 0.05;
/** Below it the split is called wrong: fewer false alarms than tests that anybody runs, and true ones come soon after. */
const SPLIT_P = 0.001;

const NO_SUMS: AbSums = {
  unitCount: 0,
  requestCount: 0,
  requestSquareSum: 0,
  sum: 0,
  squareSum: 0,
  productSum: 0,
};

/**
 * The verdict of a test on what was seen until now, valid however often and for whatever reason one looks.
 *
 * The unit is the observation: totals of units are compared as ratios, with the variance of the delta method, by
 * {@link asymptoticSequence} from 100 units in each arm on. Success and satisfaction of units of one request each are
 * compared exactly, from the first on ({@link differenceInterval}). Errors of several arms add up to 0.05 (union bound).
 */
export function abVerdictOf(test: AbTest, seen: readonly AbArmSums[]): AbVerdict {
  const sumsOf = new Map(seen.map((sums) => [sums.arm, sums]));
  const arms = test.arms.map((arm, at): AbArmReport => {
    const sums = sumsOf.get(arm.name);
    return {
      name: arm.name,
      model: arm.model,
      policy: arm.policy,
      weight: arm.weight,
      isControl: at === 0,
      unitCount: sums?.unitCount ?? 0,
      requestCount: sums?.requestCount ?? 0,
      fallbackCount: sums?.fallbackCount ?? 0,
      ratedCount: sums?.ratedCount ?? 0,
      figures: figuresOf(sums),
    };
  });
  const error = ERROR / (test.arms.length - 1);
  const compared = (metric: AbMetric): AbComparison[] =>
    test.arms.slice(1).map(({ name }) => {
      const [control = NO_SUMS, own = NO_SUMS] = [test.arms[0]?.name ?? '', name].map(
        (arm) => sumsOf.get(arm)?.[metric],
      );
      return { arm: name, metric, error, ...compare({ metric, control, own, error, margin: test.margin }) };
    });
  const comparisons = compared(test.metric);
  const counts = arms.map(({ unitCount }) => unitCount);
  const pValue = counts.some((count) => count > 0)
    ? multinomialPValue(
        counts,
        test.arms.map(({ weight }) => weight),
      )
    : null;
  const split = { pValue, isMismatched: pValue !== null && pValue <= SPLIT_P };
  const sign = signOf(test.metric);
  const ahead = comparisons
    .filter(({ outcome }) => outcome === 'better')
    .sort((one, other) => sign * ((other.difference ?? 0) - (one.difference ?? 0)));
  const winner = split.isMismatched ? null : (ahead[0]?.arm ?? null);
  return {
    arms,
    comparisons,
    guardRails: AB_METRICS.filter((metric) => metric !== test.metric).flatMap(compared),
    split,
    winner,
    sentence: sentenceOf(test, arms, comparisons, split.isMismatched),
  };
}

function figuresOf(sums: AbArmSums | undefined): AbArmReport['figures'] {
  const figure = (metric: AbMetric): AbFigure => {
    const { unitCount, requestCount, sum } = sums?.[metric] ?? NO_SUMS;
    const mean = requestCount > 0 ? sum / requestCount : null;
    return { value: metric === 'latency' && mean !== null ? Math.exp(mean) : mean, unitCount, requestCount };
  };
  return {
    success: figure('success'),
    satisfaction: figure('satisfaction'),
    cost: figure('cost'),
    latency: figure('latency'),
  };
}

interface Question {
  readonly metric: AbMetric;
  readonly control: AbSums;
  readonly own: AbSums;
  readonly error: number;
  readonly margin: number | null;
}

function compare({
  metric,
  control,
  own,
  error,
  margin,
}: Question): Pick<AbComparison, 'difference' | 'interval' | 'outcome'> {
  if (control.requestCount === 0 || own.requestCount === 0) {
    return { difference: null, interval: null, outcome: 'early' };
  }
  const controlMean = control.sum / control.requestCount;
  const rawDifference = own.sum / own.requestCount - controlMean;
  const raw = rawInterval({ metric, control, own, error });
  const isLog = metric === 'latency';
  const shown = (value: number): number => (isLog ? Math.expm1(value) : value);
  const interval = raw === null ? null : ([shown(raw[0]), shown(raw[1])] as const);
  // A part of the control's cost is some dollars; shares and parts of the latency are compared as they are.
  const tolerated = margin === null ? null : metric === 'cost' ? margin * controlMean : margin;
  return { difference: shown(rawDifference), interval, outcome: outcomeOf(metric, interval, tolerated) };
}

function rawInterval({
  metric,
  control,
  own,
  error,
}: Omit<Question, 'margin'>): readonly [number, number] | null {
  const isShare = metric === 'success' || metric === 'satisfaction';
  if (isShare && isSingle(control) && isSingle(own)) {
    const kind = metric === 'success' ? 'binary' : 'bounded';
    return differenceInterval(momentsOf(own), momentsOf(control), { kind, error });
  }
  const found = asymptoticSequence([ratioTerm(own, 1, isShare), ratioTerm(control, -1, isShare)], { error });
  if (found === null) return null;
  return isShare ? [Math.max(-1, found.low), Math.min(1, found.high)] : [found.low, found.high];
}

/** Whether every unit is a request by itself. */
function isSingle({ requestCount, requestSquareSum }: AbSums): boolean {
  return requestSquareSum === requestCount;
}

function momentsOf({ requestCount, sum, squareSum }: AbSums): {
  readonly count: number;
  readonly sum: number;
  readonly squareSum: number;
} {
  return { count: requestCount, sum, squareSum };
}

/**
 * Ratio R = sum y / sum n over units as a mean of units: by the delta method its variance is that of (y - R n) / mean n
 * (Deng, Knoblich and Lu 2018, KDD, "Applying the Delta Method in Metric Analytics").
 *
 * A share near 0 or 1 shows no variance before its first exception, and an interval made of none would be too narrow. So
 * shares are given two more units of typical size for their variance alone, one of ones and one of zeros (the idea of
 * Agresti and Coull 1998, American Statistician 52).
 */
function ratioTerm(sums: AbSums, coefficient: number, isShare: boolean): MeanTerm {
  const { unitCount, requestCount, requestSquareSum, sum, squareSum, productSum } = sums;
  const mean = sum / requestCount;
  const typical = isShare ? requestSquareSum / requestCount : 0;
  const ratio = (sum + typical) / (requestCount + 2 * typical);
  const squares =
    squareSum -
    2 * ratio * productSum +
    ratio ** 2 * requestSquareSum +
    typical ** 2 * (ratio ** 2 + (1 - ratio) ** 2);
  const size = requestCount / unitCount;
  return {
    coefficient,
    mean,
    variance: Math.max(0, squares) / (Math.max(1, unitCount - 1) * size ** 2),
    count: unitCount,
  };
}

/** 1 where more is better, -1 where less is. */
function signOf(metric: AbMetric): 1 | -1 {
  return metric === 'success' || metric === 'satisfaction' ? 1 : -1;
}

function outcomeOf(
  metric: AbMetric,
  interval: readonly [number, number] | null,
  tolerated: number | null,
): AbOutcome {
  if (interval === null) return 'early';
  const [low, high] = interval;
  const isMore = signOf(metric) === 1;
  if (low > 0) return isMore ? 'better' : 'worse';
  if (high < 0) return isMore ? 'worse' : 'better';
  return tolerated !== null && low >= -tolerated && high <= tolerated ? 'no_difference' : 'early';
}

function sentenceOf(
  test: AbTest,
  arms: readonly AbArmReport[],
  comparisons: readonly AbComparison[],
  isMismatched: boolean,
): string {
  const countOf = (name: string): number => arms.find((arm) => arm.name === name)?.unitCount ?? 0;
  if (isMismatched) {
    const counts = arms.map(({ name, unitCount }) => `${name} ${unitCount}`).join(', ');
    return `Do not trust this test: its units (${counts}) are not split as the weights say, so something other than chance decides who is counted.`;
  }
  const control = arms[0]?.name ?? '';
  const parts = comparisons.map((one) => {
    const n = `n = ${countOf(one.arm)} and ${countOf(control)} ${unitsOf(test)}`;
    if (one.outcome === 'no_difference') {
      return `${one.arm} and ${control} do not differ in ${one.metric} by more than the margin (${rangeOf(one)}; ${n})`;
    }
    if (one.outcome === 'early') {
      const far =
        one.interval === null ? 'too few units for an interval' : `the difference lies in ${rangeOf(one)}`;
      return `too early to tell ${one.arm} from ${control} by ${one.metric} (${far}; ${n})`;
    }
    return `${one.arm} is ${one.outcome} than ${control}: ${worded(one)}; ${n}`;
  });
  const text = `${parts.join('. ')}.`;
  return text.startsWith('too early') ? `T${text.slice(1)}` : text;
}

function unitsOf({ stickyBy }: AbTest): string {
  return `${stickyBy}s`;
}

/** "success 4.1 points (2.0 to 6.2) higher". */
function worded({ metric, difference, interval }: AbComparison): string {
  const isMore = (difference ?? 0) > 0;
  const [low, high] = interval ?? [0, 0];
  const ends = isMore ? [low, high] : [-high, -low];
  const size = amount(metric, Math.abs(difference ?? 0));
  const range = ends.map((end) => bare(metric, end)).join(' to ');
  if (metric === 'cost') return `a request costs ${size} (${range}) ${isMore ? 'more' : 'less'}`;
  if (metric === 'latency') return `answers take ${size} (${range}) ${isMore ? 'longer' : 'less time'}`;
  return `${metric} ${size} (${range}) ${isMore ? 'higher' : 'lower'}`;
}

/** "-1.2 to 3.4 points". */
function rangeOf({ metric, interval }: AbComparison): string {
  const [low, high] = interval ?? [0, 0];
  return `${bare(metric, low)} to ${amount(metric, high)}`;
}

function bare(metric: AbMetric, value: number): string {
  if (metric === 'cost') return `${value < 0 ? '-' : ''}$${Number(Math.abs(value).toPrecision(2))}`;
  return (100 * value).toFixed(1);
}

function amount(metric: AbMetric, value: number): string {
  return metric === 'cost'
    ? bare(metric, value)
    : `${bare(metric, value)} ${metric === 'latency' ? '%' : 'points'}`;
}
