import type { Neighbours } from './neighbours.ts';

/** Undirected weighted graph; the edges of node `at` are `offsets[at]` .. `offsets[at + 1]`. */
export interface Graph {
  readonly nodeCount: number;
  readonly offsets: Int32Array;
  readonly targets: Int32Array;
  readonly weights: Float32Array;
  /** Sum of each node's weights. */
  readonly degrees: Float64Array;
}

/** Weight = cosine to this power: near neighbours count for more, and one exponent does for all data tried. */
const SHARPNESS = 3;

/** Joins each vector with its neighbours; an edge that both ends name weighs double one that only one names. */
export function neighbourGraph(nodeCount: number, { ids, similarities, perVector }: Neighbours): Graph {
  const counts = new Int32Array(nodeCount + 1);
  const forEachEdge = (visit: (from: number, to: number, weight: number) => void): void => {
    for (let at = 0; at < ids.length; at++) {
      const to = ids[at] as number;
      const similarity = similarities[at] as number;
      if (to >= 0 && similarity > 0) visit(Math.floor(at / perVector), to, similarity ** SHARPNESS / 2);
    }
  };
  forEachEdge((from, to) => {
    counts[from + 1] = (counts[from + 1] as number) + 1;
    counts[to + 1] = (counts[to + 1] as number) + 1;
  });
  for (let at = 0; at < nodeCount; at++) counts[at + 1] = (counts[at + 1] as number) + (counts[at] as number);
  const offsets = counts;
  const next = offsets.slice();
  const targets = new Int32Array(offsets[nodeCount] as number);
  const weights = new Float32Array(targets.length);
  const degrees = new Float64Array(nodeCount);
  const add = (from: number, to: number, weight: number): void => {
    const at = next[from] as number;
    next[from] = at + 1;
    targets[at] = to;
    weights[at] = weight;
    degrees[from] = (degrees[from] as number) + weight;
  };
  forEachEdge((from, to, weight) => {
    add(from, to, weight);
    add(to, from, weight);
  });
  return { nodeCount, offsets, targets, weights, degrees };
}

/**
 * Modularity of a partition: share of weight inside communities, less what chance would put there (Newman and
 * Girvan 2004, Physical Review E 69). 0 is chance, 1 the most.
 */
export function computeModularity(graph: Graph, labels: ArrayLike<number>): number {
  const { nodeCount, offsets, targets, weights, degrees } = graph;
  const communityDegrees = new Map<number, number>();
  let total = 0;
  let inside = 0;
  for (let from = 0; from < nodeCount; from++) {
    const label = labels[from] ?? -1;
    const degree = degrees[from] as number;
    total += degree;
    communityDegrees.set(label, (communityDegrees.get(label) ?? 0) + degree);
    for (let at = offsets[from] as number; at < (offsets[from + 1] as number); at++) {
      if (labels[targets[at] as number] === label) inside += weights[at] as number;
    }
  }
  if (total === 0) return 0;
  let expected = 0;
  for (const degree of communityDegrees.values()) expected += (degree / total) ** 2;
  return inside / total - expected;
}
