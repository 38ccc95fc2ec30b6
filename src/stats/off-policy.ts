import { studentReach } from './student.ts';

/** One logged decision as far as one reward goes. */
export interface WeightedReward {
  /** What came of it. */
  readonly reward: number;
  /** 1 / propensity where the target would have chosen what was chosen, else 0. */
  readonly weight: number;
  /** What a model of rewards expects of the target's choice, in units of the reward; it may be wrong. */
  readonly expected: number;
  /** Decisions of one cluster (a user, a session) may depend on each other: a number from 0. */
  readonly cluster: number;
}

/** A mean with its 95 % interval, and how far it lies from the logged mean, with an interval of its own. */
export interface OffPolicyEstimate {
  readonly value: number;
  readonly interval: readonly [low: number, high: number];
  readonly difference: number;
  readonly differenceInterval: readonly [low: number, high: number];
}

export interface OffPolicyEstimates {
  /** What the decisions as they were taken came to. */
  readonly logged: Pick<OffPolicyEstimate, 'value' | 'interval'>;
  readonly snips: OffPolicyEstimate;
  readonly doublyRobust: OffPolicyEstimate;
}

/** How much of a log speaks of a target. */
export interface WeightFigures {
  /** Decisions that it is worth as if the target itself had taken them: (sum w)^2 / sum w^2. Kish 1965, 11.7. */
  readonly effectiveCount: number;
  readonly matchedCount: number;
  readonly weightMax: number;
  /** 1 in expectation, where the target can be reached everywhere and the propensities are right. */
  readonly weightMean: number;
  /** Standard error of the mean; decisions taken as independent. */
  readonly weightMeanError: number;
}

/** What rewards can be: shares lie in 0..1, amounts (dollars, milliseconds) from 0 on. */
export type RewardRange = 'share' | 'amount';

const COVERAGE = 0.95;
/**
 * Observations, half at 0 and half at 1, that the interval of a share is drawn with beside those that there are: without
 * them sixty successes in a row would leave an interval of no width. Agresti and Coull 1998, The American Statistician
 * 52, 119-126 ("add two successes and two failures").
 */
const ADDED_COUNT = 4;
/** With fewer clusters than this a variance says nothing, and the interval is all that there can be. */
const WORTH_MIN = 2;
/** One outlier among hundreds makes an interval wide; below this it would make it all there is. */
const WORTH_OF_AMOUNT_MIN = 5;
/** Beyond, the third digit of t stands still. */
const DEGREES_MAX = 10_000;

/** @param weights  1 / propensity, or 0; at least one */
export function weightFigures(weights: Float64Array): WeightFigures {
  let [sum, squares, weightMax, matchedCount] = [0, 0, 0, 0];
  for (const weight of weights) {
    sum += weight;
    squares += weight * weight;
    if (weight > weightMax) weightMax = weight;
    if (weight > 0) matchedCount++;
  }
  const count = weights.length;
  const weightMean = sum / count;
  return {
    effectiveCount: squares === 0 ? 0 : (sum * sum) / squares,
    matchedCount,
    weightMax,
    weightMean,
    weightMeanError: Math.sqrt(Math.max(0, squares / count - weightMean ** 2) / count),
  };
}

/**
 * What a deterministic policy would have earned, from decisions that another one took by chance.
 *
 * SNIPS: sum w r / sum w. Swaminathan and Joachims 2015, The Self-Normalized Estimator for Counterfactual Learning, (9).
 * Doubly robust: mean of e + w (r - e). Dudik, Langford and Li 2011, Doubly Robust Policy Evaluation and Learning, (1):
 * right where either the propensities or what is expected is.
 *
 * Intervals are those of the delta method with sums per cluster (Liang and Zeger 1986), by Student's t: see {@link ClusterSpread.worth}.
 * Biased where the target's choice had no chance to be taken.
 *
 * @returns null where no decision has a weight; intervals are infinite where one cluster is nearly all that is known
 */
