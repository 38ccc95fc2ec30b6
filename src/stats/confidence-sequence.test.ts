import { describe, expect, it } from 'vitest';
import { differenceInterval, orderEvidence, sequenceInterval } from './confidence-sequence.ts';
import type { Moments } from './posterior.ts';
import { addMoments, binaryMoments, NO_MOMENTS } from './posterior.ts';
import { createRandom, type Random } from './random.ts';

const LOOKS = Array.from({ length: 50 }, (_, at) => Math.round(10 * 500 ** (at / 49)));

/** Share of paths that some look misses. */
function missRate(
  draw: (random: Random) => number,
  options: { truth: number; kind: 'binary' | 'bounded'; pathCount: number; looks?: readonly number[] },
): number {
  const { truth, kind, pathCount, looks = LOOKS } = options;
  const random = createRandom(20_261);
  const known = new Map<string, boolean>();
  let missCount = 0;
  for (let path = 0; path < pathCount; path++) {
    let sums = NO_MOMENTS;
    const isMissed = looks.some((look) => {
      while (sums.count < look) sums = addMoments(sums, momentsOf([draw(random)]));
      const key = `${sums.count} ${sums.sum} ${sums.squareSum}`;
      const [low, high] = known.has(key) ? [0, 1] : sequenceInterval(sums, { kind });
      const isOutside = known.get(key) ?? (truth < low || truth > high);
      if (kind === 'binary') known.set(key, isOutside);
      return isOutside;
    });
    if (isMissed) missCount++;
  }
  return missCount / pathCount;
}

function momentsOf(values: readonly number[]): Moments {
  return {
    count: values.length,
    sum: values.reduce((sum, value) => sum + value, 0),
    squareSum: values.reduce((sum, value) => sum + value * value, 0),
  };
}

