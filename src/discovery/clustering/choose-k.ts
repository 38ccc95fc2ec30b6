import { computeModularity, type Graph } from '../../stats/graph.ts';
import {
  assignNearest,
  seedCentroids,
  selectVectors,
  sphericalKMeans,
  type Vectors,
} from '../../stats/k-means.ts';
import type { Random } from '../../stats/random.ts';

/** How well one number of clusters fits the data: what the report shows as the curve. */
export interface CurvePoint {
  readonly clusterCount: number;
  /** Newman's modularity of the neighbour graph under this many clusters: 0 is chance, 1 the most. */
  readonly modularity: number;
}

export interface ChosenK {
  readonly clusterCount: number;
  /** Unit centres among the coordinates: the fit that was best at this number. */
  readonly centroids: Vectors;
  readonly curve: readonly CurvePoint[];
}

export interface ChooseKOptions {
  readonly random: Random;
  /** Looked at alone, when a caller knows the number. */
  readonly clusterCount?: number | undefined;
  /** Called between the fits, so that a long search can be watched and stopped (throw). */
  readonly onCandidate?: (done: number, total: number) => Promise<void> | void;
}

/** Nodes that centres are fitted to; the graph is judged with all of them. */
const FITTED_COUNT = 4_000;
const FIT_PASSES = 8;
/** Up to here every number is looked at: they cost little, and a small log has no others. */
const EVERY_UP_TO = 16;
/** Then steps of about a third, finer where the number is decided: see {@link refine}. */
const STEPS = [20, 27, 36, 48, 64, 85, 113, 150, 200, 260];
const CANDIDATES = [...Array.from({ length: EVERY_UP_TO - 1 }, (_, at) => at + 2), ...STEPS];
/**
 * Nodes that a cluster has on average at least. Fewer, and a log falls into the wordings of each use case: then no
 * model has the twenty requests anywhere that its ranking needs. More, and small logs hide what they hold: there
 * sqrt(n) do, see {@link membersMin}.
 */
const MEMBERS_MIN = 40;
/**
 * The largest number whose modularity lies this close to the best is taken. Two reasons: near its top modularity
 * is flat, with many partitions as good as the best (Good, de Montjoye and Clauset 2010, Physical Review E 81);
 * and it merges small communities of large graphs, whatever their contrast (resolution limit: Fortunato and
 * Barthelemy 2007, PNAS 104), so the truth lies at the upper end of the plateau.
 *
 * The width was read off CLINC150, BANKING77 and parts of CLINC150 of 12 to 80 intents in unequal shares: 0.01
 * to 0.015 serve them all.
 */
const PLATEAU = 0.0125;
/** Candidates beyond the plateau in a row that end the search. */
const BEYOND_MAX = 1;
/** Fits of the chosen number, of which the best is kept. */
const RESTARTS = 3;

/**
 * How many use cases the data supports: k-means in the graph's spectral coordinates for a row of numbers, each
 * judged by the modularity that it gives the neighbour graph (Newman and Girvan 2004; White and Smyth 2005, "A
 * Spectral Clustering Approach To Finding Communities in Graphs", choose k in this way), the upper end of the
 * plateau taken, of small logs the lower end. The coordinates' own measures do not serve: split-half stability and
 * silhouette both go on rising far beyond the truth there.
 *
 * @param coordinates  unit rows, one a node
 */