export function estimateOffPolicy(
  rows: readonly WeightedReward[],
  range: RewardRange,
): OffPolicyEstimates | null {
  const count = rows.length;
  const weightSum = sumOf(rows, ({ weight }) => weight);
  if (weightSum === 0) return null;
  const loggedMean = sumOf(rows, ({ reward }) => reward) / count;
  const snips = sumOf(rows, ({ weight, reward }) => weight * reward) / weightSum;
  const robust = sumOf(rows, (row) => row.expected + row.weight * (row.reward - row.expected)) / count;
  const scale = count / weightSum;
  const spread = new ClusterSpread(rows);
  const ofLogged = ({ reward }: WeightedReward): number => reward - loggedMean;
  const ofSnips = ({ weight, reward }: WeightedReward): number => scale * weight * (reward - snips);
  const ofRobust = ({ expected, weight, reward }: WeightedReward): number =>
    expected + weight * (reward - expected) - robust;
  const matched = weightFigures(Float64Array.from(rows, ({ weight }) => weight)).effectiveCount;
  const worth = spread.worth(({ weight }) => weight);
  const isShare = range === 'share';
  // A share's variance goes with its mean; that of an amount may hang on few dear or slow requests.
  const spreadOf = (influence: (row: WeightedReward) => number, most = worth): Spread => {
    if (isShare) return spread.of(influence, most);
    return spread.of(influence, Math.min(most, Math.max(WORTH_OF_AMOUNT_MIN, spread.worth(influence))));
  };
  const loggedSpread = spreadOf(
    ofLogged,
    spread.worth(() => 1),
  );
  const plain = spreadOf(ofSnips);
  const widened = isShare ? withAdded(snips, plain, matched) : { middle: snips, ...plain };
  // What the matched decisions are too few to show is as unknown to the one estimator as to the other.
  const isKnown = Number.isFinite(plain.variance);
  const unseen = isKnown ? Math.max(0, widened.variance - plain.variance) : Number.POSITIVE_INFINITY;
  const more = ({ variance, reach }: Spread): Spread => ({ variance: variance + unseen, reach });
  const estimate = (
    value: number,
    own: Spread & { readonly middle: number },
    influence: (row: WeightedReward) => number,
  ): OffPolicyEstimate => {
    const difference = value - loggedMean;
    const half = halfOf(more(spreadOf((row) => influence(row) - ofLogged(row))));
    return {
      ...bounded(value, own.middle, halfOf(own), range),
      difference,
      differenceInterval: [difference - half, difference + half],
    };
  };
  const ownLogged = isShare
    ? withAdded(loggedMean, loggedSpread, count)
    : { middle: loggedMean, ...loggedSpread };
  return {
    logged: bounded(loggedMean, ownLogged.middle, halfOf(ownLogged), range),
    snips: estimate(snips, widened, ofSnips),
    doublyRobust: estimate(robust, { middle: robust, ...more(spreadOf(ofRobust)) }, ofRobust),
  };
}

/** How uncertain a mean is. */
interface Spread {
  readonly variance: number;
  /** Half an interval in standard errors. */
  readonly reach: number;
}

function halfOf({ variance, reach }: Spread): number {
  return reach * Math.sqrt(variance);
}

/** Variances of means whose terms add up within clusters before they are squared. */
class ClusterSpread {
  readonly #rows: readonly WeightedReward[];
  readonly #slotOf: Int32Array;
  readonly #clusterCount: number;

  constructor(rows: readonly WeightedReward[]) {
    const slots = new Map<number, number>();
    this.#rows = rows;
    this.#slotOf = Int32Array.from(rows, ({ cluster }) => {
      const slot = slots.get(cluster) ?? slots.size;
      slots.set(cluster, slot);
      return slot;
    });
    this.#clusterCount = slots.size;
  }

  /**
   * Clusters of equal weight that those of `weight` are worth: (sum W^2)^2 / sum W^4 of their sums. Where few of them have
   * most of the weight, these few are all that is known of the variance (after Satterthwaite 1946, Biometrics Bulletin 2,
   * 110-114, for values of equal variance).
   */
  worth(weight: (row: WeightedReward) => number): number {
    let [squares, fourths] = [0, 0];
    for (const sum of this.#sums(weight)) {
      squares += sum ** 2;
      fourths += sum ** 4;
    }
    return fourths === 0 ? 0 : squares ** 2 / fourths;
  }

  /** Of the mean of `influence`, whose own mean is 0, by clusters that are worth so many. */
  of(influence: (row: WeightedReward) => number, worth: number): Spread {
    if (!(worth >= WORTH_MIN)) return { variance: Number.POSITIVE_INFINITY, reach: 1 };
    let squares = 0;
    for (const sum of this.#sums(influence)) squares += sum ** 2;
    return {
      variance: ((worth / (worth - 1)) * squares) / this.#rows.length ** 2,
      reach: studentReach(COVERAGE, Math.min(DEGREES_MAX, worth - 1)),
    };
  }

  #sums(of: (row: WeightedReward) => number): Float64Array {
    const sums = new Float64Array(this.#clusterCount);
    this.#rows.forEach((row, at) => {
      const slot = this.#slotOf[at] as number;
      sums[slot] = (sums[slot] as number) + of(row);
    });
    return sums;
  }
}

/** Mean and spread of a share with {@link ADDED_COUNT} more observations; `count` is what the others are worth. */
function withAdded(
  share: number,
  { variance, reach }: Spread,
  count: number,
): Spread & { readonly middle: number } {
  const total = count + ADDED_COUNT;
  const middle = (count * share + ADDED_COUNT / 2) / total;
  const squares =
    count * (variance * count + (share - middle) ** 2) + ADDED_COUNT * (1 / 4 + (1 / 2 - middle) ** 2);
  return { middle, variance: squares / total ** 2, reach };
}

/** The interval within the range of the reward, and the value in it. */
function bounded(
  value: number,
  middle: number,
  half: number,
  range: RewardRange,
): Pick<OffPolicyEstimate, 'value' | 'interval'> {
  const most = range === 'share' ? 1 : Number.POSITIVE_INFINITY;
  const within = (number: number): number => Math.min(most, Math.max(0, number));
  const inside = within(value);
  return {
    value: inside,
    interval: [Math.min(inside, within(middle - half)), Math.max(inside, within(middle + half))],
  };
}

function sumOf(rows: readonly WeightedReward[], of: (row: WeightedReward) => number): number {
  let sum = 0;
  for (const row of rows) sum += of(row);
  return sum;
}
