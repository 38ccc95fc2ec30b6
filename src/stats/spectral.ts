import type { Graph } from './graph.ts';
import { toUnitLength, type Vectors } from './k-means.ts';
import { orthonormalise } from './orthonormal.ts';
import type { Random } from './random.ts';

/** Added to every degree, in mean degrees: without it a few stragglers become eigenvectors of their own. */
const DEGREE_FLOOR_SHARE = 0.001;
const ROUNDS = 4;
/** Steps of the walk between two orthonormalisations; more and the weak directions drown in rounding. */
const STEPS_PER_ROUND = 7;
/** Steps after the last one: each direction ends weighted by its eigenvalue to this power. */
const FINAL_STEPS = 6;

/**
 * Where each node stands in the graph's own geometry: rows of the leading eigenvectors of the normalised
 * adjacency D^-1/2 W D^-1/2, weighted by a power of the eigenvalue (diffusion map: Coifman and Lafon 2006), brought to
 * unit length (Ng, Jordan and Weiss 2002, "On Spectral Clustering"). Clusters that wind through the original
 * space are round here, so k-means finds them.
 *
 * The eigenvectors come from subspace iteration with a random start (Halko, Martinsson and Tropp 2011), turned
 * by an unknown rotation, which cosines do not see. Nearly equal eigenvalues at the end of the list are not
 * told apart; that moves nothing that clusters.
 */
export function spectralCoordinates(
  graph: Graph,
  options: { readonly dims: number; readonly random: Random; readonly onRound?: (round: number) => void },
): Vectors {
  const { dims, random, onRound } = options;
  const { nodeCount } = graph;
  const scales = inverseRoots(graph);
  let rows = new Float32Array(nodeCount * dims);
  let spare = new Float32Array(nodeCount * dims);
  for (let at = 0; at < rows.length; at++) rows[at] = random.normal();
  const walk = (steps: number): void => {
    for (let step = 0; step < steps; step++) {
      multiply(graph, scales, rows, spare, dims);
      [rows, spare] = [spare, rows];
    }
  };
  for (let round = 0; round < ROUNDS; round++) {
    onRound?.(round);
    walk(STEPS_PER_ROUND);
    orthonormalise(rows, nodeCount, dims, round === ROUNDS - 1 ? 2 : 1);
  }
  walk(FINAL_STEPS);
  for (let node = 0; node < nodeCount; node++) toUnitLength(rows, node * dims, dims);
  return { data: rows, count: nodeCount, dims };
}

function inverseRoots({ degrees, nodeCount }: Graph): Float64Array {
  const floor =
    (DEGREE_FLOOR_SHARE * degrees.reduce((sum, degree) => sum + degree, 0)) / Math.max(1, nodeCount);
  return degrees.map((degree) => (degree + floor > 0 ? 1 / Math.sqrt(degree + floor) : 0));
}

function multiply(
  { nodeCount, offsets, targets, weights }: Graph,
  scales: Float64Array,
  from: Float32Array,
  to: Float32Array,
  dims: number,
): void {
  to.fill(0);
  for (let node = 0; node < nodeCount; node++) {
    const base = node * dims;
    const own = scales[node] as number;
    const end = offsets[node + 1] as number;
    // Two edges at a time: each sum is then read and written once for two.
    for (let at = offsets[node] as number; at < end; at += 2) {
      const first = targets[at] as number;
      const second = at + 1 < end ? (targets[at + 1] as number) : first;
      const firstWeight = own * (weights[at] as number) * (scales[first] as number);
      const secondWeight = at + 1 < end ? own * (weights[at + 1] as number) * (scales[second] as number) : 0;
      const a = first * dims;
      const b = second * dims;
      for (let i = 0; i < dims; i++) {
        to[base + i] =
          (to[base + i] as number) +
          firstWeight * (from[a + i] as number) +
          secondWeight * (from[b + i] as number);
      }
    }
  }
}
