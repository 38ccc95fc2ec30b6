import { errorFunction } from 'simple-statistics';
import { describe, expect, it } from 'vitest';
import { type Belief, probabilitiesOfBest } from './probability-best.ts';
import { createRandom, type Random } from './random.ts';

function sampled(beliefs: readonly Belief[], random: Random, rounds: number): number[] {
  const wins = beliefs.map(() => 0);
  for (let round = 0; round < rounds; round++) {
    const values = beliefs.map((belief) =>
      'a' in belief
        ? random.beta(belief.a, belief.b)
        : belief.mean + Math.sqrt(belief.variance) * random.normal(),
    );
    const best = values.indexOf(Math.max(...values));
    wins[best] = (wins[best] ?? 0) + 1;
  }
  return wins.map((count) => count / rounds);
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

describe('probabilitiesOfBest', () => {
  it('is the normal formula for two', () => {
    for (const gap of [0, 0.3, 1, 2.5]) {
      const [first, second] = probabilitiesOfBest([
        { mean: gap, variance: 0.5 },
        { mean: 0, variance: 2 },
      ]);
      const expected = (1 + errorFunction(gap / Math.sqrt(2.5) / Math.SQRT2)) / 2;
      expect(first).toBeCloseTo(expected, 3);
      expect(second).toBeCloseTo(1 - expected, 3);
    }
  });

  it('agrees with drawing from Beta beliefs, skewed and wide ones too', () => {
    const beliefs = [
      { a: 95, b: 5 },
      { a: 190, b: 12 },
      { a: 9, b: 1 },
      { a: 0.5, b: 0.5 },
      { a: 40, b: 10 },
    ];
    const drawn = sampled(beliefs, createRandom(3), 100_000);
    probabilitiesOfBest(beliefs).forEach((probability, at) => {
      expect(Math.abs(probability - (drawn[at] ?? 0))).toBeLessThan(0.006);
    });
  });

  it('agrees with drawing for fifty, and adds up to one', () => {
    const random = createRandom(12);
    const beliefs = Array.from({ length: 50 }, () => ({
      mean: 60 + 8 * random.normal(),
      variance: (0.5 + 4 * random.next()) ** 2,
    }));
    const probabilities = probabilitiesOfBest(beliefs);
    expect(sumOf(probabilities)).toBeCloseTo(1, 12);
    const drawn = sampled(beliefs, random, 40_000);
    probabilities.forEach((probability, at) => {
      expect(Math.abs(probability - (drawn[at] ?? 0))).toBeLessThan(0.01);
    });
  });

  it('gives equals equal shares', () => {
    const shares = probabilitiesOfBest(Array.from({ length: 7 }, () => ({ a: 30, b: 4 })));
    for (const share of shares) expect(share).toBeCloseTo(1 / 7, 9);
  });

  it('is certain where beliefs lie apart, however narrow one is', () => {
    const [wide, narrow, low] = probabilitiesOfBest([
      { mean: 0.5, variance: 0.01 },
      { mean: 0.6, variance: 1e-12 },
      { mean: 0.1, variance: 1e-12 },
    ]);
    // The wide one exceeds 0.6 by one standard deviation.
    expect(wide).toBeCloseTo(0.158_66, 3);
    expect(narrow).toBeCloseTo(0.841_34, 3);
    expect(low).toBeLessThan(1e-9);
  });

  it('takes values that are known', () => {
    expect(
      probabilitiesOfBest([
        { mean: 1, variance: 0 },
        { mean: 2, variance: 0 },
      ]),
    ).toEqual([0, 1]);
    const tied = probabilitiesOfBest([
      { mean: 2, variance: 0 },
      { mean: 2, variance: 0 },
      { mean: 1, variance: 0 },
    ]);
    expect(tied[0]).toBeCloseTo(0.5, 12);
    expect(tied[1]).toBeCloseTo(0.5, 12);
    expect(
      probabilitiesOfBest([
        { mean: 0, variance: 0 },
        { mean: 0, variance: 1 },
      ])[0],
    ).toBeCloseTo(0.5, 3);
    expect(probabilitiesOfBest([{ mean: 3, variance: 0 }])).toEqual([1]);
    expect(probabilitiesOfBest([])).toEqual([]);
  });

  it('answers the same twice', () => {
    const beliefs = [
      { a: 10, b: 3 },
      { a: 100, b: 28 },
    ];
    expect(probabilitiesOfBest(beliefs)).toEqual(probabilitiesOfBest(beliefs));
  });

  it('refuses beliefs that are none', () => {
    expect(() => probabilitiesOfBest([{ a: 0, b: 1 }])).toThrow(RangeError);
    expect(() => probabilitiesOfBest([{ mean: 0, variance: -1 }])).toThrow(RangeError);
    expect(() => probabilitiesOfBest([{ mean: Number.NaN, variance: 1 }])).toThrow(RangeError);
  });
});
