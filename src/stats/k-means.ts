import type { Random } from './random.ts';

/** Vectors of equal length, one after the other in one block. Unit length where cosine is meant. */
export interface Vectors {
  readonly data: Float32Array;
  readonly count: number;
  readonly dims: number;
}

export interface KMeansOptions {
  readonly clusterCount: number;
  readonly random: Random;
  /** Passes over all vectors at most; fewer when the assignment settles. */
  readonly passesMax?: number;
  /** Where to start; seeds are drawn otherwise. Taken over, not changed. */
  readonly initial?: Vectors;
  /** Called after each pass; throw from it to stop. */
  readonly onPass?: (pass: number) => void;
}

export interface KMeansResult {
  /** Unit centroids, `clusterCount` of them. */
  readonly centroids: Vectors;
  /** Nearest centroid of each vector. */
  readonly labels: Int32Array;
  /** Cosine of each vector to its centroid. */
  readonly similarities: Float32Array;
}

/** Above this, centroids first settle on random batches: whole passes would take minutes. */
const BATCHES_ABOVE_COUNT = 12_000;
const BATCH_SIZE = 2_048;
/** Vectors that seeds of a large set are drawn from. */
const SEEDED_MAX = 6_000;
const PASSES_MAX = 20;
/** Vectors drawn for each seed. */
const SEED_DRAWS = 3;
/** Passes that follow the batches: two bring the objective to within a percent of many. */
const PASSES_AFTER_BATCHES = 3;
/** A pass that moves fewer vectors than this share ends the search. */
const SETTLED_SHARE = 0.002;

/** Packs vectors and brings each to unit length; a zero vector stays zero. */
export function toUnitVectors(rows: readonly Float32Array[]): Vectors {
  const dims = rows[0]?.length ?? 0;
  const data = new Float32Array(rows.length * dims);
  rows.forEach((row, at) => {
    data.set(row, at * dims);
    toUnitLength(data, at * dims, dims);
  });
  return { data, count: rows.length, dims };
}

/** The chosen vectors, in the order given. */
export function selectVectors(vectors: Vectors, chosen: ArrayLike<number>): Vectors {
  const { dims } = vectors;
  const data = new Float32Array(chosen.length * dims);
  for (let at = 0; at < chosen.length; at++) {
    const from = (chosen[at] ?? 0) * dims;
    data.set(vectors.data.subarray(from, from + dims), at * dims);
  }
  return { data, count: chosen.length, dims };
}

/**
 * Spherical k-means (Dhillon and Modha 2001) from k-means++ seeds (Arthur and Vassilvitskii 2007); large sets
 * by mini-batches first (Sculley 2010). The same vectors and the same seed give the same result.
 *
 * @param vectors  of unit length
 * @throws {RangeError} unless 1 <= clusterCount <= vectors.count
 */
export function sphericalKMeans(vectors: Vectors, options: KMeansOptions): KMeansResult {
  const { clusterCount, random, onPass } = options;
  if (!(clusterCount >= 1 && clusterCount <= vectors.count)) {
    throw new RangeError(`clusterCount must lie in 1..${vectors.count}, not ${clusterCount}`);
  }
  const isLarge = options.initial === undefined && vectors.count > BATCHES_ABOVE_COUNT;
  const centroids = options.initial
    ? { ...options.initial, data: options.initial.data.slice() }
    : seedCentroids(isLarge ? sample(vectors, SEEDED_MAX, random) : vectors, clusterCount, random);
  if (isLarge) runBatches(vectors, centroids, random, onPass);
  const passesMax = isLarge ? PASSES_AFTER_BATCHES : (options.passesMax ?? PASSES_MAX);
  let assigned = assignNearest(vectors, centroids);
  for (let pass = 1; pass <= passesMax; pass++) {
    moveCentroids(vectors, centroids, assigned);
    const next = assignNearest(vectors, centroids);
    let movedCount = 0;
    for (let at = 0; at < vectors.count; at++) if (next.labels[at] !== assigned.labels[at]) movedCount++;
    assigned = next;
    onPass?.(pass);
    if (movedCount <= SETTLED_SHARE * vectors.count) break;
  }
  return { centroids, ...assigned };
}

