import { GroupEffects, type Residual } from './group-effects.ts';
import { addMoments, type Moments, NO_MOMENTS, type Prior } from './posterior.ts';

/**
 * What the values of a table are: `share` in [0, 1], variance at most m (1 - m), compared by log odds; `amount` from
 * 0 up, variance in units of m^2, compared by logarithm.
 */
export type PoolKind = 'share' | 'amount';

export interface PoolOptions {
  readonly kind: PoolKind;
  /** What is believed of any column before anything was seen; null: a column that was never seen has no prior. */
  readonly first: Prior | null;
  /** What columns like it say of a column, its own values left out; one that has none here leans on all columns. */
  readonly firstOf?: ReadonlyMap<string, Prior> | undefined;
  /** Rows of one group may have more in common than others; rows that are left out have none. */
  readonly groups?: ReadonlyMap<string, string> | undefined;
  /** Variance of single values in units of the greatest that their mean allows; see `dispersion`. */
  readonly spread: number;
  /** Observations that the rest of the table is worth in a cell; left out: measured. */
  readonly weight?: number | undefined;
}

/** Sums of observations by row (use case), then by column (model). */
export type MomentTable = ReadonlyMap<string, ReadonlyMap<string, Moments>>;

/**
 * How much cells differ from what rows and columns say, in units of the variance, before it is measured: a member
 * is worth 20 observations. Worth FIRST_CELLS cells, so that a handful of use cases does not make it 0 or all.
 */
const FIRST_DIFFERENCE: Readonly<Record<PoolKind, number>> = { share: 1 / 21, amount: 0.1 };
const FIRST_CELLS = 4;
/** Less, and 300 requests elsewhere outvote as many here; more, and nothing is learnt from elsewhere. */
const DIFFERENCE_RANGE: Readonly<Record<PoolKind, readonly [number, number]>> = {
  share: [1 / 301, 1 / 3],
  amount: [1 / 301, 4],
};
const ROUNDS = 3;
const SHARE_EDGE = 1e-4;

/**
 * Priors for the cells of a table from the rest of it: a cell is expected where its column lies in the other rows,
 * moved by as much as the other columns of its row lie above or below their own expectations; and where rows come in
 * groups, by what the column shows in the others of the group, see {@link GroupEffects}. A cell's own values are in
 * none of them, so nothing counts twice.
 *
 * Two-way additive on the link scale; how far rows differ from each other, and cells from what row and column say, is
 * estimated by the method of moments, so the prior is worth as much as the table shows it to be (empirical Bayes: Fay and Herriot 1979, JASA 74, 269-277;
 * Morris 1983, JASA 78, 47-55, who also says what its intervals hold: coverage on the average of the cells).
 */
export class CrossPool {
  readonly #table: MomentTable;
  readonly #options: PoolOptions;
  readonly #columns = new Map<string, Moments>();
  /** By column, over all rows: what the cells are worth, and their means times that. */
  #worths = new Map<string, { worth: number; sum: number }>();
  readonly #all: Prior | null;
  /** How much cells differ from what their row and column say, in units of the variance; and rows from the others. */
  #difference: number;
  #rowDifference: number;
  readonly #rows = new Map<string, ReadonlyMap<string, Expectation>>();
  /** By row: how far its cells lie from their columns elsewhere, on the link scale. */
  readonly #gaps = new Map<string, { gap: number; chance: number; middle: number }>();
  readonly #groups: GroupEffects | null;
  /** By group, then by column: the number of its residuals in `#groups`. */
  readonly #places = new Map<string, Map<string, number>>();

  constructor(table: MomentTable, options: PoolOptions) {
    this.#table = table;
    this.#options = options;
    for (const cells of table.values()) {
      for (const [column, seen] of cells)
        this.#columns.set(column, addMoments(this.#columns.get(column) ?? NO_MOMENTS, seen));
    }
    this.#all = this.#priorOfColumns();
    this.#difference =
      options.weight === undefined ? FIRST_DIFFERENCE[options.kind] : 1 / (options.weight + 1);
    this.#rowDifference = FIRST_DIFFERENCE[options.kind];
    for (let round = 0; round < ROUNDS; round++) {
      this.#worths = this.#worthsOfColumns();
      for (const row of table.keys()) this.#rows.set(row, this.#expectationsOf(row));
      this.#difference = this.#measuredDifference();
      this.#rowDifference = this.#measuredRowDifference();
    }
    this.#groups = options.groups === undefined ? null : this.#groupEffects(options.groups);
  }

  /** Of a column over all rows, its own values included in what it leans on only as one column among others. */
  priorOfColumn(column: string): Prior | null {
    return this.#options.firstOf?.get(column) ?? this.#all;
  }

