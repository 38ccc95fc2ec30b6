import { describe, expect, it } from 'vitest';
import { createRandom } from './random.ts';

const SEED = 7;
const DRAWS = 20_000;

function moments(draw: () => number): { mean: number; variance: number } {
  const values = Array.from({ length: DRAWS }, draw);
  const mean = values.reduce((sum, value) => sum + value, 0) / DRAWS;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / DRAWS };
}

describe('createRandom', () => {
  it('gives the same stream for the same seed and another for the next', () => {
    const first = createRandom(SEED);
    const again = createRandom(SEED);
    const other = createRandom(SEED + 1);
    const stream = Array.from({ length: 5 }, () => first.next());
    expect(Array.from({ length: 5 }, () => again.next())).toEqual(stream);
    expect(Array.from({ length: 5 }, () => other.next())).not.toEqual(stream);
  });

  it('draws uniform, normal, gamma and beta values with the moments of their distributions', () => {
    const random = createRandom(SEED);
    const uniform = moments(() => random.next());
    expect(uniform.mean).toBeCloseTo(0.5, 1);
    expect(uniform.variance).toBeCloseTo(1 / 12, 2);
    const normal = moments(() => random.normal());
    expect(Math.abs(normal.mean)).toBeLessThan(0.03);
    expect(Math.abs(normal.variance - 1)).toBeLessThan(0.05);
    for (const shape of [0.4, 3]) {
      const gamma = moments(() => random.gamma(shape));
      expect(Math.abs(gamma.mean - shape)).toBeLessThan(0.08 * shape);
      expect(Math.abs(gamma.variance - shape)).toBeLessThan(0.15 * shape);
    }
    const beta = moments(() => random.beta(2, 6));
    expect(beta.mean).toBeCloseTo(0.25, 2);
    expect(beta.variance).toBeCloseTo((2 * 6) / (64 * 9), 2);
  });

  it('draws every integer below the limit and keeps all items when it shuffles', () => {
    const random = createRandom(SEED);
    expect(new Set(Array.from({ length: 200 }, () => random.int(4)))).toEqual(new Set([0, 1, 2, 3]));
    const items = [1, 2, 3, 4, 5, 6, 7, 8];
    random.shuffle(items);
    expect(items).not.toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(items.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('refuses limits and shapes out of range', () => {
    const random = createRandom(SEED);
    expect(() => random.int(0)).toThrow(RangeError);
    expect(() => random.int(1.5)).toThrow(RangeError);
    expect(() => random.gamma(0)).toThrow(RangeError);
  });
});
