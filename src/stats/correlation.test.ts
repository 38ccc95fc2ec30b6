import { describe, expect, it } from 'vitest';
import { correlationInterval, correlationOf, type PairSums } from './correlation.ts';

function sumsOf(pairs: readonly (readonly [number, number])[]): PairSums {
  const sum = (of: (x: number, y: number) => number): number =>
    pairs.reduce((total, [x, y]) => total + of(x, y), 0);
  return {
    count: pairs.length,
    xSum: sum((x) => x),
    xSquareSum: sum((x) => x * x),
    ySum: sum((_, y) => y),
    ySquareSum: sum((_, y) => y * y),
    xySum: sum((x, y) => x * y),
  };
}

describe('correlationOf', () => {
  it('is that of Anscombe 1973, first set', () => {
    const x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5];
    const y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
    expect(correlationOf(sumsOf(x.map((value, at) => [value, y[at] ?? 0])))).toBeCloseTo(0.8164, 4);
  });

  it('is unknown without pairs or without variance', () => {
    expect(
      correlationOf(
        sumsOf([
          [1, 1],
          [0, 0],
        ]),
      ),
    ).toBeNull();
    expect(
      correlationOf(
        sumsOf([
          [1, 1],
          [1, 0],
          [1, 1],
        ]),
      ),
    ).toBeNull();
    expect(
      correlationOf(
        sumsOf([
          [1, 1],
          [0, 1],
          [1, 1],
        ]),
      ),
    ).toBeNull();
  });

  it('keeps to -1..1 where pairs lie on a line', () => {
    expect(
      correlationOf(
        sumsOf([
          [1, 0.25],
          [0, 0.75],
          [1, 0.25],
        ]),
      ),
    ).toBe(-1);
  });
});

describe('correlationInterval', () => {
  it('gives the limits of the textbook: r = 0.5 of 28', () => {
    const [low, high] = correlationInterval(0.5, 28) ?? [0, 0];
    expect(low).toBeCloseTo(0.156, 3);
    expect(high).toBeCloseTo(0.736, 3);
  });

  it('is unknown for three pairs and narrow, not absent, at 1', () => {
    expect(correlationInterval(0.5, 3)).toBeNull();
    expect(correlationInterval(1, 100)?.[0]).toBeGreaterThan(0.99);
  });
});