  /** null where nothing is known of the column outside this row and nothing is believed of any. */
  priorOfCell(row: string, column: string): Prior | null {
    const expected = this.#rows.get(row)?.get(column);
    if (expected === undefined) return null;
    const at = this.#places.get(this.#options.groups?.get(row) ?? '')?.get(column);
    if (this.#groups === null || at === undefined) {
      return { mean: expected.mean, weight: this.#weightOf(this.#difference + expected.doubt) };
    }
    const { step, difference } = this.#groups.effectOf(at, this.#residualOf(row, column));
    return {
      mean: this.#stepped(expected.mean, step),
      weight: this.#weightOf(difference + expected.doubt),
    };
  }

  #groupEffects(groups: ReadonlyMap<string, string>): GroupEffects {
    const residuals: Residual[][] = [];
    for (const [row, cells] of this.#table) {
      const group = groups.get(row);
      if (group === undefined) continue;
      const places = this.#places.get(group) ?? new Map<string, number>();
      for (const column of cells.keys()) {
        const at = places.get(column) ?? residuals.push([]) - 1;
        places.set(column, at);
        const residual = this.#residualOf(row, column);
        if (residual !== null) residuals[at]?.push(residual);
      }
      this.#places.set(group, places);
    }
    return new GroupEffects(residuals, this.#difference);
  }

  #residualOf(row: string, column: string): Residual | null {
    const seen = this.#table.get(row)?.get(column);
    const expected = this.#rows.get(row)?.get(column);
    if (seen === undefined || expected === undefined || !this.#hasValue(seen)) return null;
    const distance = this.#valueOf(seen) - this.#linked(expected.mean);
    return {
      step: distance / this.#deviationOf(expected.mean),
      chance: this.#options.spread / seen.count + expected.doubt,
    };
  }

  /** Of single values, on the scale on which they are compared. */
  #deviationOf(mean: number): number {
    const inside = Math.min(1 - SHARE_EDGE, Math.max(SHARE_EDGE, mean));
    return this.#options.kind === 'share' ? Math.sqrt(inside * (1 - inside)) : 1;
  }