export async function chooseK(graph: Graph, coordinates: Vectors, options: ChooseKOptions): Promise<ChosenK> {
  const { random } = options;
  const order = Array.from({ length: coordinates.count }, (_, at) => at);
  random.shuffle(order);
  const fitted = selectVectors(coordinates, order.slice(0, FITTED_COUNT));
  const candidates =
    options.clusterCount === undefined
      ? CANDIDATES.filter((count) => count * membersMin(coordinates.count) <= coordinates.count)
      : [options.clusterCount];
  // One row of seeds for all numbers: their luck cancels out of the comparison, and they are drawn once.
  const seeds = seedCentroids(fitted, Math.min(fitted.count, Math.max(...candidates, 1)), random);
  const judge = (clusterCount: number, drawn?: Vectors): Fit => {
    const initial = drawn ?? firstOf(seeds, clusterCount);
    const { centroids } = sphericalKMeans(fitted, { clusterCount, random, passesMax: FIT_PASSES, initial });
    const { labels } = assignNearest(coordinates, centroids);
    return { centroids, modularity: computeModularity(graph, labels) };
  };
  const plateau = plateauOf(coordinates.count);
  const curve = options.clusterCount === undefined ? await scan(candidates, judge, plateau, options) : [];
  const chosen = Math.min(fitted.count, options.clusterCount ?? endOf(curve, plateau));
  let best = judge(chosen);
  for (let restart = 1; restart < RESTARTS; restart++) {
    const other = judge(chosen, seedCentroids(fitted, chosen, random));
    if (other.modularity > best.modularity) best = other;
  }
  return { clusterCount: chosen, centroids: best.centroids, curve };
}

/**
 * sqrt(n) up to {@link MEMBERS_MIN}, which 1,600 nodes reach. So there are sqrt(n) clusters at most, the usual bound
 * (Pal and Bezdek 1995, IEEE Transactions on Fuzzy Systems 3).
 */
function membersMin(nodeCount: number): number {
  return Math.min(MEMBERS_MIN, Math.sqrt(nodeCount));
}

/**
 * {@link PLATEAU} for large graphs, minus it for the smallest, where the lower end of the plateau counts: the
 * resolution limit does not bite few nodes, and chance alone lets splits raise the modularity of a small graph
 * (Guimera, Sales-Pardo and Amaral 2004, Physical Review E 70). Read off parts of CLINC150, BANKING77, Auto-J and
 * benchmark questions of 100 to 1,600 prompts and 5 to 40 labels: 0.005 to 0.015 below serve alike.
 */
function plateauOf(nodeCount: number): number {
  const size = Math.min(1, nodeCount / MEMBERS_MIN ** 2);
  return PLATEAU * (2 * size - 1);
}

interface Fit {
  readonly centroids: Vectors;
  readonly modularity: number;
}

function firstOf({ data, dims }: Vectors, count: number): Vectors {
  return { data: data.subarray(0, count * dims), count, dims };
}

async function scan(
  candidates: readonly number[],
  judge: (clusterCount: number) => Fit,
  plateau: number,
  { onCandidate }: ChooseKOptions,
): Promise<CurvePoint[]> {
  const curve: CurvePoint[] = [];
  let best = 0;
  let beyond = 0;
  for (const [at, clusterCount] of candidates.entries()) {
    await onCandidate?.(at, candidates.length);
    const { modularity } = judge(clusterCount);
    curve.push({ clusterCount, modularity });
    best = Math.max(best, modularity);
    beyond = modularity < best - PLATEAU ? beyond + 1 : 0;
    if (beyond > BEYOND_MAX && clusterCount > EVERY_UP_TO) break;
  }
  await refine(curve, judge, plateau, onCandidate);
  return curve.sort((a, b) => a.clusterCount - b.clusterCount);
}

/** Halves the step above the upper end of the plateau once. */
async function refine(
  curve: CurvePoint[],
  judge: (clusterCount: number) => Fit,
  plateau: number,
  onCandidate: ChooseKOptions['onCandidate'],
): Promise<void> {
  const end = endOf(curve, plateau);
  const next = curve.find((point) => point.clusterCount > end)?.clusterCount;
  if (next === undefined || next - end < 2) return;
  await onCandidate?.(curve.length, curve.length + 1);
  const clusterCount = Math.round(Math.sqrt(end * next));
  const { modularity } = judge(clusterCount);
  curve.push({ clusterCount, modularity });
}

/** The largest number on the plateau, or the smallest on one whose width is below 0. One cluster has modularity 0. */
function endOf(curve: readonly CurvePoint[], plateau: number): number {
  const points = [{ clusterCount: 1, modularity: 0 }, ...curve];
  const best = Math.max(...points.map(({ modularity }) => modularity));
  const counts = points
    .filter(({ modularity }) => modularity >= best - Math.abs(plateau))
    .map(({ clusterCount }) => clusterCount);
  return plateau < 0 ? Math.min(...counts) : Math.max(...counts);
}