/** Nearest centroid of each vector and the cosine to it; ties go to the lower number. */
export function assignNearest(
  vectors: Vectors,
  centroids: Vectors,
): { labels: Int32Array; similarities: Float32Array } {
  const labels = new Int32Array(vectors.count);
  const similarities = new Float32Array(vectors.count);
  for (let at = 0; at < vectors.count; at++) {
    const [label, similarity] = nearest(vectors.data, at * vectors.dims, centroids);
    labels[at] = label;
    similarities[at] = similarity;
  }
  return { labels, similarities };
}

/** Four centroids at a time: the vector's numbers are read once for all of them. */
function nearest(data: Float32Array, offset: number, centroids: Vectors): [number, number] {
  const { data: centres, count, dims } = centroids;
  let best = -1;
  let bestDot = Number.NEGATIVE_INFINITY;
  let centroid = 0;
  for (; centroid + 3 < count; centroid += 4) {
    const at = centroid * dims;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let i = 0; i < dims; i++) {
      const value = data[offset + i] as number;
      s0 += value * (centres[at + i] as number);
      s1 += value * (centres[at + dims + i] as number);
      s2 += value * (centres[at + 2 * dims + i] as number);
      s3 += value * (centres[at + 3 * dims + i] as number);
    }
    const most = Math.max(s0, s1, s2, s3);
    if (most <= bestDot) continue;
    bestDot = most;
    best = centroid + (most === s0 ? 0 : most === s1 ? 1 : most === s2 ? 2 : 3);
  }
  for (; centroid < count; centroid++) {
    const value = dot(data, offset, centres, centroid * dims, dims);
    if (value > bestDot) {
      bestDot = value;
      best = centroid;
    }
  }
  return [best, bestDot];
}

/** Four running sums: one sum is a chain of dependent additions, and takes three times as long. */
export function dot(a: Float32Array, aAt: number, b: Float32Array, bAt: number, dims: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = 0;
  for (; i + 3 < dims; i += 4) {
    s0 += (a[aAt + i] as number) * (b[bAt + i] as number);
    s1 += (a[aAt + i + 1] as number) * (b[bAt + i + 1] as number);
    s2 += (a[aAt + i + 2] as number) * (b[bAt + i + 2] as number);
    s3 += (a[aAt + i + 3] as number) * (b[bAt + i + 3] as number);
  }
  for (; i < dims; i++) s0 += (a[aAt + i] as number) * (b[bAt + i] as number);
  return s0 + s1 + s2 + s3;
}

/**
 * Greedy k-means++: of a few vectors drawn by their squared distance to the seeds so far, the one that leaves
 * the least of it becomes the next seed. Plain drawing loses about a point of agreement.
 */
export function seedCentroids(vectors: Vectors, clusterCount: number, random: Random): Vectors {
  const { data, count, dims } = vectors;
  const centroids = { data: new Float32Array(clusterCount * dims), count: clusterCount, dims };
  let distances = new Float64Array(count).fill(4);
  let bestDistances = new Float64Array(count);
  let drawnDistances = new Float64Array(count);
  let left = 0;
  for (let centroid = 0; centroid < clusterCount; centroid++) {
    let bestSum = Number.POSITIVE_INFINITY;
    let best = 0;
    for (let draw = 0; draw < (centroid === 0 ? 1 : SEED_DRAWS); draw++) {
      const drawn = centroid === 0 ? random.int(count) : drawByWeight(distances, left, random);
      let sum = 0;
      for (let at = 0; at < count; at++) {
        // Squared distance of unit vectors is 2 - 2 cos.
        const distance = Math.max(0, 2 - 2 * dot(data, at * dims, data, drawn * dims, dims));
        const nearest = Math.min(distance, distances[at] as number);
        drawnDistances[at] = nearest;
        sum += nearest;
      }
      if (sum >= bestSum) continue;
      bestSum = sum;
      best = drawn;
      [bestDistances, drawnDistances] = [drawnDistances, bestDistances];
    }
    centroids.data.set(data.subarray(best * dims, (best + 1) * dims), centroid * dims);
    [distances, bestDistances] = [bestDistances, distances];
    left = bestSum;
  }
  return centroids;
}

