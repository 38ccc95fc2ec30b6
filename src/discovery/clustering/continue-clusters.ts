import { assignNearest, dot, selectVectors, toUnitVectors, type Vectors } from '../../stats/k-means.ts';
import type { Clustering } from './cluster-prompts.ts';

/**
 * A new clustering replaces the old centres when its number of clusters gives the neighbour graph more modularity
 * than their number does, by more than this. Smaller than a few widths of the plateau on which the number was chosen
 * (0.0125), and a log that grows a little reshuffles its use cases (small logs may have few, so that their number
 * grows with them, by about 0.03 a step); much larger, and outdated use cases live on for long.
 */
const MODULARITY_GAIN_MIN = 0.045;
/** Beyond this factor between the two numbers the old centres are another view of the data, and are given up. */
const COUNT_FACTOR_MAX = 2.5;
/**
 * A new cluster is something new when its own centre lies this much closer to its members than the old centres do
 * (share of the distance 1 - cosine). Two halves of one use case gain about a sixth, another subject a third.
 */
const DISTANCE_GAIN_MIN = 0.25;
/** Of the members of something new, this share may have had a use case before. */
const KNOWN_SHARE_MAX = 0.5;
/** Fewer members are chance, as in a fresh clustering. */
const MEMBERS_MIN = 5;
const MEMBERS_SHARE_MIN = 0.0005;
/** Known members whose majority speaks for the new ones of their fresh cluster. */
const VOTES_MIN = 3;
/** And their least share of the number that a cluster of that size should have: fewer are strays among what is new. */
const SPEAKING_SHARE_MIN = 0.5;
/**
 * A fresh cluster is new as well when so few of its members were known, against all prompts, by so many standard
 * deviations: what an old centre happens to lie near need not be its own.
 */
const RARELY_KNOWN_SHARE = 0.5;
const RARELY_KNOWN_DEVIATIONS = 3;
/** The centres follow their prompts, and then hold still: each pass moves prompts between use cases. */
const PASSES = 2;
const OUTLIER_DEVIATIONS = 2.5;
const SIMILARITY_MIN = 0.1;

/** A use case of the run before, as a start. */
export interface OldCentre {
  readonly slug: string;
  readonly centroid: Float32Array;
}

/**
 * Evolutionary clustering (Chakrabarti, Kumar and Tomkins 2006): of two clusterings that fit about equally well,
 * the one nearer to yesterday's is better, because people have learnt its names. Starts from the centres of the run
 * before, adds a centre for each fresh cluster that they do not explain, drops those that nobody asks for any more,
 * and lets them follow their prompts. A prompt that had a use case keeps it.
 *
 * @param rows      vectors of the prompts, in the order of `fresh.labels`
 * @param known     per prompt: its use case in the run before, or null
 * @param previous  centres of the run before, made by the same embedder
 * @returns the continued clustering, or null where the data speaks for the fresh one
 */
export function continueClusters(
  rows: readonly Float32Array[],
  fresh: Clustering,
  known: readonly (string | null)[],
  previous: readonly OldCentre[],
): Clustering | null {
  const { dims } = fresh.centroids;
  const usable = previous.filter(({ centroid }) => centroid.length === dims);
  if (usable.length === 0 || isFreshBetter(fresh, usable.length)) return null;
  const vectors = toUnitVectors(rows);
  const old = toUnitVectors(usable.map(({ centroid }) => centroid));
  const born = unexplainedClusters(fresh, assignNearest(vectors, old).similarities, known);
  const wanted = wantedPlaces(fresh, known, usable, born);
  let centroids = concatenate(old, selectVectors(fresh.centroids, born));
  // Place of each centre: among the old ones, then among the new ones.
  let places = Array.from({ length: centroids.count }, (_, at) => at);
  const settle = (): Int32Array => {
    const labelOfPlace = new Map(places.map((place, label) => [place, label]));
    const nearest = assignNearest(vectors, centroids).labels;
    return nearest.map((label, at) => labelOfPlace.get(wanted[at] as number) ?? label);
  };
  const membersMin = Math.max(MEMBERS_MIN, Math.ceil(MEMBERS_SHARE_MIN * vectors.count));
  for (let pass = 0; pass < PASSES; pass++) {
    const labels = settle();
    const sizes = new Int32Array(centroids.count);
    for (const label of labels) sizes[label] = (sizes[label] as number) + 1;
    const kept = Array.from(sizes.keys()).filter((label) => (sizes[label] as number) >= membersMin);
    if (kept.length === 0) return null;
    centroids = selectVectors(movedCentroids(vectors, labels, centroids), kept);
    places = kept.map((label) => places[label] ?? -1);
  }
  const labels = settle();
  const similarities = Float32Array.from(labels, (label, at) =>
    dot(vectors.data, at * dims, centroids.data, label * dims, dims),
  );
  const similarityMins = outlierBounds({ labels, similarities }, centroids.count);
  return {
    ...fresh,
    centroids,
    similarityMins,
    labels: labels.map((label, at) => {
      const isFar = (similarities[at] as number) < (similarityMins[label] as number);
      // What had a use case keeps it, typical or not.
      return isFar && (known[at] === null || wanted[at] !== places[label]) ? -1 : label;
    }),
    similarities,
  };
}

/**
 * Where each prompt belongs, by its past and by the company that it keeps in the fresh clustering, which sees more
 * than the distance to centres: -1 leaves it to the nearest centre.
 */