describe('sequenceInterval', () => {
  it.each([0.5, 0.9, 0.99])('holds the rate %d of coins at all looks together', (truth) => {
    const draw = (random: Random): number => (random.next() < truth ? 1 : 0);
    expect(missRate(draw, { truth, kind: 'binary', pathCount: 2_000 })).toBeLessThan(0.05);
  });

  it('holds the mean of values in between at all looks together', () => {
    const looks = LOOKS.filter((_, at) => at % 4 === 0);
    const beta = (random: Random): number => random.beta(8, 2);
    expect(missRate(beta, { truth: 0.8, kind: 'bounded', pathCount: 200, looks })).toBeLessThan(0.05);
    const skewed = (random: Random): number => (random.next() < 0.05 ? 0 : 0.9);
    expect(missRate(skewed, { truth: 0.855, kind: 'bounded', pathCount: 200, looks })).toBeLessThan(0.05);
  });

  it('would fail that test with intervals made for one look', () => {
    const random = createRandom(3);
    let missCount = 0;
    for (let path = 0; path < 200; path++) {
      let successCount = 0;
      let count = 0;
      const isMissed = LOOKS.some((look) => {
        for (; count < look; count++) if (random.next() < 0.5) successCount++;
        return Math.abs(successCount / count - 0.5) > 1.96 * Math.sqrt(0.25 / count);
      });
      if (isMissed) missCount++;
    }
    expect(missCount / 200).toBeGreaterThan(0.2);
  });

  it('costs less than twice the width of an interval for one look', () => {
    for (const count of [100, 1_000, 10_000, 100_000]) {
      const [low, high] = sequenceInterval(binaryMoments(0.9 * count, 0.1 * count), { kind: 'binary' });
      const pointwise = 2 * 1.96 * Math.sqrt(0.09 / count);
      expect((high - low) / pointwise).toBeGreaterThan(1.4);
      expect((high - low) / pointwise).toBeLessThan(1.9);
    }
  });

  it('uses a small variance where values hardly differ', () => {
    const count = 10_000;
    const quiet = { count, sum: 0.8 * count, squareSum: count * (0.64 + 0.0025) };
    const [low, high] = sequenceInterval(quiet, { kind: 'bounded' });
    const [lowCoin, highCoin] = sequenceInterval(quiet, { kind: 'binary' });
    expect(high - low).toBeLessThan((highCoin - lowCoin) / 4);
  });

  it('is the closed form where no observation failed', () => {
    // After n successes every bet pays at most m^-n, and the sum of 20 stakes at least the best one's twentieth.
    for (const count of [20, 100, 1_000]) {
      const [low, high] = sequenceInterval(binaryMoments(count, 0), { kind: 'binary' });
      expect(high).toBe(1);
      expect(low).toBeLessThan((0.05 / 2) ** (1 / count));
      expect(low).toBeGreaterThan((0.05 / 2 / 20) ** (1 / count) - 0.002);
    }
  });

  it('shrinks with the count and grows with the certainty', () => {
    const widths = [10, 100, 1_000, 10_000].map((count) => {
      const [low, high] = sequenceInterval(binaryMoments(0.8 * count, 0.2 * count), { kind: 'binary' });
      return high - low;
    });
    expect(widths).toEqual([...widths].sort((one, other) => other - one));
    const sums = binaryMoments(80, 20);
    const [low] = sequenceInterval(sums, { kind: 'binary', error: 0.05 });
    const [lower] = sequenceInterval(sums, { kind: 'binary', error: 0.001 });
    expect(lower).toBeLessThan(low);
  });

  it('treats failures as the mirror of successes', () => {
    const [low, high] = sequenceInterval(binaryMoments(30, 10), { kind: 'binary' });
    const [lowOther, highOther] = sequenceInterval(binaryMoments(10, 30), { kind: 'binary' });
    expect(low).toBeCloseTo(1 - highOther, 6);
    expect(high).toBeCloseTo(1 - lowOther, 6);
  });

  it('knows nothing without observations and little with a part of one', () => {
    expect(sequenceInterval(NO_MOMENTS, { kind: 'bounded' })).toEqual([0, 1]);
    const [low, high] = sequenceInterval({ count: 0.3, sum: 0.3, squareSum: 0.3 }, { kind: 'binary' });
    expect(high - low).toBeGreaterThan(0.95);
  });

  it('survives sums that rounding put outside of what values can have', () => {
    const [low, high] = sequenceInterval(
      { count: 100, sum: 100 + 1e-12, squareSum: 100 - 1e-9 },
      { kind: 'bounded' },
    );
    expect(low).toBeGreaterThan(0.85);
    expect(high).toBe(1);
    const squareSum = 49 - 1e-10;
    expect(sequenceInterval({ count: 100, sum: 70, squareSum }, { kind: 'bounded' })[0]).toBeGreaterThan(0.6);
  });

  it('holds the average of a rate that moves', () => {
    // The rate falls from 0.95 to 0.55; the average so far is what must be held.
    const random = createRandom(11);
    let missCount = 0;
    for (let path = 0; path < 200; path++) {
      let successCount = 0;
      let rateSum = 0;
      let count = 0;
      const isMissed = LOOKS.filter((_, at) => at % 3 === 0).some((look) => {
        for (; count < look; count++) {
          const rate = 0.95 - (0.4 * count) / 5_000;
          rateSum += rate;
          if (random.next() < rate) successCount++;
        }
        const [low, high] = sequenceInterval(binaryMoments(successCount, count - successCount), {
          kind: 'binary',
        });
        return rateSum / count < low || rateSum / count > high;
      });
      if (isMissed) missCount++;
    }
    expect(missCount / 200).toBeLessThan(0.05);
  });

  it('refuses errors and sums that mean nothing', () => {
    expect(() => sequenceInterval(NO_MOMENTS, { kind: 'binary', error: 0 })).toThrow(RangeError);
    expect(() => sequenceInterval({ count: -1, sum: 0, squareSum: 0 }, { kind: 'binary' })).toThrow(
      RangeError,
    );
    expect(() => sequenceInterval({ count: 1, sum: Number.NaN, squareSum: 0 }, { kind: 'binary' })).toThrow(
      RangeError,
    );
  });
});

