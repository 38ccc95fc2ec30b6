import { describe, expect, it } from 'vitest';
import { toUnitVectors } from '../stats/k-means.ts';
import { createRandom } from '../stats/random.ts';
import { chooseK } from './choose-k.ts';

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

describe('chooseK', () => {
  it('finds about as many clusters as there are', async () => {
    const { clusterCount, curve } = await chooseK(toUnitVectors(vectorsAround(8, 80)), {
      random: createRandom(1),
    });
    expect(clusterCount).toBeGreaterThanOrEqual(6);
    expect(clusterCount).toBeLessThanOrEqual(11);
    expect(curve.length).toBeGreaterThan(4);
  });

  it('makes one cluster of a handful', async () => {
    const { clusterCount } = await chooseK(toUnitVectors(vectorsAround(2, 5)), { random: createRandom(1) });
    expect(clusterCount).toBe(1);
  });

  it('stops when its caller throws', async () => {
    const stopped = chooseK(toUnitVectors(vectorsAround(4, 60)), {
      random: createRandom(1),
      onCandidate: () => {
        throw new Error('stop');
      },
    });
    await expect(stopped).rejects.toThrow('stop');
  });
});
