import { describe, expect, it } from 'vitest';
import { bootstrapMeans, scoreInterval } from './bootstrap.ts';
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

describe('scoreInterval', () => {
  const of = (scores: readonly number[]): readonly [number, number] => {
    const values = Float64Array.from(scores);
    return scoreInterval(bootstrapMeans([values], createRandom(2))[0] ?? [0, 0], values);
  };

  it('says of ten successes in ten what they can tell', () => {
    const [low, high] = of(Array(10).fill(1));
    expect(low).toBeCloseTo(0.722, 3);
    expect(high).toBeCloseTo(1, 12);
    expect(of(Array(10).fill(0))[1]).toBeCloseTo(0.278, 3);
    expect(of([1])[0]).toBeLessThan(0.3);
  });

  it('is wide around equal scores between, and counts known ones only', () => {
    const [low, high] = of([...Array(40).fill(0.1), Number.NaN]);
    expect(low).toBeLessThan(0.05);
    expect(high).toBeGreaterThan(0.2);
  });

  it('leaves what the bootstrap knows, and what are no scores', () => {
    const mixed = [0, 1, 1, 0, 1, 1];
    expect(of(mixed)).toEqual(bootstrapMeans([Float64Array.from(mixed)], createRandom(2))[0]);
    expect(of([3, 3, 3])).toEqual([3, 3]);
    expect(of([Number.NaN])).toEqual([0, 0]);
  });
});
