import {
  assignNearest,
  selectVectors,
  sphericalKMeans,
  toUnitVectors,
  type Vectors,
} from '../stats/k-means.ts';
import type { Random } from '../stats/random.ts';
import { chooseK, type StabilityPoint } from './choose-k.ts';

export interface Clustering {
  /** Unit centres. */
  readonly centroids: Vectors;
  /** Per centre: a prompt less similar than this is "other". */
  readonly similarityMins: Float32Array;
  /** Per vector: its centre, or -1 for "other". */
  readonly labels: Int32Array;
  /** Per vector: cosine to the nearest centre. */
  readonly similarities: Float32Array;
  readonly curve: readonly StabilityPoint[];
}

export interface ClusterOptions {
  readonly random: Random;
  /** Told of each step; throws to stop. */
  readonly step: (name: string, done?: number, total?: number | null) => void;
  /** Given by callers who know it; chosen by stability otherwise. */
  readonly clusterCount?: number;
}

/** Fewer members are chance, or one person's pet prompt. */
const MEMBERS_MIN = 5;
const MEMBERS_SHARE_MIN = 0.002;
/** An outlier lies this many standard deviations below its cluster's mean similarity. */
const OUTLIER_DEVIATIONS = 2.5;
/** Less similar to every centre than this is similar to none, however loose the cluster. */
const SIMILARITY_MIN = 0.1;

/** Vectors to clusters: as many as are stable, without tiny ones and far outliers. */
export async function clusterVectors(
  rows: readonly Float32Array[],
  options: ClusterOptions,
): Promise<Clustering> {
  const { random, step } = options;
  const vectors = toUnitVectors(rows);
  const { clusterCount, curve } =
    options.clusterCount === undefined
      ? await chooseK(vectors, {
          random,
          onCandidate: async (done, total) => {
            // A turn of the event loop, so that a cancellation can arrive.
            await new Promise((resolve) => setImmediate(resolve));
            step('choosing the number of use cases', done, total);
          },
        })
      : { clusterCount: options.clusterCount, curve: [] };
  step('clustering');
  const found = sphericalKMeans(vectors, {
    clusterCount,
    random,
    onPass: (pass) => step('clustering', pass),
  });
  const membersMin = Math.max(MEMBERS_MIN, Math.ceil(MEMBERS_SHARE_MIN * vectors.count));
  const sizes = new Int32Array(clusterCount);
  for (const label of found.labels) sizes[label] = (sizes[label] as number) + 1;
  const kept = Array.from(sizes.keys()).filter((label) => (sizes[label] as number) >= membersMin);
  if (kept.length === 0) kept.push(0);
  const centroids = selectVectors(found.centroids, kept);
  const assigned = kept.length === clusterCount ? found : assignNearest(vectors, centroids);
  const similarityMins = outlierBounds(assigned, kept.length);
  const labels = assigned.labels.map((label, at) =>
    (assigned.similarities[at] as number) < (similarityMins[label] as number) ? -1 : label,
  );
  return { centroids, similarityMins, labels, similarities: assigned.similarities, curve };
}

/** The cluster of a vector that was not in the sample, by the same rule; label -1 is "other". */
export function nearestCluster(
  { centroids, similarityMins }: Clustering,
  vector: Float32Array,
): { label: number; similarity: number } {
  if (vector.length !== centroids.dims) return { label: -1, similarity: 0 };
  const { labels, similarities } = assignNearest(toUnitVectors([vector]), centroids);
  const label = labels[0] as number;
  const similarity = similarities[0] as number;
  return { label: similarity < (similarityMins[label] as number) ? -1 : label, similarity };
}

function outlierBounds(
  { labels, similarities }: { labels: Int32Array; similarities: Float32Array },
  clusterCount: number,
): Float32Array {
  const counts = new Float64Array(clusterCount);
  const sums = new Float64Array(clusterCount);
  const squares = new Float64Array(clusterCount);
  labels.forEach((label, at) => {
    const similarity = similarities[at] as number;
    counts[label] = (counts[label] as number) + 1;
    sums[label] = (sums[label] as number) + similarity;
    squares[label] = (squares[label] as number) + similarity * similarity;
  });
  return Float32Array.from(counts, (count, label) => {
    const mean = (sums[label] as number) / Math.max(1, count);
    const variance = Math.max(0, (squares[label] as number) / Math.max(1, count) - mean * mean);
    return Math.max(SIMILARITY_MIN, mean - OUTLIER_DEVIATIONS * Math.sqrt(variance));
  });
}