function drawByWeight(weights: Float64Array, sum: number, random: Random): number {
  // All vectors may be equal; then any will do.
  if (!(sum > 0)) return random.int(weights.length);
  let left = random.next() * sum;
  for (let at = 0; at < weights.length; at++) {
    left -= weights[at] as number;
    if (left < 0) return at;
  }
  return weights.length - 1;
}

function moveCentroids(
  vectors: Vectors,
  centroids: Vectors,
  assigned: { labels: Int32Array; similarities: Float32Array },
): void {
  const { dims } = vectors;
  const memberCounts = new Int32Array(centroids.count);
  centroids.data.fill(0);
  for (let at = 0; at < vectors.count; at++) {
    const label = assigned.labels[at] as number;
    memberCounts[label] = (memberCounts[label] as number) + 1;
    addInto(centroids.data, label * dims, vectors.data, at * dims, dims);
  }
  for (let centroid = 0; centroid < centroids.count; centroid++) {
    if (memberCounts[centroid] === 0) {
      // An empty cluster restarts at the vector that fits worst, which is then taken.
      const worst = lowest(assigned.similarities);
      assigned.similarities[worst] = 1;
      addInto(centroids.data, centroid * dims, vectors.data, worst * dims, dims);
    }
    toUnitLength(centroids.data, centroid * dims, dims);
  }
}

/** Each batch pulls its centroids by 1 / (vectors seen so far), then all are brought back to unit length. */
function runBatches(
  vectors: Vectors,
  centroids: Vectors,
  random: Random,
  onPass: ((pass: number) => void) | undefined,
): void {
  const { dims } = vectors;
  const seenCounts = new Float64Array(centroids.count);
  const batchCount = Math.ceil((3 * Math.min(vectors.count, 10 * BATCHES_ABOVE_COUNT)) / BATCH_SIZE);
  for (let batch = 0; batch < batchCount; batch++) {
    for (let draw = 0; draw < BATCH_SIZE; draw++) {
      const at = random.int(vectors.count) * dims;
      const [label] = nearest(vectors.data, at, centroids);
      const seenCount = (seenCounts[label] as number) + 1;
      seenCounts[label] = seenCount;
      const rate = 1 / seenCount;
      for (let i = 0; i < dims; i++) {
        const value = centroids.data[label * dims + i] as number;
        centroids.data[label * dims + i] = value + rate * ((vectors.data[at + i] as number) - value);
      }
    }
    for (let centroid = 0; centroid < centroids.count; centroid++)
      toUnitLength(centroids.data, centroid * dims, dims);
    if (batch % 8 === 0) onPass?.(0);
  }
}

function sample(vectors: Vectors, count: number, random: Random): Vectors {
  const order = Array.from({ length: vectors.count }, (_, at) => at);
  random.shuffle(order);
  return selectVectors(vectors, order.slice(0, count));
}

function addInto(
  target: Float32Array,
  targetAt: number,
  source: Float32Array,
  sourceAt: number,
  dims: number,
): void {
  for (let i = 0; i < dims; i++) {
    target[targetAt + i] = (target[targetAt + i] as number) + (source[sourceAt + i] as number);
  }
}

/** Brings one vector of a block to unit length, in place; zero stays zero. */
export function toUnitLength(data: Float32Array, offset: number, dims: number): void {
  let square = 0;
  for (let i = offset; i < offset + dims; i++) square += (data[i] as number) ** 2;
  if (square === 0) return;
  const factor = 1 / Math.sqrt(square);
  for (let i = offset; i < offset + dims; i++) data[i] = (data[i] as number) * factor;
}

function lowest(values: Float32Array): number {
  let at = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) < (values[at] as number)) at = i;
  return at;
}
