import { dot, selectVectors, sphericalKMeans, type Vectors } from './k-means.ts';
import type { Random } from './random.ts';

export interface Neighbours {
  /** Neighbours of each vector; fewer only where there are fewer vectors. */
  readonly perVector: number;
  /** `ids[at * perVector + n]`, nearest first; -1 where none was found. */
  readonly ids: Int32Array;
  /** Cosine to each of them. */
  readonly similarities: Float32Array;
}

/** Up to this many vectors every pair is looked at. */
const ALL_PAIRS_MAX = 4_000;
/** Cells that a vector is compared with. Five find more than eight in ten of the true neighbours of prompts. */
const PROBES = 5;
const CELL_SAMPLE = 2_500;
const CELL_PASSES = 2;

/**
 * Nearest neighbours by cosine. Large sets are split into cells and each vector looks into the nearest few of
 * them ("inverted file": Jegou, Douze and Schmid 2011, IEEE TPAMI 33), so the time grows with n * sqrt(n).
 *
 * @param vectors  of unit length
 */
export function findNeighbours(
  vectors: Vectors,
  options: {
    readonly perVector: number;
    readonly random: Random;
    readonly onPart?: (done: number, total: number) => void;
  },
): Neighbours {
  const perVector = Math.max(0, Math.min(options.perVector, vectors.count - 1));
  const found: Neighbours = {
    perVector,
    ids: new Int32Array(vectors.count * perVector).fill(-1),
    similarities: new Float32Array(vectors.count * perVector).fill(Number.NEGATIVE_INFINITY),
  };
  if (perVector === 0) return found;
  if (vectors.count <= ALL_PAIRS_MAX) {
    const all = Int32Array.from({ length: vectors.count }, (_, at) => at);
    compareCell(vectors, all, all, found);
    return found;
  }
  const { members, visitors } = makeCells(vectors, options.random);
  members.forEach((cell, at) => {
    options.onPart?.(at, members.length);
    compareCell(vectors, visitors[at] ?? cell, cell, found);
  });
  return found;
}

/** Per cell: the vectors that live in it, and those that look into it. */
function makeCells(vectors: Vectors, random: Random): { members: Int32Array[]; visitors: Int32Array[] } {
  const cellCount = Math.round(Math.sqrt(vectors.count));
  const order = Array.from({ length: vectors.count }, (_, at) => at);
  random.shuffle(order);
  const sampled = selectVectors(vectors, order.slice(0, CELL_SAMPLE));
  const { centroids } = sphericalKMeans(sampled, { clusterCount: cellCount, random, passesMax: CELL_PASSES });
  const members: number[][] = Array.from({ length: cellCount }, () => []);
  const visitors: number[][] = Array.from({ length: cellCount }, () => []);
  const similarities = new Float32Array(cellCount);
  for (let at = 0; at < vectors.count; at++) {
    compareWith(vectors, at, centroids, similarities);
    for (let probe = 0; probe < Math.min(PROBES, cellCount); probe++) {
      let best = 0;
      for (let cell = 1; cell < cellCount; cell++) {
        if ((similarities[cell] as number) > (similarities[best] as number)) best = cell;
      }
      if (probe === 0) members[best]?.push(at);
      visitors[best]?.push(at);
      similarities[best] = Number.NEGATIVE_INFINITY;
    }
  }
  return {
    members: members.map((cell) => Int32Array.from(cell)),
    visitors: visitors.map((cell) => Int32Array.from(cell)),
  };
}

function compareWith({ data, dims }: Vectors, at: number, others: Vectors, similarities: Float32Array): void {
  for (let other = 0; other < others.count; other++) {
    similarities[other] = dot(data, at * dims, others.data, other * dims, dims);
  }
}

/** Four candidates at a time: the query's numbers are read once for all of them. */
function compareCell(
  { data, dims }: Vectors,
  queries: Int32Array,
  candidates: Int32Array,
  found: Neighbours,
): void {
  for (const query of queries) {
    const q = query * dims;
    let at = 0;
    for (; at + 3 < candidates.length; at += 4) {
      const a = (candidates[at] as number) * dims;
      const b = (candidates[at + 1] as number) * dims;
      const c = (candidates[at + 2] as number) * dims;
      const d = (candidates[at + 3] as number) * dims;
      let sa = 0;
      let sb = 0;
      let sc = 0;
      let sd = 0;
      for (let i = 0; i < dims; i++) {
        const value = data[q + i] as number;
        sa += value * (data[a + i] as number);
        sb += value * (data[b + i] as number);
        sc += value * (data[c + i] as number);
        sd += value * (data[d + i] as number);
      }
      keep(found, query, candidates[at] as number, sa);
      keep(found, query, candidates[at + 1] as number, sb);
      keep(found, query, candidates[at + 2] as number, sc);
      keep(found, query, candidates[at + 3] as number, sd);
    }
    for (; at < candidates.length; at++) {
      const candidate = candidates[at] as number;
      keep(found, query, candidate, dot(data, q, data, candidate * dims, dims));
    }
  }
}

function keep(
  { ids, similarities, perVector }: Neighbours,
  query: number,
  candidate: number,
  similarity: number,
): void {
  const base = query * perVector;
  let at = base + perVector - 1;
  if (similarity <= (similarities[at] as number) || candidate === query) return;
  for (; at > base && similarity > (similarities[at - 1] as number); at--) {
    similarities[at] = similarities[at - 1] as number;
    ids[at] = ids[at - 1] as number;
  }
  similarities[at] = similarity;
  ids[at] = candidate;
}