describe('orderEvidence', () => {
  const ESTABLISHED = Math.log(1 / 0.05);

  it.each(['binary', 'bounded'] as const)('seldom calls equal means ordered, at all looks (%s)', (kind) => {
    const random = createRandom(5);
    const draw = (): number => (kind === 'binary' ? (random.next() < 0.9 ? 1 : 0) : random.beta(9, 1));
    let wrongCount = 0;
    for (let path = 0; path < 200; path++) {
      let one = NO_MOMENTS;
      let other = NO_MOMENTS;
      const isWrong = [20, 40, 80, 160, 320, 640, 1_280].some((look) => {
        while (one.count < look) one = addMoments(one, momentsOf([draw()]));
        while (other.count < look / 2) other = addMoments(other, momentsOf([draw()]));
        return orderEvidence(one, other, { kind }) >= ESTABLISHED;
      });
      if (isWrong) wrongCount++;
    }
    expect(wrongCount / 200).toBeLessThan(0.05);
  });

  it('establishes an order before the two intervals come apart', () => {
    const better = binaryMoments(270, 30);
    const worse = binaryMoments(231, 69);
    expect(orderEvidence(better, worse, { kind: 'binary' })).toBeGreaterThan(ESTABLISHED);
    const [low] = sequenceInterval(better, { kind: 'binary' });
    const [, high] = sequenceInterval(worse, { kind: 'binary' });
    expect(low).toBeLessThan(high);
  });

  it('is strongest for what is claimed least', () => {
    const one = binaryMoments(900, 100);
    const other = binaryMoments(880, 120);
    const evidence = [-0.1, -0.05, 0, 0.05].map((shift) =>
      orderEvidence(one, other, { kind: 'binary', shift }),
    );
    expect(evidence).toEqual([...evidence].sort((a, b) => b - a));
    // Not worse by more than 0.05 is established where better is not.
    expect(evidence[1]).toBeGreaterThan(ESTABLISHED);
    expect(evidence[2]).toBeLessThan(ESTABLISHED);
  });

  it('establishes nothing from no observations', () => {
    expect(orderEvidence(NO_MOMENTS, binaryMoments(0, 1_000), { kind: 'binary' })).toBeLessThan(ESTABLISHED);
    expect(orderEvidence(NO_MOMENTS, NO_MOMENTS, { kind: 'bounded', shift: -0.9 })).toBeLessThanOrEqual(0);
  });

  it('finds the least stake, however the two samples lie', () => {
    const random = createRandom(8);
    for (let round = 0; round < 30; round++) {
      const one = momentsOf(Array.from({ length: 5 + random.int(200) }, () => random.beta(6, 2)));
      const other = momentsOf(Array.from({ length: 5 + random.int(200) }, () => random.beta(3, 2)));
      // The claim with a smaller shift is weaker, so its evidence cannot be smaller where each least is found.
      const finer = Array.from({ length: 9 }, (_, at) =>
        orderEvidence(one, other, { kind: 'bounded', shift: -0.2 + 0.05 * at }),
      );
      expect(finer).toEqual([...finer].sort((a, b) => b - a));
    }
  });

  it('refuses a shift that no two means can have', () => {
    expect(() => orderEvidence(NO_MOMENTS, NO_MOMENTS, { kind: 'binary', shift: 1 })).toThrow(RangeError);
  });
});

describe('differenceInterval', () => {
  it('is narrower than the two intervals apart, and mirrors', () => {
    const one = binaryMoments(900, 100);
    const other = binaryMoments(800, 200);
    const [low, high] = differenceInterval(one, other, { kind: 'binary' });
    const [lowOne, highOne] = sequenceInterval(one, { kind: 'binary' });
    const [lowOther, highOther] = sequenceInterval(other, { kind: 'binary' });
    expect(low).toBeGreaterThan(lowOne - highOther);
    expect(high).toBeLessThan(highOne - lowOther);
    const [lowBack, highBack] = differenceInterval(other, one, { kind: 'binary' });
    expect(lowBack).toBeCloseTo(-high, 5);
    expect(highBack).toBeCloseTo(-low, 5);
  });

  it('agrees with the verdict on the order', () => {
    const one = binaryMoments(270, 30);
    const other = binaryMoments(231, 69);
    const [low] = differenceInterval(one, other, { kind: 'binary' });
    expect(low > 0).toBe(orderEvidence(one, other, { kind: 'binary' }) >= Math.log(2 / 0.05));
  });

  it('says nothing without observations of both', () => {
    expect(differenceInterval(NO_MOMENTS, binaryMoments(9, 1), { kind: 'binary' })).toEqual([-1, 1]);
  });
});