function wantedPlaces(
  fresh: Clustering,
  known: readonly (string | null)[],
  usable: readonly OldCentre[],
  born: readonly number[],
): Int32Array {
  const placeOf = new Map(usable.map(({ slug }, at) => [slug, at]));
  const pastOf = known.map((slug) => (slug === null ? -1 : (placeOf.get(slug) ?? -1)));
  const knownShare = pastOf.filter((past) => past >= 0).length / Math.max(1, pastOf.length);
  const sizes = new Float64Array(fresh.centroids.count);
  const votes = Array.from({ length: fresh.centroids.count }, () => new Map<number, number>());
  fresh.labels.forEach((label, at) => {
    const past = pastOf[at] as number;
    const counts = votes[label];
    if (label >= 0) sizes[label] = (sizes[label] as number) + 1;
    if (past >= 0 && counts) counts.set(past, (counts.get(past) ?? 0) + 1);
  });
  const placeOfCluster = votes.map((counts, label) => {
    const bornAt = born.indexOf(label);
    const expected = knownShare * (sizes[label] as number);
    return bornAt >= 0 ? usable.length + bornAt : majorityOf(counts, SPEAKING_SHARE_MIN * expected);
  });
  return fresh.labels.map((label, at) => {
    const past = pastOf[at] as number;
    return past >= 0 ? past : (placeOfCluster[label] ?? -1);
  });
}

/** The place that most known members of a cluster have, when that is enough of them; else -1. */
function majorityOf(counts: ReadonlyMap<number, number>, knownMin: number): number {
  let sum = 0;
  let best = -1;
  for (const [place, count] of counts) {
    sum += count;
    if (count > (counts.get(best) ?? 0)) best = place;
  }
  return (counts.get(best) ?? 0) > sum / 2 && sum >= Math.max(VOTES_MIN, knownMin) ? best : -1;
}

function isFreshBetter({ centroids, curve }: Clustering, previousCount: number): boolean {
  const factor = centroids.count / previousCount;
  if (factor > COUNT_FACTOR_MAX || factor < 1 / COUNT_FACTOR_MAX) return true;
  if (curve.length === 0) return false;
  return modularityAt(curve, centroids.count) - modularityAt(curve, previousCount) > MODULARITY_GAIN_MIN;
}

/** Modularity at any number, read off the curve between its points. */
function modularityAt(curve: Clustering['curve'], clusterCount: number): number {
  const below = curve.findLast((point) => point.clusterCount <= clusterCount) ?? curve[0];
  const above = curve.find((point) => point.clusterCount >= clusterCount) ?? curve.at(-1);
  if (below === undefined || above === undefined) return 0;
  const width = above.clusterCount - below.clusterCount;
  const part = width <= 0 ? 0 : (clusterCount - below.clusterCount) / width;
  return below.modularity + part * (above.modularity - below.modularity);
}

/** Fresh clusters of mostly new prompts: far from every old centre, or with hardly a prompt that was known. */
function unexplainedClusters(
  fresh: Clustering,
  explained: Float32Array,
  known: readonly (string | null)[],
): number[] {
  const { count } = fresh.centroids;
  const sizes = new Float64Array(count);
  const knownCounts = new Float64Array(count);
  const own = new Float64Array(count);
  const old = new Float64Array(count);
  fresh.labels.forEach((label, at) => {
    if (label < 0) return;
    sizes[label] = (sizes[label] as number) + 1;
    if (known[at] !== null) knownCounts[label] = (knownCounts[label] as number) + 1;
    own[label] = (own[label] as number) + 1 - (fresh.similarities[at] as number);
    old[label] = (old[label] as number) + 1 - (explained[at] as number);
  });
  const knownShare = known.filter((slug) => slug !== null).length / Math.max(1, known.length);
  return Array.from(sizes.keys()).filter((label) => {
    const size = sizes[label] as number;
    const knownCount = knownCounts[label] as number;
    // Splitting what is known is for a fresh clustering, where the whole is better for it.
    if (size < MEMBERS_MIN || knownCount > KNOWN_SHARE_MAX * size) return false;
    const expected = knownShare * size;
    const shortfall = expected - knownCount;
    const isRarelyKnown =
      knownCount <= RARELY_KNOWN_SHARE * expected &&
      shortfall >= RARELY_KNOWN_DEVIATIONS * Math.sqrt(expected * (1 - knownShare));
    return isRarelyKnown || (own[label] as number) < (1 - DISTANCE_GAIN_MIN) * (old[label] as number);
  });
}

function concatenate(a: Vectors, b: Vectors): Vectors {
  const data = new Float32Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return { data, count: a.count + b.count, dims: a.dims };
}

function movedCentroids(vectors: Vectors, labels: Int32Array, centroids: Vectors): Vectors {
  const { dims, count } = centroids;
  const sums = Array.from({ length: count }, () => new Float32Array(dims));
  labels.forEach((label, at) => {
    const sum = sums[label];
    if (sum === undefined) return;
    for (let i = 0; i < dims; i++) sum[i] = (sum[i] as number) + (vectors.data[at * dims + i] as number);
  });
  return toUnitVectors(sums);
}

/** As a fresh clustering bounds its clusters. */
function outlierBounds(
  { labels, similarities }: { labels: Int32Array; similarities: Float32Array },
  count: number,
): Float32Array {
  const members: number[][] = Array.from({ length: count }, () => []);
  labels.forEach((label, at) => {
    members[label]?.push(similarities[at] as number);
  });
  return Float32Array.from(members, (values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length);
    return Math.max(SIMILARITY_MIN, mean - OUTLIER_DEVIATIONS * Math.sqrt(variance));
  });
}
