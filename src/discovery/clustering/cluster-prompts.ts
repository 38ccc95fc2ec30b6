import { centre, characterVectors } from '../../stats/character-vectors.ts';
import { type Graph, neighbourGraph } from '../../stats/graph.ts';
import {
  assignNearest,
  dot,
  selectVectors,
  sphericalKMeans,
  toUnitLength,
  toUnitVectors,
  type Vectors,
} from '../../stats/k-means.ts';
import { findNeighbours } from '../../stats/neighbours.ts';
import type { Random } from '../../stats/random.ts';
import { spectralCoordinates } from '../../stats/spectral.ts';
import { type CurvePoint, chooseK } from './choose-k.ts';

export interface Clustering {
  /** Unit centres in the embedder's space: mean directions of the members. */
  readonly centroids: Vectors;
  /** Per centre: a prompt less similar than this is "other". */
  readonly similarityMins: Float32Array;
  /** Per vector: its centre, or -1 for "other". */
  readonly labels: Int32Array;
  /** Per vector: cosine to the centre of its cluster. */
  readonly similarities: Float32Array;
  readonly curve: readonly CurvePoint[];
}

export interface ClusterOptions {
  readonly random: Random;
  /** Told of each step; throws to stop. */
  readonly step: (name: string, done?: number, total?: number | null) => void;
  /**
   * The texts of the vectors, in their order. With them the corpus's own spelling helps to tell its use cases
   * apart: names, codes and jargon that the embedder was never taught.
   */
  readonly texts?: readonly string[] | undefined;
  /** Given by callers who know it; chosen by modularity otherwise. */
  readonly clusterCount?: number | undefined;
}

/** Fewer members are chance, or one person's pet prompt. */
const MEMBERS_MIN = 5;
const MEMBERS_SHARE_MIN = 0.0005;
/** An outlier lies this many standard deviations below its cluster's mean similarity. */
const OUTLIER_DEVIATIONS = 3.5;
/** Less similar to every centre than this is similar to none, however loose the cluster. */
const SIMILARITY_MIN = 0.1;
/** What 2 cores cluster in well under a minute; the others of a larger set are assigned. */
const CLUSTERED_MAX = 20_000;
const NEIGHBOUR_COUNT = 10;
const SPELLING_DIMS = 96;
/** Weight of spelling against meaning: 0.4 to 1 serve alike, for the shipped table and for a transformer. */
const SPELLING_WEIGHT = 0.7;
/** Directions of the spectral space. From 100 to 160 serve alike, also where there are 150 use cases. */
const SPECTRAL_DIMS = 112;
/** Passes over all prompts after centres were fitted to a part of them. */
const FINAL_PASSES = 6;

/**
 * Vectors to clusters: spectral clustering of the graph of nearest neighbours (see {@link spectralCoordinates}),
 * with as many clusters as {@link chooseK} finds, without tiny ones and far outliers.
 */
export async function clusterVectors(
  rows: readonly Float32Array[],
  options: ClusterOptions,
): Promise<Clustering> {
  const { random, step } = options;
  const vectors = toUnitVectors(rows);
  const sampled = Array.from(rows, (_, at) => at);
  if (rows.length > CLUSTERED_MAX) {
    random.shuffle(sampled);
    sampled.length = CLUSTERED_MAX;
  }
  const clustered = rows.length > CLUSTERED_MAX ? selectVectors(vectors, sampled) : vectors;
  const texts = options.texts && sampled.map((at) => options.texts?.[at] ?? '');
  const { labels, clusterCount, curve } = await partition(clustered, texts, options);
  const centroids = meanDirections(clustered, labels, clusterCount);
  if (clustered === vectors) {
    const similarities = similaritiesTo(vectors, labels, centroids);
    const similarityMins = outlierBounds({ labels, similarities }, clusterCount);
    return {
      centroids,
      similarityMins,
      labels: rejectFar(labels, similarities, similarityMins),
      similarities,
      curve,
    };
  }
  step('assigning');
  const assigned = assignNearest(vectors, centroids);
  sampled.forEach((at, n) => {
    assigned.labels[at] = labels[n] as number;
  });
  const similarities = similaritiesTo(vectors, assigned.labels, centroids);
  const similarityMins = outlierBounds({ labels: assigned.labels, similarities }, clusterCount);
  return {
    centroids,
    similarityMins,
    labels: rejectFar(assigned.labels, similarities, similarityMins),
    similarities,
    curve,
  };
}