  #stepped(mean: number, step: number): number {
    if (this.#options.kind === 'amount') return mean * Math.exp(step);
    return Math.min(1, Math.max(0, mean + step * this.#deviationOf(mean)));
  }

  /** Observations that differences of this size are worth; of shares as in a Beta of that variance. */
  #weightOf(difference: number): number {
    return this.#options.kind === 'share' ? Math.max(1, 1 / difference - 1) : 1 / difference;
  }

  #priorOfColumns(): Prior | null {
    const { first, kind } = this.#options;
    if (first === null) return null;
    const all = [...this.#columns.values()].reduce(addMoments, NO_MOMENTS);
    const mean = (first.weight * first.mean + all.sum) / (first.weight + all.count);
    const cells = [...this.#columns.values()].map((seen) => ({ seen, mean, doubt: 0 }));
    const difference = this.#differenceOf(cells, 1 / (first.weight + 1));
    return { mean, weight: kind === 'share' ? Math.max(1, 1 / difference - 1) : 1 / difference };
  }

  #worthsOfColumns(): Map<string, { worth: number; sum: number }> {
    const worths = new Map<string, { worth: number; sum: number }>();
    for (const cells of this.#table.values()) {
      for (const [column, seen] of cells) {
        if (!this.#hasValue(seen)) continue;
        const known = worths.get(column) ?? { worth: 0, sum: 0 };
        const worth = this.#worthOf(seen);
        worths.set(column, { worth: known.worth + worth, sum: known.sum + worth * this.#valueOf(seen) });
      }
    }
    return worths;
  }

  #expectationsOf(row: string): ReadonlyMap<string, Expectation> {
    const cells = this.#table.get(row) ?? new Map<string, Moments>();
    const elsewhere = new Map<string, Expectation>();
    let [weights, seenSum, expectedSum] = [0, 0, 0];
    for (const [column, seen] of cells) {
      const expected = this.#elsewhere(column, seen);
      if (expected === null) continue;
      elsewhere.set(column, expected);
      const weight = this.#worthOf(seen);
      if (weight === 0) continue;
      weights += weight;
      seenSum += weight * this.#valueOf(seen);
      expectedSum += weight * this.#linked(expected.mean);
    }
    if (weights > 0) {
      const middle = this.#unlinked(expectedSum / weights);
      this.#gaps.set(row, { gap: (seenSum - expectedSum) / weights, chance: 1 / weights, middle });
    }
    const rowWeight = 1 / this.#rowDifference;
    return new Map(
      [...elsewhere].map(([column, { mean, doubt }]) => {
        const seen = cells.get(column) ?? NO_MOMENTS;
        const own = this.#worthOf(seen);
        const others = weights - own;
        if (others < 1e-9) return [column, { mean, doubt: doubt + this.#rowDifference }];
        const expected = (expectedSum - own * this.#linked(mean)) / others;
        const found = (seenSum - (own > 0 ? own * this.#valueOf(seen) : 0)) / others;
        const moved = (rowWeight * expected + others * found) / (rowWeight + others);
        return [
          column,
          { mean: this.#shifted(mean, expected, moved), doubt: doubt + 1 / (rowWeight + others) },
        ];
      }),
    );
  }

  /** Observations that a cell is worth as a sign of its row: however many it has, it is one member. */
  #worthOf(seen: Moments): number {
    return this.#hasValue(seen) ? 1 / (this.#options.spread / seen.count + this.#difference) : 0;
  }

  /** What is free has no logarithm, and says nothing of what others cost. */
  #hasValue({ count, sum }: Moments): boolean {
    return count > 0 && (this.#options.kind === 'share' || sum > 0);
  }

  #valueOf({ count, sum }: Moments): number {
    return this.#linked(sum / count);
  }

  #unlinked(value: number): number {
    return this.#options.kind === 'share' ? value : Math.exp(value);
  }

  /** The scale on which means are averaged. */
  #linked(mean: number): number {
    return this.#options.kind === 'share' ? mean : Math.log(mean);
  }

  /** The column in the other rows, each as one member; of what it lacks, all columns together. */
  #elsewhere(column: string, here: Moments): Expectation | null {
    const all = this.priorOfColumn(column);
    const { worth, sum } = this.#worths.get(column) ?? { worth: 0, sum: 0 };
    const own = this.#worthOf(here);
    const others = Math.max(0, worth - own);
    // The variance of a prior is that of its weight and one more; see posteriorOf.
    const first = all === null ? 0 : all.weight + (this.#options.kind === 'share' ? 1 : 0);
    if (first === 0 && others < 1e-9) return null;
    const rest = sum - (own > 0 ? own * this.#valueOf(here) : 0);
    const before = first === 0 ? 0 : first * this.#linked(all?.mean ?? 0);
    const linked = (before + rest) / (first + others);
    const mean = Math.max(0, this.#unlinked(linked));
    return { mean, doubt: 1 / (first + others) };
  }

  #shifted(mean: number, from: number, to: number): number {
    if (this.#options.kind === 'amount') return mean * Math.exp(to - from);
    return 1 / (1 + Math.exp(-(logOdds(mean) + logOdds(to) - logOdds(from))));
  }

  #measuredDifference(): number {
    const { weight } = this.#options;
    if (weight !== undefined) return 1 / (weight + 1);
    const cells = [...this.#table].flatMap(([row, columns]) =>
      [...columns].flatMap(([column, seen]) => {
        const expected = this.#rows.get(row)?.get(column);
        return expected === undefined ? [] : [{ seen, ...expected }];
      }),
    );
    return this.#differenceOf(cells, FIRST_DIFFERENCE[this.#options.kind]);
  }

  #measuredRowDifference(): number {
    const { kind } = this.#options;
    const first = FIRST_DIFFERENCE[kind];
    let excess = 0;
    let weights = 0;
    let variances = 0;
    for (const { gap, chance, middle } of this.#gaps.values()) {
      const variance = kind === 'share' ? middle * (1 - middle) : 1;
      const weight = (first / (first + chance)) ** 2;
      excess += weight * (gap ** 2 - chance * variance);
      variances += weight * variance;
      weights += weight;
    }
    return this.#within(first, weights, variances > 0 ? excess / variances : first);
  }

  /** A measured difference, shrunk to the first one and kept in range. */
  #within(first: number, weights: number, measured: number): number {
    const [least, most] = DIFFERENCE_RANGE[this.#options.kind];
    const shrunk = (FIRST_CELLS * first + weights * measured) / (FIRST_CELLS + weights);
    return Math.min(most, Math.max(least, shrunk));
  }

  /** Squared distances from what was expected, less what chance and the expectation's own doubt make of them. */
  #differenceOf(cells: readonly (Expectation & { readonly seen: Moments })[], first: number): number {
    const { kind, spread } = this.#options;
    let excess = 0;
    let weights = 0;
    let variances = 0;
    for (const { seen, mean, doubt } of cells) {
      if (!this.#hasValue(seen)) continue;
      const variance = kind === 'share' ? mean * (1 - mean) : 1;
      const chance = spread / seen.count + doubt;
      // Cells that say little of differences, because chance is greater, count little.
      const weight = (first / (first + chance)) ** 2;
      excess += weight * ((this.#valueOf(seen) - this.#linked(mean)) ** 2 - chance * variance);
      variances += weight * variance;
      weights += weight;
    }
    if (variances <= 0) return first;
    return this.#within(first, weights, excess / variances);
  }
}

interface Expectation {
  readonly mean: number;
  /** Variance of the expectation itself, in units of the variance of values. */
  readonly doubt: number;
}

function logOdds(share: number): number {
  const inside = Math.min(1 - SHARE_EDGE, Math.max(SHARE_EDGE, share));
  return Math.log(inside / (1 - inside));
}
