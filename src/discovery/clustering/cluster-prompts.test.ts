import { describe, expect, it } from 'vitest';
import { createRandom } from '../../stats/random.ts';
import { clusterVectors } from './cluster-prompts.ts';

function around(
  axis: readonly number[],
  count: number,
  random: ReturnType<typeof createRandom>,
): Float32Array[] {
  return Array.from({ length: count }, () =>
    Float32Array.from(axis, (value) => value + 0.1 * random.normal()),
  );
}

describe('clusterVectors', () => {
  const random = createRandom(9);
  const step = (): void => undefined;
  const rows = [
    ...around([1, 0, 0, 0], 60, random),
    ...around([0, 1, 0, 0], 60, random),
    // Two strays that nobody else is like.
    Float32Array.of(0, 0, 1, 0),
    Float32Array.of(0, 0, 0, -1),
  ];

  it('puts tiny clusters and far outliers under other', async () => {
    const clustering = await clusterVectors(rows, { random: createRandom(1), step, clusterCount: 4 });
    expect(clustering.labels[120]).toBe(-1);
    expect(clustering.labels[121]).toBe(-1);
    expect(clustering.labels.filter((label) => label < 0).length).toBeLessThan(12);
  });
});
