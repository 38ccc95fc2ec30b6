import { describe, expect, it } from 'vitest';
import { createRandom } from '../../stats/random.ts';
import type { Clustering } from './cluster-prompts.ts';
import { continueClusters } from './continue-clusters.ts';

const DIMS = 12;
const random = createRandom(7);

/** Unit vectors around an axis. */
function around(axis: number, count: number): Float32Array[] {
  return Array.from({ length: count }, () =>
    Float32Array.from({ length: DIMS }, (_, at) => (at === axis ? 1 : 0) + 0.15 * random.normal()),
  );
}

function axis(at: number): Float32Array {
  const vector = new Float32Array(DIMS);
  vector[at] = 1;
  return vector;
}

/** A fresh clustering that puts every vector to its true axis. */
function freshOf(
  axes: readonly number[],
  sizes: readonly number[],
  curve: Clustering['curve'] = [],
): Clustering {
  const data = new Float32Array(axes.length * DIMS);
  for (const [label, at] of axes.entries()) data.set(axis(at), label * DIMS);
  const labels = Int32Array.from(sizes.flatMap((size, label) => new Array<number>(size).fill(label)));
  return {
    centroids: { data, count: axes.length, dims: DIMS },
    similarityMins: new Float32Array(axes.length).fill(0.1),
    labels,
    similarities: new Float32Array(labels.length).fill(0.9),
    curve,
  };
}

describe('continueClusters', () => {
  it('keeps the old centres and what they had', () => {
    const rows = [...around(0, 40), ...around(1, 40)];
    const known = [...new Array(40).fill('code'), ...new Array(40).fill('food')];
    const continued = continueClusters(rows, freshOf([0, 1], [40, 40]), known, [
      { slug: 'food', centroid: axis(1) },
      { slug: 'code', centroid: axis(0) },
    ]);
    expect([...(continued?.labels ?? [])]).toEqual([...new Array(40).fill(1), ...new Array(40).fill(0)]);
  });

  it('adds a centre for mostly new prompts that no old centre explains', () => {
    const rows = [...around(0, 40), ...around(5, 30)];
    const known = [...new Array(40).fill('food'), ...new Array(30).fill(null)];
    const previous = [{ slug: 'food', centroid: axis(0) }];
    const continued = continueClusters(rows, freshOf([0, 5], [40, 30]), known, previous);
    expect(continued?.centroids.count).toBe(2);
    const later = [...(continued?.labels ?? [])].slice(40);
    expect(later.filter((label) => label === 1).length).toBeGreaterThanOrEqual(28);
    expect(later).not.toContain(0);
  });

  it('does not split what is known', () => {
    const rows = [...around(0, 40), ...around(5, 30)];
    const known = new Array(70).fill('food');
    const previous = [{ slug: 'food', centroid: axis(0) }];
    const continued = continueClusters(rows, freshOf([0, 5], [40, 30]), known, previous);
    expect(continued?.centroids.count).toBe(1);
  });

  it('drops a centre that nobody asks for any more', () => {
    const previous = [
      { slug: 'food', centroid: axis(0) },
      { slug: 'poems', centroid: axis(3) },
    ];
    const continued = continueClusters(
      around(0, 40),
      freshOf([0], [40]),
      new Array(40).fill('food'),
      previous,
    );
    expect(continued?.centroids.count).toBe(1);
  });

  it('gives way to a clustering that fits clearly better, and to one of another grain', () => {
    const rows = [...around(0, 40), ...around(1, 40)];
    const known = new Array(80).fill('food');
    const previous = [{ slug: 'food', centroid: axis(0) }];
    const curve = [
      { clusterCount: 1, modularity: 0 },
      { clusterCount: 2, modularity: 0.5 },
    ];
    expect(continueClusters(rows, freshOf([0, 1], [40, 40], curve), known, previous)).toBeNull();
    const finer = freshOf([0, 1, 2], [40, 20, 20]);
    expect(continueClusters(rows, finer, known, previous)).toBeNull();
  });

  it('starts afresh where the old centres have another length', () => {
    const previous = [{ slug: 'food', centroid: new Float32Array(3) }];
    expect(
      continueClusters(around(0, 10), freshOf([0], [10]), new Array(10).fill('food'), previous),
    ).toBeNull();
  });
});