/** Every vector in one of the clusters that are large enough. */
async function partition(
  vectors: Vectors,
  texts: readonly string[] | undefined,
  { random, step, clusterCount }: ClusterOptions,
): Promise<{ labels: Int32Array; clusterCount: number; curve: readonly CurvePoint[] }> {
  if (vectors.count <= NEIGHBOUR_COUNT) {
    return { labels: new Int32Array(vectors.count), clusterCount: 1, curve: [] };
  }
  step('comparing prompts');
  const graph = relate(withSpelling(vectors, texts, random), random, step);
  // A turn of the event loop between the steps, so that a cancellation can arrive.
  await nextTurn();
  const coordinates = spectralCoordinates(graph, {
    dims: Math.max(2, Math.min(SPECTRAL_DIMS, Math.floor(vectors.count / 8))),
    random,
    onRound: (round) => step('relating prompts', round),
  });
  await nextTurn();
  const chosen = await chooseK(graph, coordinates, {
    random,
    clusterCount,
    onCandidate: async (done, total) => {
      await nextTurn();
      step('choosing the number of use cases', done, total);
    },
  });
  step('clustering');
  const found = sphericalKMeans(coordinates, {
    clusterCount: chosen.clusterCount,
    random,
    initial: chosen.centroids,
    passesMax: FINAL_PASSES,
    onPass: (pass) => step('clustering', pass),
  });
  return { ...dropTiny(coordinates, found), curve: chosen.curve };
}

function relate(vectors: Vectors, random: Random, step: ClusterOptions['step']): Graph {
  const neighbours = findNeighbours(vectors, {
    perVector: NEIGHBOUR_COUNT,
    random,
    onPart: (done, total) => step('comparing prompts', done, total),
  });
  return neighbourGraph(vectors.count, neighbours);
}

/** Meaning and spelling side by side, each around the mean of all prompts. */
function withSpelling(vectors: Vectors, texts: readonly string[] | undefined, random: Random): Vectors {
  const { count, dims } = vectors;
  const meaning = vectors.data.slice();
  centre(meaning, count, dims);
  for (let at = 0; at < count; at++) toUnitLength(meaning, at * dims, dims);
  if (texts === undefined) return { data: meaning, count, dims };
  const spelling = characterVectors(texts, {
    dims: Math.max(1, Math.min(SPELLING_DIMS, Math.floor(count / 4))),
    random,
  });
  const allDims = dims + spelling.dims;
  const data = new Float32Array(count * allDims);
  for (let at = 0; at < count; at++) {
    data.set(meaning.subarray(at * dims, (at + 1) * dims), at * allDims);
    for (let i = 0; i < spelling.dims; i++) {
      data[at * allDims + dims + i] = SPELLING_WEIGHT * (spelling.data[at * spelling.dims + i] as number);
    }
    toUnitLength(data, at * allDims, allDims);
  }
  return { data, count, dims: allDims };
}

/** Members of clusters that are too small go to the nearest of the others. */
function dropTiny(
  coordinates: Vectors,
  found: { readonly labels: Int32Array; readonly centroids: Vectors },
): { labels: Int32Array; clusterCount: number } {
  const membersMin = Math.max(MEMBERS_MIN, Math.ceil(MEMBERS_SHARE_MIN * coordinates.count));
  const sizes = new Int32Array(found.centroids.count);
  for (const label of found.labels) sizes[label] = (sizes[label] as number) + 1;
  const kept = Array.from(sizes.keys()).filter((label) => (sizes[label] as number) >= membersMin);
  if (kept.length === 0) kept.push(0);
  if (kept.length === sizes.length) return { labels: found.labels, clusterCount: kept.length };
  const { labels } = assignNearest(coordinates, selectVectors(found.centroids, kept));
  return { labels, clusterCount: kept.length };
}

function meanDirections(vectors: Vectors, labels: Int32Array, clusterCount: number): Vectors {
  const { dims } = vectors;
  const data = new Float32Array(clusterCount * dims);
  labels.forEach((label, at) => {
    for (let i = 0; i < dims; i++) {
      data[label * dims + i] = (data[label * dims + i] as number) + (vectors.data[at * dims + i] as number);
    }
  });
  for (let label = 0; label < clusterCount; label++) toUnitLength(data, label * dims, dims);
  return { data, count: clusterCount, dims };
}

function similaritiesTo(
  { data, count, dims }: Vectors,
  labels: Int32Array,
  centroids: Vectors,
): Float32Array {
  return Float32Array.from({ length: count }, (_, at) =>
    dot(data, at * dims, centroids.data, (labels[at] as number) * dims, dims),
  );
}

function rejectFar(labels: Int32Array, similarities: Float32Array, similarityMins: Float32Array): Int32Array {
  return labels.map((label, at) =>
    (similarities[at] as number) < (similarityMins[label] as number) ? -1 : label,
  );
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
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
