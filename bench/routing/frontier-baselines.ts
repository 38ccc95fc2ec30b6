import type { OutcomePrompt } from '../../src/evaluation/outcome-file.ts';
import { assignNearest, dot, selectVectors, sphericalKMeans, type Vectors } from '../../src/stats/k-means.ts';
import { createRandom } from '../../src/stats/random.ts';

/** Prompts and their unit vectors, in one order. */
export interface Embedded {
  readonly prompts: readonly OutcomePrompt[];
  readonly vectors: Vectors;
}

/** The model for each held-out prompt at each point of a frontier. */
export type Frontier = readonly (readonly string[])[];

export interface ClusterSettings {
  readonly clusterCount: number;
  /** Nearest clusters that have a say. */
  readonly topCount: number;
  readonly beta: number;
}

/** Of the published code with costs, of its code without, and of the paper. */
export const AVENGERS = {
  'avengers-pro k=25 top 3': { clusterCount: 25, topCount: 3, beta: 9 },
  'avengers-pro k=35 top 1': { clusterCount: 35, topCount: 1, beta: 9 },
  'avengers-pro k=60 top 4': { clusterCount: 60, topCount: 4, beta: 9 },
} as const satisfies Record<string, ClusterSettings>;

const RESTARTS = 10;
/** The number of k-means fits falls with the set: ten of 8,000 prompts take a minute and differ by less than 1 %. */
const LARGE_COUNT = 4_000;
const LARGE_RESTARTS = 4;
const ALPHAS = Array.from({ length: 21 }, (_, at) => at / 20);

/**
 * Cluster routing after Avengers-Pro (arXiv 2508.12631 and its published code), written anew: k-means of unit vectors,
 * per cluster score = alpha * accuracy, scaled to 0..1 between the worst and the best model, + (1 - alpha) * (1 - cost
 * over the dearest); the nearest clusters vote with softmax(-beta * cosine distance) / (rank + 1).
 *
 * @param hasCosts  false: alpha 1 alone
 */
export function avengersFrontier(
  train: Embedded,
  test: Embedded,
  models: readonly string[],
  { clusterCount, topCount, beta }: ClusterSettings,
  { seed, hasCosts }: { readonly seed: number; readonly hasCosts: boolean },
): Frontier {
  const k = Math.min(clusterCount, train.vectors.count);
  const labels = bestLabels(train.vectors, k, seed);
  const { data: centres, dims } = meansOf(train.vectors, labels, k);
  const cells = Array.from({ length: k }, (_, cluster) =>
    cellMeans(
      train.prompts.filter((_prompt, at) => labels[at] === cluster),
      models,
    ),
  );
  return (hasCosts ? ALPHAS : [1]).map((alpha) => {
    const ranks = cells.map((cell) => ranksOf(cell, alpha));
    return test.prompts.map((_, at) => {
      const distances = cells.map((_cell, cluster) => ({
        cluster,
        distance: 1 - dot(test.vectors.data, at * dims, centres, cluster * dims, dims),
      }));
      const nearest = distances.sort((one, other) => one.distance - other.distance).slice(0, topCount);
      const votes = new Float64Array(models.length);
      for (const { cluster, distance } of nearest) {
        const weight = Math.exp(-beta * (distance - (nearest[0]?.distance ?? 0)));
        ranks[cluster]?.forEach((rank, model) => {
          votes[model] = (votes[model] as number) + weight / (rank + 1);
        });
      }
      return models[votes.indexOf(Math.max(...votes))] ?? '';
    });
  });
}

/**
 * The model with the greatest mean score of the k nearest training prompts, less a price times its mean cost there
 * (arXiv 2505.12601).
 */
