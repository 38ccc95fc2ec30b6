import { describe, expect, it } from 'vitest';
import { bootstrapMeans } from './bootstrap.ts';
import { createRandom } from './random.ts';

describe('bootstrapMeans', () => {
  it('covers the true mean about 95 times of 100', () => {
    const random = createRandom(11);
    const trials = 300;
    let covered = 0;
    for (let trial = 0; trial < trials; trial++) {
      const values = Float64Array.from({ length: 120 }, () => (random.next() < 0.7 ? 1 : 0));
      const [interval] = bootstrapMeans([values], random);
      if (interval && interval[0] <= 0.7 && 0.7 <= interval[1]) covered++;
    }
    expect(covered / trials, 'seed 11').toBeGreaterThan(0.9);
    expect(covered / trials, 'seed 11').toBeLessThan(0.985);
  });

  it('is as wide as the theory of means says', () => {
    const values = Float64Array.from({ length: 400 }, (_, at) => at % 2);
    const [interval] = bootstrapMeans([values], createRandom(1));
    const [low, high] = interval ?? [0, 0];
    const expected = (2 * 1.96 * 0.5) / Math.sqrt(400);
    expect(Math.abs(high - low - expected)).toBeLessThan(0.12 * expected);
  });

  it('shares its resamples among the rows, so that equal rows have equal intervals', () => {
    const values = Float64Array.from({ length: 50 }, (_, at) => (at * 7) % 11);
    const [one, other] = bootstrapMeans([values, values.slice()], createRandom(3));
    expect(one).toEqual(other);
  });

  it('leaves unknown values out', () => {
    const values = Float64Array.from({ length: 60 }, (_, at) => (at % 2 === 0 ? 0.5 : Number.NaN));
    expect(bootstrapMeans([values], createRandom(1))).toEqual([[0.5, 0.5]]);
  });

  it('has no interval for a row without values, and none without items', () => {
    expect(bootstrapMeans([new Float64Array(3).fill(Number.NaN)], createRandom(1))).toEqual([null]);
    expect(bootstrapMeans([new Float64Array()], createRandom(1))).toEqual([null]);
    expect(bootstrapMeans([], createRandom(1))).toEqual([]);
  });
});
