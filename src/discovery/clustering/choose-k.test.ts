import { describe, expect, it } from 'vitest';
import { neighbourGraph } from '../../stats/graph.ts';
import { toUnitVectors } from '../../stats/k-means.ts';
import { findNeighbours } from '../../stats/neighbours.ts';
import { createRandom } from '../../stats/random.ts';
import { spectralCoordinates } from '../../stats/spectral.ts';
import { type ChooseKOptions, chooseK } from './choose-k.ts';

/** Directions around random axes. */
function vectorsAround(axisCount: number, perAxis: number): Float32Array[] {
  const random = createRandom(2);
  const axes = Array.from({ length: axisCount }, () =>
    Float32Array.from({ length: 24 }, () => random.normal()),
  );
  return axes.flatMap((axis) =>
    Array.from({ length: perAxis }, () => axis.map((value) => value + 0.4 * random.normal())),
  );
}

function choose(
  rows: readonly Float32Array[],
  onCandidate?: ChooseKOptions['onCandidate'],
): ReturnType<typeof chooseK> {
  const random = createRandom(1);
  const vectors = toUnitVectors(rows);
  const graph = neighbourGraph(vectors.count, findNeighbours(vectors, { perVector: 10, random }));
  const coordinates = spectralCoordinates(graph, { dims: 20, random });
  return chooseK(graph, coordinates, { random, ...(onCandidate ? { onCandidate } : {}) });
}

describe('chooseK', () => {
  it('finds about as many clusters as there are', async () => {
    const { clusterCount, centroids, curve } = await choose(vectorsAround(8, 80));
    expect(clusterCount).toBeGreaterThanOrEqual(8);
    expect(clusterCount).toBeLessThanOrEqual(11);
    expect(centroids.count).toBe(clusterCount);
    expect(curve.length).toBeGreaterThan(4);
  });

  it('tells the subjects of a small log apart', async () => {
    const { clusterCount } = await choose(vectorsAround(9, 20));
    expect(clusterCount).toBeGreaterThanOrEqual(8);
    expect(clusterCount).toBeLessThanOrEqual(9);
  });

  it('does not cut the few subjects of a small log to pieces', async () => {
    const { clusterCount, curve } = await choose(vectorsAround(3, 50));
    expect(clusterCount).toBeGreaterThanOrEqual(3);
    expect(clusterCount).toBeLessThanOrEqual(5);
    // Nor looks at numbers that leave a cluster a handful of prompts.
    expect(Math.max(...curve.map((point) => point.clusterCount))).toBe(12);
  });

  it('makes one cluster of a handful', async () => {
    const { clusterCount } = await choose(vectorsAround(1, 6));
    expect(clusterCount).toBe(1);
  });

  it('tells few subjects of a large log apart', async () => {
    const { clusterCount } = await choose(vectorsAround(2, 900));
    expect(clusterCount).toBeLessThanOrEqual(4);
  });

  it('stops when its caller throws', async () => {
    const stopped = choose(vectorsAround(4, 60), () => {
      throw new Error('stop');
    });
    await expect(stopped).rejects.toThrow('stop');
  });
});
