import { describe, expect, it } from 'vitest';
import { computeModularity, type Graph, neighbourGraph } from './graph.ts';

/** Two triangles, joined by one edge: the textbook case. */
function triangles(): Graph {
  const neighbours = [
    [1, 2],
    [0, 2],
    [0, 1],
    [4, 5],
    [3, 5],
    [3, 4],
  ];
  return neighbourGraph(6, {
    perVector: 3,
    ids: Int32Array.from(
      neighbours.flatMap(([a = -1, b = -1], at) => [a, b, at === 2 ? 3 : at === 3 ? 2 : -1]),
    ),
    similarities: new Float32Array(18).fill(1),
  });
}

describe('neighbourGraph', () => {
  it('is symmetric and leaves out neighbours that are not there or point away', () => {
    const graph = neighbourGraph(3, {
      perVector: 1,
      ids: Int32Array.of(1, 0, 0),
      similarities: Float32Array.of(1, 1, -0.5),
    });
    expect([...graph.degrees]).toEqual([1, 1, 0]);
    expect(graph.targets).toHaveLength(4);
  });
});

describe('computeModularity', () => {
  it('gives 5/14 for two triangles with an edge between them', () => {
    expect(computeModularity(triangles(), [0, 0, 0, 1, 1, 1])).toBeCloseTo(5 / 14, 6);
  });

  it('gives nothing for one community and for a graph without edges', () => {
    expect(computeModularity(triangles(), [0, 0, 0, 0, 0, 0])).toBeCloseTo(0, 6);
    const empty = neighbourGraph(2, {
      perVector: 1,
      ids: Int32Array.of(-1, -1),
      similarities: new Float32Array(2),
    });
    expect(computeModularity(empty, [0, 1])).toBe(0);
  });
});
