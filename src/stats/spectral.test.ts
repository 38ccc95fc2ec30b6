import { describe, expect, it } from 'vitest';
import { neighbourGraph } from './graph.ts';
import { toUnitVectors } from './k-means.ts';
import { findNeighbours } from './neighbours.ts';
import { createRandom } from './random.ts';
import { spectralCoordinates } from './spectral.ts';

describe('spectralCoordinates', () => {
  it('draws each of two loosely joined groups together and the two apart', () => {
    const random = createRandom(5);
    const rows = Array.from({ length: 200 }, (_, at) =>
      Float32Array.of(at < 100 ? 1 : 0.2, at < 100 ? 0.2 : 1, 0.5, 0.5).map(
        (value) => value + 0.2 * random.normal(),
      ),
    );
    const vectors = toUnitVectors(rows);
    const graph = neighbourGraph(rows.length, findNeighbours(vectors, { perVector: 10, random }));
    const { data, dims } = spectralCoordinates(graph, { dims: 2, random });
    const cosine = (a: number, b: number): number =>
      (data[a * dims] as number) * (data[b * dims] as number) +
      (data[a * dims + 1] as number) * (data[b * dims + 1] as number);
    let within = 0;
    let across = 0;
    for (let at = 0; at < 99; at++) {
      within += (cosine(at, at + 1) + cosine(100 + at, 101 + at)) / 198;
      across += cosine(at, 100 + at) / 99;
    }
    expect(within).toBeGreaterThan(0.95);
    expect(across).toBeLessThan(0.3);
  });
});
