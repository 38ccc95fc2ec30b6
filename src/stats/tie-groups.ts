/** What a family of comparisons among models is to claim, all of it together. */
export interface ComparisonFamily {
  /** Greatest probability, in (0, 1), that any claim of the family is ever wrong. */
  readonly totalError: number;
  readonly modelCount: number;
  /**
   * - `order`: "A is better than B" for any two; each of the n (n - 1) claims gets its share.
   * - `best`: "A is not the best". Only claims against the one that truly is best can be wrong, so n - 1 shares
   *   are enough, without knowing which it is.
   * - `intervals`: n intervals that hold together; whatever is read off them, every order included, holds too.
   */
  readonly claim: 'order' | 'best' | 'intervals';
  /** How many such families (use cases x parts) share the error. 1 for "below 5 % in each". */
  readonly familyCount?: number;
}

/**
 * The error that a single claim or interval may take so that the family keeps its own (Bonferroni 1936). Holds
 * whatever the claims have to do with each other, and for e-processes at all looks together.
 *
 * @throws {RangeError} unless the error lies in (0, 1) and the counts are at least 1
 */
export function errorPerClaim({ totalError, modelCount, claim, familyCount = 1 }: ComparisonFamily): number {
  if (!(totalError > 0 && totalError < 1))
    throw new RangeError(`error must lie in (0, 1), not ${totalError}`);
  if (!(modelCount >= 1 && familyCount >= 1))
    throw new RangeError(`counts must be at least 1, not ${modelCount} and ${familyCount}`);
  const others = Math.max(1, modelCount - 1);
  const claimCount = { order: modelCount * others, best: others, intervals: modelCount }[claim];
  return totalError / (Math.max(1, claimCount) * familyCount);
}

/**
 * The share of the `nth` of a series without known end (use cases as they appear, new starts of one sequence):
 * total / (n (n + 1)), which adds up to the total.
 *
 * @param nth  1, 2, …
 * @throws {RangeError} unless nth is an integer >= 1
 */
export function errorOfNth(totalError: number, nth: number): number {
  if (!(Number.isInteger(nth) && nth >= 1)) throw new RangeError(`nth must be an integer >= 1, not ${nth}`);
  return totalError / (nth * (nth + 1));
}

export interface TieGroup<Model> {
  readonly models: readonly RankedRange<Model>[];
}

export interface RankedRange<Model> {
  readonly model: Model;
  /** Best and worst rank that the established orders leave, 1-based. */
  readonly rankBest: number;
  readonly rankWorst: number;
}

/**
 * Cuts a list, best estimate first, into groups: every model of a group is established above every model of all
 * later groups; within a group some order is open, so they are shown as tied. The cut claims nothing beyond
 * `isAbove`, so a wrong cut is as rare as a wrong claim (see `errorPerClaim`). Within a group the ranges of ranks
 * say what is known all the same. Being tied is not transitive, so a chain of neighbours makes one group.
 *
 * @param isAbove  whether "one is better than other" is established
 */
export function tieGroups<Model>(
  models: readonly Model[],
  isAbove: (one: Model, other: Model) => boolean,
): readonly TieGroup<Model>[] {
  const above = models.map((one) => models.map((other) => one !== other && isAbove(one, other)));
  const ranges = models.map((model, at) => ({
    model,
    rankBest: 1 + above.filter((row) => row[at]).length,
    rankWorst: models.length - (above[at] ?? []).filter(Boolean).length,
  }));
  const groups: TieGroup<Model>[] = [];
  let start = 0;
  for (let end = 1; end <= models.length; end++) {
    const isCut = above.slice(0, end).every((row) => row.slice(end).every(Boolean));
    if (!isCut) continue;
    groups.push({ models: ranges.slice(start, end) });
    start = end;
  }
  return groups;
}

/** Whether intervals that hold together establish an order: they do not touch. For `tieGroups`. */
export function liesAbove(
  one: { readonly interval: readonly [number, number] },
  other: { readonly interval: readonly [number, number] },
): boolean {
  return one.interval[0] > other.interval[1];
}
