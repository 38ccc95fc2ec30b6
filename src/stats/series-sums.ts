import type { Moments } from './posterior.ts';

/** What one stretch of time held; `atMs` is its start. Values of any range, unweighted. */
export interface SeriesBucket extends Moments {
  readonly atMs: number;
}

/** Analysis of variance of a stretch cut into blocks of time; sums of two stretches add up field by field. */
export interface BlockAnalysis {
  /** Squared distances of values from the mean of their block, and how many values there are beyond one per block. */
  readonly withinSquares: number;
  readonly spareCount: number;
  /** Squared distances of block means from the mean of all, by count, and how many blocks there are beyond one. */
  readonly betweenSquares: number;
  readonly spareBlockCount: number;
  /** Count minus sum of squared block counts over count: what the variance between blocks is multiplied with. */
  readonly betweenWeight: number;
  /** Products of neighbouring block means, each less the mean of all, and the mean of their squares, added up. */
  readonly lagProducts: number;
  readonly lagSquares: number;
}

/**
 * A series cut into steps of equal length, with running totals, so that the sums and the variances of any stretch
 * are differences of two entries.
 */
export class SeriesSums {
  readonly stepCount: number;
  readonly #count: Float64Array;
  readonly #sum: Float64Array;
  readonly #squareSum: Float64Array;
  readonly #steps: BlockTotals;
  readonly #stepsPerDay: number;
  readonly #days: BlockTotals;