export function neighbourFrontier(
  train: Embedded,
  test: Embedded,
  models: readonly string[],
  neighbourCount: number,
  prices: readonly number[],
): Frontier {
  const { dims } = train.vectors;
  const frontier: string[][] = prices.map(() => []);
  const similarities = new Float32Array(train.vectors.count);
  for (let at = 0; at < test.vectors.count; at++) {
    for (let other = 0; other < train.vectors.count; other++) {
      similarities[other] = dot(test.vectors.data, at * dims, train.vectors.data, other * dims, dims);
    }
    const bound = similarities.slice().sort()[Math.max(0, train.vectors.count - neighbourCount)] ?? -1;
    const nearest = train.prompts.filter((_, other) => (similarities[other] as number) >= bound);
    const means = cellMeans(nearest.slice(0, neighbourCount), models);
    prices.forEach((price, point) => {
      const values = means.map(({ score, costUsd }) => score - price * costUsd);
      frontier[point]?.push(models[values.indexOf(Math.max(...values))] ?? '');
    });
  }
  return frontier;
}

interface CellMean {
  readonly score: number;
  readonly costUsd: number;
}

function cellMeans(prompts: readonly OutcomePrompt[], models: readonly string[]): CellMean[] {
  return models.map((model) => {
    let [count, score, costUsd] = [0, 0, 0];
    for (const { outcomes } of prompts) {
      const outcome = outcomes.get(model);
      if (outcome === undefined) continue;
      count++;
      score += outcome.score;
      costUsd += outcome.costUsd ?? 0;
    }
    return count === 0 ? { score: 0, costUsd: 0 } : { score: score / count, costUsd: costUsd / count };
  });
}

/** Place of each model in a cluster, from 0. */
function ranksOf(cell: readonly CellMean[], alpha: number): number[] {
  const scores = cell.map(({ score }) => score);
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const dearest = Math.max(...cell.map(({ costUsd }) => costUsd));
  const values = cell.map(({ score, costUsd }) => {
    const accuracy = high > low ? (score - low) / (high - low) : 1;
    const thrift = dearest > 0 ? 1 - costUsd / dearest : 1;
    return alpha * accuracy + (1 - alpha) * thrift;
  });
  const ranks: number[] = values.map(() => 0);
  [...values.keys()]
    .sort((one, other) => (values[other] ?? 0) - (values[one] ?? 0) || one - other)
    .forEach((model, rank) => {
      ranks[model] = rank;
    });
  return ranks;
}

function bestLabels(vectors: Vectors, clusterCount: number, seed: number): Int32Array {
  const random = createRandom(seed);
  let best: Int32Array = new Int32Array(vectors.count);
  let most = Number.NEGATIVE_INFINITY;
  const restarts = vectors.count > LARGE_COUNT ? LARGE_RESTARTS : RESTARTS;
  for (let restart = 0; restart < restarts; restart++) {
    const { centroids } = sphericalKMeans(vectors, { clusterCount, random });
    const { labels, similarities } = assignNearest(vectors, centroids);
    const total = similarities.reduce((sum, similarity) => sum + similarity, 0);
    if (total <= most) continue;
    most = total;
    best = labels;
  }
  return best;
}

/** Means and not directions: the published code measures distances to these. */
function meansOf(vectors: Vectors, labels: Int32Array, clusterCount: number): Vectors {
  const { data, dims } = vectors;
  const means = new Float32Array(clusterCount * dims);
  const counts = new Float64Array(clusterCount);
  labels.forEach((label, at) => {
    counts[label] = (counts[label] as number) + 1;
    for (let i = 0; i < dims; i++) {
      means[label * dims + i] = (means[label * dims + i] as number) + (data[at * dims + i] as number);
    }
  });
  for (let label = 0; label < clusterCount; label++) {
    const count = Math.max(1, counts[label] as number);
    for (let i = 0; i < dims; i++) means[label * dims + i] = (means[label * dims + i] as number) / count;
  }
  return { data: means, count: clusterCount, dims };
}

/** The prompts at some positions. */
export function selectEmbedded({ prompts, vectors }: Embedded, positions: readonly number[]): Embedded {
  return {
    prompts: positions.flatMap((at) => prompts[at] ?? []),
    vectors: selectVectors(vectors, positions),
  };
}
