import { describe, expect, it } from 'vitest';
import { toUnitVectors } from './k-means.ts';
import { findNeighbours } from './neighbours.ts';
import { createRandom } from './random.ts';

/** Vectors around as many axes as asked for. */
function around(axisCount: number, perAxis: number, dims: number): Float32Array[] {
  const random = createRandom(4);
  const axes = Array.from({ length: axisCount }, () =>
    Float32Array.from({ length: dims }, () => random.normal()),
  );
  return axes.flatMap((axis) =>
    Array.from({ length: perAxis }, () => axis.map((value) => value + 0.3 * random.normal())),
  );
}

describe('findNeighbours', () => {
  it('gives the nearest first and never the vector itself', () => {
    const vectors = toUnitVectors(
      [
        [1, 0],
        [1, 0.1],
        [0, 1],
        [0.1, 1],
      ].map((row) => Float32Array.from(row)),
    );
    const found = findNeighbours(vectors, { perVector: 2, random: createRandom(1) });
    expect([...found.ids.subarray(0, 2)]).toEqual([1, 3]);
    expect([...found.ids.subarray(4, 6)]).toEqual([3, 1]);
    expect(found.similarities[0]).toBeGreaterThan(found.similarities[1] as number);
  });

  it('has no more neighbours than there are other vectors', () => {
    const two = toUnitVectors([Float32Array.of(1, 0), Float32Array.of(0, 1)]);
    expect(findNeighbours(two, { perVector: 10, random: createRandom(1) }).perVector).toBe(1);
    const one = toUnitVectors([Float32Array.of(1, 0)]);
    expect(findNeighbours(one, { perVector: 10, random: createRandom(1) }).ids).toHaveLength(0);
  });

  it('finds nearly all true neighbours of a set that it splits into cells', () => {
    const rows = around(60, 75, 16);
    const vectors = toUnitVectors(rows);
    const found = findNeighbours(vectors, { perVector: 5, random: createRandom(1) });
    let rightCount = 0;
    const asked = Array.from({ length: 100 }, (_, at) => at * 45);
    for (const query of asked) {
      const own = vectors.data.subarray(query * 16, (query + 1) * 16);
      const cosines = rows.map((_, at) =>
        own.reduce((sum, value, i) => sum + value * (vectors.data[at * 16 + i] as number), 0),
      );
      const best = rows.map((_, at) => at).filter((at) => at !== query);
      best.sort((a, b) => (cosines[b] as number) - (cosines[a] as number));
      const truth = new Set(best.slice(0, 5));
      for (const id of found.ids.subarray(query * 5, query * 5 + 5)) if (truth.has(id)) rightCount++;
    }
    expect(rightCount / (5 * asked.length)).toBeGreaterThan(0.9);
  });
});
