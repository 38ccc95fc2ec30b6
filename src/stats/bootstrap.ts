import type { Random } from './random.ts';
import { wilsonInterval } from './wilson.ts';

/** Resamples that limits of 95 % are read off: their own error is then a twentieth of the interval's width. */
const RESAMPLE_COUNT = 1_000;

/**
 * 95 % intervals of means by the bootstrap: the 2.5th and 97.5th percentile of the mean over resamples of the items,
 * with replacement (Efron and Tibshirani 1993, *An Introduction to the Bootstrap*, 13.3). All rows share the
 * resamples, so intervals of differences can be made from rows of differences. A resample without any known value of
 * a row is left out of that row.
 *
 * @param rows  one value per item; NaN where an item has none, which then counts for nothing in that row
 * @returns per row; null for a row without values
 */
export function bootstrapMeans(
  rows: readonly Float64Array[],
  random: Random,
): readonly (readonly [low: number, high: number] | null)[] {
  const itemCount = rows[0]?.length ?? 0;
  if (itemCount === 0) return rows.map(() => null);
  const known = rows.map((row) => Uint8Array.from(row, (value) => (Number.isNaN(value) ? 0 : 1)));
  const values = rows.map((row) => row.map((value) => (Number.isNaN(value) ? 0 : value)));
  const means: number[][] = rows.map(() => []);
  const counts = new Uint16Array(itemCount);
  for (let resample = 0; resample < RESAMPLE_COUNT; resample++) {
    counts.fill(0);
    for (let draw = 0; draw < itemCount; draw++) {
      const item = random.int(itemCount);
      counts[item] = (counts[item] as number) + 1;
    }
    for (let row = 0; row < rows.length; row++) {
      const own = values[row] as Float64Array;
      const isKnown = known[row] as Uint8Array;
      let sum = 0;
      let weight = 0;
      for (let item = 0; item < itemCount; item++) {
        const count = counts[item] as number;
        sum += count * (own[item] as number);
        weight += count * (isKnown[item] as number);
      }
      if (weight > 0) means[row]?.push(sum / weight);
    }
  }
  return means.map((drawn) => {
    if (drawn.length === 0) return null;
    const sorted = Float64Array.from(drawn).sort();
    return [quantile(sorted, 0.025), quantile(sorted, 0.975)];
  });
}

/**
 * The interval of a mean of scores where the bootstrap has none to show: of equal scores every resample is equal, and
 * "all right" of ten would be certain. Then Wilson's, as if each score were the share of successes of one trial: of all
 * scores in 0..1 with a mean, those that are 0 or 1 vary most, so it is never too narrow for that reason.
 *
 * @param drawn   what {@link bootstrapMeans} gave for the scores
 * @param scores  0..1; NaN where an item has none
 */
export function scoreInterval(
  drawn: readonly [low: number, high: number],
  scores: Float64Array,
): readonly [low: number, high: number] {
  const known = scores.filter((score) => !Number.isNaN(score));
  const [first] = known;
  // By the scores, since resampled means of equal ones differ by rounding.
  if (first === undefined || !(first >= 0 && first <= 1) || known.some((score) => score !== first))
    return drawn;
  // Sums of equal scores may round to a hair more than their number.
  const sum = known.reduce((total, score) => total + score, 0);
  return wilsonInterval(Math.min(sum, known.length), known.length);
}

function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low + (high - low) * (at - Math.floor(at));
}
