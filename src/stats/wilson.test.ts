import { describe, expect, it } from 'vitest';
import { wilsonInterval } from './wilson.ts';

describe('wilsonInterval', () => {
  it('gives the limits of published examples', () => {
    // Newcombe 1998, Statistics in Medicine 17, table I, method 3.
    for (const [count, total, low, high] of [
      [81, 263, 0.2553, 0.3662],
      [15, 148, 0.0624, 0.1605],
      [0, 20, 0, 0.1611],
      [1, 29, 0.0061, 0.1718],
    ] as const) {
      const interval = wilsonInterval(count, total);
      expect(interval[0]).toBeCloseTo(low, 4);
      expect(interval[1]).toBeCloseTo(high, 4);
    }
  });

  it('stays between 0 and 1, and holds the share', () => {
    for (const total of [1, 3, 1_000_000]) {
      expect(wilsonInterval(0, total)[0]).toBe(0);
      expect(wilsonInterval(total, total)[1]).toBe(1);
    }
    expect(wilsonInterval(0.5, 1.5)[0]).toBeLessThan(1 / 3);
  });

  it.each([
    [0, 0],
    [-1, 5],
    [6, 5],
    [Number.NaN, 5],
  ])('refuses %d of %d', (count, total) => {
    expect(() => wilsonInterval(count, total)).toThrow(RangeError);
  });
});
