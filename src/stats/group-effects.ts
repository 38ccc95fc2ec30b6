/** How far one member of a group lies from what was expected of it, in standard deviations of single values. */
export interface Residual {
  readonly step: number;
  /** Variance of `step` by chance, in units of the variance of single values. */
  readonly chance: number;
}

/** Of residuals in one group: sums by which each of them can be left out again. */
interface GroupSums {
  readonly worth: number;
  readonly sum: number;
}

/** What is believed of a member because of the others of its group. */
export interface GroupEffect {
  /** What to add to its expectation, in standard deviations of single values. */
  readonly step: number;
  /** Variance that is left of the difference, in units of the variance of single values. */
  readonly difference: number;
}

/**
 * Share of the difference that a group has in common before it is measured, and the pairs of members that this is
 * worth. Few pairs, and two lucky members make a law; many, and groups of two or three are never believed.
 */
const FIRST_SHARE = 0.25;
const FIRST_PAIRS = 50;
/** Less is nothing, and costs time; more would make one thing of what has different names. */
const SHARE_MIN = 0.01;
const SHARE_MAX = 0.9;

/**
 * Random effects of groups: members of one group differ from what was expected of them partly together. A member is
 * moved by what the others of its group show, its own residual left out, so that nothing counts twice.
 *
 * A residual is group effect + own effect + chance, with variances share d, (1 - share) d and `chance`; the effect is
 * predicted by the mean of the others, weighted by what they are worth and shrunk (best linear unbiased prediction: Henderson 1975,
 * Biometrics 31). The share is the mean product of two members over d, all pairs weighted by what they say of it
 * (method of moments), leaning on {@link FIRST_SHARE}: groups that have nothing in common are worth nothing.
 */
export class GroupEffects {
  /** Of the difference, what groups have in common: 0..0.9. */
  readonly share: number;
  readonly #difference: number;
  readonly #sums: readonly GroupSums[];

  /**
   * @param groups      residuals of the members of each group
   * @param difference  variance of members about what was expected, without chance: above 0, in units of the variance
   *   of single values
   */
  constructor(groups: readonly (readonly Residual[])[], difference: number) {
    this.#difference = difference;
    this.share = shareOf(groups, difference);
    this.#sums = groups.map((residuals) =>
      residuals.reduce(
        (sums, residual) => {
          const worth = this.#worthOf(residual);
          return { worth: sums.worth + worth, sum: sums.sum + worth * residual.step };
        },
        { worth: 0, sum: 0 },
      ),
    );
  }

  /**
   * Of a member of the group at a place, or of one that nobody has seen.
   *
   * @param own  its residual, which is in the group; null where it has none
   */
  effectOf(at: number, own: Residual | null): GroupEffect {
    const all = this.#sums[at];
    const common = this.share * this.#difference;
    if (all === undefined || common === 0) return { step: 0, difference: this.#difference };
    const ownWorth = own === null ? 0 : this.#worthOf(own);
    const worth = Math.max(0, all.worth - ownWorth);
    const sum = all.sum - ownWorth * (own?.step ?? 0);
    const total = worth + 1 / common;
    return { step: worth < 1e-9 ? 0 : sum / total, difference: this.#difference - common + 1 / total };
  }

  #worthOf({ chance }: Residual): number {
    return 1 / (chance + (1 - this.share) * this.#difference);
  }
}

function shareOf(groups: readonly (readonly Residual[])[], difference: number): number {
  let [products, pairs] = [0, 0];
  for (const residuals of groups) {
    let [weights, weightSquares, sum, squares] = [0, 0, 0, 0];
    for (const { step, chance } of residuals) {
      const weight = difference / (difference + chance);
      weights += weight;
      weightSquares += weight ** 2;
      sum += weight * step;
      squares += (weight * step) ** 2;
    }
    // Of all products those of two different members, each pair once.
    products += (sum ** 2 - squares) / 2;
    pairs += (weights ** 2 - weightSquares) / 2;
  }
  const share = (FIRST_PAIRS * FIRST_SHARE + products / difference) / (FIRST_PAIRS + pairs);
  return share < SHARE_MIN ? 0 : Math.min(SHARE_MAX, share);
}
