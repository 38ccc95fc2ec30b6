import { describe, expect, it } from 'vitest';
import { neighbourGraph } from './graph.ts';
import { sphericalKMeans, toUnitVectors } from './k-means.ts';
import { findNeighbours } from './neighbours.ts';
import { createRandom } from './random.ts';
import { spectralCoordinates } from './spectral.ts';

describe('spectralCoordinates', () => {
  it('makes two crescents round, which no two centres could tell apart', () => {
    const random = createRandom(5);
    // On the sphere, a ring and the cap inside it: their mean directions are the same.
    const rows = Array.from({ length: 400 }, (_, at) => {
      const angle = 2 * Math.PI * random.next();
      const radius = (at < 200 ? 0.1 : 1) + 0.04 * random.normal();
      return Float32Array.of(radius * Math.cos(angle), radius * Math.sin(angle), 1);
    });
    const graph = neighbourGraph(rows.length, findNeighbours(toUnitVectors(rows), { perVector: 10, random }));
    const coordinates = spectralCoordinates(graph, { dims: 2, random });
    const { labels } = sphericalKMeans(coordinates, { clusterCount: 2, random });
    expect(new Set(labels.subarray(0, 200)).size).toBe(1);
    expect(new Set(labels.subarray(200)).size).toBe(1);
    expect(labels[0]).not.toBe(labels[399]);
  });
});