  /** @param steps  sums of each step, empty ones included */
  constructor(steps: readonly Moments[], stepsPerDay: number) {
    this.stepCount = steps.length;
    this.#stepsPerDay = stepsPerDay;
    this.#count = totalsOf(steps.map(({ count }) => count));
    this.#sum = totalsOf(steps.map(({ sum }) => sum));
    this.#squareSum = totalsOf(steps.map(({ squareSum }) => squareSum));
    this.#steps = new BlockTotals(steps);
    const dayCount = Math.floor(steps.length / stepsPerDay);
    this.#days = new BlockTotals(
      Array.from({ length: dayCount }, (_, day) => this.between(day * stepsPerDay, (day + 1) * stepsPerDay)),
    );
  }

  /** Sums of the steps from `from` up to, not including, `to`. */
  between(from: number, to: number): Moments {
    return {
      count: difference(this.#count, from, to),
      sum: difference(this.#sum, from, to),
      squareSum: difference(this.#squareSum, from, to),
    };
  }

  /** Scatter of single steps. */
  stepAnalysis(from: number, to: number): BlockAnalysis {
    return this.#steps.analysisOf(from, to, this.between(from, to));
  }

  /** Scatter of the whole days inside the stretch; days count from the first step. */
  dayAnalysis(from: number, to: number): BlockAnalysis {
    const first = Math.ceil(from / this.#stepsPerDay);
    const end = Math.max(first, Math.floor(to / this.#stepsPerDay));
    return this.#days.analysisOf(
      first,
      end,
      this.between(first * this.#stepsPerDay, end * this.#stepsPerDay),
    );
  }
}

/** Running totals of what an analysis of variance of blocks needs. */
class BlockTotals {
  readonly #blockCount: Float64Array;
  readonly #meanSquares: Float64Array;
  readonly #countSquares: Float64Array;
  /** Of pairs of neighbours that both hold values, entered at the later one: pairs, sums, products, squares. */
  readonly #pairCount: Float64Array;
  readonly #pairSums: Float64Array;
  readonly #pairProducts: Float64Array;
  readonly #pairSquares: Float64Array;

  constructor(blocks: readonly Moments[]) {
    this.#blockCount = totalsOf(blocks.map(({ count }) => (count > 0 ? 1 : 0)));
    this.#meanSquares = totalsOf(blocks.map(({ count, sum }) => (count > 0 ? (sum * sum) / count : 0)));
    this.#countSquares = totalsOf(blocks.map(({ count }) => count * count));
    const means = blocks.map(({ count, sum }) => (count > 0 ? sum / count : null));
    const pairs = means.map((mean, at) => {
      const former = at > 0 ? (means[at - 1] ?? null) : null;
      return mean === null || former === null ? null : ([former, mean] as const);
    });
    const ofPairs = (value: (former: number, mean: number) => number): Float64Array =>
      totalsOf(pairs.map((pair) => (pair === null ? 0 : value(...pair))));
    this.#pairCount = ofPairs(() => 1);
    this.#pairSums = ofPairs((former, mean) => former + mean);
    this.#pairProducts = ofPairs((former, mean) => former * mean);
    this.#pairSquares = ofPairs((former, mean) => (former * former + mean * mean) / 2);
  }

  analysisOf(from: number, to: number, { count, sum, squareSum }: Moments): BlockAnalysis {
    const blockCount = difference(this.#blockCount, from, to);
    if (blockCount < 1 || !(count > 0)) return NO_ANALYSIS;
    const meanSquares = difference(this.#meanSquares, from, to);
    const mean = sum / count;
    const firstPair = Math.min(to, from + 1);
    const shift =
      mean * (difference(this.#pairCount, firstPair, to) * mean - difference(this.#pairSums, firstPair, to));
    return {
      withinSquares: Math.max(0, squareSum - meanSquares),
      spareCount: Math.max(0, count - blockCount),
      betweenSquares: Math.max(0, meanSquares - (sum * sum) / count),
      spareBlockCount: blockCount - 1,
      betweenWeight: Math.max(0, count - difference(this.#countSquares, from, to) / count),
      lagProducts: difference(this.#pairProducts, firstPair, to) + shift,
      lagSquares: Math.max(0, difference(this.#pairSquares, firstPair, to) + shift),
    };
  }
}

const NO_ANALYSIS: BlockAnalysis = {
  withinSquares: 0,
  spareCount: 0,
  betweenSquares: 0,
  spareBlockCount: 0,
  betweenWeight: 0,
  lagProducts: 0,
  lagSquares: 0,
};

export function addAnalyses(one: BlockAnalysis, other: BlockAnalysis): BlockAnalysis {
  return {
    withinSquares: one.withinSquares + other.withinSquares,
    spareCount: one.spareCount + other.spareCount,
    betweenSquares: one.betweenSquares + other.betweenSquares,
    spareBlockCount: one.spareBlockCount + other.spareBlockCount,
    betweenWeight: one.betweenWeight + other.betweenWeight,
    lagProducts: one.lagProducts + other.lagProducts,
    lagSquares: one.lagSquares + other.lagSquares,
  };
}

/** Fewer values beyond one per block cannot tell the scatter within blocks from that between them. */
const SPARE_COUNT_MIN = 20;

export interface Variances {
  /** Of single values within a block. */
  readonly within: number;
  /** What the means of blocks have beyond their values': load, kinds of request, time of day. */
  readonly between: number;
  /** Of the mean of a typical block. */
  readonly blockMean: number;
  /** How alike neighbouring blocks are: their correlation, 0 where it is negative, at most 0.9. */
  readonly correlation: number;
}

/**
 * One-way analysis of variance with unequal counts, the part between cut off at zero (Searle, Casella and McCulloch
 * 1992, Variance Components, section 3.6). With hardly more than one value per block all of it is within.
 */
export function variancesOf(analysis: BlockAnalysis): Variances {
  const { withinSquares, spareCount, betweenSquares, spareBlockCount, betweenWeight } = analysis;
  if (spareCount + spareBlockCount === 0) return { within: 0, between: 0, blockMean: 0, correlation: 0 };
  const { lagProducts, lagSquares } = analysis;
  const correlation = lagSquares > 0 ? Math.min(CORRELATION_MAX, Math.max(0, lagProducts / lagSquares)) : 0;
  const betweenMean = spareBlockCount > 0 ? betweenSquares / spareBlockCount : 0;
  const perBlock = betweenWeight > 0 ? spareBlockCount / betweenWeight : 0;
  if (spareCount < SPARE_COUNT_MIN || perBlock === 0) {
    const total = (withinSquares + betweenSquares) / (spareCount + spareBlockCount);
    const within = Math.max(total, betweenMean);
    return { within, between: 0, blockMean: within * perBlock, correlation };
  }
  const within = withinSquares / spareCount;
  const between = Math.max(0, betweenMean - within) * perBlock;
  return { within, between, blockMean: within * perBlock + between, correlation };
}

/** Above it the mean of any stretch is as good as unknown. */
const CORRELATION_MAX = 0.9;

function totalsOf(values: readonly number[]): Float64Array {
  const totals = new Float64Array(values.length + 1);
  values.forEach((value, at) => {
    totals[at + 1] = (totals[at] ?? 0) + value;
  });
  return totals;
}

function difference(totals: Float64Array, from: number, to: number): number {
  return (totals[to] ?? 0) - (totals[from] ?? 0);
}
