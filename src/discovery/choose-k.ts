import { computeAmi } from '../stats/agreement.ts';
import { assignNearest, selectVectors, sphericalKMeans, type Vectors } from '../stats/k-means.ts';
import type { Random } from '../stats/random.ts';

/** Stability of one number of clusters: what the report shows as the curve. */
export interface StabilityPoint {
  readonly clusterCount: number;
  /** Mean adjusted mutual information of two assignments that were learnt on disjoint halves; 1 is perfect. */
  readonly stability: number;
}

export interface ChosenK {
  readonly clusterCount: number;
  readonly curve: readonly StabilityPoint[];
}

export interface ChooseKOptions {
  readonly random: Random;
  /** Called between the fits, so that a long search can be watched and stopped (throw). */
  readonly onCandidate?: (done: number, total: number) => Promise<void> | void;
}

/**
 * Vectors that the search looks at. Fewer, and hundreds of clusters have a handful of members each; more, and
 * the search takes longer than all the rest (the time is linear in it).
 */
const SEARCHED_COUNT = 6_000;
/** Steps of about a third: the curve is flat near its top, so finer steps only cost time. */
const CANDIDATES = [2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 85, 113, 150, 200];
/** A cluster that gets fewer vectors of its half than this is noise. */
const HALF_MEMBERS_MIN = 8;
/**
 * The largest number whose stability lies this close to the best is taken: two fits of the same number differ
 * by about as much. At 0, chance decides between neighbours; at 0.03 real use cases are halved.
 */
const TOLERANCE = 0.012;
/**
 * A handful of coarse themes repeats well on any data and tells nobody anything, so the search starts at
 * sqrt(vectors) / 4, and at ten where there are many.
 */
const CLUSTERS_FLOOR_MAX = 10;
/** Passes of the search's k-means: assignments of halves have settled enough to be compared. */
const SEARCH_PASSES = 10;
/** Small sets are cheap and noisy: their halves are drawn more often. */
const SMALL_COUNT = 2_000;
const SMALL_REPEATS = 3;

/**
 * How many clusters the data supports: cluster two random halves, assign all vectors by both, and take the
 * adjusted mutual information of the two assignments (split-half stability: Ben-Hur, Elisseeff and Guyon 2002;
 * Lange, Roth, Braun and Buhmann 2004).
 *
 * @param vectors  of unit length, at least two
 */
export async function chooseK(vectors: Vectors, options: ChooseKOptions): Promise<ChosenK> {
  const { random } = options;
  const order = Array.from({ length: vectors.count }, (_, at) => at);
  random.shuffle(order);
  const searched = selectVectors(vectors, order.slice(0, SEARCHED_COUNT));
  const halfCount = Math.floor(searched.count / 2);
  const floor = Math.min(CLUSTERS_FLOOR_MAX, Math.round(Math.sqrt(searched.count) / 4));
  const candidates = CANDIDATES.filter((count) => count >= floor && count * HALF_MEMBERS_MIN <= halfCount);
  if (candidates.length === 0) return { clusterCount: 1, curve: [] };
  const repeats = searched.count < SMALL_COUNT ? SMALL_REPEATS : 1;
  const sums = candidates.map(() => 0);
  for (let repeat = 0; repeat < repeats; repeat++) {
    // The same halves for every candidate: their luck cancels out of the comparison.
    const shuffled = Array.from({ length: searched.count }, (_, at) => at);
    random.shuffle(shuffled);
    const halves = [shuffled.slice(0, halfCount), shuffled.slice(halfCount)].map((half) =>
      selectVectors(searched, half),
    );
    for (const [at, clusterCount] of candidates.entries()) {
      await options.onCandidate?.(repeat * candidates.length + at, repeats * candidates.length);
      const [first, second] = halves.map((half) => {
        const { centroids } = sphericalKMeans(half, { clusterCount, random, passesMax: SEARCH_PASSES });
        return assignNearest(searched, centroids).labels;
      });
      if (first && second) sums[at] = (sums[at] ?? 0) + computeAmi(first, second) / repeats;
    }
  }
  const curve = candidates.map((clusterCount, at) => ({ clusterCount, stability: sums[at] ?? 0 }));
  return { clusterCount: mostDetailed(curve), curve };
}

function mostDetailed(curve: readonly StabilityPoint[]): number {
  const best = curve.reduce((most, point) => Math.max(most, point.stability), Number.NEGATIVE_INFINITY);
  return curve.reduce(
    (chosen, point) => (point.stability >= best - TOLERANCE ? Math.max(chosen, point.clusterCount) : chosen),
    1,
  );
}
