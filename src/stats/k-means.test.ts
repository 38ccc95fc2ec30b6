import { describe, expect, it } from 'vitest';
import { computeAgreement } from './agreement.ts';
import { sphericalKMeans, toUnitVectors } from './k-means.ts';
import { createRandom } from './random.ts';

const SEED = 11;

/** Directions around a few random axes. */
function blobs(
  clusterCount: number,
  perCluster: number,
  dims: number,
  spread = 0.25,
): { rows: Float32Array[]; labels: number[] } {
  const random = createRandom(SEED);
  const axes = Array.from({ length: clusterCount }, () =>
    Float32Array.from({ length: dims }, () => random.normal()),
  );
  const labels = Array.from({ length: clusterCount * perCluster }, (_, at) => at % clusterCount);
  const rows = labels.map((label) =>
    Float32Array.from({ length: dims }, (_, i) => (axes[label]?.[i] ?? 0) + spread * random.normal()),
  );
  return { rows, labels };
}

describe('sphericalKMeans', () => {
  it('finds well-parted groups', () => {
    const { rows, labels } = blobs(6, 50, 16);
    const { labels: found } = sphericalKMeans(toUnitVectors(rows), {
      clusterCount: 6,
      random: createRandom(SEED),
    });
    expect(computeAgreement(found, labels).ami).toBeGreaterThan(0.85);
  });

  it('gives the same result for the same seed', () => {
    const vectors = toUnitVectors(blobs(4, 40, 8, 1).rows);
    const run = (): Int32Array =>
      sphericalKMeans(vectors, { clusterCount: 7, random: createRandom(SEED) }).labels;
    expect(run()).toEqual(run());
  });

  it('clusters large sets by batches', () => {
    const { rows, labels } = blobs(5, 2_600, 8);
    const { labels: found } = sphericalKMeans(toUnitVectors(rows), {
      clusterCount: 5,
      random: createRandom(SEED),
    });
    expect(computeAgreement(found, labels).ami).toBeGreaterThan(0.85);
  });

  it('survives equal and zero vectors', () => {
    const rows = [...Array.from({ length: 9 }, () => Float32Array.of(1, 0)), Float32Array.of(0, 0)];
    const { centroids, labels } = sphericalKMeans(toUnitVectors(rows), {
      clusterCount: 3,
      random: createRandom(SEED),
    });
    expect(labels).toHaveLength(10);
    expect(centroids.data.every((value) => Number.isFinite(value))).toBe(true);
  });

  it('refuses more clusters than vectors', () => {
    const vectors = toUnitVectors([Float32Array.of(1, 0)]);
    expect(() => sphericalKMeans(vectors, { clusterCount: 2, random: createRandom(SEED) })).toThrow(
      RangeError,
    );
  });
});
